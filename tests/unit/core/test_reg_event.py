"""SUBSCRIBE and NOTIFY for the reg event package (RFC 3680, TS 24.229 5.4.2.1)."""

import pytest

from talkburst.xml import reginfo

POC = ("127.0.0.2", 5070)
DAVE = "001010000000004@ims.mnc001.mcc001.3gppnetwork.org"
ALICE = ["sip:alice@ims.example", "sip:+12025550101@ims.example;user=phone", "tel:+12025550101"]
TAG = "+g.poc.talkburst"


def document(sent) -> reginfo.Reginfo:
    return reginfo.from_xml(sent.message.body)


def notify_of(sent):
    return next(each for each in sent if each.line.startswith("NOTIFY"))


def events(sent) -> list[list[tuple[str, str]]]:
    """For each identity the states and events of its contacts."""
    return [
        [(contact.state, contact.event) for contact in registration.contacts]
        for registration in document(sent).registrations
    ]


def test_client_watches_itself(registered) -> None:
    accepted, notify = registered.subscribe(headers="Expires: 600000")
    assert accepted.line == "SIP/2.0 200 OK"
    assert accepted.header("Expires") == "600000"
    assert accepted.header("Contact") == "<sip:127.0.0.1:5060>"
    assert notify.line == "NOTIFY sip:127.0.0.1:5090 SIP/2.0"
    assert notify.header("Event") == "reg"
    assert notify.header("Subscription-State") == "active;expires=600000"
    assert notify.header("From") == f"<sip:alice@ims.example>;tag={accepted.message.to.tag}"
    assert notify.header("To") == "<sip:alice@ims.example>;tag=w"
    assert notify.header("Content-Type") == "application/reginfo+xml"


def test_document_lists_every_identity_with_the_contact_and_its_tag(registered) -> None:
    info = document(registered.subscribe()[1])
    assert (info.version, info.state) == (0, "full")
    assert [registration.aor for registration in info.registrations] == ALICE
    assert {registration.state for registration in info.registrations} == {"active"}
    for registration in info.registrations:
        (contact,) = registration.contacts
        assert contact.uri == "sip:alice@127.0.0.1:5090"
        assert contact.unknown_params == {TAG: None}
        assert (contact.expires, contact.duration_registered) == (3600, 0)
        assert (contact.callid, contact.cseq) == ("register-alice@ims.example", 2)
    assert [registration.contacts[0].event for registration in info.registrations] == [
        "registered",
        "created",
        "created",
    ]
    assert len({registration.contacts[0].id for registration in info.registrations}) == 3


def test_parameters_of_the_contact_keep_their_quotes_and_q_and_expires_stay_out(bench) -> None:
    bench.register(contact=f'"A" <sip:alice@127.0.0.1:5090>;q=0.5;expires=900;{TAG};+sip.instance="<urn:uuid:1>"')
    contact = document(notify_of(bench.subscribe())).registrations[0].contacts[0]
    assert contact.unknown_params == {TAG: None, "+sip.instance": '"<urn:uuid:1>"'}
    assert (contact.q, contact.expires, contact.display_name) == ("0.5", 900, "A")


def test_default_duration_is_that_of_the_package(registered) -> None:
    accepted, notify = registered.subscribe()
    assert accepted.header("Expires") == "3761"
    assert notify.header("Subscription-State") == "active;expires=3761"


def test_barred_identity_is_never_shown(bench) -> None:
    bench.register("dave", private_id=DAVE, aor=f"sip:{DAVE}")
    notify = notify_of(bench.subscribe(uri="sip:dave@ims.example"))
    info = document(notify)
    assert [registration.aor for registration in info.registrations] == ["sip:dave@ims.example"]
    assert info.registrations[0].contacts[0].event == "created"
    assert "001010000000004" not in notify.text.replace(f"register-{DAVE}", "")


def test_barred_identity_cannot_be_watched_nor_watch(bench) -> None:
    bench.register("dave", private_id=DAVE, aor=f"sip:{DAVE}")
    (answer,) = bench.subscribe(uri=f"sip:{DAVE}")
    assert answer.line.startswith("SIP/2.0 403 ")
    assert bench.reasons("403 to SUBSCRIBE", f"sip:{DAVE} is barred")


def test_application_server_of_the_criteria_may_watch(registered) -> None:
    sent = registered.subscribe(source=POC, asserted="sip:poc.ims.example", headers="Expires: 600000")
    assert sent[0].line == "SIP/2.0 200 OK"
    assert sent[0].header("Contact") == "<sip:127.0.0.1:5054>"
    notify = notify_of(sent)
    assert (notify.listener, notify.to) == ("servers", POC)
    assert notify.header("From").startswith("<sip:alice@ims.example>;tag=")
    assert notify.header("To") == "<sip:poc.ims.example>;tag=w"
    assert [registration.aor for registration in document(notify).registrations] == ALICE


@pytest.mark.parametrize("uri", ALICE)
def test_any_identity_of_the_user_names_the_user(registered, uri: str) -> None:
    sent = registered.subscribe(uri=uri, source=POC, asserted="sip:poc.ims.example")
    assert sent[0].line == "SIP/2.0 200 OK"
    assert len(document(notify_of(sent)).registrations) == 3


def test_proxy_on_the_path_may_watch(bench) -> None:
    bench.register(headers="Path: <sip:pcscf.example;lr>")
    assert bench.subscribe(source=POC, asserted="sip:pcscf.example")[0].line == "SIP/2.0 200 OK"


@pytest.mark.parametrize("who", ["sip:other.ims.example", "sip:bob@ims.example"])
def test_nobody_else_may_watch(registered, who: str) -> None:
    (answer,) = registered.subscribe(source=POC, asserted=who)
    assert answer.line.startswith("SIP/2.0 403 ")
    refusal = next(facts for what, facts in registered.decisions if what == "SUBSCRIBE refused")
    assert refusal["why"] == f"{who} may not watch sip:alice@ims.example"


def test_another_user_may_not_watch(registered) -> None:
    registered.register("bob", source=("127.0.0.1", 5092))
    (answer,) = registered.subscribe(source=("127.0.0.1", 5092), headers="P-Preferred-Identity: <sip:bob@ims.example>")
    assert answer.line.startswith("SIP/2.0 403 ")


def test_asserted_identity_of_a_client_is_not_believed(registered) -> None:
    registered.register("bob", source=("127.0.0.1", 5092))
    headers = "P-Asserted-Identity: <sip:alice@ims.example>"
    (answer,) = registered.subscribe(source=("127.0.0.1", 5092), headers=headers)
    assert answer.line.startswith("SIP/2.0 403 ")


def test_user_who_is_not_registered_is_480(bench) -> None:
    (answer,) = bench.subscribe(source=POC, asserted="sip:poc.ims.example")
    assert answer.line.startswith("SIP/2.0 480 ")


def test_unknown_user_is_404(bench) -> None:
    (answer,) = bench.subscribe(uri="sip:mallory@ims.example", source=POC, asserted="sip:poc.ims.example")
    assert answer.line.startswith("SIP/2.0 404 ")


def test_untrusted_peer_is_refused_on_the_listener_for_servers(registered) -> None:
    (answer,) = registered.subscribe(source=("127.0.0.9", 5070), asserted="sip:poc.ims.example")
    assert answer.line == "SIP/2.0 403 Forbidden"
    assert registered.reasons("403 to SUBSCRIBE: 127.0.0.9 is not in trust.peers")


def test_second_device_is_told_to_every_watcher_with_full_state(registered) -> None:
    registered.answer(registered.subscribe()[1], "200 OK")
    sent = registered.subscribe(source=POC, asserted="sip:poc.ims.example", call_id="server")
    registered.answer(notify_of(sent), "200 OK")
    sent = registered.register("alice", private_id="alice-2@ims.example", source=("127.0.0.1", 5091))
    notifies = [each for each in sent if each.line.startswith("NOTIFY")]
    assert {each.listener for each in notifies} == {"clients", "servers"}
    for notify in notifies:
        info = document(notify)
        assert (info.version, info.state) == (1, "full")
        assert [len(registration.contacts) for registration in info.registrations] == [2, 2, 2]


def test_refresh_is_told(registered) -> None:
    registered.answer(registered.subscribe()[1], "200 OK")
    registered.advance(10)
    notify = notify_of(registered.register(cseq=10))
    assert events(notify) == [[("active", "refreshed")]] * 3
    assert document(notify).registrations[0].contacts[0].duration_registered == 10


def test_contact_that_leaves_is_told_once(registered) -> None:
    registered.register("alice", private_id="alice-2@ims.example", source=("127.0.0.1", 5091))
    registered.answer(registered.subscribe()[1], "200 OK")
    notify = notify_of(registered.register(cseq=10, expires=0))
    assert events(notify)[0] == [("active", "registered"), ("terminated", "unregistered")]
    registered.answer(notify, "200 OK")
    registered.advance(6)
    again = registered.register("alice", private_id="alice-2@ims.example", source=("127.0.0.1", 5091), cseq=20)
    assert events(notify_of(again))[0] == [("active", "refreshed")]


def test_changes_within_the_interval_are_told_together(registered) -> None:
    registered.answer(registered.subscribe()[1], "200 OK")
    registered.answer(notify_of(registered.register(cseq=10)), "200 OK")
    registered.advance(1)
    sent = registered.register("alice", private_id="alice-2@ims.example", source=("127.0.0.1", 5091))
    sent += registered.register(
        "alice", private_id="alice-2@ims.example", source=("127.0.0.1", 5091), cseq=8, expires=0
    )
    assert not [each for each in sent if each.line.startswith("NOTIFY")]
    sent = registered.advance(4.1)
    (notify,) = [each for each in sent if each.line.startswith("NOTIFY")]
    assert events(notify)[0] == [("active", "refreshed"), ("terminated", "unregistered")]


@pytest.mark.parametrize("end", ["REGISTER", "clock"])
def test_subscriptions_end_with_the_last_contact(registered, end: str) -> None:
    registered.answer(registered.subscribe(headers="Expires: 600000")[1], "200 OK")
    sent = registered.subscribe(source=POC, asserted="sip:poc.ims.example", call_id="server", headers="Expires: 600000")
    registered.answer(notify_of(sent), "200 OK")
    sent = registered.register(cseq=10, expires=0) if end == "REGISTER" else registered.advance(3600)
    notifies = {each.listener: each for each in sent if each.line.startswith("NOTIFY")}
    assert set(notifies) == {"clients", "servers"}
    for notify in notifies.values():
        assert notify.header("Subscription-State") == "terminated;reason=deactivated"
        info = document(notify)
        assert {registration.state for registration in info.registrations} == {"terminated"}
        gone = "unregistered" if end == "REGISTER" else "expired"
        assert events(notify) == [[("terminated", gone)]] * 3
    assert registered.core.notifier.subscriptions == []


def test_refresh_in_the_dialog_is_taken_and_unsubscribing_ends_it(registered) -> None:
    accepted, notify = registered.subscribe()
    registered.answer(notify, "200 OK")

    def again(cseq: int, expires: int):
        return registered.client(f"""
            SUBSCRIBE {accepted.header("Contact")[1:-1]} SIP/2.0
            From: <sip:alice@ims.example>;tag=w
            To: <sip:alice@ims.example>;tag={accepted.message.to.tag}
            Call-ID: watch
            CSeq: {cseq} SUBSCRIBE
            Event: reg
            Expires: {expires}
            Contact: <sip:127.0.0.1:5090>
        """)

    sent = again(2, 1200)
    assert sent[0].line == "SIP/2.0 200 OK"
    assert document(notify_of(sent)).version == 1
    registered.answer(notify_of(sent), "200 OK")
    sent = again(3, 0)
    assert notify_of(sent).header("Subscription-State") == "terminated;reason=timeout"
    assert again(4, 600)[0].line.startswith("SIP/2.0 481 ")


def in_dialog(accepted, cseq: int, headers: str = "", method: str = "SUBSCRIBE") -> str:
    """A request in the dialog that alice made."""
    return f"""
        {method} {accepted.header("Contact")[1:-1]} SIP/2.0
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>;tag={accepted.message.to.tag}
        Call-ID: watch
        CSeq: {cseq} {method}
        Event: reg
        Contact: <sip:127.0.0.1:5092>
        {headers or "Expires: 0"}
    """


def test_another_user_may_not_use_the_dialog(registered) -> None:
    accepted, notify = registered.subscribe()
    registered.answer(notify, "200 OK")
    bob = ("127.0.0.1", 5092)
    registered.register("bob", source=bob)
    (answer,) = registered.client(in_dialog(accepted, 900, "P-Preferred-Identity: <sip:bob@ims.example>"), bob)
    assert answer.line == "SIP/2.0 403 Subscription is somebody else's"
    # Neither has the target moved, nor is the number of bob's CSeq used up.
    sent = registered.client(in_dialog(accepted, 2, "P-Preferred-Identity: <tel:+12025550101>"))
    assert sent[0].line == "SIP/2.0 200 OK"
    assert len(registered.core.notifier.subscriptions) == 1


def test_user_may_not_use_the_dialog_of_an_application_server(registered) -> None:
    accepted, notify = registered.subscribe(source=POC, asserted="sip:poc.ims.example")
    registered.answer(notify, "200 OK")
    (answer,) = registered.client(in_dialog(accepted, 900).replace("sip:127.0.0.1:5054 SIP", "sip:127.0.0.1:5060 SIP"))
    assert answer.line == "SIP/2.0 403 Subscription is somebody else's"
    assert registered.server(in_dialog(accepted, 2), POC)[0].line == "SIP/2.0 200 OK"


def test_stray_bye_is_481(registered) -> None:
    accepted, _ = registered.subscribe()
    (answer,) = registered.client(in_dialog(accepted, 2, method="BYE"))
    assert answer.line.startswith("SIP/2.0 481 ")
    assert len(registered.core.notifier.subscriptions) == 1


def test_notify_can_be_made_to_overtake_the_200(make_bench) -> None:
    bench = make_bench(notify_first=True)
    bench.register()
    sent = bench.subscribe()
    assert [each.line.split()[0] for each in sent] == ["NOTIFY", "SIP/2.0"]


def test_other_packages_are_not_the_cores(registered) -> None:
    options = registered.client("""
        OPTIONS sip:ims.example SIP/2.0
        From: <sip:x@ims.example>;tag=a
        To: <sip:ims.example>
        Call-ID: o
        CSeq: 1 OPTIONS
    """)[0]
    assert options.line == "SIP/2.0 200 OK"
    assert options.header("Allow-Events") == "reg"
    assert options.header("Accept") == "application/reginfo+xml"
    assert options.header("Supported") == "path, outbound"
    assert options.header("Allow") == "CANCEL, OPTIONS, REGISTER, SUBSCRIBE"


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize(("scheme", "arrives"), [("sip", True), ("sips", False)])
def test_notify_past_a_strict_router_goes_to_that_router(make_bench, transport: str, scheme: str, arrives) -> None:
    # RFC 3261 8.1.2 and 12.2.1.1: it is in the Request-URI, the Route is for later. To a SIPS Contact only over TLS.
    bench, contact = make_bench(transport=transport), f"{scheme}:127.0.0.1:5090"
    bench.answer(bench.register().to_servers[0], "200 OK")
    sent = bench.client(f"""
        SUBSCRIBE sip:alice@ims.example SIP/2.0
        Record-Route: <sip:192.0.2.77>, <sip:192.0.2.78;lr>
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: strict
        CSeq: 1 SUBSCRIBE
        Event: reg
        Contact: <{contact}>
    """)
    assert sent[0].message.status == 200
    notifies = [(each.line, each.to, each.message.values("Route")) for each in sent[1:]]
    routes = ["<sip:192.0.2.78;lr>", f"<{contact}>"]
    to = ("192.0.2.77", 5060) if transport == "UDP" else ("127.0.0.1", 5090)  # the connection that it came by
    assert notifies == ([("NOTIFY sip:192.0.2.77 SIP/2.0", to, routes)] if arrives else [])
