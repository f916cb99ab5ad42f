"""Capture files into frames: SIP over UDP and TCP, HTTP over TCP, whatever else is in the file passed over."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from talkburst.daemon.address import show_host_port
from talkburst.flow.capture_file import CaptureError, PacketFile
from talkburst.flow.packets import Datagram, PacketDecoder, Segment
from talkburst.flow.stream_messages import Conversation, Found, is_sip
from talkburst.flow.tcp_streams import Piece, StreamDirection, begins_connection
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
    decoder, connections, in_part = PacketDecoder(), _Connections(), 0
    # Taps and `mergecap` write packets out of order: an answer before its request, the end of a connection first.
    for packet in sorted(packets, key=lambda packet: packet.time):
        capture.packets += 1
        in_part += packet.cut
        found = decoder.decode(packet)
        if isinstance(found, Datagram):
            if is_sip(found.payload.lstrip(b"\r\n")):
                yield Frame(found.time, found.source, found.destination, "UDP", "sip", found.payload)
        elif found is not None:
            yield from connections.add(found)
    yield from connections.flush()
    if in_part:
        capture.warnings.append(
            f"{in_part} of {capture.packets} packets were captured in part (by a snap length); "
            "what was cut off is not seen"
        )
    if decoder.skipped:
        capture.warnings.append(f"{decoder.skipped} of {capture.packets} packets could not be read as IP, UDP or TCP")
    capture.warnings += connections.warnings()


@dataclass(slots=True)
class _Connection:
    conversation: Conversation
    directions: dict[Endpoint, StreamDirection]
    first: int  # the sequence number of the segment that began it
    last: float = 0.0

    def gives_way_to(self, segment: Segment) -> bool:
        """Whether the segment begins another connection between the same ends. The same one again begins none."""
        return begins_connection(segment) and segment.sequence != self.first


class _Connections:
    """The TCP connections of a capture, by their two ends."""

    def __init__(self) -> None:
        self._open: dict[frozenset[Endpoint], _Connection] = {}
        self._faults = 0
        self._first_fault = ""

    def add(self, segment: Segment) -> list[Frame]:
        ends = frozenset((segment.source, segment.destination))
        connection = self._open.get(ends)
        frames: list[Frame] = []
        if connection is not None and connection.last and connection.gives_way_to(segment):
            frames = self._rest(connection)
            connection = None
        if connection is None:
            connection = self._open[ends] = _Connection(
                Conversation(segment.source, segment.destination, from_start=begins_connection(segment)),
                {segment.source: StreamDirection(), segment.destination: StreamDirection()},
                segment.sequence,
            )
        if segment.payload:
            connection.last = segment.time
        pieces = connection.directions[segment.source].add(segment)
        return frames + self._feed(connection, segment.source, pieces)

    def flush(self) -> list[Frame]:
        """What the connections still hold beyond what the capture lost."""
        return [frame for connection in self._open.values() for frame in self._rest(connection)]

    def warnings(self) -> list[str]:
        """How often HTTP was passed over until the next request, and where and why it was first."""
        if not self._faults:
            return []
        times = "once" if self._faults == 1 else f"{self._faults} times, first"
        return [f"HTTP could not be followed {times} {self._first_fault}"]

    def _rest(self, connection: _Connection) -> list[Frame]:
        return [
            frame
            for end, direction in connection.directions.items()
            for frame in self._feed(connection, end, direction.flush(connection.last))
        ]

    def _feed(self, connection: _Connection, source: Endpoint, pieces: list[Piece]) -> list[Frame]:
        conversation = connection.conversation
        frames = [_frame(found) for found in conversation.feed(source, pieces)]
        if conversation.faults:
            one, other = (show_host_port(*end) for end in connection.directions)
            self._first_fault = self._first_fault or f"between {one} and {other}: {conversation.faults[0]}"
            self._faults += len(conversation.faults)
            conversation.faults.clear()
        return frames


def _frame(found: Found) -> Frame:
    return Frame(found.time, found.source, found.destination, "TCP", found.protocol, found.payload)
