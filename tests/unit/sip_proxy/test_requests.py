"""What the proxy does to a request (RFC 3261 16.3, 16.4 and 16.6)."""

from time import process_time

import pytest

from talkburst.sip.message import Request
from talkburst.sip.message_limits import MessageLimits
from talkburst.sip.proxy import Target, request_uri

POC = ("192.0.2.20", 5070)


def test_request_is_forwarded_byte_for_byte_but_for_via_and_max_forwards(bench) -> None:
    received = """
        FROBNICATE sip:bob@poc.example;x=%41 SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.10:5090;branch=z9hG4bKodd
        X-Odd  :   spaced ,  out
        f: "Alice \\"A\\"" <sip:alice@example>;TAG=a;Foo=Bar
        t: <sip:bob@poc.example>
        i: call
        CSeq: 0007 FROBNICATE
        Max-Forwards: 10
        P-Nonsense: (comment, with <brackets>; and) more
        c: application/nonsense
        l: 5

        hello
    """
    (sent,) = bench.receive(received)
    head, _, body = sent.data.decode().partition("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[0] == "FROBNICATE sip:bob@poc.example;x=%41 SIP/2.0"
    assert lines[1] == "Via: SIP/2.0/UDP 192.0.2.1:5054;branch=z9hG4bKt1-8afcbe0d;rport"
    assert lines[2] == "Via: SIP/2.0/UDP 192.0.2.10:5090;branch=z9hG4bKodd"
    for line in (
        'f: "Alice \\"A\\"" <sip:alice@example>;TAG=a;Foo=Bar',
        "CSeq: 0007 FROBNICATE",
        "P-Nonsense: (comment, with <brackets>; and) more",
        "Max-Forwards: 9",
    ):
        assert line in lines
    assert any("spaced ,  out" in line for line in lines)
    assert body == "hello"
    assert sent.to == POC


def test_max_forwards_is_put_in_where_it_is_missing(bench) -> None:
    (sent,) = bench.request(max_forwards=None)
    assert sent.message.get("Max-Forwards") == "70"


@pytest.mark.parametrize(
    ("headers", "options", "answer", "field"),
    [
        ("", {"max_forwards": 0}, "SIP/2.0 483 Too Many Hops", None),
        ("Proxy-Require: foo, bar", {}, "SIP/2.0 420 Bad Extension", ("Unsupported", "foo, bar")),
        ("", {"uri": "nobody:knows"}, "SIP/2.0 416 ", None),
    ],
)
def test_request_that_may_go_no_further_is_answered(bench, headers, options, answer, field) -> None:
    (sent,) = bench.request("SUBSCRIBE", headers, **options)
    assert sent.line.startswith(answer)
    assert sent.message.to.tag
    if field:
        assert sent.message.get(field[0]) == field[1]


def test_require_is_not_the_proxys_business(bench) -> None:
    (sent,) = bench.request("SUBSCRIBE", "Require: foo")
    assert isinstance(sent.message, Request)


@pytest.mark.parametrize(
    ("route", "own", "left"),
    [
        ("Route: <sip:192.0.2.1:5060;lr>", ["sip:192.0.2.1:5060;lr"], []),
        ("Route: <sip:orig@192.0.2.1:5060;lr>", ["sip:orig@192.0.2.1:5060;lr"], []),
        ("Route: <sip:scscf.example;lr>", ["sip:scscf.example;lr"], []),
        (
            "Route: <sip:192.0.2.1:5060;lr>, <sip:192.0.2.1:5054;lr>",
            ["sip:192.0.2.1:5060;lr", "sip:192.0.2.1:5054;lr"],
            [],
        ),
        (
            "Route: <sip:192.0.2.1:5060;lr>\nRoute: <sip:192.0.2.20:5070;lr>, <sip:192.0.2.1:5060;lr>",
            ["sip:192.0.2.1:5060;lr"],
            ["<sip:192.0.2.20:5070;lr>", "<sip:192.0.2.1:5060;lr>"],
        ),
        ("Route: <sip:192.0.2.20:5070;lr>", [], ["<sip:192.0.2.20:5070;lr>"]),
        ("Route: <sip:192.0.2.1:5061;lr>, <sip:h;lr>", [], ["<sip:192.0.2.1:5061;lr>", "<sip:h;lr>"]),
    ],
)
def test_route_entries_that_are_us_are_taken_off(bench, route: str, own: list[str], left: list[str]) -> None:
    request = Request("SUBSCRIBE", "sip:bob@poc.example", [tuple(line.split(": ")) for line in route.split("\n")])
    routed = bench.proxy.take_routes(request)
    assert [str(uri) for uri in routed.own] == own
    assert routed.request.values("Route") == left
    assert routed.finished is (left == [])


def test_what_a_strict_router_did_is_undone(bench) -> None:
    """RFC 3261 16.4: the Request-URI that we once put in Record-Route, and the real one last in Route."""
    (sent,) = bench.request(
        uri="sip:192.0.2.1:5060;lr", headers="Route: <sip:192.0.2.20:5070;lr>, <sip:bob@192.0.2.30:5060>"
    )
    assert sent.line == "SUBSCRIBE sip:bob@192.0.2.30:5060 SIP/2.0"
    assert sent.message.values("Route") == ["<sip:192.0.2.20:5070;lr>"]
    assert sent.to == POC


def test_strict_router_ahead_takes_the_place_of_the_request_uri(bench) -> None:
    (sent,) = bench.request(headers="Route: <sip:192.0.2.20:5070;method=X>, <sip:192.0.2.21:5070;lr>")
    assert sent.line == "SUBSCRIBE sip:192.0.2.20:5070 SIP/2.0"
    assert sent.message.values("Route") == ["<sip:192.0.2.21:5070;lr>", "<sip:bob@poc.example>"]
    assert sent.to == POC


def test_target_replaces_the_request_uri_and_puts_its_route_on_top(bench) -> None:
    bench.targets = [Target("clients", "sip:bob@192.0.2.31:5060?Subject=x", ("<sip:192.0.2.40:5060;lr>", "<sip:b;lr>"))]
    (sent,) = bench.request()
    assert sent.line == "SUBSCRIBE sip:bob@192.0.2.31:5060 SIP/2.0"
    assert sent.message.values("Route") == ["<sip:192.0.2.40:5060;lr>", "<sip:b;lr>"]
    assert (sent.listener, sent.to) == ("clients", ("192.0.2.40", 5060))


def test_two_listeners_make_two_record_routes_the_outgoing_one_on_top(bench) -> None:
    """RFC 5658 6: each side sees the address that it can reach."""
    bench.record_route = True
    (sent,) = bench.request(headers="Record-Route: <sip:192.0.2.99;lr>")
    assert sent.message.values("Record-Route") == [
        "<sip:192.0.2.1:5054;lr>",
        "<sip:192.0.2.1:5060;lr>",
        "<sip:192.0.2.99;lr>",
    ]


def test_one_listener_makes_one_record_route(bench) -> None:
    bench.record_route = True
    bench.targets = [Target("clients")]
    (sent,) = bench.request()
    assert sent.message.values("Record-Route") == ["<sip:192.0.2.1:5060;lr>"]


RECEIVED_BY_TCP = """
    SUBSCRIBE sip:bob@poc.example SIP/2.0
    Via: SIP/2.0/TCP 192.0.2.10:5090;branch=z9hG4bKtcp
    From: <sip:alice@example>;tag=a
    To: <sip:bob@poc.example>
    Call-ID: call
    CSeq: 1 SUBSCRIBE
    Contact: <sip:alice@192.0.2.10:5090;transport=tcp>
    Max-Forwards: 70
    Content-Length: 0
"""


@pytest.mark.parametrize(
    ("target", "recorded"),
    [
        ("clients", ["<sip:192.0.2.1:5060;lr>", "<sip:192.0.2.1:5060;transport=tcp;lr>"]),
        ("servers", ["<sip:192.0.2.1:5054;lr>", "<sip:192.0.2.1:5060;transport=tcp;lr>"]),
    ],
)
def test_two_transports_make_two_record_routes_even_of_one_listener(bench, target: str, recorded: list[str]) -> None:
    """RFC 5658 6: and both are taken off when they come back."""
    bench.record_route = True
    bench.targets = [Target(target)]
    (sent,) = bench.receive_by_tcp(RECEIVED_BY_TCP)
    assert sent.message.values("Record-Route") == recorded
    request = Request("NOTIFY", "sip:alice@192.0.2.10:5090;transport=tcp", [("Route", route) for route in recorded])
    routed = bench.proxy.take_routes(request)
    assert [f"<{uri}>" for uri in routed.own] == recorded
    assert routed.finished


def test_target_with_an_open_connection_is_reached_on_it_and_else_by_its_uri(bench) -> None:
    bench.record_route = True
    flow = bench.accept(("192.0.2.30", 4711))
    bench.targets = [Target("clients", "sip:bob@192.0.2.31:5060", flow=flow)]
    (sent,) = bench.request()
    assert (sent.to, sent.message.via.transport) == (("192.0.2.30", 4711), "TCP")
    assert sent.message.values("Record-Route") == ["<sip:192.0.2.1:5060;transport=tcp;lr>", "<sip:192.0.2.1:5060;lr>"]
    bench.engine.transport_failed(flow, bench.now)
    bench.collect()
    (sent,) = bench.request(cseq=2)
    assert (sent.to, sent.message.via.transport) == (("192.0.2.31", 5060), "UDP")


def test_request_that_comes_back_unchanged_is_a_loop(bench) -> None:
    bench.targets = [Target("servers", route=("<sip:192.0.2.20:5070;lr>",))]
    (sent,) = bench.request()
    vias = "\n".join(f"Via: {value}" for value in sent.message.get_all("Via"))
    again = f"""
        {sent.line}
        Via: SIP/2.0/UDP 192.0.2.20:5070;branch=z9hG4bKback
        {vias}
        From: <sip:alice@example>;tag=a
        To: <sip:bob@poc.example>
        Call-ID: call
        CSeq: 1 SUBSCRIBE
        Max-Forwards: 60
        Content-Length: 0
    """
    (answer,) = bench.receive(again, POC, "servers")
    assert answer.line == "SIP/2.0 482 Loop Detected"
    changed = again.replace("sip:bob@poc.example SIP/2.0", "sip:carol@poc.example SIP/2.0").replace("back", "spiral")
    (forwarded,) = bench.receive(changed, POC, "servers")
    assert isinstance(forwarded.message, Request)


@pytest.mark.parametrize(
    ("uri", "listener"),
    [
        ("sip:192.0.2.1:5060", "clients"),
        ("sip:192.0.2.1", "clients"),
        ("sip:anybody@192.0.2.1:5054", "servers"),
        ("sip:SCSCF.example", "servers"),
        ("sip:scscf.example:5054", "servers"),
        ("sip:example:5060;lr", "clients"),
        ("sip:example:5054;lr", "servers"),
        ("sip:scscf.example:5099", None),
        ("sip:elsewhere.example:5060", None),
        ("sip:192.0.2.1:5061", None),
        ("tel:+1", None),
    ],
)
def test_own_addresses_and_names_are_known(bench, uri: str, listener: str | None) -> None:
    request = Request("OPTIONS", uri)
    assert bench.proxy.own_listener(request.parsed_uri) == listener


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("sip:a@h;x=1", "sip:a@h;x=1"),
        ("sip:a@h;method=INVITE;x=1?Subject=s", "sip:a@h;x=1"),
        ("tel:+1", "tel:+1"),
    ],
)
def test_request_uri_holds_no_headers_and_no_method(text: str, written: str) -> None:
    assert request_uri(text) == written


def test_target_that_cannot_be_read_leaves_nothing_behind(bench) -> None:
    bench.targets = [Target("clients", route=("garbage <",))]
    (sent,) = bench.request()
    assert sent.line.startswith("SIP/2.0 400 ")
    assert not bench.proxy._contexts


# How far a request may spread (RFC 5393 5.3)


@pytest.mark.parametrize(
    ("headers", "shares"),
    [
        ("", ["30", "30"]),
        ("Max-Breadth: 5", ["2", "3"]),
        ("Max-Breadth: 2", ["1", "1"]),
        ("Max-Breadth: 1000000", ["30", "30"]),
    ],
)
def test_branches_share_the_breadth_of_the_request(forking, headers: str, shares: list[str]) -> None:
    assert [sent.message.get("Max-Breadth") for sent in forking.request("MESSAGE", headers)] == shares


@pytest.mark.parametrize("headers", ["Max-Breadth: 1", "Max-Breadth: 0"])
def test_request_that_would_spread_too_far_is_440(forking, headers: str) -> None:
    (sent,) = forking.request("MESSAGE", headers)
    assert sent.line == "SIP/2.0 440 Max-Breadth Exceeded"
    assert not forking.proxy._contexts


def test_breadth_that_is_no_number_is_400(bench) -> None:
    (sent,) = bench.request("MESSAGE", "Max-Breadth: wide")
    assert sent.line.startswith("SIP/2.0 400 ")


def test_one_target_gets_the_whole_breadth(bench) -> None:
    (sent,) = bench.request("MESSAGE")
    assert sent.message.get("Max-Breadth") == "60"


def test_thousands_of_route_entries_that_are_us_are_taken_off_at_once(bench) -> None:
    """Splitting the field anew for each of them took seven seconds, before anybody was asked for credentials."""
    bench.engine.message_limits = MessageLimits(field=1 << 16, hops=3000)
    before = process_time()
    (sent,) = bench.request("MESSAGE", "Route: " + ",".join(["<sip:192.0.2.1;lr>"] * 3000))
    assert process_time() - before < 0.7  # at once takes a twentieth of a second
    assert sent.message.get("Route") is None
    assert len(bench.own) == 3000
