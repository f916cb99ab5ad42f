"""Requests too large for a datagram go by TCP, and by UDP where the peer has no TCP (RFC 3261 18.1.1)."""

import itertools

import pytest

from talkburst.sip.engine import Connect, Disconnect, Engine, Failure, Resolve, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.locating import Located
from talkburst.sip.message import Request, response_to
from virtual_time import pass_time

OURS, PEER = ("192.0.2.1", 5060), ("192.0.2.9", 5070)


class Large:
    """An engine that listens on UDP and TCP and sends requests of any size."""

    def __init__(self, transports=("UDP", "TCP")) -> None:
        numbers = itertools.count(1)
        self.engine = Engine(None, token=lambda: f"token{next(numbers)}")
        for transport in transports:
            self.engine.add_listener(Listener("main", transport, *OURS, advertised=OURS))
        self.now = 1000.0
        self.outcomes = []
        self.done = []

    def send(self, size: int = 1301, uri: str = "sip:192.0.2.9:5070", *, body: bytes = b"", **options):
        """Send a request that has `size` bytes with the Via of UDP in it, and a body beyond that."""
        fields = [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", "c1"), ("CSeq", "1 PUBLISH")]
        bare = Request("PUBLISH", uri, [*fields, ("Content-Length", "0000")])
        via = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtoken1;rport\r\nMax-Forwards: 70\r\n"
        request = Request("PUBLISH", uri, fields)
        room = size - len(bare.to_bytes()) - len(via)
        if room > 0:
            request.add("X", "")
            filler = size - len(request.to_bytes()) - len(via)
            request.set("X", "x" * filler)
            assert len(request.to_bytes()) + len(via) == size
        if body:
            request.set_body(body, "text/plain")
        return self.engine.send_request(
            request, lambda outcome, now: self.outcomes.append(outcome), self.now, **options
        )

    def take(self):
        actions = self.engine.take()
        self.done += actions
        return actions

    def advance(self, seconds: float) -> None:
        self.now = pass_time(self.engine, self.now, seconds)


@pytest.fixture
def large() -> Large:
    return Large()


def test_up_to_1300_bytes_a_request_goes_by_udp(large) -> None:
    large.send(1300)
    (send,) = large.take()
    assert (send.flow.transport, len(send.data)) == ("UDP", 1300)


def test_beyond_1300_bytes_it_goes_by_tcp_and_its_via_says_so(large) -> None:
    large.send(1301)
    (connect,) = large.take()
    assert connect == Connect(Flow("TCP", OURS, PEER, 1, "main"))
    large.engine.connected(connect.flow, large.now)
    (send,) = large.take()
    assert send.flow == connect.flow
    assert send.message.via.transport == "TCP"
    assert send.message.get_all("Via") == ["SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKtoken1;rport"]


def test_by_tcp_it_is_not_repeated_and_ends_with_its_final_response(large) -> None:
    transaction = large.send()
    large.engine.connected(large.take()[0].flow, large.now)
    (send,) = large.take()
    assert transaction.reliable
    large.advance(5)
    assert large.take() == []
    large.engine.receive(response_to(send.message, 200, to_tag="t").to_bytes(), send.flow, large.now)
    large.advance(0)
    assert [outcome.status for outcome in large.outcomes] == [200]
    assert not large.engine.clients


@pytest.mark.parametrize("transports", [("UDP",)])
def test_without_tcp_of_our_own_it_goes_by_udp(transports) -> None:
    large = Large(transports)
    large.engine.add_listener(Listener("other", "TCP", "192.0.2.1", 5054, ("192.0.2.1", 5054)))
    large.send(5000)
    assert large.take()[0].flow.transport == "UDP"


def test_a_flow_is_not_exchanged(large) -> None:
    flow = Flow("UDP", OURS, PEER, listener="main")
    large.send(flow=flow)
    assert large.take()[0].flow == flow


def test_where_tcp_is_refused_it_goes_by_udp_at_once(large) -> None:
    transaction = large.send()
    large.engine.transport_failed(large.take()[0].flow, large.now)
    (send,) = large.take()
    assert send.flow == Flow("UDP", OURS, PEER, listener="main")
    assert send.message.via.transport == "UDP"
    assert large.outcomes == []
    assert not transaction.reliable
    large.advance(0.5)
    assert large.take() == [send], "and is repeated as UDP needs it"
    large.engine.receive(response_to(send.message, 200, to_tag="t").to_bytes(), send.flow, large.now)
    assert [outcome.status for outcome in large.outcomes] == [200]


def test_where_the_connection_is_reset_before_a_response_it_goes_by_udp_with_a_new_branch(large) -> None:
    transaction = large.send()
    flow = large.take()[0].flow
    large.engine.connected(flow, large.now)
    (by_tcp,) = large.take()
    large.engine.transport_failed(flow, large.now)
    (by_udp,) = large.take()
    assert by_udp.message.get_all("Via") == ["SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtoken2;rport"]
    assert b"z9hG4bKtoken1" in by_tcp.data
    assert large.outcomes == []
    assert list(large.engine.clients) == [transaction.key] == ["z9hg4bktoken2 PUBLISH"]
    large.advance(0.5)
    assert large.take() == [by_udp]
    large.engine.receive(response_to(by_udp.message, 200, to_tag="t").to_bytes(), by_udp.flow, large.now)
    assert [outcome.status for outcome in large.outcomes] == [200]
    large.advance(60)
    assert not large.engine.clients
    assert large.engine.next_deadline() is None


def test_what_goes_again_by_udp_goes_with_its_body(large) -> None:
    large.send(body=b"settings")
    flow = large.take()[0].flow
    large.engine.connected(flow, large.now)
    large.take()
    large.engine.transport_failed(flow, large.now)
    (by_udp,) = large.take()
    assert by_udp.data.endswith(b"\r\n\r\nsettings")


def test_a_peer_that_resets_connections_gets_the_next_large_request_by_udp_at_once(large) -> None:
    large.send()
    flow = large.take()[0].flow
    large.engine.connected(flow, large.now)
    large.engine.transport_failed(flow, large.now)
    large.take()
    large.send()
    assert [action.flow.transport for action in large.take()] == ["UDP"]


def test_the_end_of_an_attempt_that_was_given_up_is_not_the_end_of_the_next_one(large) -> None:
    large.send()
    (first,) = large.take()
    large.advance(1)
    large.take()
    large.send(uri="sip:192.0.2.9:5070;transport=tcp")
    (second,) = large.take()
    assert isinstance(second, Connect)
    large.engine.transport_failed(first.flow, large.now)
    large.engine.connected(first.flow, large.now)
    assert large.take() == [Disconnect(first.flow)]
    assert large.outcomes == []
    large.engine.connected(second.flow, large.now)
    assert [action.flow for action in large.take()] == [second.flow]


def test_nobody_answering_by_udp_either_is_one_timeout_from_then_on(large) -> None:
    large.send()
    flow = large.take()[0].flow
    large.engine.connected(flow, large.now)
    large.advance(10)
    large.engine.transport_failed(flow, large.now)
    large.advance(31.9)
    assert large.outcomes == []
    large.advance(0.1)
    assert large.outcomes == [Failure.TIMEOUT]


def test_a_connection_lost_after_a_provisional_response_fails_the_request(large) -> None:
    large.send()
    flow = large.take()[0].flow
    large.engine.connected(flow, large.now)
    (send,) = large.take()
    large.engine.receive(response_to(send.message, 100).to_bytes(), flow, large.now)
    large.engine.transport_failed(flow, large.now)
    assert [getattr(outcome, "status", outcome) for outcome in large.outcomes] == [100, Failure.TRANSPORT]
    assert large.take() == []


def test_where_tcp_is_not_up_within_a_second_it_goes_by_udp_and_the_attempt_ends(large) -> None:
    large.send()
    (connect,) = large.take()
    large.advance(0.999)
    assert large.take() == []
    large.advance(0.001)
    disconnect, send = large.take()
    assert disconnect == Disconnect(connect.flow)
    assert send.flow.transport == "UDP"
    large.engine.connected(connect.flow, large.now)
    assert large.take() == [Disconnect(connect.flow)], "it came up too late"


def test_an_attempt_others_still_wait_for_goes_on(large) -> None:
    large.send(100, "sip:192.0.2.9:5070;transport=tcp")
    large.send()
    (connect,) = large.take()
    large.advance(1)
    assert [action.flow.transport for action in large.take()] == ["UDP"]
    large.engine.connected(connect.flow, large.now)
    assert [action.flow for action in large.take()] == [connect.flow]
    large.send()
    assert large.take()[0].flow == connect.flow, "what is open is used, whatever is remembered"


def test_a_peer_without_tcp_is_remembered_for_a_minute(large) -> None:
    large.send()
    large.engine.transport_failed(large.take()[0].flow, large.now)
    large.take()
    large.advance(59.9)
    large.take()
    large.send()
    assert large.take()[0].flow.transport == "UDP"
    large.send(uri="sip:192.0.2.10:5070")
    assert isinstance(large.take()[0], Connect), "another peer"
    large.advance(0.2)
    large.take()
    large.send()
    assert isinstance(large.take()[0], Connect)


def test_what_is_remembered_does_not_touch_requests_that_want_tcp(large) -> None:
    large.send()
    large.engine.transport_failed(large.take()[0].flow, large.now)
    large.take()
    large.send(uri="sip:192.0.2.9:5070;transport=tcp")
    assert isinstance(large.take()[0], Connect)


def test_a_request_that_wants_tcp_does_not_fall_back(large) -> None:
    large.send(5000, "sip:192.0.2.9:5070;transport=tcp")
    large.engine.transport_failed(large.take()[0].flow, large.now)
    assert large.outcomes == [Failure.TRANSPORT]
    assert large.take() == []


def test_a_name_is_resolved_before_the_transport_is_chosen(large) -> None:
    large.send(uri="sip:bob.example")
    (resolve,) = large.take()
    assert isinstance(resolve, Resolve)
    large.engine.resolved(resolve.token, [Located("UDP", PEER)], large.now)
    large.engine.transport_failed(large.take()[0].flow, large.now)
    (send,) = large.take()
    assert send.flow.remote == PEER
    assert send.message.via.transport == "UDP"


def test_a_request_without_a_transaction_falls_back_as_well(large) -> None:
    fields = [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>;tag=2"), ("Call-ID", "c1"), ("CSeq", "1 ACK")]
    large.engine.send_stateless(Request("ACK", "sip:192.0.2.9:5070", [*fields, ("X", "x" * 1300)]), large.now)
    large.engine.transport_failed(large.take()[0].flow, large.now)
    (send,) = large.take()
    assert isinstance(send, Send)
    assert send.message.via.transport == "UDP"
