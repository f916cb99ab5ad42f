"""Requests through the core: by filter criteria, to contacts, and back along the Route (TS 24.229 5.4.3)."""

import pytest
from requests_to_route import CLIENT, OTHER, POC, SETTINGS, publish, register, settings, with_profile

# The settings of a user, both ways


def test_subscribe_goes_to_the_application_server_and_the_core_stays_on_the_path(registered) -> None:
    (sent,) = settings(registered, headers="Route: <sip:orig@127.0.0.1:5060;lr>\nAccept: application/poc-settings+xml")
    assert sent.line == "SUBSCRIBE sip:alice@ims.example SIP/2.0"
    assert (sent.listener, sent.to) == ("servers", POC)
    routes = sent.message.values("Route")
    assert routes[0] == "<sip:poc.ims.example;lr>"
    assert routes[1].startswith("<sip:odi-0-2-")
    assert routes[1].endswith("@127.0.0.1:5054;lr>")
    assert sent.message.values("Record-Route") == ["<sip:127.0.0.1:5054;lr>", "<sip:127.0.0.1:5060;lr>"]
    assert sent.message.vias[1].params["received"] == "127.0.0.1"
    assert sent.header("Contact") == "<sip:127.0.0.1:5090>"
    assert sent.header("Max-Forwards") == "69"
    assert registered.reasons(
        "SUBSCRIBE to sip:poc.ims.example: criterion 1: method is SUBSCRIBE; Event has poc-settings; session case is "
        "originating"
    )


def test_subscribe_without_any_route_is_just_as_originating(registered) -> None:
    assert settings(registered)[0].to == POC


def test_answer_comes_back_to_the_client(registered) -> None:
    (sent,) = settings(registered)
    (answer,) = registered.answer(sent, "200 OK", "Expires: 3600\nContact: <sip:127.0.0.2:5070>")
    assert (answer.line, answer.listener, answer.to) == ("SIP/2.0 200 OK", "clients", CLIENT)
    assert len(answer.message.vias) == 1
    assert answer.message.values("Record-Route") == ["<sip:127.0.0.1:5054;lr>", "<sip:127.0.0.1:5060;lr>"]


def notify(bench, routes: str = "<sip:127.0.0.1:5054;lr>, <sip:127.0.0.1:5060;lr>", source=POC):
    return bench.server(
        f"""
        NOTIFY sip:127.0.0.1:5090 SIP/2.0
        Route: {routes}
        From: <sip:alice@ims.example>;tag=s
        To: <sip:alice@ims.example>;tag=w
        Call-ID: watch
        CSeq: 1 NOTIFY
        Event: poc-settings
        Subscription-State: active;expires=3600
        Contact: <sip:127.0.0.2:5070>
        Content-Type: application/poc-settings+xml

        {SETTINGS}
        """,
        source,
    )


def test_notify_follows_its_route_to_the_client_and_is_record_routed(registered) -> None:
    (sent,) = notify(registered)
    assert sent.line == "NOTIFY sip:127.0.0.1:5090 SIP/2.0"
    assert (sent.listener, sent.to) == ("clients", CLIENT)
    assert sent.header("Route") is None
    assert sent.message.values("Record-Route") == ["<sip:127.0.0.1:5060;lr>", "<sip:127.0.0.1:5054;lr>"]
    assert sent.message.body.decode() == SETTINGS.replace("\n", "\r\n")
    (answer,) = registered.answer(sent, "200 OK")
    assert (answer.line, answer.listener, answer.to) == ("SIP/2.0 200 OK", "servers", POC)


def test_answer_of_a_client_asserts_nothing(registered) -> None:
    (sent,) = notify(registered)
    (answer,) = registered.answer(sent, "200 OK", "P-Asserted-Identity: <sip:bob@ims.example>\nX-Kept: 1")
    assert answer.header("P-Asserted-Identity") is None
    assert answer.header("X-Kept") == "1"


def test_request_in_the_dialog_follows_its_route_and_meets_no_criteria(registered) -> None:
    (sent,) = registered.client("""
        SUBSCRIBE sip:127.0.0.2:5070 SIP/2.0
        Route: <sip:127.0.0.1:5060;lr>, <sip:127.0.0.1:5054;lr>
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>;tag=s
        Call-ID: watch
        CSeq: 2 SUBSCRIBE
        Event: poc-settings
        Expires: 0
        Contact: <sip:127.0.0.1:5090>
    """)
    assert (sent.listener, sent.to) == ("servers", POC)
    assert sent.header("Route") is None
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    assert registered.decisions == []


@pytest.mark.parametrize(
    ("route", "line"),
    [
        ("<sip:127.0.0.1:5060;lr>, <sip:127.0.0.1:5054;lr>", "SUBSCRIBE sip:127.0.0.1:5060 SIP/2.0"),
        ("<sip:orig@127.0.0.1:5060;lr>", "SIP/2.0 481 Subscription does not exist"),
    ],
)
def test_address_that_looks_like_ours_is_the_other_ends_after_our_record_route(registered, route, line) -> None:
    """A relay that both sides advertise; while Service-Route, sent by mistake, does not lead away from us."""
    (sent,) = registered.client(f"""
        SUBSCRIBE sip:127.0.0.1:5060 SIP/2.0
        Route: {route}
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>;tag=s
        Call-ID: watch
        CSeq: 2 SUBSCRIBE
        Event: reg
        Contact: <sip:127.0.0.1:5090>
    """)
    assert sent.line == line


def test_publish_goes_to_the_application_server_with_its_body_untouched(registered) -> None:
    (sent,) = publish(registered)
    assert sent.line == "PUBLISH sip:alice@ims.example SIP/2.0"
    assert sent.to == POC
    assert sent.header("Record-Route") is None
    assert sent.message.body.decode() == SETTINGS.replace("\n", "\r\n")
    (answer,) = registered.answer(sent, "200 OK", "SIP-ETag: e1\nExpires: 3600")
    assert answer.header("SIP-ETag") == "e1"
    assert registered.reasons("PUBLISH to sip:poc.ims.example: criterion 1: method is PUBLISH")


@pytest.mark.parametrize(
    "status", ["403 Forbidden", "404 Not Found", "412 Conditional Request Failed", "489 Bad Event"]
)
def test_refusal_of_the_server_is_the_answer(registered, status: str) -> None:
    (answer,) = registered.answer(publish(registered)[0], status)
    assert answer.line == f"SIP/2.0 {status}"


def test_untrusted_peer_gets_nothing_through(registered) -> None:
    (answer,) = notify(registered, source=("127.0.0.9", 5070))
    assert answer.line == "SIP/2.0 403 Forbidden"
    assert registered.reasons("127.0.0.9 is not in trust.peers")


# No criterion matches


def test_deleted_criterion_sends_nothing_back_to_the_one_who_asks(make_bench) -> None:
    text = with_profile()["alice.xml"]
    head, _, tail = text.partition("<!-- PoC settings")
    text = head + tail[tail.index("</InitialFilterCriteria>") + len("</InitialFilterCriteria>") :]
    bench = register(
        make_bench({"alice.xml": text, "alice-2.xml": text.replace("alice@ims.example<", "x@ims.example<", 1)})
    )
    (answer,) = settings(bench)
    assert answer.line == "SIP/2.0 480 Temporarily Unavailable"
    assert bench.reasons("no application server for SUBSCRIBE: criterion 0, group 0: method is SUBSCRIBE, not REGISTER")
    assert bench.reasons("480 to SUBSCRIBE: sip:alice@ims.example has no contact but the one that asks")


@pytest.mark.parametrize(
    ("event", "reason"),
    [("presence", "criterion 1, group 1: Event has no poc-settings"), ("Poc-Settings", "criterion 1, group 1: Event")],
)
def test_other_event_does_not_match_and_the_log_says_why(registered, event: str, reason: str) -> None:
    (answer,) = registered.subscribe(event)
    assert answer.line.startswith("SIP/2.0 480 ")
    assert registered.reasons("no application server for SUBSCRIBE", reason)


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sip:mallory@ims.example", "404 Not Found"),
        ("tel:+19995550100", "404 Not Found"),
        ("sip:bob@ims.example", "480 Temporarily Unavailable"),
    ],
)
def test_request_for_somebody_who_is_not_there(registered, uri: str, status: str) -> None:
    headers = "P-Preferred-Identity: <sip:alice@ims.example>"
    (answer,) = registered.subscribe("presence", uri=uri, headers=headers)
    assert answer.line == f"SIP/2.0 {status}"
    assert registered.reasons(f"{status.split()[0]} to SUBSCRIBE", uri)


def test_request_for_another_domain_is_passed_on(registered) -> None:
    headers = "P-Preferred-Identity: <sip:alice@ims.example>"
    (sent,) = registered.subscribe("presence", uri="sip:x@other.ims.example", headers=headers)
    assert (sent.line, sent.to) == ("SUBSCRIBE sip:x@other.ims.example SIP/2.0", OTHER)


def test_request_goes_to_every_contact_of_the_user_by_its_path(registered) -> None:
    bob = ("127.0.0.1", 5092)
    register(
        registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>", headers="Path: <sip:127.0.0.5:5060;lr>"
    )
    headers = "P-Preferred-Identity: <sip:alice@ims.example>"
    (sent,) = registered.subscribe("presence", uri="tel:+12025550102", headers=headers)
    assert sent.line == "SUBSCRIBE sip:bob@127.0.0.1:5092 SIP/2.0"
    assert sent.message.values("Route") == ["<sip:127.0.0.5:5060;lr>"]
    assert (sent.listener, sent.to) == ("clients", ("127.0.0.5", 5060))
    assert sent.header("P-Called-Party-ID") == "<tel:+12025550102>"
    assert sent.message.values("Record-Route") == ["<sip:127.0.0.1:5060;lr>"]
    (answer,) = registered.answer(sent, "200 OK")
    assert answer.to == CLIENT


def test_request_of_a_server_reaches_the_user(registered) -> None:
    (sent,) = registered.subscribe("presence", source=POC, asserted="sip:poc.ims.example", method="MESSAGE")
    assert sent.line == "MESSAGE sip:alice@127.0.0.1:5090 SIP/2.0"
    assert sent.headers("P-Asserted-Identity") == ["<sip:poc.ims.example>"]
    assert sent.header("Record-Route") is None


def test_barred_identity_is_403(bench) -> None:
    dave = "001010000000004@ims.mnc001.mcc001.3gppnetwork.org"
    register(bench, user="dave", private_id=dave, aor=f"sip:{dave}")
    (answer,) = settings(bench, uri=f"sip:{dave}")
    assert answer.line.startswith("SIP/2.0 403 ")
    (answer,) = bench.subscribe("x", uri=f"sip:{dave}", source=POC, asserted="sip:poc.ims.example", call_id="y")
    assert answer.line.startswith("SIP/2.0 403 ")
    (sent,) = settings(bench, uri="sip:dave@ims.example", call_id="z")
    assert sent.headers("P-Asserted-Identity") == ["<sip:dave@ims.example>"]
