"""Capture files into frames: SIP over UDP and TCP, HTTP over TCP, whatever else is in the file passed over."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from talkburst.flow.capture_file import CaptureError, PacketFile
from talkburst.flow.packets import Datagram, PacketDecoder, Segment
from talkburst.flow.stream_messages import Conversation, Found, is_sip
from talkburst.flow.tcp_streams import StreamDirection, begins_connection
from talkburst.obs.frame import Endpoint, Frame

__all__ = ["CaptureError", "CaptureFile", "read_capture"]


@dataclass(slots=True)
class CaptureFile:
    """What a capture file holds, in the order of time, and what was wrong with it without making it useless."""

    frames: list[Frame] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    packets: int = 0

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)


def read_capture(path: Path) -> CaptureFile:
    """Read a pcap or pcapng file. Raises OSError, and `CaptureError` for what is no capture or is damaged."""
    packets = PacketFile(path.read_bytes())
    capture = CaptureFile(warnings=packets.warnings)
    capture.frames = sorted(_frames(packets, capture), key=lambda frame: frame.time)
    return capture


def _frames(packets: PacketFile, capture: CaptureFile) -> Iterator[Frame]:
    decoder, connections = PacketDecoder(), _Connections()
    for packet in packets:
        capture.packets += 1
        found = decoder.decode(packet)
        if isinstance(found, Datagram):
            if is_sip(found.payload.lstrip(b"\r\n")):
                yield Frame(found.time, found.source, found.destination, "UDP", "sip", found.payload)
        elif found is not None:
            yield from connections.add(found)
    yield from connections.flush()
    if decoder.skipped:
        capture.warnings.append(f"{decoder.skipped} of {capture.packets} packets could not be read as IP, UDP or TCP")


@dataclass(slots=True)
class _Connection:
    conversation: Conversation
    directions: dict[Endpoint, StreamDirection]
    last: float = 0.0


class _Connections:
    """The TCP connections of a capture, by their two ends."""

    def __init__(self) -> None:
        self._open: dict[frozenset[Endpoint], _Connection] = {}

    def add(self, segment: Segment) -> list[Frame]:
        ends = frozenset((segment.source, segment.destination))
        connection = self._open.get(ends)
        frames: list[Frame] = []
        if connection is not None and begins_connection(segment) and connection.last:
            frames = self._rest(connection)
            connection = None
        if connection is None:
            connection = self._open[ends] = _Connection(
                Conversation(segment.source, segment.destination, from_start=begins_connection(segment)),
                {segment.source: StreamDirection(), segment.destination: StreamDirection()},
            )
        if segment.payload:
            connection.last = segment.time
        pieces = connection.directions[segment.source].add(segment)
        return frames + [_frame(found) for found in connection.conversation.feed(segment.source, pieces)]

    def flush(self) -> list[Frame]:
        """What the connections still hold beyond what the capture lost."""
        return [frame for connection in self._open.values() for frame in self._rest(connection)]

    def _rest(self, connection: _Connection) -> list[Frame]:
        return [
            _frame(found)
            for end, direction in connection.directions.items()
            for found in connection.conversation.feed(end, direction.flush(connection.last))
        ]


def _frame(found: Found) -> Frame:
    return Frame(found.time, found.source, found.destination, "TCP", found.protocol, found.payload)
