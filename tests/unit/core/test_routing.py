"""Requests through the core: by filter criteria, to contacts, and back along the Route (TS 24.229 5.4.3)."""

import pytest

from talkburst.sip.message import Request
from talkburst_core.daemon import world

CLIENT = ("127.0.0.1", 5090)
POC = ("127.0.0.2", 5070)
OTHER = ("127.0.0.3", 5070)
SETTINGS = """<?xml version="1.0"?>
<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"/>"""


def settings(bench, **options):
    return bench.subscribe("poc-settings", **options)


def publish(bench, **options):
    headers = "Content-Type: application/poc-settings+xml"
    return bench.subscribe("poc-settings", method="PUBLISH", headers=headers, body=SETTINGS, call_id="pub", **options)


def with_profile(*changes: tuple[str, str]) -> dict[str, str]:
    """The demo profiles of alice's two devices with something else in them."""
    files = {}
    for name in ("alice.xml", "alice-2.xml"):
        text = (world() / "profiles" / name).read_text("utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        files[name] = text
    return files


TERMINATED = "<DefaultHandling>1</DefaultHandling>"
CONTINUED = "<DefaultHandling>0</DefaultHandling>"
SECOND = f"""<InitialFilterCriteria>
      <Priority>2</Priority>
      <TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>
        <SPT><Group>0</Group><Method>SUBSCRIBE</Method></SPT><SPT><Group>1</Group><SessionCase>0</SessionCase></SPT>
      </TriggerPoint>
      <ApplicationServer><ServerName>sip:other.ims.example</ServerName>{TERMINATED}</ApplicationServer>
    </InitialFilterCriteria>
  </ServiceProfile>"""


def register(bench, **options):
    for told in bench.register(**options).to_servers:
        bench.answer(told, "200 OK")
    bench.decisions.clear()
    return bench


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


# Application servers that fail


def test_silent_server_ends_the_request_with_504_in_time(registered) -> None:
    settings(registered)
    answers = [each for each in registered.advance(40) if not isinstance(each.message, Request)]
    assert [(each.line, each.at) for each in answers] == [
        ("SIP/2.0 100 Trying", 3.5),
        ("SIP/2.0 504 sip:poc.ims.example does not answer", 5.0),
    ]
    assert registered.reasons(
        "sip:poc.ims.example failed for SUBSCRIBE: no answer, DefaultHandling is SESSION_TERMINATED"
    )


def test_refused_connection_is_500(registered) -> None:
    settings(registered)
    (answer,) = registered.refuse(POC)
    assert answer.line.startswith("SIP/2.0 500 ")
    assert registered.reasons("failed for SUBSCRIBE: unreachable, DefaultHandling is SESSION_TERMINATED")


def test_server_error_is_passed_on_with_default_handling_1(registered) -> None:
    (answer,) = registered.answer(settings(registered)[0], "500 Broken")
    assert answer.line == "SIP/2.0 500 Broken"


@pytest.mark.parametrize("end", ["silence", "503 Service Unavailable", "refused"])
def test_with_default_handling_0_the_next_server_is_asked(make_bench, end: str) -> None:
    files = with_profile((TERMINATED, CONTINUED), ("</ServiceProfile>", SECOND))
    bench = register(make_bench(files))
    (first,) = settings(bench)
    if end == "silence":
        sent = [each for each in bench.advance(5) if each.to == OTHER]
    else:
        sent = bench.refuse(POC) if end == "refused" else bench.answer(first, end)
    (second,) = sent
    assert second.message.values("Route")[0] == "<sip:other.ims.example;lr>"
    assert second.header("Max-Forwards") == "69"
    assert bench.reasons("DefaultHandling is SESSION_CONTINUED")
    (answer,) = bench.answer(second, "200 OK")
    assert answer.line == "SIP/2.0 200 OK"
    assert bench.answer(first, "200 OK") == []


def test_server_that_passes_the_request_on_brings_it_to_the_next_one(make_bench) -> None:
    bench = register(make_bench(with_profile(("</ServiceProfile>", SECOND))))
    (first,) = settings(bench)
    back = first.message.values("Route")[1]
    vias = "\n".join(f"Via: {value}" for value in first.message.get_all("Via"))
    (second,) = bench.server(f"""
        SUBSCRIBE sip:alice@ims.example SIP/2.0
        Via: SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bKpoc
        {vias}
        Route: {back}
        P-Asserted-Identity: <sip:alice@ims.example>
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: watch
        CSeq: 1 SUBSCRIBE
        Event: poc-settings
        Contact: <sip:127.0.0.1:5090>
    """)
    assert second.to == OTHER
    assert bench.reasons("SUBSCRIBE to sip:other.ims.example: criterion 2")


def test_server_may_originate_for_a_user(registered) -> None:
    (sent,) = registered.server(
        """
        PUBLISH sip:alice@ims.example SIP/2.0
        Route: <sip:orig@127.0.0.1:5054;lr>
        P-Asserted-Identity: <sip:alice@ims.example>
        From: <sip:alice@ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: behalf
        CSeq: 1 PUBLISH
        Event: poc-settings
    """,
        OTHER,
    )
    assert sent.message.values("Route")[0] == "<sip:poc.ims.example;lr>"


@pytest.mark.parametrize("mark", ["odi-", "odi-0-0-zz", "odi-9-0-00", "odi-0-0-00", "odi--1-0-00"])
def test_nonsense_in_a_route_of_ours_does_no_harm(registered, mark: str) -> None:
    (sent,) = registered.server(f"""
        MESSAGE sip:alice@ims.example SIP/2.0
        Route: <sip:{mark}@127.0.0.1:5054;lr>
        From: <sip:x@poc.ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: odd
        CSeq: 1 MESSAGE
    """)
    assert sent.line == "MESSAGE sip:alice@127.0.0.1:5090 SIP/2.0"


# What is not routed


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ("PUBLISH", "SIP/2.0 405 Method Not Allowed"),
        ("FROBNICATE", "SIP/2.0 501 Not Implemented"),
    ],
)
def test_request_to_the_core_itself_that_it_does_not_know(registered, method: str, line: str) -> None:
    (answer,) = registered.subscribe("x", uri="sip:scscf.ims.example", method=method, source=POC, asserted="sip:p@q")
    assert answer.line == line


def test_unknown_method_passes_through(registered) -> None:
    headers = "P-Preferred-Identity: <sip:alice@ims.example>"
    (sent,) = registered.subscribe("x", uri="sip:x@other.ims.example", method="FROBNICATE", headers=headers)
    assert sent.line == "FROBNICATE sip:x@other.ims.example SIP/2.0"


def test_hops_run_out(registered) -> None:
    (answer,) = settings(registered, headers="Max-Forwards: 0")
    assert answer.line == "SIP/2.0 483 Too Many Hops"


@pytest.mark.parametrize("route", ["<sip:127.0.0.1:5060;lr", "sip:a b"])
def test_broken_route_is_400(registered, route: str) -> None:
    (answer,) = settings(registered, headers=f"Route: {route}")
    assert answer.line.startswith("SIP/2.0 400 ")


def test_call_passes_with_ack_and_bye(registered) -> None:
    bob = ("127.0.0.1", 5092)
    register(registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>")
    common = "From: <sip:alice@ims.example>;tag=a\n To: <sip:bob@ims.example>{}\n Call-ID: call\n CSeq: {} {}"
    (invite,) = registered.client("INVITE sip:bob@ims.example SIP/2.0\n" + common.format("", 1, "INVITE"))
    assert invite.to == bob
    assert invite.message.values("Record-Route") == ["<sip:127.0.0.1:5060;lr>"]
    (answer,) = registered.answer(invite, "200 OK", to_tag="b")
    assert answer.to == CLIENT
    route = "Route: <sip:127.0.0.1:5060;lr>\n"
    (ack,) = registered.client(f"ACK sip:bob@127.0.0.1:5092 SIP/2.0\n{route}" + common.format(";tag=b", 1, "ACK"))
    assert (ack.line, ack.to) == ("ACK sip:bob@127.0.0.1:5092 SIP/2.0", bob)
    (bye,) = registered.client(f"BYE sip:bob@127.0.0.1:5092 SIP/2.0\n{route}" + common.format(";tag=b", 2, "BYE"))
    assert bye.to == bob


ACKS = [
    ("an ACK of nothing", "sip:x@198.51.100.9", ""),
    ("along a Route of its own", "sip:bob@ims.example", "Route: <sip:127.0.0.1:5060;lr>, <sip:198.51.100.9;lr>\n"),
]


@pytest.mark.parametrize(("uri", "route"), [ack[1:] for ack in ACKS], ids=[ack[0] for ack in ACKS])
def test_ack_of_a_stranger_is_carried_nowhere(registered, uri: str, route: str) -> None:
    common = "From: <sip:alice@ims.example>;tag=a\n To: <sip:bob@ims.example>;tag=b\n Call-ID: call\n CSeq: 1 ACK"
    assert registered.client(f"ACK {uri} SIP/2.0\n{route}{common}", ("203.0.113.1", 5060)) == []


def test_ack_asserts_nothing(registered) -> None:
    bob = ("127.0.0.1", 5092)
    register(registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>")
    common = "From: <sip:alice@ims.example>;tag=a\n To: <sip:bob@ims.example>{}\n Call-ID: call\n CSeq: 1 {}"
    (invite,) = registered.client("INVITE sip:bob@ims.example SIP/2.0\n" + common.format("", "INVITE"))
    registered.answer(invite, "200 OK", to_tag="b")
    forged = "P-Asserted-Identity: <sip:carol@ims.example>\n"
    (ack,) = registered.client(f"ACK sip:bob@127.0.0.1:5092 SIP/2.0\n{forged}" + common.format(";tag=b", "ACK"))
    assert ack.header("P-Asserted-Identity") is None


# What leaves the trusted side


def message(bench, to: str, headers: str = ""):
    common = f"From: <sip:alice@ims.example>;tag=m\nTo: <{to}>\nCall-ID: m\nCSeq: 1 MESSAGE"
    return bench.client(f"MESSAGE {to} SIP/2.0\n{common}\n{headers}")


@pytest.mark.parametrize("to", ["sip:bob@ims.example", "sip:bob@198.51.100.9"])
@pytest.mark.parametrize(
    ("privacy", "asserted"),
    [
        ("", ["<sip:alice@ims.example>"]),
        ("Privacy: none", ["<sip:alice@ims.example>"]),
        ("Privacy: id", []),
        ("Privacy: header; ID", []),
    ],
)
def test_only_what_others_may_read_leaves(registered, to: str, privacy: str, asserted: list[str]) -> None:
    bob = ("127.0.0.1", 5092)
    register(registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>")
    (sent,) = message(registered, to, privacy)
    assert sent.headers("P-Asserted-Identity") == asserted
    assert sent.header("P-Charging-Vector") is None


def test_application_server_is_told_who_asks_for_privacy(registered) -> None:
    (sent,) = settings(registered, headers="Privacy: id")
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    assert sent.header("P-Charging-Vector")


def test_answer_of_another_domain_asserts_nothing(registered) -> None:
    (sent,) = message(registered, "sip:bob@198.51.100.9")
    (answer,) = registered.answer(sent, "200 OK", "P-Asserted-Identity: <sip:carol@ims.example>")
    assert answer.header("P-Asserted-Identity") is None


def test_users_behind_one_proxy_reach_each_other(registered) -> None:
    register(registered, user="bob", contact="<sip:bob@127.0.0.1:5092>")
    (sent,) = message(registered, "sip:bob@ims.example")
    assert sent.line == "MESSAGE sip:bob@127.0.0.1:5092 SIP/2.0"


def test_route_that_names_the_core_with_its_port_is_its_own(registered) -> None:
    # What a client writes whose outbound proxy is configured as name:port.
    (sent,) = settings(registered, headers="Route: <sip:ims.example:5060;lr>")
    assert sent.to == POC
    assert sent.message.values("Route")[0] == "<sip:poc.ims.example;lr>"


def test_dialog_of_a_client_that_knows_only_the_address_of_record(registered) -> None:
    # What SIPp's own scenario does: neither Route nor the Contact of the other end.
    bob = ("127.0.0.1", 5092)
    register(registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>")
    common = "From: <sip:alice@ims.example>;tag=a\n To: <sip:bob@ims.example>{}\n Call-ID: call\n CSeq: {} {}"
    (invite,) = registered.client("INVITE sip:bob@ims.example SIP/2.0\n" + common.format("", 1, "INVITE"))
    registered.answer(invite, "200 OK", to_tag="b")
    (ack,) = registered.client("ACK sip:bob@ims.example SIP/2.0\n" + common.format(";tag=b", 1, "ACK"))
    assert (ack.line, ack.to) == ("ACK sip:bob@127.0.0.1:5092 SIP/2.0", bob)
    (bye,) = registered.client("BYE sip:bob@ims.example SIP/2.0\n" + common.format(";tag=b", 2, "BYE"))
    assert (bye.line, bye.to) == ("BYE sip:bob@127.0.0.1:5092 SIP/2.0", bob)
    assert registered.client("ACK sip:zed@ims.example SIP/2.0\n" + common.format(";tag=b", 1, "ACK")) == []


def test_request_in_a_dialog_with_nobody_is_404(registered) -> None:
    (answer,) = registered.client("""
        BYE sip:zed@ims.example SIP/2.0
        From: <sip:alice@ims.example>;tag=a
        To: <sip:zed@ims.example>;tag=b
        Call-ID: call
        CSeq: 2 BYE
    """)
    assert answer.line == "SIP/2.0 404 Not Found"
