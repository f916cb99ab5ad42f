"""Cuts a byte stream into SIP messages. RFC 3261 7.5 and 18.3, RFC 5626 4.4.1 and 5.4."""

import enum
from dataclasses import dataclass

from talkburst.sip.header_fields import HeaderFields
from talkburst.sip.headers.grammar import HeaderError
from talkburst.sip.parser import Malformed, declared_length, malformed, parse_head, read_fields

# The first byte of a TLS connection, and of no message (RFC 8446 5.1).
TLS_HANDSHAKE = 0x16


class KeepAlive(enum.Enum):
    """What stands between messages of a stream to keep it open."""

    PING = "CRLF CRLF"  # wants a single CRLF at once
    PONG = "CRLF"


@dataclass(slots=True, frozen=True)
class StreamLimits:
    """How much a peer may make us keep, in bytes."""

    head: int = 65_536
    body: int = 1_048_576


class StreamFramer:
    """One direction of one connection. Sans-IO: bytes in, whole messages out.

    After a `Malformed` nothing more comes out: where the next message begins cannot be known, so the connection has to
    be closed once the answer is sent (RFC 4475 3.1.2.3 and 3.3.9).
    """

    __slots__ = ("_buffer", "_half_ping", "_limits", "_need", "_searched", "broken")

    def __init__(self, limits: StreamLimits | None = None) -> None:
        self._limits = limits or StreamLimits()
        self._buffer = bytearray()
        self._searched = 0  # no empty line ends before this index
        self._need = 0  # length of the message at the front, 0 while its head is not complete
        self._half_ping = False  # a PONG just seen, which is a PING when CRLF follows
        self.broken = False

    @property
    def unfinished(self) -> bool:
        """True while the beginning of something is kept whose end has not come."""
        return bool(self._buffer)

    def expect_pong(self) -> None:
        """A ping was sent: the next CRLF is its answer, and not what the one before it lacked to be a ping."""
        self._half_ping = False

    def feed(self, data: bytes) -> list[bytes | KeepAlive | Malformed]:
        """Takes what was read, gives what is complete; a message comes as `parse_message` wants it."""
        framed: list[bytes | KeepAlive | Malformed] = []
        if self.broken:
            return framed
        self._buffer += data
        while (item := self._next()) is not None:
            framed.append(item)
            if isinstance(item, Malformed):
                self.broken = True
                self._buffer.clear()
                break
        return framed

    def _next(self) -> bytes | KeepAlive | Malformed | None:
        if not self._need:
            if self._buffer.startswith(b"\r\n"):
                return self._keep_alive()
            if not self._buffer or self._buffer == b"\r":
                return None
            if self._buffer[0] == TLS_HANDSHAKE:
                return Malformed("TLS on a connection without it", 400, "RFC 3261 18")
            fault = self._measure()
            if fault is not None:
                return fault
        if not self._need or len(self._buffer) < self._need:
            return None
        message = bytes(self._buffer[: self._need])
        del self._buffer[: self._need]
        self._need = self._searched = 0
        self._half_ping = False
        return message

    def _keep_alive(self) -> KeepAlive:
        """A ping may arrive in two halves; then the first is taken for a pong, and the second makes it a ping."""
        ping = self._half_ping or self._buffer.startswith(b"\r\n\r\n")
        del self._buffer[: 2 if self._half_ping or not ping else 4]
        self._half_ping = not ping
        return KeepAlive.PING if ping else KeepAlive.PONG

    def _measure(self) -> Malformed | None:
        """Finds the length of the message at the front, once its head is there."""
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        if end > self._limits.head or (end < 0 and self._is_oversized()):
            return self._oversized_head()
        if end < 0:
            self._searched = max(len(self._buffer) - 3, 0)
            return None
        head = bytes(self._buffer[:end])
        # Only Content-Length decides where a message ends; whatever else is wrong with it is for its reader.
        fields = HeaderFields()
        read_fields(fields, head.decode("utf-8", "surrogateescape").partition("\r\n")[2])
        try:
            length = declared_length(fields.get_all("content-length"))
        except HeaderError as error:
            return _fault(head, str(error), 400, "RFC 3261 20.14")
        if length is None:
            return _fault(head, "no Content-Length on a stream", 400, "RFC 3261 18.3")
        if length > self._limits.body:
            return _fault(head, f"a body of more than {self._limits.body} bytes", 513, "RFC 3261 21.5.7")
        self._need = end + 4 + length
        return None

    def _is_oversized(self) -> bool:
        """Whether a head without an end is too large already; its last bytes may be the beginning of the end."""
        size, most = len(self._buffer), self._limits.head
        if size <= most:
            return False
        return not any(
            self._buffer.endswith(begun) and size - len(begun) <= most for begun in (b"\r\n\r", b"\r\n", b"\r")
        )

    def _oversized_head(self) -> Malformed:
        """Whole lines that fit may be enough to answer."""
        text, clause = f"more than {self._limits.head} bytes of headers", "RFC 3261 21.5.7"
        message = parse_head(bytes(self._buffer[: self._limits.head]).rpartition(b"\r\n")[0])
        return Malformed(text, 513, clause) if isinstance(message, Malformed) else malformed(message, text, 513, clause)


def _fault(head: bytes, text: str, status: int, clause: str) -> Malformed:
    message = parse_head(head)
    return message if isinstance(message, Malformed) else malformed(message, text, status, clause)
