"""tshark judges every octet that a demo sends."""

from pathlib import Path

import pytest

from demo_capture import Capture
from tshark import Tshark, damaged

pytestmark = pytest.mark.acceptance


def test_tshark_has_nothing_to_say_against_a_demo(capture: Capture) -> None:
    assert list(Tshark(capture).complaints()) == []


def test_tshark_sees_every_sip_message_of_a_demo(capture: Capture) -> None:
    assert len(Tshark(capture).sip_messages()) == len(capture.sip) >= 30


@pytest.mark.parametrize("capture", [("first-client", "udp"), ("first-client", "tcp")], indirect=True, ids="-".join)
@pytest.mark.parametrize(
    ("sent", "instead", "complaint"),
    [
        (b"Content-Length: 317", b"Content-Length: 31x", "malformed: "),
        (b"CSeq: 1 SUBSCRIBE", b"CSeq: 1 SUBSCRUBE", "method: "),
        (b"Content-Length: 317", b"Content-Length: 999", "length: "),
        # tshark takes whatever comes on a connection that was SIP for SIP.
        (b"NOTIFY sip:", b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b", ("not SIP: ", "neither ")),
    ],
    ids=["malformed", "CSeq", "Content-Length", "start-line"],
)
def test_tshark_complains_of_a_damaged_capture(
    capture: Capture, tmp_path: Path, sent: bytes, instead: bytes, complaint: str | tuple[str, ...]
) -> None:
    complaints = list(Tshark(damaged(capture, tmp_path / "damaged.pcap", sent, instead)).complaints())
    assert any(said.startswith(complaint) for said in complaints), complaints
