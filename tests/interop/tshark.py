"""What tshark makes of a capture, and what it has to say against it."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from demo_capture import Capture
from harness import need

# Wireshark's severity "warning" and above, as its filters count it (epan/proto.h). What it warns of in a segment
# without a byte in it is between two kernels: on a busy machine they send something twice and say so (D-SACK).
MALFORMED = "_ws.malformed || (_ws.expert.severity >= 6291456 && !(tcp.len == 0))"
NEITHER_SIP_NOR_HTTP = "(udp || tcp.len > 0) && !sip && !http && !tcp.segment_data"


@dataclass
class Dissected:
    """A SIP message as tshark reads it; `body` is the number of octets after the empty line."""

    method: str | None
    status: int | None
    cseq_method: str
    content_length: int
    body: int


class Tshark:
    """tshark on one capture, told which ports are SIP; it finds HTTP by itself."""

    def __init__(self, capture: Capture) -> None:
        self.pcap = capture.pcap
        self.decode_as = [
            option
            for port in sorted(capture.ports)
            for kind in ("udp", "tcp")
            for option in ("-d", f"{kind}.port=={port},sip")
        ]

    def run(self, *options: str) -> str:
        command = [need("tshark"), "-r", str(self.pcap), *self.decode_as, *options]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def sip_messages(self) -> list[Dissected]:
        """Every SIP message that tshark sees, several in one segment counted each."""
        pdml = ElementTree.fromstring(self.run("-Y", "sip", "-T", "pdml"))
        return [_dissected(proto) for proto in pdml.iterfind("packet/proto[@name='sip']")]

    def complaints(self) -> Iterator[str]:
        """All that is wrong with the capture; nothing where every octet is in order."""
        yield from (f"malformed: {line}" for line in self.run("-Y", MALFORMED).splitlines())
        yield from (f"not SIP: {line}" for line in self.run("-Y", NEITHER_SIP_NOR_HTTP).splitlines())
        for message in self.sip_messages():
            if (message.method is None) == (message.status is None):
                yield f"neither request nor response: {message}"
            if message.method not in (None, message.cseq_method):
                yield f"method: {message}"
            if message.body != message.content_length:
                yield f"length: {message}"


def _dissected(proto: ElementTree.Element) -> Dissected:
    def shown(field: str) -> str | None:
        found = proto.find(f".//field[@name='{field}']")
        return None if found is None else found.get("show")

    body = proto.find("field[@name='sip.msg_body']")
    status = shown("sip.Status-Code")
    return Dissected(
        shown("sip.Method"),
        None if status is None else int(status),
        shown("sip.CSeq.method") or "",
        int(shown("sip.Content-Length") or -1),
        0 if body is None else int(body.get("size", "-1")),
    )


def damaged(capture: Capture, copy: Path, sent: bytes, instead: bytes) -> Capture:
    """The same capture with other octets in the place of those that were sent."""
    octets = capture.pcap.read_bytes()
    assert sent in octets
    assert len(sent) == len(instead)
    copy.write_bytes(octets.replace(sent, instead))
    return Capture(copy, capture.ports)
