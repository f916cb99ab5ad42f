"""Which connection a request takes: one that is open, one that is opened for it, or none."""

import pytest

from stream_bench import OURS, PEER, Stream
from talkburst.sip.engine import Connect, Disconnect, Failure
from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response, response_to


def test_a_connection_is_opened_and_the_request_sent_once_it_is_up(stream) -> None:
    stream.send()
    assert stream.wanted() == [Connect(Flow("TCP", OURS, PEER, 1, "main"))]
    stream.engine.connected(Flow("TCP", OURS, PEER, 1, "main"), stream.now)
    (send,) = stream.engine.take()
    assert send.flow == Flow("TCP", OURS, PEER, 1, "main")
    assert str(send.message.via) == "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKtoken1;rport"


def test_requests_wait_together_for_one_connection_and_leave_in_order(stream) -> None:
    transactions = [stream.send() for _ in range(3)]
    flow = stream.wanted()[0].flow
    stream.engine.connected(flow, stream.now)
    assert [send.message for send in stream.engine.take()] == [transaction.request for transaction in transactions]


@pytest.mark.parametrize("uri", ["sip:192.0.2.9:5070;transport=tcp", "sip:as.example;transport=TCP"])
def test_a_connection_that_is_open_is_used_whoever_opened_it(stream, uri: str) -> None:
    flow = stream.accept()
    stream.send(uri)
    assert stream.wanted() == [flow]


def test_a_connection_of_ours_serves_the_next_request(stream) -> None:
    stream.send()
    flow = stream.connect()
    stream.send()
    assert stream.wanted() == [flow, flow]


@pytest.mark.parametrize(
    ("remote", "name"),
    [(("192.0.2.9", 40000), "main"), (("192.0.2.8", 5070), "main"), (PEER, "other")],
    ids=["another port", "another address", "another listener"],
)
def test_a_connection_to_anything_else_is_not_used(stream, remote, name: str) -> None:
    stream.accept(remote, name)
    stream.send()
    assert isinstance(stream.wanted()[0], Connect)


def test_an_alias_is_no_proof_of_who_is_at_the_other_end(stream) -> None:
    flow = stream.accept(("192.0.2.9", 40000))
    stream.receive(flow, "192.0.2.9:5070;branch=z9hG4bK1;alias")
    stream.send()
    assert isinstance(stream.wanted()[0], Connect)


def test_of_several_connections_the_latest_is_used_and_then_the_one_before(stream) -> None:
    first, second = stream.accept(), stream.accept()
    stream.send()
    stream.engine.transport_failed(second, stream.now)
    stream.send()
    stream.engine.transport_failed(first, stream.now)
    stream.send()
    *flows, wanted = stream.wanted()
    assert flows == [second, first]
    assert isinstance(wanted, Connect)


def test_a_refused_connection_fails_what_waits_for_it(stream) -> None:
    stream.send()
    stream.send()
    flow = stream.wanted()[0].flow
    assert stream.outcomes == []
    stream.engine.transport_failed(flow, stream.now)
    assert stream.outcomes == [Failure.TRANSPORT] * 2
    assert not stream.engine.clients
    assert stream.engine.counters["transport_failed"] == 1
    stream.send()
    assert isinstance(stream.wanted()[0], Connect), "the next request tries again"


def test_a_handler_that_raises_keeps_no_other_from_hearing_of_a_refused_connection(stream) -> None:
    def fail(outcome, now) -> None:
        raise RuntimeError("a bug")

    request = stream.send().request
    stream.engine.send_request(request, fail, stream.now)
    stream.send()
    flow = stream.wanted()[0].flow
    with pytest.raises(RuntimeError, match="a bug"):
        stream.engine.transport_failed(flow, stream.now)
    assert stream.outcomes == [Failure.TRANSPORT] * 2


def test_a_lost_connection_fails_the_requests_under_way_on_it_and_no_others(stream) -> None:
    doomed, spared = stream.accept(), stream.accept(("192.0.2.9", 40000))
    stream.send(flow=doomed)
    stream.send(flow=spared)
    stream.engine.transport_failed(doomed, stream.now)
    assert stream.outcomes == [Failure.TRANSPORT]
    assert [transaction.flow for transaction in stream.engine.clients.values()] == [spared]
    assert stream.engine.counters["connection_closed"] == 1


def test_udp_to_the_same_address_does_not_suffer_from_a_lost_connection(stream) -> None:
    flow = stream.accept()
    stream.send("sip:192.0.2.9:5070")
    stream.engine.transport_failed(flow, stream.now)
    stream.engine.transport_failed(Flow("TCP", OURS, PEER, 0, "main"), stream.now)
    assert stream.outcomes == []


def test_a_request_on_a_flow_goes_by_that_connection_and_no_other(stream) -> None:
    older, _ = stream.accept(), stream.accept()
    stream.send("sip:bob@198.51.100.7:9", flow=older)
    assert stream.wanted() == [older]
    stream.engine.transport_failed(older, stream.now)
    stream.outcomes.clear()
    stream.send("sip:bob@198.51.100.7:9", flow=older)
    assert stream.outcomes == [], "not before send_request has returned"
    stream.advance(0)
    assert stream.outcomes == [Failure.TRANSPORT]
    assert stream.wanted() == []


def test_an_ack_without_its_connection_is_dropped(stream) -> None:
    flow = stream.accept()
    invite = stream.send(method="INVITE")
    (send,) = stream.engine.take()
    stream.engine.transport_failed(flow, stream.now)
    assert stream.outcomes == [Failure.TRANSPORT]
    again = stream.accept()
    late = response_to(send.message, 486, to_tag="t").to_bytes()
    stream.engine.receive(late, again, stream.now)
    assert stream.wanted() == []
    assert invite.terminated


def test_a_2xx_may_come_on_another_connection(stream) -> None:
    stream.accept()
    stream.send()
    (send,) = stream.engine.take()
    other = stream.accept(("192.0.2.9", 40000))
    stream.engine.receive(response_to(send.message, 200, to_tag="t").to_bytes(), other, stream.now)
    assert [outcome.status for outcome in stream.outcomes] == [200]


def test_a_connection_nobody_waits_for_any_more_is_given_up(stream) -> None:
    stranger = Flow("TCP", OURS, PEER, 77, "main")
    stream.engine.connected(stranger, stream.now)
    assert stream.wanted() == [Disconnect(stranger)]
    stream.engine.transport_failed(stranger, stream.now)
    stream.send()
    assert isinstance(stream.wanted()[0], Connect)


def test_nothing_is_repeated_and_the_transactions_are_gone_with_the_final_response(stream) -> None:
    flow = stream.accept()
    stream.send()
    stream.receive(flow)
    stream.answer()
    sends = stream.engine.take()
    stream.advance(5)
    assert stream.engine.take() == []
    assert len(stream.engine.clients) == 1
    stream.engine.receive(response_to(sends[0].message, 200, to_tag="t").to_bytes(), flow, stream.now)
    stream.advance(0)
    assert not stream.engine.clients
    assert not stream.engine.servers
    assert stream.engine.next_deadline() is None


def test_a_listener_of_tcp_alone_sends_by_tcp_without_being_told(stream) -> None:
    only_tcp = Stream("TCP")
    only_tcp.send("sip:192.0.2.9:5070")
    assert only_tcp.connect() == Flow("TCP", OURS, PEER, 1, "main")
    only_tcp.send("sip:192.0.2.9:5070;transport=udp")
    only_tcp.advance(0)
    assert only_tcp.outcomes == [Failure.TRANSPORT]


def test_a_response_is_not_a_request(stream) -> None:
    flow = stream.accept()
    stream.engine.transport_failed(flow, stream.now, Response(200, "OK", []))
    stream.send()
    assert stream.wanted() == [flow], "one message that could not be sent says nothing about the connection"


def test_a_flow_from_before_a_restart_is_not_open_whatever_its_number() -> None:
    stream = Stream()
    flow = stream.accept()
    assert stream.engine.is_open(flow)
    assert not stream.engine.is_open(flow._replace(remote=("192.0.2.66", 4711)))
    assert not stream.engine.is_open(flow._replace(connection=0, transport="UDP"))
    stream.engine.transport_failed(flow, stream.now)
    assert not stream.engine.is_open(flow)


def test_the_loss_of_a_connection_is_told_if_it_was_open_and_ours() -> None:
    stream, lost = Stream(), []
    stream.engine.on_lost = lambda flow, now: lost.append(flow)
    stream.engine.transport_failed(stream.accept(), stream.now)
    stream.send()
    (connect,) = (action for action in stream.engine.take() if isinstance(action, Connect))
    stream.engine.transport_failed(connect.flow, stream.now)
    assert lost == []
    stream.send()
    (connect,) = (action for action in stream.engine.take() if isinstance(action, Connect))
    stream.engine.connected(connect.flow, stream.now)
    stream.engine.transport_failed(connect.flow, stream.now)
    stream.engine.transport_failed(connect.flow, stream.now)
    assert lost == [connect.flow]


@pytest.mark.parametrize(
    ("usual", "uri", "transport"),
    [
        ("UDP", "sip:192.0.2.9", "UDP"),
        ("TCP", "sip:192.0.2.9", "TCP"),
        ("TCP", "sip:192.0.2.9;transport=udp", "UDP"),
        ("UDP", "sip:192.0.2.9;transport=tcp", "TCP"),
        ("TCP", "sip:as.example", "TCP"),
        ("TCP", "tel:+1", "UDP"),  # no way at all: the first listener stands for it
    ],
)
def test_the_usual_transport_counts_where_nothing_names_one(usual: str, uri: str, transport: str) -> None:
    stream = Stream()
    stream.engine.usual = usual
    assert stream.engine.source(Request("OPTIONS", uri)).transport == transport
