"""Every SIP message of a demo is read by parsers that others wrote."""

import pytest
import sipmessage
from aiosipua.message import SipMessage, SipRequest

from demo_capture import Capture
from talkburst.sip import Request, parse_message

pytestmark = pytest.mark.acceptance

# The header fields that sipmessage gives a type, read on every message that has them.
TYPED = [name for name in dir(sipmessage.Message) if isinstance(getattr(sipmessage.Message, name), property)]


def read_by_sipmessage(octets: bytes) -> sipmessage.Request | sipmessage.Response:
    """Raises ValueError where sipmessage can't read the message or one of its header fields."""
    message = sipmessage.Message.parse(octets)
    for name in TYPED:
        getattr(message, name)
    return message


def test_sipmessage_reads_every_message_and_every_header_field_it_knows(capture: Capture) -> None:
    assert len(TYPED) > 20
    for octets in capture.sip:
        theirs, ours = read_by_sipmessage(octets), parse_message(octets)
        assert theirs.cseq.method == ours.cseq.method
        assert theirs.call_id == ours.call_id
        assert [str(via.host) for via in theirs.via] == [via.host for via in ours.vias]
        assert theirs.body == ours.body


def test_aiosipua_reads_every_message(capture: Capture) -> None:
    for octets in capture.sip:
        theirs, ours = SipMessage.parse(octets), parse_message(octets)
        assert isinstance(theirs, SipRequest) == isinstance(ours, Request)
        assert theirs.get_header("Call-ID") == ours.call_id
        assert theirs.body == ours.body


@pytest.mark.parametrize("capture", [("first-client", "udp")], indirect=True, ids="-".join)
@pytest.mark.parametrize(
    ("sent", "instead"),
    [(b"From: <sip:", b"From: <sip "), (b"CSeq: 1 ", b"CSeq: x "), (b"Via: SIP/2.0/UDP ", b"Via: SIP-2.0-UDP ")],
)
def test_sipmessage_refuses_what_is_damaged(capture: Capture, sent: bytes, instead: bytes) -> None:
    damaged = [octets.replace(sent, instead) for octets in capture.sip if sent in octets]
    assert damaged
    for octets in damaged:
        with pytest.raises(ValueError):  # noqa: PT011  whatever it says
            read_by_sipmessage(octets)
