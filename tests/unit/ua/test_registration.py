"""REGISTER against a core of literal answers: steps 1 to 4, refresh, refusal, retries, leaving."""

import pytest

from talkburst.sip.digest import challenge
from talkburst.sip.message import Request

CHALLENGE = (401, [("WWW-Authenticate", challenge(realm="ims.example", nonce="abc123"))])
BOUND = (200, [("Contact", "{contact};expires=3600")])
ALICE = "sip:alice@ims.example"
TEL = "tel:+12025550101"


def test_first_register_names_the_private_id_and_the_tag(core, device):
    core.answers = [CHALLENGE, BOUND]
    device().start()
    first, second = core.seen
    assert first.start_line == "REGISTER sip:ims.example SIP/2.0"
    assert first.get("Contact") == (
        '<sip:alice@127.0.0.1:5090>;+g.poc.talkburst;+sip.instance="<urn:uuid:00000000-0000-4000-8000-000000000001>"'
    )
    assert first.get("Authorization") == (
        'Digest username="alice@ims.example", realm="ims.example", uri="sip:ims.example", nonce="", response=""'
    )
    assert (first.get("Expires"), first.get("Supported")) == ("600000", "path")
    assert second.get("Contact") == first.get("Contact")
    assert 'nonce="abc123"' in second.get("Authorization")
    assert len(second.get_all("Authorization")) == 1
    assert (second.call_id, second.cseq.number) == (first.call_id, first.cseq.number + 1)


def test_first_register_may_go_without_authorization(core, device):
    device(initial_authorization=False).start()
    assert core.seen[0].get("Authorization") is None


@pytest.mark.parametrize(
    ("answer", "renewed"),
    [
        ((200, [("Contact", "{contact};expires=3600")]), 3000),
        ((200, [("Contact", "{contact};expires=1000")]), 500),
        ((200, [("Contact", "<sip:other@192.0.2.1>;expires=10, {contact};expires=1000")]), 500),
        ((200, [("Contact", "{contact}"), ("Expires", 100)]), 50),
        ((200, [("Contact", "<sip:alice@127.0.0.1:5090>;expires=200")]), 100),
        ((200, [("Contact", "broken <"), ("Expires", "800")]), 400),
        ((200, [("Contact", "{contact};expires=never"), ("Expires", "800")]), 400),
        ((200, [("Expires", "0")]), 1),
    ],
    ids=["ten minutes before", "half time", "own contact", "header", "by URI", "unreadable", "no number", "nothing"],
)
def test_registered_again_in_time(network, core, device, answer, renewed):
    core.answers = [answer]
    device().start(renewed - 0.5)
    assert len(core.seen) == 1
    network.run(0.6)
    assert len(core.seen) == 2
    assert core.seen[1].call_id == core.seen[0].call_id
    assert core.seen[1].cseq.number > core.seen[0].cseq.number


def test_service_route_and_identities_are_taken_from_every_200(network, core, device):
    core.answers = [
        (200, [("Contact", "{contact};expires=100"), ("Service-Route", "<sip:a;lr>, <sip:b;lr>")]),
        (200, [("Contact", "{contact};expires=100"), ("P-Associated-URI", f"<{ALICE}>, <{TEL}>")]),
    ]
    client = device(outbound="127.0.0.1:5060")
    client.start()
    assert client.shown["service_route"] == ["<sip:a;lr>", "<sip:b;lr>"]
    subscribe = network.requests("SUBSCRIBE", 5090)[0]
    assert subscribe.values("Route") == ["<sip:127.0.0.1:5060;lr>", "<sip:a;lr>", "<sip:b;lr>"]
    network.run(60)
    assert client.shown["service_route"] == []
    assert client.shown["associated"] == [ALICE, TEL]


@pytest.mark.parametrize(
    ("associated", "own"),
    [
        (None, ALICE),
        (f"<{ALICE}>, <{TEL}>", ALICE),
        (f"<{TEL}>, <{ALICE}>", ALICE),
        (f"<{TEL}>, <sip:boss@ims.example>", TEL),
        ("broken <", ALICE),
    ],
    ids=["none", "default", "second", "barred", "unreadable"],
)
def test_barred_identity_is_replaced_by_the_first_associated_one(network, core, device, associated, own):
    core.answers = [(200, [*BOUND[1], *([("P-Associated-URI", associated)] if associated else [])])]
    device(outbound="127.0.0.1:5060").start()
    subscribe = network.requests("SUBSCRIBE", 5090)[0]
    assert subscribe.uri == own
    assert subscribe.get("To") == f"<{own}>"
    assert subscribe.get("From").startswith(f"<{own}>;tag=")


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([CHALLENGE, CHALLENGE], "401 Unauthorized (the password of private id alice@ims.example is not accepted)"),
        ([(401, [])], "401 Unauthorized (it offers no Digest challenge that can be answered)"),
        (
            [(401, [("WWW-Authenticate", 'Digest realm="ims.example", nonce="a", algorithm=AKAv1-MD5')])],
            "401 Unauthorized (it offers no Digest challenge that can be answered)",
        ),
        ([(403, [])], "403 Forbidden (private id alice@ims.example may not register sip:alice@ims.example)"),
        ([(404, [])], "404 Not Found (sip:alice@ims.example is no user there)"),
        ([(400, [])], "400 Bad Request (it does not take this REGISTER)"),
        ([(423, [])], "423 Interval Too Brief (it does not take this REGISTER)"),
        (
            [(423, [("Min-Expires", 700_000 + number)]) for number in range(4)],
            "423 Interval Too Brief (it does not take this REGISTER)",
        ),
    ],
)
def test_refusal_is_final_and_says_who_and_why(network, core, device, answers, why):
    core.answers = list(answers)
    client = device()
    client.start(10_000)
    assert client.refused == [f"registration refused by sip:ims.example: {why}"]
    assert len(core.seen) == len(answers)
    assert client.shown["registration"] == "refused"


def test_stale_nonce_is_no_wrong_password(core, device):
    stale = challenge(realm="ims.example", nonce="def456", stale=True)
    core.answers = [CHALLENGE, (401, [("WWW-Authenticate", stale)]), BOUND]
    client = device()
    client.start()
    assert client.refused == []
    assert client.shown["registration"] == "registered"


def test_too_brief_a_registration_is_asked_again_for_longer(core, device):
    core.answers = [(423, [("Min-Expires", 7200)]), (200, [("Contact", "{contact};expires=7200")])]
    device(expires=600).start()
    assert [request.get("Expires") for request in core.seen] == ["600", "7200"]


@pytest.mark.parametrize("status", [480, 500, 503, 504, 600])
def test_what_may_pass_is_tried_again_soon_and_then_more_slowly(network, core, device, status):
    core.answers = [(status, [])] * 20
    client = device()
    client.start(130)
    waits = [facts["seconds"] for facts in client.said("trying again")]
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 64, 120]
    assert client.refused == []
    network.run(3000)
    assert client.shown["registration"] == "registered"


def test_retry_after_is_kept_to(network, core, device):
    core.answers = [(503, [("Retry-After", 60)])]
    client = device()
    client.start(59)
    assert len(core.seen) == 1
    network.run(2)
    assert len(core.seen) == 2


@pytest.mark.parametrize("asked", [86_400, 2**32 - 1, "9" * 400])
def test_retry_after_keeps_nobody_away_for_longer_than_an_hour(network, core, device, asked):
    core.answers = [(503, [("Retry-After", asked)])]
    client = device()
    client.start(3599)
    assert len(core.seen) == 1
    network.run(2)
    assert len(core.seen) == 2


@pytest.mark.parametrize("asked", ["never", "-5", "60 s", "60, 70", ""])
def test_retry_after_that_is_none_is_passed_over(network, core, device, asked):
    core.answers = [(503, [("Retry-After", asked)])]
    client = device()
    client.start(1)
    assert [facts["seconds"] for facts in client.said("not registered")] == [0.5]
    assert len(core.seen) == 2


@pytest.mark.parametrize(("asked", "seconds"), [("30", 30.0), ("86400", 3600.0), ("9" * 400, 3600.0), ("later", 0.5)])
def test_retry_after_of_a_subscription_is_kept_to_for_an_hour_at_most(network, core, device, asked, seconds):
    core.others = [("Retry-After", asked)]
    client = device()
    client.start(0.2)
    assert [facts["seconds"] for facts in client.said("subscription ended")][:1] == [seconds]
    subscribed = len(network.requests("SUBSCRIBE"))
    network.run(seconds - 0.3)
    assert len(network.requests("SUBSCRIBE")) == subscribed
    network.run(0.2)
    assert len(network.requests("SUBSCRIBE")) > subscribed


def test_core_that_is_not_there_yet_is_one_line_an_attempt(network, device):
    client = device()
    client.start(2)
    assert [what for what, _ in client.decisions] == [
        "not registered: sip:ims.example cannot be reached, trying again"
    ] * 3
    assert client.shown["registration"] == "waiting to try again"


def test_silent_core_is_one_line_after_timer_f(network, core, device):
    network.drop = lambda message, source, target: True
    client = device()
    client.start(33)
    assert [what for what, _ in client.decisions] == ["not registered: sip:ims.example does not answer, trying again"]


def test_failed_refresh_is_repeated_while_the_binding_lives(network, core, device):
    core.answers = [BOUND, (503, []), BOUND]
    client = device()
    client.start(3002)
    assert client.shown["registration"] == "registered"
    assert len(core.seen) == 3


def test_leaving_waits_for_the_register_that_is_under_way(network, core, device):
    core.default = (0, [])
    client = device()
    client.start(0.1)
    over = []
    client.client.stop(network.now, over.append)
    network.run(0.1)
    assert len(core.seen) == 1
    network.run(10)
    assert len(over) == 1


def test_leaving_before_anything_began_is_over_at_once(network, device):
    assert device().stop() == 0


def test_leaving_a_core_that_is_gone_is_quick(network, core, device):
    core.answers = [BOUND]
    client = device()
    client.start(1)
    del network.engines["127.0.0.1", 5060]
    assert client.stop() < 1


def test_outbound_proxy_is_the_first_hop_of_register(core, device):
    device(outbound="sip:127.0.0.1:5060;transport=udp").start()
    assert core.seen[0].get("Route") == "<sip:127.0.0.1:5060;transport=udp;lr>"


def test_what_the_client_does_not_do_is_said_in_the_protocols_words(network, core, device):
    client = device()
    client.start()
    got = []
    for method in ("INVITE", "OPTIONS", "NOTIFY"):
        request = Request(
            method,
            "sip:alice@127.0.0.1:5090",
            [("From", "<sip:x@ims.example>;tag=x"), ("To", f"<{ALICE}>"), ("Call-ID", method), ("CSeq", f"1 {method}")],
        )
        request.add("Event", "reg")
        core.engine.send_request(request, lambda response, now: got.append(response), network.now)
        network.run(1)
    assert [(response.cseq.method, response.status) for response in got if response.status != 100] == [
        ("INVITE", 405),
        ("OPTIONS", 200),
        ("NOTIFY", 481),
    ]
