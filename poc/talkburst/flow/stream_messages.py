"""Messages in TCP streams: SIP by Content-Length, HTTP by h11."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import h11

from talkburst.flow.printable import printable
from talkburst.flow.tcp_streams import Piece
from talkburst.obs.frame import Endpoint, Protocol

_SIP_START: Final = re.compile(
    rb"(?:SIP/2\.0 [1-6][0-9]{2}[ \r]|[A-Za-z.!%*_+`'~-]+ [A-Za-z][A-Za-z0-9+.-]*:\S+ SIP/2\.0\r?\n)"
)
# Where the beginning of a message has to be looked for, only methods that are known tell it from a body before it.
_ANY_START: Final = re.compile(
    rb"(?:SIP/2\.0 [1-6][0-9]{2}[ \r]|(?:ACK|BYE|CANCEL|INFO|INVITE|MESSAGE|NOTIFY|OPTIONS|PRACK|PUBLISH|REFER|REGISTER"
    rb"|SUBSCRIBE|UPDATE) [A-Za-z][A-Za-z0-9+.-]*:\S+ SIP/2\.0\r?\n)"
)
_MAX_START_LINE: Final = 2048
_HTTP_START: Final = re.compile(rb"(?:HTTP/1\.[01] [1-5][0-9]{2}|[A-Z]+ \S+ HTTP/1\.[01]\r?\n)")
_HTTP_REQUEST: Final = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r?\n")
_CONTENT_LENGTH: Final = re.compile(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*([0-9]{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_HEP: Final = b"HEP3"
_LINE_START: Final = re.compile(rb"^|\n")
# A stream that shows neither protocol in so many bytes carries another.
_MAX_START: Final = 8192
# Bytes that may gather before a message is whole; more is no SIP that anybody sends.
_MAX_PENDING: Final = 1 << 20


class Found(NamedTuple):
    """A whole message and when its last byte came."""

    time: float
    source: Endpoint
    destination: Endpoint
    protocol: Protocol
    payload: bytes


def is_sip(payload: bytes) -> bool:
    """Whether a datagram or the beginning of a stream is a SIP message."""
    return _SIP_START.match(payload) is not None


class SipStream:
    """One direction of a connection that carries SIP (RFC 3261 18.3)."""

    def __init__(self) -> None:
        self._pending = b""
        self._is_aligned = False

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole by now. After lost bytes it finds the next start line by itself."""
        self._pending += data
        messages = []
        while (message := self._take()) is not None:
            messages.append(message)
        if len(self._pending) > _MAX_PENDING:
            self._pending = b""
        return messages

    def lost(self) -> None:
        """Bytes are missing from here on."""
        self._pending = b""
        self._is_aligned = False

    def _take(self) -> bytes | None:
        self._pending = self._pending.lstrip(b"\r\n")
        if not self._is_aligned:
            self._align()
        head, blank, rest = self._pending.partition(b"\r\n\r\n")
        if not blank or not self._is_aligned:
            return None
        found = _CONTENT_LENGTH.search(head + b"\r\n")
        length = int(found.group(1)) if found is not None else 0
        if len(rest) < length:
            return None
        self._pending = rest[length:]
        self._is_aligned = not self._pending or is_sip(self._pending.lstrip(b"\r\n"))
        return head + blank + rest[:length]

    def _align(self) -> None:
        """Let what is pending begin with a start line; nothing may stand between it and the body before."""
        found = _ANY_START.search(self._pending)
        if found is None and is_sip(self._pending):
            self._is_aligned = True
        elif found is not None:
            self._pending = self._pending[found.start() :]
            self._is_aligned = True
        else:
            self._pending = self._pending[-_MAX_START_LINE:]


class HttpConnection:
    """Both directions of a connection that carries HTTP: h11 plays server to the client and client to the server.

    What is no HTTP, or an answer to nothing, goes into `faults`; then all is passed over until the next request.
    """

    def __init__(self, faults: list[str]) -> None:
        self._faults = faults
        self._broken = False
        self._begin()

    def feed(self, data: bytes, *, from_client: bool) -> list[bytes]:
        """The messages that are whole by now, bodies without their chunking."""
        if self._broken:
            if not from_client or _HTTP_REQUEST.match(data) is None:
                return []
            self._begin()
        reader = self._to_server if from_client else self._to_client
        messages: list[bytes] = []
        try:
            reader.receive_data(data)
            while isinstance(event := reader.next_event(), h11.Event) and not isinstance(event, h11.ConnectionClosed):
                self._check_turn(event)
                messages += self._event(event, from_client)
                self._mirror(event)
                self._next_cycle()
        except (h11.ProtocolError, TypeError, AttributeError, RuntimeError) as error:
            # h11 raises RuntimeError on bytes after the end, AttributeError where a switch of protocols is out of turn.
            self._broken = True
            self._faults.append(printable(str(error)))
        return messages

    def _begin(self) -> None:
        self._to_client = h11.Connection(h11.CLIENT)
        self._to_server = h11.Connection(h11.SERVER)
        self._parts: dict[bool, list[bytes]] = {True: [], False: []}
        self._broken = False

    def _check_turn(self, event: object) -> None:
        """Captures begin anywhere and lose packets: h11 takes it for granted that a client speaks first."""
        if isinstance(event, h11.Request) and self._to_client.their_state is not h11.IDLE:
            raise h11.RemoteProtocolError("a request after the server has closed")
        if isinstance(event, h11.Response | h11.InformationalResponse) and self._to_client.our_state is h11.IDLE:
            raise h11.RemoteProtocolError("an answer without its request")

    def _event(self, event: object, from_client: bool) -> list[bytes]:
        parts = self._parts[from_client]
        if isinstance(event, h11.Request):
            parts.append(b"%s %s HTTP/%s\r\n" % (event.method, event.target, event.http_version))
        elif isinstance(event, h11.Response | h11.InformationalResponse):
            parts.append(b"HTTP/%s %d %s\r\n" % (event.http_version, event.status_code, event.reason))
        if isinstance(event, h11.Request | h11.Response | h11.InformationalResponse):
            parts += [b"%s: %s\r\n" % (name, value) for name, value in event.headers.raw_items()]
            parts.append(b"\r\n")
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
        if isinstance(event, h11.EndOfMessage | h11.InformationalResponse):
            whole = b"".join(parts)
            parts.clear()
            return [whole]
        return []

    def _mirror(self, event: object) -> None:
        """Tell the half that reads the other direction what it has to know: the method, and where messages end.

        h11 itself writes HTTP/1.1 only, so neither version nor headers nor bodies are repeated to it.
        """
        if isinstance(event, h11.Request):
            self._to_client.send(h11.Request(method=event.method, target=event.target, headers=[("Host", "mirror")]))
            self._to_client.send(h11.EndOfMessage())
        elif isinstance(event, h11.InformationalResponse):
            self._to_server.send(h11.InformationalResponse(status_code=event.status_code, headers=[]))
        elif isinstance(event, h11.Response):
            self._to_server.send(h11.Response(status_code=event.status_code, headers=[("Content-Length", "0")]))
            self._to_server.send(h11.EndOfMessage())

    def _next_cycle(self) -> None:
        states = {*self._to_server.states.values(), *self._to_client.states.values()}
        if states == {h11.DONE}:
            self._to_server.start_next_cycle()
            self._to_client.start_next_cycle()


class Conversation:
    """One TCP connection: whatever it carries is told by its first bytes.

    `from_start`: the capture has its beginning, so that a message begins with the first byte. `faults` tells why HTTP
    was passed over.
    """

    def __init__(self, one: Endpoint, other: Endpoint, *, from_start: bool) -> None:
        self.faults: list[str] = []
        self._ends = (one, other)
        self._from_start = from_start
        self._start: dict[Endpoint, bytes] = {one: b"", other: b""}
        self._sip: dict[Endpoint, SipStream] = {}
        self._http: HttpConnection | None = None
        self._client: Endpoint | None = None
        self._foreign = False

    def feed(self, source: Endpoint, pieces: Iterable[Piece]) -> list[Found]:
        """Take pieces of the stream from `source`; the messages that are whole by now."""
        found: list[Found] = []
        for piece in pieces:
            if piece.lost:
                self._lost(source)
            if piece.data and not self._foreign:
                found += self._feed(source, piece.time, piece.data)
            if piece.closes and self._http is not None:
                # The end of the connection is the end of a body without a length.
                found += self._feed(source, piece.time, b"")
        return found

    def _feed(self, source: Endpoint, time: float, data: bytes) -> list[Found]:
        destination = self._other(source)
        if not self._sip and self._http is None:
            self._start[source] += data
            data = self._start[source]
            if not self._recognise(source, data):
                return []
        if self._http is not None:
            messages = self._http.feed(data, from_client=source == self._client)
            return [Found(time, source, destination, "http", message) for message in messages]
        messages = self._sip[source].feed(data)
        return [Found(time, source, destination, "sip", message) for message in messages]

    def _recognise(self, source: Endpoint, data: bytes) -> bool:
        if _HTTP_START.match(data):
            self._http = HttpConnection(self.faults)
            self._client = self._other(source) if data.startswith(b"HTTP/") else source
            return True
        if _HEP in data:  # it carries SIP that was captured elsewhere
            self._foreign = True
            return False
        data = data.lstrip(b"\r\n")  # keep-alives
        # A capture may begin in the middle of a message.
        places = [0] if self._from_start else [place.end() for place in _LINE_START.finditer(data)]
        if any(is_sip(data[place:]) for place in places):
            self._sip = {end: SipStream() for end in self._ends}
            return True
        self._foreign = len(data) > _MAX_START or (self._from_start and b"\n" in data)
        return False

    def _other(self, end: Endpoint) -> Endpoint:
        return self._ends[1] if end == self._ends[0] else self._ends[0]

    def _lost(self, source: Endpoint) -> None:
        if self._sip:
            self._sip[source].lost()
        self._http = None
        self._start = dict.fromkeys(self._ends, b"")
        self._from_start = False
