"""Loose and strict routers, loops and spirals, maddr (RFC 3261 16.3, 16.4, 16.6 and 16.12, RFC 5393 4.2)."""

import pytest

from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request
from talkburst.sip.proxy import Target, loop_mark
from talkburst.sip.uri import SipUri, parse_uri

POC = ("192.0.2.20", 5070)
CLIENTS = ("192.0.2.1", 5060)
SERVERS = ("192.0.2.1", 5054)

# RFC 3261 16.12: what comes in (Request-URI, Route) and how it goes on (Request-URI, Route, where to).
ROUTES = {
    "loose router on, nobody else": (
        ("sip:bob@192.0.2.30", "<sip:192.0.2.1;lr>"),
        ("sip:bob@192.0.2.30", [], ("192.0.2.30", 5060)),
    ),
    "loose router after us": (
        ("sip:bob@192.0.2.30", "<sip:192.0.2.1;lr>, <sip:192.0.2.40;lr>"),
        ("sip:bob@192.0.2.30", ["<sip:192.0.2.40;lr>"], ("192.0.2.40", 5060)),
    ),
    "both our entries of a double Record-Route (RFC 5658)": (
        ("sip:bob@192.0.2.30", "<sip:192.0.2.1:5054;lr>, <sip:192.0.2.1:5060;lr>, <sip:192.0.2.40;lr>"),
        ("sip:bob@192.0.2.30", ["<sip:192.0.2.40;lr>"], ("192.0.2.40", 5060)),
    ),
    "ours further down is for later": (
        ("sip:bob@192.0.2.30", "<sip:192.0.2.40;lr>, <sip:192.0.2.1;lr>"),
        ("sip:bob@192.0.2.30", ["<sip:192.0.2.40;lr>", "<sip:192.0.2.1;lr>"], ("192.0.2.40", 5060)),
    ),
    "strict router after us (16.6 step 6)": (
        ("sip:bob@192.0.2.30", "<sip:192.0.2.1;lr>, <sip:strict@192.0.2.40>"),
        ("sip:strict@192.0.2.40", ["<sip:bob@192.0.2.30>"], ("192.0.2.40", 5060)),
    ),
    "strict router after us, a loose one after that": (
        ("sip:bob@192.0.2.30", "<sip:192.0.2.1;lr>, <sip:192.0.2.40>, <sip:192.0.2.41;lr>"),
        ("sip:192.0.2.40", ["<sip:192.0.2.41;lr>", "<sip:bob@192.0.2.30>"], ("192.0.2.40", 5060)),
    ),
    "strict router before us (16.4)": (
        ("sip:192.0.2.1:5060;lr", "<sip:bob@192.0.2.30>"),
        ("sip:bob@192.0.2.30", [], ("192.0.2.30", 5060)),
    ),
    "strict router before us, a loose one after us": (
        ("sip:192.0.2.1:5060;lr", "<sip:192.0.2.40;lr>, <sip:bob@192.0.2.30>"),
        ("sip:bob@192.0.2.30", ["<sip:192.0.2.40;lr>"], ("192.0.2.40", 5060)),
    ),
    "strict router before us, the second of our two entries after us": (
        ("sip:192.0.2.1:5060;lr", "<sip:192.0.2.1:5054;lr>, <sip:192.0.2.40;lr>, <sip:bob@192.0.2.30>"),
        ("sip:bob@192.0.2.30", ["<sip:192.0.2.40;lr>"], ("192.0.2.40", 5060)),
    ),
    "strict routers on both sides": (
        ("sip:192.0.2.1:5060;lr", "<sip:192.0.2.40>, <sip:bob@192.0.2.30>"),
        ("sip:192.0.2.40", ["<sip:bob@192.0.2.30>"], ("192.0.2.40", 5060)),
    ),
    "a Request-URI of a loose router that is not us": (
        ("sip:192.0.2.40;lr", "<sip:192.0.2.1;lr>, <sip:192.0.2.41;lr>"),
        ("sip:192.0.2.40;lr", ["<sip:192.0.2.41;lr>"], ("192.0.2.41", 5060)),
    ),
    "maddr and port of a Route (19.1.1)": (
        ("sip:bob@192.0.2.30", "<sip:192.0.2.1;lr>, <sip:poc.example:5071;maddr=192.0.2.44;lr>"),
        ("sip:bob@192.0.2.30", ["<sip:poc.example:5071;maddr=192.0.2.44;lr>"], ("192.0.2.44", 5071)),
    ),
    "maddr of a Route that leads to us": (
        ("sip:bob@192.0.2.30", "<sip:poc.example;maddr=192.0.2.1;lr>"),
        ("sip:bob@192.0.2.30", [], ("192.0.2.30", 5060)),
    ),
    "our host in a Route whose maddr leads elsewhere": (
        ("sip:bob@192.0.2.30", "<sip:192.0.2.1;maddr=192.0.2.44;lr>"),
        ("sip:bob@192.0.2.30", ["<sip:192.0.2.1;maddr=192.0.2.44;lr>"], ("192.0.2.44", 5060)),
    ),
}


@pytest.mark.parametrize(("received", "forwarded"), ROUTES.values(), ids=ROUTES)
def test_request_follows_its_route(
    bench, received: tuple[str, str], forwarded: tuple[str, list[str], tuple[str, int]]
) -> None:
    (sent,) = bench.request("BYE", f"Route: {received[1]}", uri=received[0])
    assert (sent.message.uri, sent.message.values("Route"), sent.to) == forwarded


def test_entry_that_a_strict_router_made_the_request_uri_is_ours_like_any_other(bench) -> None:
    bench.request("BYE", "Route: <sip:192.0.2.1:5054;lr>, <sip:b@192.0.2.30>", uri="sip:orig@192.0.2.1:5060;lr")
    assert bench.own == ["sip:orig@192.0.2.1:5060;lr", "sip:192.0.2.1:5054;lr"]


# RFC 3261 16.4: a maddr that is ours goes, with port and transport, if the request came by those.
MADDR = {
    "ours": ("sip:bob@poc.example;maddr=192.0.2.1", "sip:bob@poc.example"),
    "ours by name": ("sip:bob@poc.example;maddr=example;x=1", "sip:bob@poc.example;x=1"),
    "ours, with the port": ("sip:bob@poc.example:5060;maddr=192.0.2.1", "sip:bob@poc.example"),
    "ours, with the transport": ("sip:bob@poc.example;transport=UDP;maddr=192.0.2.1", "sip:bob@poc.example"),
    "ours at another port": ("sip:bob@poc.example:5054;maddr=192.0.2.1", None),
    "ours by another transport": ("sip:bob@poc.example;transport=tcp;maddr=192.0.2.1", None),
    "not ours": ("sip:bob@poc.example;maddr=192.0.2.9", None),
    "none": ("sip:bob@poc.example:5060;transport=udp", None),
}


@pytest.mark.parametrize(("received", "left"), MADDR.values(), ids=MADDR)
def test_maddr_that_led_here_is_taken_out(bench, received: str, left: str | None) -> None:
    request = Request("MESSAGE", received)
    routed = bench.proxy.take_routes(request, Flow("UDP", CLIENTS, POC, listener="clients"))
    assert routed.request.uri == (left or received)
    assert bench.proxy.take_routes(request).request.uri == received, "who does not know how it came does not judge"


def test_maddr_is_where_a_request_goes(bench) -> None:
    (sent,) = bench.request("MESSAGE", uri="sip:bob@poc.example:5071;maddr=192.0.2.9")
    assert (sent.to, sent.message.uri) == (("192.0.2.9", 5071), "sip:bob@poc.example:5071;maddr=192.0.2.9")


@pytest.mark.parametrize(
    ("uri", "listener"),
    [
        ("sip:elsewhere.example;maddr=192.0.2.1", "clients"),
        ("sip:elsewhere.example:5054;maddr=192.0.2.1", "servers"),
        ("sip:elsewhere.example;maddr=scscf.example", "servers"),
        ("sip:192.0.2.1;maddr=192.0.2.9", None),
    ],
)
def test_maddr_goes_before_the_host(bench, uri: str, listener: str | None) -> None:
    parsed = Request("OPTIONS", uri).parsed_uri
    assert isinstance(parsed, SipUri)
    assert bench.proxy.own_listener(parsed) == listener


# Loops and spirals


class Loop:
    """A request that was sent out comes back from the next hop, as it was or changed."""

    def __init__(self, bench, **request) -> None:
        self.bench = bench
        bench.targets = [Target("servers", route=("<sip:192.0.2.20:5070;lr>",))]
        (self.sent,) = bench.request("MESSAGE", **request)

    def back(self, *, uri: str = "", headers: str = "", vias: list[str] | None = None) -> str:
        message = self.sent.message
        text = [
            f"MESSAGE {uri or message.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.20:5070;branch=z9hG4bKback{len(self.bench.sent)}",
            *(f"Via: {value}" for value in (message.get_all("Via") if vias is None else vias)),
            "From: <sip:alice@example>;tag=a",
            "To: <sip:bob@poc.example>",
            "Call-ID: call",
            "CSeq: 1 MESSAGE",
            f"Max-Forwards: {message.get('Max-Forwards')}",
            *filter(None, [headers]),
            "Content-Length: 0",
        ]
        (sent,) = self.bench.receive("\n".join(text), POC, "servers")
        return sent.line


def test_loop_is_found_when_nobody_remembers_the_request(bench, make_bench) -> None:
    """What tells a loop is in the message: not the process that sent it out, nor another one at its address."""
    loop = Loop(bench)
    loop.bench = make_bench()
    assert loop.back() == "SIP/2.0 482 Loop Detected"


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "sip:carol@poc.example"},
        {"uri": "sip:bob@poc.example;x=1"},
        {"headers": "Route: <sip:192.0.2.1:5054;lr>"},
        {"headers": "Route: <sip:orig@192.0.2.1:5054;lr>"},
    ],
    ids=lambda change: next(iter(change.values())),
)
def test_spiral_passes_and_its_loop_does_not(bench, change: dict[str, str]) -> None:
    """RFC 5393 4.2.2: it has changed on its way, so it may go another one; once."""
    loop = Loop(bench)
    assert loop.back(**change).startswith("MESSAGE ")
    again = bench.sent[-1]
    assert loop.back(**change, vias=again.message.get_all("Via")) == "SIP/2.0 482 Loop Detected"


def test_branch_of_somebody_else_is_nothing_to_us(bench) -> None:
    loop = Loop(bench)
    mark = loop_mark(Request("MESSAGE", "sip:bob@poc.example", [("Call-ID", "call")]))
    assert loop.sent.message.via.branch.endswith(mark)
    others = [f"SIP/2.0/UDP 192.0.2.99:5054;branch=z9hG4bKx{mark}", "SIP/2.0/UDP 192.0.2.1:5054;branch=z9hG4bKx"]
    assert loop.back(vias=others).startswith("MESSAGE ")


def test_method_does_not_count_for_the_mark(bench) -> None:
    """RFC 5393 4.2.1: CANCEL and ACK have the branch of their INVITE."""
    headers = [("Call-ID", "call"), ("Route", "<sip:h;lr>")]
    assert loop_mark(Request("INVITE", "sip:b@h", headers)) == loop_mark(Request("CANCEL", "sip:b@h", headers))
    assert loop_mark(Request("INVITE", "sip:b@h", headers)) != loop_mark(Request("INVITE", "sip:b@h", headers[:1]))


def test_every_branch_of_a_fork_has_the_mark_of_what_was_received(forking) -> None:
    branches = [sent.message.via.branch for sent in forking.request("INVITE")]
    assert len({branch.partition("-")[0] for branch in branches}) == 2
    assert len({branch.partition("-")[2] for branch in branches}) == 1


@pytest.mark.parametrize("hops", range(3))
def test_hops_are_counted_also_where_nothing_loops(bench, hops: int) -> None:
    (sent,) = bench.request("MESSAGE", max_forwards=hops)
    assert sent.line.startswith("SIP/2.0 483" if hops == 0 else "MESSAGE")


@pytest.mark.parametrize(
    "spelling", ["[2001:db8::1]", "[2001:DB8:0:0:0:0:0:1]", "[2001:0db8::0001]", "[2001:db8::0.0.0.1]"]
)
def test_our_ipv6_address_is_ours_in_every_spelling(bench, spelling: str) -> None:
    """RFC 4291 2.2 has several spellings of one address, and RFC 5954 4.2 compares them as the addresses they are."""
    bench.engine.add_listener(Listener("clients/2", "UDP", "2001:db8::1", 5070, advertised=("2001:DB8::0:1", 5070)))
    for uri in (f"sip:{spelling}:5070", f"sip:bob@example.org:5070;maddr={spelling}"):
        parsed = parse_uri(uri)
        assert bench.proxy.own_listener(parsed) == "clients/2"
    bench.request("MESSAGE", f"Route: <sip:{spelling}:5070;lr>")
    assert len(bench.own) == 1
    assert bench.engine.is_own_address(spelling, 5070)
