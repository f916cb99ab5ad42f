"""The short way to a 503 says what the long one does, and what it cannot read is left to the long one."""

import pytest

from talkburst.sip.first_look import first_look, unavailable
from talkburst.sip.flow import Flow
from talkburst.sip.message import Request
from talkburst.sip.parser import parse_message
from talkburst.sip.transaction.key import server_key

REQUEST = """\
{method} sip:b@x.example SIP/2.0
{via}
Max-Forwards: 70
From: "A" <sip:a@x.example>;tag=1
To: {to}
Call-ID: c1@h
CSeq: 7 {method}
Contact: <sip:a@192.0.2.9:5070>;tag=no
Content-Length: 5

hello"""
USUAL = "Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa1;rport"


def made(via: str = USUAL, method: str = "MESSAGE", to: str = "<sip:b@x.example>") -> bytes:
    return REQUEST.format(via=via, method=method, to=to).replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    "data",
    [
        made(),
        made(USUAL.removesuffix(";rport")),
        made("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKA1"),
        made("Via: SIP/2.0/UDP there.example:5071;branch=z9hG4bKa1"),
        made("v:SIP/2.0/UDP there.example;rport;branch=z9hG4bKa1;x=1"),
        made("Via: SIP/2.0/UDP [2001:db8::9]:5071;branch=z9hG4bKa1;maddr=198.51.100.1"),
        made(USUAL + "\nVia: SIP/2.0/TCP p.example;branch=z9hG4bKp, SIP/2.0/UDP q.example;branch=z9hG4bKq"),
        made(USUAL.replace("UDP", "TCP")),
        made(method="INVITE"),
        made(method="SUBSCRIBE", to='"B; C" <sip:b@x.example;tag=none>'),
    ],
)
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_the_503_is_that_of_the_engine(make_bench, data: bytes, transport: str) -> None:
    bench = make_bench(transport)
    bench.engine.receive_overloaded(data, bench.flow, bench.now)
    (sent,) = bench.take()
    look = first_look(data)
    assert look is not None
    flow, answer = unavailable(look, bench.flow, bench.engine.retry_after, bench.engine.software)
    short = parse_message(answer)
    assert flow == sent.flow
    assert [short.status, short.reason] == [503, "Service Unavailable"]
    long = parse_message(sent.data)
    assert short.vias == long.vias
    fields = [
        [field for field in each.header_lines() if field[0].lower() not in ("via", "v")] for each in (short, long)
    ]
    assert sorted(fields[0]) == sorted(fields[1])
    request = parse_message(data)
    assert isinstance(request, Request)
    assert look.key == server_key(request)


@pytest.mark.parametrize(
    ("data", "first"),
    [
        (made(), False),
        (made(to="<sip:b@x.example>;tag=2"), True),
        (made(to="<sip:b@x.example> ; TAG=2"), True),
        (made(to="sip:b@x.example;tag=2"), True),
        (made(to="<sip:b@x.example;tag=2>"), False),
        (made(method="ACK"), True),
        (made(method="CANCEL"), True),
        (made(method="BYE"), True),
        (made(method="INVITE"), False),
        (made(method="REGISTER"), False),
    ],
)
def test_what_was_begun_goes_first(data: bytes, first: bool) -> None:
    look = first_look(data)
    assert look is not None
    assert look.goes_first is first


@pytest.mark.parametrize(
    "data",
    [
        made("Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa1;rport=1"),
        made("Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa1;RPORT"),
        made("Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa1;received=1.2.3.4"),
        made("Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKa1, SIP/2.0/UDP h"),
        made("Via: SIP / 2.0 / UDP 192.0.2.9;branch=z9hG4bKa1"),
        made("Via: SIP/2.0/UDP 192.0.2.9 ;branch=z9hG4bKa1"),
        made('Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa1;x="y"'),
        made("Via: SIP/2.0/UDP 192.0.2.9:5070;branch=old"),
        made("Via: SIP/2.0/UDP 192.0.2.9:5070"),
        made("X: no Via"),
        made("Via: SIP/2.0/UDP 192.0.2.9:0;branch=z9hG4bKa1"),
        made("Via: SIP/2.0/UDP 192.0.2.9:65536;branch=z9hG4bKa1"),
        made("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa1;branch=z9hG4bKa2"),
        made("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa1;Branch=z9hG4bKa2"),
        made("Via : SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKa0\n" + USUAL),
        made("Via\t: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKa0\n" + USUAL),
        made().replace(b"Max-Forwards: 70", b"X: y\nMax-Forwards: 70"),
        made().replace(b"Max-Forwards: 70", b"X: y\rMax-Forwards: 70"),
        made("X: folded\n " + USUAL),
        made().replace(b"CSeq: 7 MESSAGE", b"CSeq: 7 OPTIONS"),
        made().replace(b"CSeq: 7 MESSAGE", b"CSeq: x MESSAGE"),
        made().replace(b"Call-ID: c1@h\r\n", b""),
        made().replace(b"Call-ID: c1@h\r\n", b"Call-ID: c1@h\r\ni: c2@h\r\n"),
        made().replace(b"Call-ID: c1@h", b"Call-ID:"),
        made().replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1),
        made(method="x y"),
        b"SIP/2.0 200 OK\r\n\r\n",
        b"\r\n\r\n",
        b"",
        b"\xff\xfe" * 40,
    ],
)
def test_what_is_unusual_is_left_to_the_parser(data: bytes) -> None:
    assert first_look(data) is None


def test_where_a_request_came_from_is_told_without_what_only_we_can_read() -> None:
    """RFC 4007 11: a scope means something to one machine alone."""
    flow = Flow("UDP", ("fe80::1%eth0", 5060), ("fe80::9%eth0", 5070), listener="main")
    look = first_look(made("Via: SIP/2.0/UDP there.example:5071;branch=z9hG4bKa1;rport"))
    assert look is not None
    target, answer = unavailable(look, flow, 10, "")
    assert target == flow
    assert parse_message(answer).via.params["received"] == "fe80::9"


@pytest.mark.parametrize("method", ["CANCEL", "BYE", "PRACK"])
def test_what_ends_something_is_taken_however_it_is_written(make_bench, method: str) -> None:
    bench = make_bench()
    data = made(method=method).replace(b"Max-Forwards: 70", b"Max-Forwards:\r\n 70")
    assert first_look(data) is None
    bench.engine.receive_overloaded(data, bench.flow, bench.now)
    assert bench.engine.counters["overload"] == 0
    assert [each.request.method for each in bench.engine.servers.values()] == [method]


def test_overload_keeps_nothing_and_serves_what_was_begun(make_bench) -> None:
    bench = make_bench()
    for data, answers in (
        (made(USUAL + ";x", "INVITE"), ["SIP/2.0 503 Service Unavailable: too many requests at once"]),
        (made(method="ACK"), []),
        (made(to="<sip:b@x.example>;tag=2"), []),
        (b"\r\n\r\n", []),
    ):
        bench.engine.receive_overloaded(data, bench.flow, bench.now)
        assert bench.collect() == answers
    assert [transaction.request.method for transaction in bench.user.requests] == ["MESSAGE"]
    assert [ack.method for ack in bench.user.acks] == ["ACK"]
    assert len(bench.engine.servers) == 1
    bench.engine.receive_overloaded(made(to="<sip:b@x.example>;tag=2"), bench.flow, bench.now)
    assert bench.engine.counters["retransmission"] == 1


def test_the_ack_of_a_response_that_nobody_kept_reaches_nobody(make_bench) -> None:
    """RFC 3261 8.2.7: a stateless UAS ignores it."""
    bench = make_bench()
    flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5070), listener="main")
    bench.engine.receive_overloaded(made(method="INVITE"), flow, bench.now)
    (sent,) = bench.take()
    tag = sent.message.to.tag
    bench.engine.receive(made(method="ACK", to=f"<sip:b@x.example>;tag={tag}"), flow, bench.now)
    assert bench.user.acks == []
    bench.engine.receive(made(method="ACK", to="<sip:b@x.example>;tag=other"), flow, bench.now)
    assert len(bench.user.acks) == 1
