"""Third-party REGISTER (steps 5 and 6) and the reg subscription it leads to (7 to 10)."""

import pytest

from talkburst.sip.message import Response

ALICE = "sip:alice@ims.example"


def test_answered_at_once_with_expires_and_without_a_binding(bench):
    answer, _ = bench.third_party(expires=1800)
    assert isinstance(answer, Response)
    assert (answer.status, answer.get("Expires"), answer.get("Contact")) == (200, "1800", None)


def test_leads_to_a_reg_subscription_back_along_its_contact(bench):
    _, subscribe = bench.third_party()
    assert subscribe.start_line == f"SUBSCRIBE {ALICE} SIP/2.0"
    assert [
        (name, subscribe.get(name)) for name in ("Route", "To", "P-Asserted-Identity", "Event", "Accept", "Expires")
    ] == [
        ("Route", "<sip:127.0.0.1:5054;lr>"),
        ("To", f"<{ALICE}>"),
        ("P-Asserted-Identity", "<sip:poc.ims.example>"),
        ("Event", "reg"),
        ("Accept", "application/reginfo+xml"),
        ("Expires", "600000"),
    ]
    assert subscribe.get("From").startswith("<sip:poc.ims.example>;tag=")
    assert subscribe.get("Contact") == "<sip:127.0.0.1:5070>"


def test_without_a_contact_the_way_back_is_the_core_in_from(bench):
    _, subscribe = bench.third_party(Contact=None)
    assert subscribe.get("Route") == "<sip:scscf.ims.example;lr>"


@pytest.mark.parametrize("source", [("192.0.2.66", 5060), ("127.0.0.2", 5054)])
def test_untrusted_peer_is_403_and_leaves_no_trace(bench, source):
    (answer,) = bench.request("REGISTER", "sip:poc.ims.example", To=f"<{ALICE}>", Expires="3600", source=source)
    assert answer.status == 403
    assert bench.server.third_party.registrations == []
    assert bench.said("not in trust.peers") == [{"user": ALICE, "peer": source[0], "call_id": "core1"}]


@pytest.mark.parametrize("expires", [0, 3600])
def test_what_the_core_passes_on_for_a_client_is_no_third_party_registration(registered, expires):
    """TS 24.229 5.4.1.7: the core's own has nobody asserted in it, one that it passes on says whose it is."""
    known = registered.server.third_party.registrations[0].expires_at
    (answer,) = registered.third_party(expires=expires, P_Asserted_Identity="<sip:mallory@ims.example>")
    assert answer.status == 403
    assert [each.expires_at for each in registered.server.third_party.registrations] == [known]
    assert registered.said("passed on for <sip:mallory@ims.example>")


def test_contact_expires_goes_before_the_header(bench):
    answer, _ = bench.third_party(expires=100, Contact="<sip:127.0.0.1:5054>;expires=700")
    assert answer.get("Expires") == "700"


def test_no_expires_at_all_is_an_hour(bench):
    answer, _ = bench.third_party(Expires=None)
    assert answer.get("Expires") == "3600"


def test_unreadable_expires_is_400(bench):
    (answer,) = bench.third_party(Expires="later")
    assert answer.status == 400


def test_to_that_names_no_user_is_404(bench):
    (answer,) = bench.third_party(to="mailto:alice@ims.example")
    assert answer.status == 404


def test_bodies_of_other_cores_are_not_looked_at(bench):
    (answer, _) = bench.request(
        "REGISTER",
        "sip:poc.ims.example",
        "Event: registration",
        "Path: <sip:term@127.0.0.1;lr>",
        body="REGISTER sip:x SIP/2.0\r\n\r\n",
        To=f"<{ALICE}>",
        Expires="3600",
        Content_Type="message/sip",
    )
    assert answer.status == 200


def test_further_register_refreshes_the_subscription_in_its_dialog(registered):
    before = registered.subscribe
    answer, subscribe = registered.third_party()
    assert answer.status == 200
    assert (subscribe.call_id, subscribe.to.tag) == (before.call_id, "notifier")
    assert subscribe.cseq.number == before.cseq.number + 1


def test_register_during_the_first_subscribe_makes_no_second_one(bench):
    bench.third_party()
    assert [message.start_line for message in bench.third_party()] == ["SIP/2.0 200 OK"]


def test_refresh_answered_481_leads_to_a_new_subscription(registered, text):
    before = registered.subscribe
    registered.third_party()
    (subscribe,) = registered.answer(registered.subscribe, 481)
    assert subscribe.start_line == f"SUBSCRIBE {ALICE} SIP/2.0"
    assert subscribe.call_id != before.call_id
    assert subscribe.get("Route") == "<sip:127.0.0.1:5054;lr>"
    assert registered.notify_reg(text.reginfo(text.contact(1)))[0].status == 200


def test_core_that_comes_from_elsewhere_gets_a_new_subscription(registered, text):
    before = registered.subscribe
    _, subscribe = registered.third_party(Contact="<sip:192.0.2.7:5054>")
    assert (subscribe.to.tag, subscribe.get("Route")) == (None, "<sip:192.0.2.7:5054;lr>")
    assert subscribe.call_id != before.call_id
    assert registered.notify_reg(text.reginfo(text.contact(1)))[0].status == 200
    registered.subscribe = before
    assert registered.notify_reg(text.reginfo(text.contact(1), version=1))[0].status == 481


def test_deactivated_is_not_followed_by_a_subscription_before_the_next_register(registered, text):
    registered.notify_reg(text.reginfo(state="terminated", version=1), state="terminated;reason=deactivated")
    assert registered.advance(3000) == []
    _, subscribe = registered.third_party()
    assert subscribe.to.tag is None


def test_deactivated_that_a_register_overtook_is_followed_by_one_new_subscription(registered, text):
    registered.third_party()
    old = registered.subscribe
    news = registered.notify_reg(text.reginfo(state="terminated", version=1), state="terminated;reason=deactivated")
    assert text.lines(news) == ["SIP/2.0 200 OK", f"SUBSCRIBE {ALICE} SIP/2.0"]
    assert registered.subscribe.call_id != old.call_id
    registered.notify_reg("", state="terminated;reason=deactivated")
    registered.advance(40)
    assert registered.subscribe.call_id != old.call_id
    assert registered.said("waiting for the next third-party REGISTER")


@pytest.mark.parametrize("status", [403, 404, 480, 489])
def test_refused_subscription_waits_for_the_next_register(bench, status):
    bench.third_party()
    bench.answer(bench.subscribe, status)
    assert bench.advance(3000) == []
    assert bench.said("waiting for the next third-party REGISTER")[0]["why"] == str(status)


def test_core_that_fails_for_a_moment_is_asked_again(bench, text):
    bench.third_party()
    bench.answer(bench.subscribe, 503, ("Retry-After", 7))
    assert bench.advance(6.9) == []
    assert text.lines(bench.advance(0.1)) == [f"SUBSCRIBE {ALICE} SIP/2.0"]


@pytest.mark.parametrize("asked", [86_400, 2**32 - 1])
def test_core_is_asked_again_within_the_hour_whatever_its_503_says(bench, text, asked):
    bench.third_party(expires=600_000)
    bench.answer(bench.subscribe, 503, ("Retry-After", asked))
    assert bench.advance(3599.9) == []
    assert text.lines(bench.advance(0.2)) == [f"SUBSCRIBE {ALICE} SIP/2.0"]


@pytest.mark.parametrize(("asked", "seconds"), [("86400", 3600.0), ("9" * 400, 3600.0), ("soon", 0.5), ("-7", 0.5)])
def test_core_is_asked_again_within_the_hour_whatever_its_last_notify_says(registered, text, asked, seconds):
    registered.notify_reg("", state=f"terminated;reason=giveup;retry-after={asked}")
    assert registered.advance(seconds - 0.1) == []
    assert text.lines(registered.advance(0.2)) == [f"SUBSCRIBE {ALICE} SIP/2.0"]


def test_expires_0_forgets_the_user(registered):
    (answer,) = registered.third_party(expires=0)
    assert (answer.status, answer.get("Expires")) == (200, "0")
    assert registered.server.third_party.registrations == []
    assert registered.forgotten == [[ALICE, "sip:+12025550101@ims.example;user=phone", "tel:+12025550101"]]


def test_documents_of_an_address_that_is_the_users_no_more_are_forgotten(registered, text):
    registered.notify_reg(text.reginfo(text.contact(1), aors=(ALICE,), version=1))
    assert registered.forgotten == [["sip:+12025550101@ims.example;user=phone", "tel:+12025550101"]]


def test_expires_0_of_somebody_unknown_is_taken(bench):
    (answer,) = bench.third_party(expires=0)
    assert answer.status == 200


def test_end_that_the_core_tells_after_expires_0_is_taken(registered, text):
    registered.third_party(expires=0)
    news = registered.notify_reg(text.reginfo(state="terminated", version=1), state="terminated;reason=deactivated")
    assert text.lines(news) == ["SIP/2.0 200 OK"]
    assert registered.advance(10_000) == []


def test_user_that_comes_back_is_watched_again(registered, text):
    registered.third_party(expires=0)
    registered.notify_reg(text.reginfo(state="terminated", version=1), state="terminated;reason=deactivated")
    _, subscribe = registered.third_party()
    assert subscribe.to.tag is None
    registered.notify_reg(text.reginfo(text.contact(1)))
    assert registered.server.third_party.registrations[0].watcher.registration.addresses[0] == ALICE


def test_registration_without_a_reg_event_expires(bench):
    bench.third_party(expires=60)
    bench.answer(bench.subscribe, 403)
    bench.advance(60 + 31)
    assert len(bench.server.third_party.registrations) == 1
    bench.advance(2)
    assert bench.server.third_party.registrations == []


def test_while_the_reg_event_is_followed_it_says_when_the_user_leaves(registered):
    registered.third_party(expires=60)
    registered.accept_reg()
    registered.notify_reg("")
    (asked,) = registered.advance(60 + 32.1)
    registered.answer(asked, 200, ("Expires", 600_000), ("Contact", "<sip:127.0.0.1:5054>"))
    registered.notify_reg("")
    registered.advance(500)
    assert len(registered.server.third_party.registrations) == 1


def overdue(registered):
    """The core does not say that the user left, and does not refresh; what the server asks it then."""
    registered.third_party(expires=60)
    registered.accept_reg()
    registered.notify_reg("")
    (asked,) = registered.advance(60 + 32.1)
    return asked


def test_end_of_a_registration_that_the_core_could_not_tell_is_asked_for(registered, text):
    registered.publish(text.settings("urn:uuid:1"))
    asked = overdue(registered)
    assert (asked.method, asked.get("Event"), asked.to.tag) == ("SUBSCRIBE", "reg", "notifier")
    (anew,) = registered.answer(asked, 481)
    assert (anew.method, anew.get("Event"), anew.to.tag) == ("SUBSCRIBE", "reg", None)
    registered.answer(anew, 480)
    assert len(registered.server.third_party.registrations) == 1
    registered.advance(33)
    assert registered.server.third_party.registrations == []
    assert registered.server.settings.compositor.publications(ALICE) == []


def test_core_that_is_away_when_it_is_asked_for_the_end_takes_nobody_along(registered):
    overdue(registered)
    registered.advance(200)
    assert len(registered.server.third_party.registrations) == 1
    assert [message.method for message in registered.advance(4000)][-1] == "SUBSCRIBE"


def test_what_the_server_does_not_do_is_said_in_the_protocols_words(bench):
    invite, unknown, message = (
        bench.request(method, "sip:poc.ims.example")[0].status for method in ("INVITE", "FROBNICATE", "MESSAGE")
    )
    assert (invite, unknown, message) == (405, 501, 405)
    (options,) = bench.request("OPTIONS", "sip:poc.ims.example")
    assert options.status == 200
    assert options.get("Allow-Events") == "poc-settings"
    assert "PUBLISH" in options.get("Allow")
    assert options.get("Server") == "PoC-serv/OMA1.0"
