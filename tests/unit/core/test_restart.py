"""A core that is killed, and another that starts over what it stored."""

from typing import Any

import pytest

from talkburst.sip.journal import RowError

OTHER = ("127.0.0.1", 5099)


def test_a_binding_comes_back_with_all_it_had(make_bench: Any) -> None:
    bench = make_bench()
    bench.register(
        contact='"Alice" <sip:alice@127.0.0.1:5090;ob>;+g.poc.talkburst;+sip.instance="<urn:uuid:1>";reg-id=1;q=0.7',
        headers="Path: <sip:edge.example;lr;ob>",
    )
    [before] = bench.core.registrar.registrations()
    again, sent = bench.restarted(after=10)
    [after] = again.core.registrar.registrations()
    assert after.bindings == before.bindings
    assert (after.explicit, after.subscriber.key) == (before.explicit, before.subscriber.key)
    assert sent.to_clients == []


def test_what_the_first_200_promised_is_what_a_fetch_shows_after_the_restart(registered: Any) -> None:
    again, _ = registered.restarted(after=600)
    [answer] = again.register(contact="", cseq=5)
    assert answer.line == "SIP/2.0 200 OK"
    assert answer.header("Contact") == "<sip:alice@127.0.0.1:5090>;+g.poc.talkburst;expires=3000"


def test_after_a_clock_that_was_a_month_ahead_nothing_lasts_longer_than_is_ever_granted(registered: Any) -> None:
    registered.subscribe()
    again, _ = registered.restarted(after=-30 * 86400)
    [answer] = again.register(contact="", cseq=5)
    assert answer.header("Contact") == "<sip:alice@127.0.0.1:5090>;+g.poc.talkburst;expires=3600"
    [kept] = again.core.notifier.subscriptions
    assert kept.expires_at <= again.now + 600_000
    again.subscribe(call_id="another")
    document = again.sent[-1].text
    assert 'duration-registered="0"' in document
    assert document.count('expires="3600"') == 3
    again.advance(3601)
    assert not again.core.registrar.registration("sip:alice@ims.example").active


def test_a_refresh_after_the_restart_is_no_second_contact(registered: Any) -> None:
    again, _ = registered.restarted(after=600)
    answer, third_party = again.register(cseq=3)
    assert len(answer.headers("Contact")) == 1
    assert again.reasons("200 to REGISTER: re-registration")
    assert third_party.header("Expires") == "3600"


def test_a_cseq_from_before_the_restart_is_refused(registered: Any) -> None:
    again, _ = registered.restarted()
    [answer] = again.register(cseq=1)
    assert answer.message.status == 500


def test_the_source_of_a_registration_is_known_without_credentials(registered: Any) -> None:
    again, _ = registered.restarted()
    assert again.subscribe()[0].line == "SIP/2.0 200 OK"
    assert again.subscribe(source=OTHER, call_id="stranger")[0].message.status == 407


def test_a_nonce_from_before_the_restart_is_stale_once(registered: Any) -> None:
    head = """
        REGISTER sip:ims.example SIP/2.0
        From: <sip:alice@ims.example>;tag=reg
        To: <sip:alice@ims.example>
        Call-ID: another
        Contact: <sip:alice@127.0.0.1:5090>;+g.poc.talkburst
    """
    [challenged] = registered.client(head + "CSeq: 1 REGISTER")
    uri = "sip:ims.example"
    answered = registered.credentials(challenged, "alice@ims.example", "alice", "REGISTER", uri)
    again, _ = registered.restarted(after=1)
    [stale] = again.client(f"{head}CSeq: 2 REGISTER\nAuthorization: {answered}")
    assert stale.message.status == 401
    assert "stale=true" in stale.header("WWW-Authenticate")
    anew = again.credentials(stale, "alice@ims.example", "alice", "REGISTER", uri)
    assert again.client(f"{head}CSeq: 3 REGISTER\nAuthorization: {anew}")[0].line == "SIP/2.0 200 OK"


def test_the_nonce_key_is_the_stored_one(make_bench: Any) -> None:
    bench = make_bench()
    bench.core.restore({}, bench.now)
    bench.store()
    assert bench.tables == {"keys": {"nonce": {"key": (b"k" * 32).hex()}}}
    bench.tables["keys"]["nonce"] = {"key": (b"o" * 32).hex()}
    again, _ = bench.restarted()
    assert again.core._verifier.key == b"o" * 32


def test_a_subscription_goes_on_in_its_dialog(registered: Any) -> None:
    answer, first = registered.subscribe(headers="Record-Route: <sip:127.0.0.9:5060;lr>\nExpires: 3600")
    registered.answer(first, "200 OK")
    again, sent = registered.restarted(after=60)
    assert sent == []
    tag = answer.message.to.tag
    refreshed, second = again.client(
        f"""
        SUBSCRIBE sip:127.0.0.1:5060 SIP/2.0
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>;tag={tag}
        Call-ID: watch
        CSeq: 2 SUBSCRIBE
        Event: reg
        Contact: <sip:127.0.0.1:5090>
        Expires: 3600
        """
    )
    assert refreshed.line == "SIP/2.0 200 OK"
    assert (first.message.cseq.number, second.message.cseq.number) == (1, 2)
    assert 'version="0"' in first.text
    assert 'version="1"' in second.text
    assert second.header("From") == first.header("From")
    assert second.headers("Route") == first.headers("Route") == ["<sip:127.0.0.9:5060;lr>"]


def test_what_expired_in_between_is_told_to_servers_and_watchers(registered: Any) -> None:
    registered.answer(registered.subscribe(headers="Expires: 7200")[1], "200 OK")
    again, sent = registered.restarted(after=4000)
    [farewell] = sent.to_servers
    assert farewell.line == "REGISTER sip:poc.ims.example SIP/2.0"
    assert (farewell.header("Expires"), farewell.header("CSeq")) == ("0", "2 REGISTER")
    told = next(each for each in registered.sent if each.listener == "servers")
    assert farewell.header("Call-ID") == told.header("Call-ID")
    [notify] = sent.to_clients
    assert notify.header("Subscription-State") == "terminated;reason=deactivated"
    assert 'event="expired"' in notify.text
    again.answer(farewell, "200 OK")
    again.answer(notify, "200 OK")
    assert not any(rows for name, rows in again.tables.items() if name != "keys")


def test_one_of_two_contacts_that_expired_in_between_is_told_as_a_change(make_bench: Any) -> None:
    bench = make_bench()
    bench.answer(bench.register(expires=600).to_servers[0], "200 OK")
    second = bench.register(private_id="alice-2@ims.example", source=OTHER, password="alice")
    bench.answer(second.to_servers[0], "200 OK")
    bench.answer(bench.subscribe(source=OTHER)[1], "200 OK")
    again, sent = bench.restarted(after=700)
    assert sent.to_servers == []
    [notify] = sent.to_clients
    assert notify.header("Subscription-State").startswith("active;")
    assert notify.text.count('event="expired"') == 3  # once for each identity
    again.answer(notify, "200 OK")
    assert again.restarted()[1] == []


def test_contacts_that_ended_are_stored_until_every_watcher_knows(make_bench: Any) -> None:
    bench = make_bench()
    bench.answer(bench.register(expires=600).to_servers[0], "200 OK")
    bench.register(private_id="alice-2@ims.example", source=OTHER, password="alice")
    bench.answer(bench.subscribe(source=OTHER)[1], "200 OK")
    notify = bench.advance(601).to_clients[0]
    assert 'event="expired"' in notify.text
    again, sent = bench.restarted()
    repeated = sent.to_clients[0]
    assert 'event="expired"' in repeated.text
    again.answer(repeated, "200 OK")
    again.register(private_id="alice-2@ims.example", source=OTHER, password="alice", cseq=3)
    [row] = again.tables["registrations"].values()
    assert row["ended"] == []


def test_a_server_that_has_not_answered_is_told_again(make_bench: Any) -> None:
    bench = make_bench()
    _, first = bench.register()
    again, sent = bench.restarted(after=100)
    [repeated] = sent
    assert repeated.header("Call-ID") == first.header("Call-ID")
    assert (first.header("CSeq"), repeated.header("CSeq")) == ("1 REGISTER", "2 REGISTER")
    assert (first.header("Expires"), repeated.header("Expires")) == ("3600", "3500")
    again.answer(repeated, "200 OK")
    assert again.restarted()[1] == []


def test_a_server_that_answered_is_told_the_end_under_the_next_number(registered: Any) -> None:
    again, sent = registered.restarted()
    assert sent == []
    _, farewell = again.register(expires=0, cseq=3)
    assert (farewell.header("Expires"), farewell.header("CSeq")) == ("0", "2 REGISTER")
    assert "+g.poc" not in farewell.text


def test_an_end_that_no_server_has_confirmed_is_told_again(registered: Any) -> None:
    registered.register(expires=0, cseq=3)
    again, sent = registered.restarted()
    assert [(each.header("Expires"), each.header("CSeq")) for each in sent] == [("0", "3 REGISTER")]
    again.answer(sent[0], "200 OK")
    assert again.tables["told"] == {}


def test_contact_ids_are_not_given_twice(make_bench: Any) -> None:
    bench = make_bench()
    bench.register()
    again, _ = bench.restarted()
    again.register(private_id="alice-2@ims.example", source=OTHER, password="alice")
    [registration] = again.core.registrar.registrations()
    assert [binding.id for binding in registration.bindings] == ["c1", "c2"]


def test_a_user_who_left_the_profiles_is_dropped_and_watchers_are_told(registered: Any) -> None:
    registered.answer(registered.subscribe()[1], "200 OK")
    gone = {"alice.xml": "<gone/>", "alice-2.xml": "<gone/>"}
    again, sent = registered.restarted(profiles=gone)
    assert [each.header("Subscription-State") for each in sent] == ["terminated;reason=noresource"]
    assert again.reasons("stored registration is dropped")
    assert again.reasons("what a server was told is dropped")
    again.answer(sent[0], "200 OK")
    assert not any(rows for name, rows in again.tables.items() if name != "keys")


def test_a_device_that_left_the_profiles_loses_its_contact(make_bench: Any) -> None:
    bench = make_bench()
    bench.answer(bench.register(private_id="alice-2@ims.example", password="alice").to_servers[0], "200 OK")
    again, sent = bench.restarted(profiles={"alice-2.xml": "<gone/>"})
    assert [each.header("Expires") for each in sent] == ["0"]
    assert list(again.core.registrar.registrations()) == []


def test_memory_goes_back_to_what_is_stored_and_what_is_owed_waits(registered: Any) -> None:
    stored = {name: dict(rows) for name, rows in registered.tables.items()}
    registered.register(private_id="alice-2@ims.example", source=OTHER, password="alice")
    registered.tables = stored
    registered.journal.take()
    registered.core.restore(stored, registered.now, registered.now + 5)
    [registration] = registered.core.registrar.registrations()
    assert [binding.private_id for binding in registration.bindings] == ["alice@ims.example"]
    assert registered.subscribe(source=OTHER)[0].message.status == 407
    assert registered.advance(30) == []  # the third-party REGISTER that was under way is not sent again


@pytest.mark.parametrize("table", ["registrations", "told", "subscriptions"])
def test_a_row_that_makes_no_sense_is_an_error(make_bench: Any, table: str) -> None:
    bench = make_bench()
    with pytest.raises(RowError):
        bench.core.restore({table: {"sip:alice@ims.example": {}}}, bench.now)
