"""Requests and responses. RFC 3261 7.

A message is a start line, header lines and a body. Header lines are kept as they came and written as they came; a
header becomes a typed value when it is first asked for, and the value is cached until that header is changed. Typed
values are for reading: a change to one reaches the message by `set`, `replace_first` or `prepend`.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from talkburst.sip.headers.content_type import ContentType, parse_content_type
from talkburst.sip.headers.cseq import CSeq, parse_cseq
from talkburst.sip.headers.event import Event, SubscriptionState, parse_event, parse_subscription_state
from talkburst.sip.headers.grammar import HeaderError, parse_delta_seconds, parse_number, split_commas
from talkburst.sip.headers.name_addr import NameAddr, parse_name_addr
from talkburst.sip.headers.names import NEVER_SPLIT, header_key
from talkburst.sip.headers.via import Via, parse_via
from talkburst.sip.reasons import REASONS
from talkburst.sip.uri import Uri, parse_uri

__all__ = ["REASONS", "HeaderLine", "Message", "Request", "Response", "response_to"]

SIP_VERSION = "SIP/2.0"


class HeaderLine(NamedTuple):
    """One header field. `line` is what goes on the wire, folds included, without the last line break."""

    name: str  # as received
    key: str  # full lower-case name
    value: str  # unfolded, stripped
    line: str


class Message:
    """What requests and responses have in common. A header is found by any spelling of its name."""

    __slots__ = ("_addresses", "_lines", "_typed", "_vias", "body", "version")

    def __init__(self, headers: Iterable[tuple[str, object]] = (), body: bytes = b"") -> None:
        self.version = SIP_VERSION
        self.body = body
        self._lines = [_header_line(name, value) for name, value in headers]
        self._typed: dict[str, object] = {}
        self._addresses: dict[str, list[NameAddr]] = {}
        self._vias: list[Via] | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    def __repr__(self) -> str:
        return f"<{self.start_line}>"

    @property
    def start_line(self) -> str:
        """The request line or status line, without its line break."""
        raise NotImplementedError

    # Raw access

    def header_lines(self) -> Iterator[tuple[str, str]]:
        """Every header field in order: name as received, value."""
        return iter([(line.name, line.value) for line in self._lines])

    def keys(self) -> list[str]:
        """The full lower-case name of every header field in order."""
        return [line.key for line in self._lines]

    def get(self, name: str) -> str | None:
        """The value of the first field of that name, unfolded and stripped."""
        key = header_key(name)
        for line in self._lines:
            if line.key == key:
                return line.value
        return None

    def get_all(self, name: str) -> list[str]:
        """The values of all fields of that name, one a header line."""
        key = header_key(name)
        return [line.value for line in self._lines if line.key == key]

    def values(self, name: str) -> list[str]:
        """The elements of all fields of that name; headers that are no lists are not split."""
        key = header_key(name)
        lines = self.get_all(key)
        if key in NEVER_SPLIT:
            return lines
        return [element for line in lines for element in split_commas(line)]

    def set(self, name: str, value: object) -> None:
        """Puts one field of that name where the first one stood, or at the end, and drops the others."""
        new = _header_line(name, value)
        lines: list[HeaderLine] = []
        placed = False
        for line in self._lines:
            if line.key != new.key:
                lines.append(line)
            elif not placed:
                lines.append(new)
                placed = True
        if not placed:
            lines.append(new)
        self._lines = lines
        self._forget(new.key)

    def add(self, name: str, value: object) -> None:
        """Appends a field after the last of that name, or at the end."""
        new = _header_line(name, value)
        position = len(self._lines)
        for index, line in enumerate(self._lines):
            if line.key == new.key:
                position = index + 1
        self._lines.insert(position, new)
        self._forget(new.key)

    def prepend(self, name: str, value: object) -> None:
        """Puts a field before the first of that name, or before all others."""
        new = _header_line(name, value)
        position = 0
        for index, line in enumerate(self._lines):
            if line.key == new.key:
                position = index
                break
        self._lines.insert(position, new)
        self._forget(new.key)

    def remove(self, name: str) -> None:
        """Drops all fields of that name."""
        key = header_key(name)
        self._lines = [line for line in self._lines if line.key != key]
        self._forget(key)

    def remove_first(self, name: str, number: int = 1) -> None:
        """Drops the first elements of the fields of that name: the top Via, the first Routes."""
        key = header_key(name)
        while number > 0 and (index := self._index(key)) is not None:
            line = self._lines[index]
            elements = _elements(line)
            if len(elements) > number:
                self._lines[index] = _header_line(line.name, ", ".join(elements[number:]))
            else:
                del self._lines[index]
            number -= max(1, len(elements))
        self._forget(key)

    def replace_first(self, name: str, value: object) -> None:
        """Puts `value` in the place of the first element; without such a field it is prepended."""
        key = header_key(name)
        index = self._index(key)
        if index is None:
            self.prepend(name, value)
            return
        line = self._lines[index]
        self._lines[index] = _header_line(line.name, ", ".join([_one_line(str(value)), *_elements(line)[1:]]))
        self._forget(key)

    def _index(self, key: str) -> int | None:
        """Where the first field of that name stands."""
        return next((index for index, line in enumerate(self._lines) if line.key == key), None)

    def set_body(self, body: bytes, content_type: str | None) -> None:
        """Puts a body with its type in; None takes the Content-Type away."""
        self.body = body
        if content_type is None:
            self.remove("Content-Type")
        else:
            self.set("Content-Type", content_type)
        self.set("Content-Length", len(body))

    def to_bytes(self) -> bytes:
        """The message as it goes on the wire, always with one right Content-Length."""
        length = str(len(self.body))
        start = self.start_line
        written = [_one_line(start) if "\r" in start or "\n" in start else start]
        counted = False
        for line in self._lines:
            if line.key != "content-length":
                written.append(line.line)
            elif not counted:
                written.append(line.line if line.value == length else f"{line.name}: {length}")
                counted = True
        if not counted:
            written.append(f"Content-Length: {length}")
        return "\r\n".join(written).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body

    def _forget(self, key: str) -> None:
        self._typed.pop(key, None)
        self._addresses.pop(key, None)
        if key == "via":
            self._vias = None
            self._typed.pop("top via", None)

    def _copy_into(self, copy: "Message") -> None:
        # Typed values can be changed by who holds them, so a copy reads its own.
        copy.version = self.version
        copy._lines = self._lines.copy()

    # Typed access; HeaderError when the header is broken, and when a mandatory one is missing

    def _mandatory(self, key: str) -> str:
        value = self.get(key)
        if value is None:
            raise HeaderError(f"no {key} header")
        return value

    @property
    def from_(self) -> NameAddr:
        """The From header."""
        value = self._typed.get("from")
        if not isinstance(value, NameAddr):
            value = self._typed["from"] = parse_name_addr(self._mandatory("from"))
        return value

    @property
    def to(self) -> NameAddr:
        """The To header."""
        value = self._typed.get("to")
        if not isinstance(value, NameAddr):
            value = self._typed["to"] = parse_name_addr(self._mandatory("to"))
        return value

    @property
    def call_id(self) -> str:
        """The Call-ID; compared byte by byte (RFC 3261 20.8)."""
        return self._mandatory("call-id")

    @property
    def cseq(self) -> CSeq:
        """The CSeq header."""
        value = self._typed.get("cseq")
        if not isinstance(value, CSeq):
            value = self._typed["cseq"] = parse_cseq(self._mandatory("cseq"))
        return value

    @property
    def via(self) -> Via:
        """The top Via; the ones below it are not looked at."""
        value = self._typed.get("top via")
        if not isinstance(value, Via):
            elements = split_commas(self._mandatory("via"))
            value = self._typed["top via"] = parse_via(elements[0] if elements else "")
        return value

    @property
    def vias(self) -> list[Via]:
        """All Via elements, the top one first."""
        if self._vias is None:
            self._vias = [parse_via(element) for element in self.values("via")]
        return self._vias

    def _name_addrs(self, key: str) -> list[NameAddr]:
        cached = self._addresses.get(key)
        if cached is None:
            cached = [parse_name_addr(element) for element in self.values(key) if element != "*"]
            self._addresses[key] = cached
        return cached

    @property
    def contacts(self) -> list[NameAddr]:
        """All Contact elements but the wildcard."""
        return self._name_addrs("contact")

    @property
    def contact_is_wildcard(self) -> bool:
        """True when one of the Contact elements is ``*``; a right request has no other beside it."""
        return any(line.key == "contact" and "*" in split_commas(line.value) for line in self._lines)

    @property
    def routes(self) -> list[NameAddr]:
        """All Route elements, the next hop first."""
        return self._name_addrs("route")

    @property
    def record_routes(self) -> list[NameAddr]:
        """All Record-Route elements in the order received."""
        return self._name_addrs("record-route")

    @property
    def event(self) -> Event | None:
        """The Event header."""
        value = self._typed.get("event")
        if not isinstance(value, Event):
            text = self.get("event")
            if text is None:
                return None
            value = self._typed["event"] = parse_event(text)
        return value

    @property
    def subscription_state(self) -> SubscriptionState | None:
        """The Subscription-State header."""
        value = self._typed.get("subscription-state")
        if not isinstance(value, SubscriptionState):
            text = self.get("subscription-state")
            if text is None:
                return None
            value = self._typed["subscription-state"] = parse_subscription_state(text)
        return value

    @property
    def expires(self) -> int | None:
        """The Expires header in seconds."""
        text = self.get("expires")
        return None if text is None else parse_delta_seconds(text)

    @property
    def max_forwards(self) -> int | None:
        """The Max-Forwards header, 0 to 255 (RFC 3261 20.22)."""
        text = self.get("max-forwards")
        return None if text is None else parse_number(text, 255)

    @property
    def content_type(self) -> ContentType | None:
        """The Content-Type header."""
        value = self._typed.get("content-type")
        if not isinstance(value, ContentType):
            text = self.get("content-type")
            if text is None:
                return None
            value = self._typed["content-type"] = parse_content_type(text)
        return value


class Request(Message):
    """A request; `uri` is the text of the Request-URI."""

    __slots__ = ("_parsed_uri", "_uri", "method")

    def __init__(self, method: str, uri: str, headers: Iterable[tuple[str, object]] = (), body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self._uri = uri
        self._parsed_uri: Uri | None = None

    @property
    def uri(self) -> str:
        """The Request-URI as text."""
        return self._uri

    @uri.setter
    def uri(self, uri: str) -> None:
        self._uri = uri
        self._parsed_uri = None

    @property
    def parsed_uri(self) -> Uri:
        """The Request-URI in its parts. Raises UriError."""
        if self._parsed_uri is None:
            self._parsed_uri = parse_uri(self._uri)
        return self._parsed_uri

    @property
    def start_line(self) -> str:
        return f"{self.method} {self._uri} {self.version}"

    def copy(self) -> "Request":
        """A request of its own that shares what cannot change."""
        copy = Request(self.method, self._uri, (), self.body)
        self._copy_into(copy)
        return copy


class Response(Message):
    """A response; without a reason it gets the usual phrase."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = REASONS.get(status, "") if reason is None else reason

    @property
    def start_line(self) -> str:
        return f"{self.version} {self.status} {self.reason}"

    def copy(self) -> "Response":
        """A response of its own that shares what cannot change."""
        copy = Response(self.status, self.reason, (), self.body)
        self._copy_into(copy)
        return copy


def response_to(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, object]] = (),
) -> Response:
    """The response to a request, with its Via, From, To, Call-ID and CSeq as received, RFC 3261 8.2.6.

    `to_tag` goes into To unless it has a tag already or the status is 100. A 100 gets the Timestamp of the request.
    Works for broken requests too: what is missing is left out, what is broken is copied as it is.
    """
    response = Response(status, reason)
    lines = [line for line in request._lines if line.key == "via"]
    for key in ("from", "to", "call-id", "cseq") if status != 100 else ("from", "to", "call-id", "cseq", "timestamp"):
        for line in request._lines:
            if line.key == key:
                if key == "to" and to_tag is not None and status != 100 and not _has_tag(request):
                    line = _header_line(line.name, f"{line.value};tag={to_tag}")
                lines.append(line)
                break
    lines += [_header_line(name, value) for name, value in headers]
    response._lines = lines
    return response


def _has_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except HeaderError:
        return ";tag=" in (request.get("to") or "").lower()


def _elements(line: HeaderLine) -> list[str]:
    return [line.value] if line.key in NEVER_SPLIT else split_commas(line.value)


def _header_line(name: str, value: object) -> HeaderLine:
    text = _one_line(str(value))
    return HeaderLine(name, header_key(name), text, f"{name}: {text}")


def _one_line(text: str) -> str:
    """A line break in a value would end the header and begin one of somebody else's choosing."""
    if "\r" in text or "\n" in text:
        text = text.replace("\r\n", " ").replace("\r", " ").replace("\n", " ")
    return text.strip(" \t")
