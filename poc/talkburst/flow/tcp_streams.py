"""TCP segments into streams of bytes, whatever order they came in and however often."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from talkburst.flow.packets import Segment

_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_MODULUS: Final = 1 << 32
# A gap is waited for until this much came after it: then the capture lost what would fill it.
_MAX_HELD: Final = 256


class Piece(NamedTuple):
    """Bytes of a stream in their order. `lost`: what came before them is missing; `closes`: nothing follows."""

    time: float
    data: bytes
    lost: bool = False
    closes: bool = False


def begins_connection(segment: Segment) -> bool:
    """Whether a segment is the first of a new connection."""
    return bool(segment.flags & _SYN) and not segment.flags & _ACK


@dataclass(slots=True)
class StreamDirection:
    """One direction of a TCP connection."""

    _next: int | None = None
    _held: dict[int, tuple[float, bytes]] = field(default_factory=dict)
    _finish: int | None = None

    def add(self, segment: Segment) -> list[Piece]:
        """Take a segment; what can be told of the stream by now."""
        sequence = segment.sequence
        if segment.flags & _SYN:
            sequence = (sequence + 1) % _MODULUS
        if self._next is None and (segment.payload or segment.flags & _SYN):
            self._next = sequence
        if self._next is None:
            return []
        if segment.payload:
            known = self._held.get(sequence)
            if known is None or len(known[1]) < len(segment.payload):
                self._held[sequence] = (segment.time, segment.payload)
        if segment.flags & (_FIN | _RST):
            self._finish = (sequence + len(segment.payload)) % _MODULUS
        return self._in_order(segment.time)

    def flush(self, time: float) -> list[Piece]:
        """What is left when nothing more comes: beyond the gaps, too."""
        pieces: list[Piece] = []
        while self._held:
            pieces += self._skip_gap()
            pieces += self._in_order(time)
        return pieces

    def _in_order(self, time: float) -> list[Piece]:
        pieces: list[Piece] = []
        while (found := self._following()) is not None:
            pieces.append(found)
        if len(self._held) > _MAX_HELD:
            pieces += self._skip_gap()
            pieces += self._in_order(time)
        if self._finish is not None and self._finish == self._next:
            pieces.append(Piece(time, b"", closes=True))
            self._finish = None
        return pieces

    def _following(self) -> Piece | None:
        """The next bytes of the stream, if one of the held segments has them."""
        assert self._next is not None
        for sequence, (time, data) in list(self._held.items()):
            ahead = _distance(self._next, sequence)
            if ahead > 0:
                continue
            del self._held[sequence]
            fresh = data[-ahead:]
            if fresh:
                self._next = (self._next + len(fresh)) % _MODULUS
                return Piece(time, fresh)
        return None

    def _skip_gap(self) -> list[Piece]:
        assert self._next is not None
        nearest = min(self._held, key=lambda sequence: _distance(self._next or 0, sequence))
        self._next = nearest
        return [Piece(self._held[nearest][0], b"", lost=True)]


def _distance(origin: int, sequence: int) -> int:
    """How far `sequence` is ahead of `origin`, negative when it is behind (RFC 9293 3.4)."""
    distance = (sequence - origin) % _MODULUS
    return distance if distance < _MODULUS // 2 else distance - _MODULUS
