"""Over TLS: where a request goes, whom the other end has to be, and which connection is his."""

import pytest

from talkburst.sip.engine import Connect, Engine, Failure, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, response_to
from talkburst.sip.uri import parse_uri

OURS, PEER = "192.0.2.1", ("192.0.2.9", 5061)
HOSTS = {
    "as.example": "192.0.2.9:5061;transport=tls",
    "bare.example": "192.0.2.9:5071",
    "tcp.example": "192.0.2.9:5060;transport=tcp",
    "udp.example": "192.0.2.9;transport=udp",
}
REQUEST = (
    "OPTIONS sip:192.0.2.1 SIP/2.0\r\n"
    "Via: SIP/2.0/TLS {via};branch=z9hG4bK1\r\n"
    "From: <sip:bob@ims.example>;tag=b1\r\n"
    "To: <sip:ims.example>\r\n"
    "Call-ID: in-1\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


class Bench:
    """An engine with one name for UDP, TCP and TLS."""

    def __init__(self, *transports: str) -> None:
        numbers = iter(range(1, 1000))
        self.requests = []
        self.outcomes = []
        self.engine = Engine(self, token=lambda: f"token{next(numbers)}", hosts=HOSTS)
        for transport in transports or ("UDP", "TCP", "TLS"):
            port = 5061 if transport == "TLS" else 5060
            self.engine.add_listener(Listener("main", transport, OURS, port, (OURS, port)))
        self.now = 1000.0

    def on_request(self, transaction, request, now) -> None:
        self.requests.append(transaction)

    def on_ack(self, request, flow, now) -> None: ...

    def on_cancel(self, transaction, now) -> None: ...

    def send(self, uri: str, *routes: str, **options) -> None:
        fields = [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", "c1"), ("CSeq", "1 OPTIONS")]
        request = Request("OPTIONS", uri, [*fields, *(("Route", route) for route in routes)])
        self.engine.send_request(request, lambda outcome, now: self.outcomes.append(outcome), self.now, **options)

    def take(self) -> list[object]:
        while (deadline := self.engine.next_deadline()) is not None and deadline <= self.now:
            self.engine.handle_timer(self.now)
        return self.engine.take()

    def accept(self, *proved: str, remote=PEER, transport: str = "TLS") -> Flow:
        return self.engine.accepted(self.engine.listener("main", transport), remote, frozenset(proved))


@pytest.mark.parametrize(
    ("uri", "remote", "domain"),
    [
        ("sips:192.0.2.9", PEER, "192.0.2.9"),
        ("sips:[2001:db8::9]:5071", ("2001:db8::9", 5071), "2001:db8::9"),
        ("sips:192.0.2.9:5071;transport=tcp", ("192.0.2.9", 5071), "192.0.2.9"),
        ("sip:192.0.2.9;transport=TLS", PEER, "192.0.2.9"),
        ("sip:as.example", PEER, "as.example"),
        ("sips:AS.example", PEER, "as.example"),
        ("sips:b.example;maddr=as.example", PEER, "as.example"),
        ("sips:[2001:DB8:0:0::9]", ("2001:db8:0:0::9", 5061), "2001:db8::9"),
        ("sips:bare.example", ("192.0.2.9", 5071), "bare.example"),
        ("sips:tcp.example", PEER, "tcp.example"),
        ("sips:tcp.example:5099", ("192.0.2.9", 5099), "tcp.example"),
        ("sips:udp.example", PEER, "udp.example"),
    ],
)
def test_tls_leads_to_the_address_and_the_name_of_the_uri_is_what_is_to_be_proved(uri, remote, domain) -> None:
    bench = Bench()
    bench.send(uri)
    (connect,) = bench.take()
    assert isinstance(connect, Connect)
    assert (connect.flow.transport, connect.flow.remote, connect.domain) == ("TLS", remote, domain)


@pytest.mark.parametrize("uri", ["sips:192.0.2.9;transport=udp", "sips:192.0.2.9;transport=sctp"])
def test_sips_has_no_way_over_what_tls_does_not_run_on(uri: str) -> None:
    bench = Bench()
    bench.send(uri)
    assert bench.take() == []
    assert bench.outcomes == [Failure.TRANSPORT]


def test_sips_has_no_way_where_there_is_no_tls() -> None:
    bench = Bench("UDP", "TCP")
    bench.send("sips:192.0.2.9")
    assert bench.take() == []
    assert bench.outcomes == [Failure.TRANSPORT]


def test_sips_request_uri_goes_over_tls_whatever_its_route_says() -> None:
    """RFC 3261 8.1.2."""
    bench = Bench()
    bench.send("sips:bob@b.example", "<sip:192.0.2.9:5099;lr>")
    (connect,) = bench.take()
    assert (connect.flow.transport, connect.flow.remote) == ("TLS", ("192.0.2.9", 5099))


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_sips_request_is_not_sent_on_a_flow_that_is_not_tls(transport: str) -> None:
    bench = Bench()
    flow = Flow("UDP", (OURS, 5060), PEER, listener="main")
    if transport == "TCP":
        flow = bench.accept(transport="TCP")
    bench.send("sips:bob@192.0.2.9", flow=flow)
    assert bench.take() == []
    assert bench.outcomes == [Failure.TRANSPORT]


def test_request_takes_the_connection_whose_certificate_proved_its_domain() -> None:
    bench = Bench()
    bench.send("sip:as.example")
    (connect,) = bench.take()
    bench.engine.connected(connect.flow, bench.now, frozenset({"as.example", "too.example"}))
    (sent,) = bench.take()
    assert isinstance(sent, Send)
    assert "Via: SIP/2.0/TLS 192.0.2.1:5061;branch=" in sent.data.decode()
    bench.send("sip:as.example")
    (again,) = bench.take()
    assert again.flow == connect.flow


def test_request_for_another_domain_at_the_same_address_gets_a_connection_of_its_own() -> None:
    """RFC 5922 7.3: the server is authenticated for the domains in its certificate."""
    bench = Bench()
    bench.send("sip:as.example")
    (first,) = bench.take()
    bench.send("sips:192.0.2.9")  # while the first is being opened, and when it is
    (second,) = bench.take()
    assert (second.flow.remote, second.domain) == (first.flow.remote, "192.0.2.9")
    bench.engine.connected(first.flow, bench.now, frozenset({"as.example"}))
    bench.take()
    bench.engine.transport_failed(second.flow, bench.now)
    assert bench.outcomes == [Failure.TRANSPORT]
    bench.send("sips:192.0.2.9")
    (third,) = bench.take()
    assert (type(third), third.domain) == (Connect, "192.0.2.9")


@pytest.mark.parametrize(
    ("proved", "kind"),
    [((), Connect), (("b.example",), Connect), (("b.example", "as.example"), Send)],
)
def test_connection_of_a_peer_carries_requests_only_for_what_its_certificate_proved(proved, kind) -> None:
    bench = Bench()
    bench.accept(*proved)
    bench.send("sip:as.example")
    (action,) = bench.take()
    assert isinstance(action, kind)


def test_connection_over_tcp_to_the_same_port_is_not_taken_for_one_over_tls() -> None:
    bench = Bench()
    bench.accept(transport="TCP")
    bench.send("sip:as.example")
    (connect,) = bench.take()
    assert connect.flow.transport == "TLS"


def test_flow_that_is_named_is_used_whatever_it_proved() -> None:
    """A registration makes a flow of it (RFC 5626 5.3)."""
    bench = Bench()
    flow = bench.accept(remote=("192.0.2.9", 40000))
    bench.send("sips:alice@192.0.2.9", flow=flow)
    (sent,) = bench.take()
    assert sent.flow == flow


@pytest.mark.parametrize(
    ("via", "port", "domain"),
    [("b.example", 5061, "b.example"), ("192.0.2.77:5071", 5071, "192.0.2.77"), ("[2001:db8::7]", 5061, "2001:db8::7")],
)
def test_answer_whose_connection_is_gone_goes_to_whoever_proves_the_name_in_via(via, port, domain) -> None:
    """RFC 3261 18.2.2."""
    bench = Bench()
    flow = bench.accept(remote=("192.0.2.9", 40000))
    bench.engine.receive(REQUEST.format(via=via).encode(), flow, bench.now)
    bench.engine.transport_failed(flow, bench.now)
    (transaction,) = bench.requests
    bench.engine.respond(transaction, response_to(transaction.request, 200, to_tag="t"), bench.now)
    (connect,) = bench.take()
    assert (connect.flow.transport, connect.flow.remote, connect.domain) == ("TLS", ("192.0.2.9", port), domain)


def test_uri_of_a_tls_listener_names_the_transport() -> None:
    bench = Bench()
    listener = bench.engine.source(Request("OPTIONS", "sips:192.0.2.9"))
    uri = parse_uri(f"sip:{listener.hostport}")
    assert str(uri) == "sip:192.0.2.1:5061;transport=tls"
