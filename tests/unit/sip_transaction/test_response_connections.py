"""Which connection a response takes: that of its request, one that is open or opened for it, or none."""

import pytest

from stream_bench import PEER, RECEIVED, Stream
from talkburst.sip.parser import Malformed, parse_message


def test_a_response_goes_back_on_the_connection_of_its_request(stream) -> None:
    flow, _ = stream.accept(("192.0.2.9", 40000)), stream.accept(("192.0.2.9", 40001))
    stream.receive(flow, "host.example:5070;branch=z9hG4bK1")
    stream.answer()
    (send,) = stream.engine.take()
    assert send.flow == flow
    assert str(send.message.via) == "SIP/2.0/TCP host.example:5070;branch=z9hG4bK1;received=192.0.2.9"


def test_a_request_is_taken_on_a_connection_we_opened(stream) -> None:
    stream.send()
    flow = stream.connect()
    stream.receive(flow)
    stream.answer()
    assert stream.wanted() == [flow, flow]


@pytest.mark.parametrize(
    ("via", "reply_to"),
    [
        ("192.0.2.9:5070;branch=z9hG4bK1", ("192.0.2.9", 5070)),
        ("host.example;branch=z9hG4bK1", ("192.0.2.9", 5060)),
        ("10.0.0.7:5071;rport;branch=z9hG4bK1;received=203.0.113.1", ("192.0.2.9", 5071)),
    ],
)
def test_without_its_connection_a_response_opens_one_to_received_and_sent_by(stream, via: str, reply_to) -> None:
    flow = stream.accept(("192.0.2.9", 40000))
    stream.receive(flow, via)
    stream.engine.transport_failed(flow, stream.now)
    stream.answer()
    opened = stream.connect()
    assert opened.remote == reply_to
    (send,) = stream.engine.take()
    assert (send.flow, send.message.start_line) == (opened, "SIP/2.0 200 OK")


def test_without_its_connection_a_response_takes_one_that_is_open_to_where_it_goes(stream) -> None:
    flow, other = stream.accept(("192.0.2.9", 40000)), stream.accept(PEER)
    stream.receive(flow)
    stream.engine.transport_failed(flow, stream.now)
    stream.answer()
    assert stream.wanted() == [other]


def test_a_repeated_response_opens_a_connection_too(stream) -> None:
    flow = stream.accept(("192.0.2.9", 40000))
    stream.receive(flow, method="INVITE")
    stream.answer(status=486)
    stream.engine.take()
    stream.engine.transport_failed(flow, stream.now)
    stream.receive(stream.accept(("192.0.2.9", 40001)), method="INVITE")
    assert stream.connect().remote == PEER
    (send,) = stream.engine.take()
    assert send.data.startswith(b"SIP/2.0 486 Busy Here\r\n")


def test_a_response_nobody_takes_is_dropped_and_counted(stream) -> None:
    flow = stream.accept(("192.0.2.9", 40000))
    stream.receive(flow)
    stream.engine.transport_failed(flow, stream.now)
    stream.answer()
    stream.engine.transport_failed(stream.wanted()[0].flow, stream.now)
    assert stream.engine.counters["unroutable"] == 1
    assert stream.wanted() == []


def test_without_its_connection_the_answer_to_a_broken_via_goes_nowhere(stream) -> None:
    flow = stream.accept(("192.0.2.9", 40000))
    stream.receive(flow, "192.0.2.9;;,;,,")
    (send,) = stream.engine.take()
    assert (send.flow, send.message.status) == (flow, 400)
    stream.engine.transport_failed(flow, stream.now)
    stream.engine.transmit(flow, send.data, send.message)
    assert stream.wanted() == []
    assert stream.engine.counters["unroutable"] == 1


def test_what_breaks_a_stream_is_answered_on_it(stream) -> None:
    flow = stream.accept()
    request = parse_message(RECEIVED.format(via="192.0.2.9;branch=z9hG4bK1", method="OPTIONS").encode())
    stream.engine.receive_broken(Malformed("no Content-Length on a stream", 400, "RFC 3261 18.3", request), flow)
    (send,) = stream.engine.take()
    assert send.flow == flow
    assert send.message.start_line == "SIP/2.0 400 Bad Request: no Content-Length on a stream"
    assert stream.engine.counters == {"malformed": 1}


def test_a_promise_that_was_not_kept_is_answered_500_on_its_connection(stream: Stream) -> None:
    flow = stream.accept()
    stream.receive(flow)
    stream.answer()
    promises = stream.engine.take()
    stream.advance(0)  # Timer J is 0 over a connection
    assert stream.engine.servers == {}
    stream.engine.withdraw(promises)
    (failure,) = stream.engine.take()
    assert failure.flow == flow
    assert failure.data.startswith(b"SIP/2.0 500 ")
    assert failure.message.call_id == "in-1"


def test_a_2xx_to_invite_is_never_withdrawn(stream: Stream) -> None:
    flow = stream.accept()
    stream.receive(flow, method="INVITE")
    stream.answer()
    stream.engine.withdraw(stream.engine.take())
    assert stream.engine.take() == []
