"""The capture of a demo, as strangers judge it."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import DEMO_WITHIN, TALKBURST, environment
from talkburst.flow.readers import read_capture

_XML_TYPE = re.compile(rb"^Content-Type: application/[\w.-]+\+xml\b", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Capture:
    """What a demo wrote with `--pcap`, and the ports on which its daemons speak SIP."""

    pcap: Path
    ports: frozenset[int]

    @property
    def sip(self) -> list[bytes]:
        """Every SIP message in it."""
        return [frame.payload for frame in read_capture(self.pcap) if frame.protocol == "sip"]

    @property
    def other_sip_bodies(self) -> list[bytes]:
        """SIP messages whose body says that it is something else, or does not say what it is."""
        messages = ((sip, *sip.partition(b"\r\n\r\n")) for sip in self.sip)
        return [sip for sip, head, _, body in messages if body and not _XML_TYPE.search(head)]

    @property
    def xml_bodies(self) -> list[bytes]:
        """The XML documents in SIP and HTTP messages."""
        messages = (frame.payload.partition(b"\r\n\r\n") for frame in read_capture(self.pcap))
        return [body for head, _, body in messages if b"+xml" in head and body]


def capture_demo(scenario: str, transport: str, directory: Path) -> Capture:
    """Run a demo to its end, which has to be a pass."""
    pcap = directory / "demo.pcap"
    ran = subprocess.run(
        [*TALKBURST, "demo", "--scenario", scenario, "--transport", transport, "--pcap", str(pcap)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEMO_WITHIN,
        env=environment(),
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    listeners = [line.split() for line in ran.stdout.splitlines() if line.startswith(("  udp ", "  tcp "))]
    ports = {int(address.rpartition(":")[2]) for _, address, name, *_ in listeners if name != "xdms"}
    assert len(ports) >= 4, ran.stdout
    return Capture(pcap, frozenset(ports))
