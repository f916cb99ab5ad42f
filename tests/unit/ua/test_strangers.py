"""What somebody who is not the home network can have the client do."""

import pytest

from talkburst.sip.engine import Connect, Send
from talkburst.sip.flow import Flow

HERE = ("127.0.0.1", 5090)
ELSEWHERE = ("192.0.2.99", 25)
STRANGER = ("127.0.0.1", 41_000)


def lines(text: str) -> bytes:
    return ("\r\n".join(line.strip() for line in text.strip().splitlines()) + "\r\n\r\n").encode()


OPTIONS = """
    OPTIONS sip:alice@127.0.0.1:5090 SIP/2.0
    Via: SIP/2.0/TCP 192.0.2.99:25;branch=z9hG4bKstranger
    From: <sip:somebody@else.example>;tag=s
    To: <sip:alice@127.0.0.1:5090>
    Call-ID: stranger
    CSeq: 1 OPTIONS
    Max-Forwards: 70
    Content-Length: 0
"""


@pytest.fixture
def registered(make_world, make_device):
    network = make_world(tcp=True)
    device = make_device(network, transport="TCP")
    device.start()
    assert device.client.registered
    return network, device


@pytest.mark.parametrize(("remote", "believed"), [(STRANGER, False), (("127.0.0.1", 5060), True)])
def test_only_the_core_names_another_place_for_an_answer_whose_connection_is_gone(
    registered, remote, believed: bool
) -> None:
    """RFC 3261 18.2.2 has the sent-by of the Via; a stranger would have us connect to whatever he writes there."""
    network, device = registered
    engine, called = device.engine, []
    network.cut(HERE[1])
    flow = engine.accepted(engine.listener("main", "TCP"), remote)
    engine.receive(lines(OPTIONS), flow, network.now)
    (answer,) = [action for action in engine.take() if isinstance(action, Send)]
    engine.transport_failed(flow, network.now)
    engine.transmit(flow, answer.data, answer.message)
    while connects := [action for action in engine.take() if isinstance(action, Connect)]:
        for connect in connects:
            called.append(connect.flow.remote)
            engine.transport_failed(connect.flow, network.now)
    assert called == [("127.0.0.1", 25), *[ELSEWHERE] * believed]


def test_nobody_is_believed_before_the_core_has_answered(make_world, make_device) -> None:
    device = make_device(make_world(tcp=True), transport="TCP")
    assert not device.engine.believes(Flow("TCP", HERE, STRANGER, 1, "main"))
    assert not device.engine.believes(Flow("TCP", HERE, ("127.0.0.1", 5060), 1, "main"))
