"""The NOTIFY before the 200 to SUBSCRIBE, also where it has to wait for a connection."""

import pytest

from talkburst.sip.engine import Connect, Engine, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request
from talkburst.sip.notifier import Notifier
from talkburst.sip.parser import parse_message
from talkburst.sip.uas import Uas

OURS, PEER = ("192.0.2.1", 5060), ("192.0.2.9", 5070)
SUBSCRIBE = (
    "SUBSCRIBE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1\r\n"
    "From: <sip:w@h>;tag=w\r\nTo: <sip:alice@192.0.2.1>\r\nCall-ID: c\r\nCSeq: 1 SUBSCRIBE\r\n"
    "Contact: <sip:w@192.0.2.9:5070>\r\nEvent: big\r\nContent-Length: 0\r\n\r\n"
)


class Big:
    """A package whose document is no datagram."""

    name, media_type = "big", "text/plain"
    default_expires, min_expires, max_expires, notify_interval = 3600, 60, 3600, 0.0

    def authorise(self, request, flow, now):
        return "alice"

    def state(self, subscription, now):
        return b"x" * 2000

    def throttle_key(self, subscription):
        return subscription


@pytest.mark.parametrize(("connects", "by"), [(True, "TCP"), (False, "UDP")])
def test_a_large_notify_leaves_before_the_200_whichever_way_it_goes(connects: bool, by: str) -> None:
    numbers = iter(range(1000))
    engine = Engine(None, token=lambda: f"t{next(numbers)}")
    for transport in ("UDP", "TCP"):
        engine.add_listener(Listener("main", transport, *OURS, advertised=OURS))
    engine.user = uas = Uas(engine, engine.token)
    uas.serve("SUBSCRIBE", Notifier(engine, uas, [Big()], engine.token, notify_first=True).on_subscribe)
    engine.receive(SUBSCRIBE.encode(), Flow("UDP", OURS, PEER, listener="main"), 1000.0)
    (connect,) = engine.take()
    assert isinstance(connect, Connect)
    if connects:
        engine.connected(connect.flow, 1000.1)
    else:
        engine.transport_failed(connect.flow, 1000.1)
    sent = [(parse_message(each.data), each.flow.transport) for each in engine.take() if isinstance(each, Send)]
    assert [(message.start_line.split()[0], transport) for message, transport in sent] == [
        ("NOTIFY", by),
        ("SIP/2.0", "UDP"),
    ]
    assert isinstance(sent[0][0], Request)


def test_a_200_is_not_kept_back_for_a_notify_that_has_no_way() -> None:
    numbers = iter(range(1000))
    engine = Engine(None, token=lambda: f"t{next(numbers)}")
    engine.add_listener(Listener("main", "UDP", *OURS, advertised=OURS))
    engine.user = uas = Uas(engine, engine.token)
    uas.serve("SUBSCRIBE", Notifier(engine, uas, [Big()], engine.token, notify_first=True).on_subscribe)
    lost = SUBSCRIBE.replace("<sip:w@192.0.2.9:5070>", "<sip:w@192.0.2.9:5070;transport=tcp>")
    engine.receive(lost.encode(), Flow("UDP", OURS, PEER, listener="main"), 1000.0)
    engine.handle_timer(1000.0)
    assert [parse_message(each.data).start_line for each in engine.take()] == ["SIP/2.0 200 OK"]
