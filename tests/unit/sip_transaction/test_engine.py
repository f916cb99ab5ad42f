"""Where requests go, where responses go, what is answered without a user, and what becomes of the user's errors."""

import pytest

from talkburst.sip.engine import Engine, Failure, Resolve
from talkburst.sip.flow import Listener
from talkburst.sip.locating import Located, Wanted
from talkburst.sip.message import Request, response_to
from talkburst.sip.next_hop import HostError
from talkburst.sip.uri import parse_uri

OPTIONS = """
    OPTIONS sip:{target} SIP/2.0
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:ims.example>
    Call-ID: opt-1@192.0.2.1
    CSeq: 1 OPTIONS
    {more}
    Content-Length: 0
"""
RECEIVED = """
    OPTIONS sip:192.0.2.1 SIP/2.0
    Via: SIP/2.0/UDP {via}
    Max-Forwards: 70
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:ims.example>
    Call-ID: opt-1@192.0.2.9
    CSeq: 1 OPTIONS
    Content-Length: 0
"""
FIELDS = [("From", "<sip:a@b>;tag=1"), ("To", "<sip:c@d>;tag=2"), ("Call-ID", "x"), ("CSeq", "1 OPTIONS")]
NOISE = [b"hello", b"\xff\xfe\x00", b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b""]
HOSTS = {
    "IMS.example": "192.0.2.50:5064",
    "ims.example:5099": "192.0.2.51:6000",
    "poc.ims.example": "192.0.2.52",
    "six.example": "[2001:db8::1]:5066",
    "named.example": "elsewhere.example:5067",
    "stream.example": "192.0.2.53:5068;transport=tcp",
    "2001:db8::10": "192.0.2.54:6001",
    "[2001:db8::10]:5070": "192.0.2.54:6002",
    "2001:db8::10:5070": "192.0.2.54:6003",
}


def options(target: str, more: str = "X-Test: 1") -> str:
    return OPTIONS.format(target=target, more=more)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("192.0.2.9", ("192.0.2.9", 5060)),
        ("192.0.2.9:5071", ("192.0.2.9", 5071)),
        ("[2001:db8::9]:5071", ("2001:db8::9", 5071)),
        ("ims.example", ("192.0.2.50", 5064)),
        ("bob@IMS.EXAMPLE;transport=udp", ("192.0.2.50", 5064)),
        ("ims.example:5099", ("192.0.2.51", 6000)),
        ("ims.example:5070", ("192.0.2.50", 5070)),
        ("poc.ims.example", ("192.0.2.52", 5060)),
        ("six.example", ("2001:db8::1", 5066)),
        ("unknown.example;maddr=192.0.2.60", ("192.0.2.60", 5060)),
        # RFC 5118 4.3 and 4.4: within the brackets there is no port.
        ("[2001:db8::10]", ("192.0.2.54", 6001)),
        ("[2001:db8::10]:5070", ("192.0.2.54", 6002)),
        ("[2001:db8::10:5070]", ("192.0.2.54", 6003)),
    ],
)
def test_the_request_uri_decides_the_next_hop(make_bench, target: str, address: tuple[str, int]) -> None:
    bench = make_bench(hosts=HOSTS)
    bench.send(options(target))
    assert bench.sent[0][1].flow == ("UDP", ("192.0.2.1", 5060), address, 0, "main")


def test_a_route_goes_before_the_request_uri_and_a_next_hop_before_both(make_bench) -> None:
    bench = make_bench(hosts=HOSTS)
    route = "Route: <sip:192.0.2.70:5071;lr>, <sip:192.0.2.71;lr>"
    bench.send(options("ims.example", route))
    bench.send(options("ims.example", route), next_hop=parse_uri("sip:192.0.2.72"))
    bench.send(options("ims.example", route), flow=bench.flow)
    assert [send.flow.remote for _, send in bench.sent] == [
        ("192.0.2.70", 5071),
        ("192.0.2.72", 5060),
        ("192.0.2.9", 5070),
    ]


@pytest.mark.parametrize(
    ("target", "resolve"),
    [
        ("unknown.example", Resolve(1, Wanted("unknown.example", None, "", ("UDP",), (4,)))),
        ("unknown.example:5071", Resolve(1, Wanted("unknown.example", 5071, "UDP", ("UDP",), (4,)))),
        ("named.example", Resolve(1, Wanted("elsewhere.example", 5067, "UDP", ("UDP",), (4,)))),
    ],
)
def test_any_other_name_is_resolved_by_the_shell(make_bench, target: str, resolve: Resolve) -> None:
    bench = make_bench(hosts=HOSTS)
    bench.send(options(target))
    assert bench.resolves == [resolve]
    assert bench.sent == []
    bench.engine.resolved(1, [Located("UDP", ("2001:db8::7", 5060)), Located("UDP", ("192.0.2.80", 5060))], bench.now)
    bench.collect()
    assert bench.sent[0][1].flow.remote == ("192.0.2.80", 5060), "of the listener's own family"


def test_a_name_without_an_address_fails_the_request(bench) -> None:
    bench.send(options("nowhere.example"))
    bench.engine.resolved(1, [], bench.now)
    assert bench.results() == ["TRANSPORT"]
    assert bench.advance(60) == []


def test_timers_run_from_the_moment_the_name_is_resolved(bench) -> None:
    bench.send(options("unknown.example"))
    assert bench.advance(3) == []
    bench.engine.resolved(1, [Located("UDP", ("192.0.2.80", 5060))], bench.now)
    bench.collect()
    bench.advance(0.5)
    assert bench.send_times() == [3, 3.5]


@pytest.mark.parametrize(
    "target",
    ["stream.example", "192.0.2.9;transport=tcp", "192.0.2.9;transport=sctp"],
)
def test_a_transport_no_listener_speaks_fails_the_request_after_send_request_returned(make_bench, target: str) -> None:
    bench = make_bench(hosts=HOSTS)
    bench.send(options(target))
    assert bench.results() == []
    bench.advance(0)
    assert bench.results() == ["TRANSPORT"]


@pytest.mark.parametrize("uri", ["tel:+12025550101", "sips:192.0.2.9", "http://192.0.2.9", "sip:", ":"])
def test_a_next_hop_that_is_no_sip_uri_fails_the_request(bench, uri: str) -> None:
    request = Request("OPTIONS", uri, FIELDS)
    outcomes = []
    bench.engine.send_request(request, lambda outcome, now: outcomes.append(outcome), bench.now)
    bench.advance(0)
    assert outcomes == [Failure.TRANSPORT]


@pytest.mark.parametrize("entry", ["", "host:port", "host:99999", "[::1", "host:5060;transport=sctp", "host;lr"])
def test_a_hosts_entry_that_cannot_be_read_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(HostError):
        Engine(None, token=lambda: "t", hosts={"name": entry})


def test_the_listener_is_chosen_by_name_and_its_advertised_address_stands_in_via(bench) -> None:
    bench.engine.add_listener(Listener("servers", "UDP", "192.0.2.1", 5054, ("core.example", 15054)))
    bench.send(options("192.0.2.9"), listener="servers")
    send = bench.sent[0][1]
    assert send.flow.local == ("192.0.2.1", 5054)
    assert send.flow.listener == "servers"
    assert str(send.message.via).startswith("SIP/2.0/UDP core.example:15054;branch=z9hG4bK")
    bench.receive(bench.answer_to_last("200 OK"))
    assert bench.results() == [200]
    with pytest.raises(KeyError):
        bench.engine.listener("clients")


def test_a_request_without_a_transaction_is_sent_once(bench) -> None:
    ack = Request("ACK", "sip:192.0.2.9", [*FIELDS[:-1], ("CSeq", "1 ACK")])
    bench.engine.send_stateless(ack, bench.now)
    assert bench.collect() == ["ACK sip:192.0.2.9 SIP/2.0"]
    assert bench.last.via.branch == "z9hG4bKtoken1"
    assert bench.engine.next_deadline() is None


@pytest.mark.parametrize(
    ("via", "stamped", "reply_to"),
    [
        (
            "192.0.2.9:5070;branch=z9hG4bK1;rport",
            "192.0.2.9:5070;branch=z9hG4bK1;rport=6000;received=192.0.2.9",
            ("192.0.2.9", 6000),
        ),
        ("192.0.2.9:5070;branch=z9hG4bK1", "192.0.2.9:5070;branch=z9hG4bK1", ("192.0.2.9", 5070)),
        ("192.0.2.9;branch=z9hG4bK1", "192.0.2.9;branch=z9hG4bK1", ("192.0.2.9", 5060)),
        ("host.example;branch=z9hG4bK1", "host.example;branch=z9hG4bK1;received=192.0.2.9", ("192.0.2.9", 5060)),
        ("10.0.0.1:5070;branch=z9hG4bK1", "10.0.0.1:5070;branch=z9hG4bK1;received=192.0.2.9", ("192.0.2.9", 5070)),
        (
            "10.0.0.1;branch=z9hG4bK1;received=203.0.113.1;rport=9",
            "10.0.0.1;branch=z9hG4bK1;rport=6000;received=192.0.2.9",
            ("192.0.2.9", 6000),
        ),
        (
            "192.0.2.9:5070;branch=z9hG4bK1;received=203.0.113.1",
            "192.0.2.9:5070;branch=z9hG4bK1;received=192.0.2.9",
            ("192.0.2.9", 5070),
        ),
        (
            "192.0.2.9;branch=z9hG4bK1;maddr=203.0.113.1",
            "192.0.2.9;branch=z9hG4bK1;maddr=203.0.113.1",
            ("192.0.2.9", 5060),
        ),
    ],
)
def test_a_response_goes_where_the_via_and_the_source_say(bench, via: str, stamped: str, reply_to) -> None:
    bench.receive(RECEIVED.format(via=via), source=("192.0.2.9", 6000))
    assert str(bench.user.requests[0].request.via) == f"SIP/2.0/UDP {stamped}"
    bench.respond(200, to_tag="t1")
    assert bench.sent[0][1].flow.remote == reply_to
    assert bench.sent[0][1].flow.local == ("192.0.2.1", 5060)
    assert str(bench.last.via) == f"SIP/2.0/UDP {stamped}"


@pytest.mark.parametrize("host", ["[2001:db8::9]", "[2001:DB8::9]"])
def test_an_ipv6_address_in_via_is_that_of_the_source_without_its_brackets(bench, host: str) -> None:
    bench.receive(RECEIVED.format(via=f"{host};branch=z9hG4bK1"), source=("2001:db8::9", 6000))
    assert bench.user.requests[0].request.via.received is None


def test_only_the_top_via_is_stamped(bench) -> None:
    bench.receive(RECEIVED.format(via="host.example;branch=z9hG4bK2, SIP/2.0/UDP inner.example;branch=z9hG4bK1"))
    bench.respond(200, to_tag="t1")
    assert bench.last.values("Via") == [
        "SIP/2.0/UDP host.example;branch=z9hG4bK2;received=192.0.2.9",
        "SIP/2.0/UDP inner.example;branch=z9hG4bK1",
    ]


def test_an_engine_without_a_user_answers_501(bench) -> None:
    bench.engine.user = None
    assert bench.receive(RECEIVED.format(via="192.0.2.9:5070;branch=z9hG4bK1")) == ["SIP/2.0 501 Not Implemented"]
    assert bench.last.to.tag


@pytest.mark.parametrize("datagram", [b"\r\n\r\n", b"\r\n", b"\0\0\0\0"])
def test_a_keepalive_is_counted_and_not_answered(bench, datagram: bytes) -> None:
    bench.engine.receive(datagram, bench.flow, bench.now)
    assert bench.collect() == []
    assert bench.engine.counters == {"keepalive": 1}


@pytest.mark.parametrize("datagram", NOISE)
def test_what_cannot_be_answered_is_dropped(bench, datagram: bytes) -> None:
    bench.engine.receive(datagram, bench.flow, bench.now)
    assert bench.collect() == []
    assert bench.user.requests == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("CSeq: 1 OPTIONS", "CSeq: one OPTIONS"),
        ("From: <sip:alice@ims.example>;tag=a1", "From: <sip:alice"),
        ("Content-Length: 0", "Content-Length: 500"),
        # RFC 4475 3.3.1: what is missing is left out of the answer, which Via and CSeq bring home.
        ("From: <sip:alice@ims.example>;tag=a1\n", ""),
        ("To: <sip:ims.example>\n", ""),
        ("Call-ID: opt-1@192.0.2.9\n", ""),
    ],
)
def test_a_broken_request_is_answered_400_and_not_told_to_the_user(bench, good: str, bad: str) -> None:
    text = RECEIVED.format(via="192.0.2.9:5070;branch=z9hG4bK1").replace(good, bad)
    lines = bench.receive(text)
    assert [line[:11] for line in lines] == ["SIP/2.0 400"]
    assert bench.last.get("Server") == "talkburst/test"
    assert bench.user.requests == []
    assert bench.engine.counters["malformed"] == 1
    bench.receive(text)
    assert bench.sent[0][1].data == bench.sent[1][1].data, "the same tag for a retransmission"


def test_a_request_with_a_broken_via_is_answered_to_where_it_came_from(bench) -> None:
    """RFC 4475 3.1.2.1"""
    assert bench.receive(RECEIVED.format(via="192.0.2.77;;,;,,"))[0][:11] == "SIP/2.0 400"
    assert bench.sent[0][1].flow.remote == bench.flow.remote
    assert bench.last.get("Via") == "SIP/2.0/UDP 192.0.2.77;;,;,,"


def test_a_request_of_another_version_reaches_the_user_who_refuses_it(bench) -> None:
    """RFC 4475 3.1.2.16"""
    text = RECEIVED.format(via="192.0.2.9:5070;branch=z9hG4bK1").replace("SIP/2.0", "SIP/7.0")
    assert bench.receive(text) == []
    [request] = [transaction.request for transaction in bench.user.requests]
    assert (request.version, request.get("Via")) == ("SIP/7.0", "SIP/7.0/UDP 192.0.2.9:5070;branch=z9hG4bK1")


def test_a_broken_ack_is_never_answered(bench) -> None:
    text = RECEIVED.format(via="192.0.2.9:5070;branch=z9hG4bK1").replace("OPTIONS", "ACK").replace("CSeq: 1", "CSeq: x")
    assert bench.receive(text) == []


def test_an_error_in_the_user_is_answered_500_and_passed_on(bench) -> None:
    def fail(transaction, request, now) -> None:
        raise RuntimeError("a bug")

    bench.user.answer = fail
    with pytest.raises(RuntimeError, match="a bug"):
        bench.receive(RECEIVED.format(via="192.0.2.9:5070;branch=z9hG4bK1"))
    assert bench.collect() == ["SIP/2.0 500 Server Internal Error"]
    assert bench.engine.counters["user_error"] == 1


def test_an_error_after_the_final_response_is_not_answered_twice(bench) -> None:
    def fail(transaction, request, now) -> None:
        bench.engine.respond(transaction, response_to(request, 200, to_tag="t1"), now)
        raise RuntimeError("a bug")

    bench.user.answer = fail
    with pytest.raises(RuntimeError):
        bench.receive(RECEIVED.format(via="192.0.2.9:5070;branch=z9hG4bK1"))
    assert bench.collect() == ["SIP/2.0 200 OK"]


def test_a_broken_header_the_user_stumbles_over_is_answered_400(bench) -> None:
    bench.user.answer = lambda transaction, request, now: request.contacts
    text = RECEIVED.format(via="192.0.2.9:5070;branch=z9hG4bK1").replace("Content-", "Contact: <sip:\n    Content-")
    assert [line[:11] for line in bench.receive(text)] == ["SIP/2.0 400"]


def test_a_handler_that_raises_keeps_no_other_from_hearing_of_the_failure(bench) -> None:
    outcomes = []

    def fail(outcome, now) -> None:
        raise RuntimeError("a bug")

    request = Request("OPTIONS", "sip:192.0.2.9:5070", FIELDS)
    bench.engine.send_request(request, fail, bench.now)
    bench.engine.send_request(request, lambda outcome, now: outcomes.append(outcome), bench.now)
    bench.engine.send_request(request, fail, bench.now)
    with pytest.raises(RuntimeError):
        bench.engine.transport_failed(bench.flow, bench.now)
    assert outcomes == [Failure.TRANSPORT]
    assert not bench.engine.clients


def test_an_ack_with_a_broken_header_the_user_stumbles_over_is_dropped(bench) -> None:
    bench.user.on_ack = lambda request, flow, now: request.contacts
    text = RECEIVED.format(via="192.0.2.9:5070;branch=z9hG4bK1").replace("OPTIONS", "ACK")
    assert bench.receive(text.replace("Content-", "Contact: <sip:\n    Content-")) == []
    assert bench.engine.counters == {"malformed": 1}


def test_more_requests_than_there_is_room_for_are_told_so_and_forgotten(bench) -> None:
    bench.engine.most_transactions = 2
    requests = [RECEIVED.format(via=f"192.0.2.9:5070;branch=z9hG4bK{number}") for number in range(4)]
    assert [bench.receive(request) for request in requests[:2]] == [[], []]
    assert bench.receive(requests[2]) == ["SIP/2.0 503 Service Unavailable: too many requests at once"]
    assert len(bench.engine.servers) == 2
    assert bench.engine.counters["overload"] == 1
    bench.advance(33)
    assert bench.receive(requests[3]) == []
