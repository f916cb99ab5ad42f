"""Requests and responses. RFC 3261 7.

A message is a start line, header fields and a body.
"""

from collections.abc import Iterable
from typing import Final

from talkburst.sip.header_fields import header_line, name_of, one_line, value_of
from talkburst.sip.headers.grammar import HeaderError
from talkburst.sip.headers.names import header_key
from talkburst.sip.reasons import REASONS
from talkburst.sip.typed_headers import TypedHeaders
from talkburst.sip.uri import Uri, parse_uri

__all__ = ["REASONS", "Message", "Request", "Response", "response_to"]

SIP_VERSION: Final = "SIP/2.0"


class Message(TypedHeaders):
    """What requests and responses have in common. A header is found by any spelling of its name."""

    __slots__ = ("body", "version")

    def __init__(self, headers: Iterable[tuple[str, object]] = (), body: bytes = b"") -> None:
        TypedHeaders.__init__(self, headers)
        self.version = SIP_VERSION
        self.body = body

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
        start = self.start_line
        written = [one_line(start) if "\r" in start or "\n" in start else start]
        written += self._lines
        length = str(len(self.body))
        if "content-length" not in self._keys:
            written.append(f"Content-Length: {length}")
        elif self.get_all("content-length") != [length]:
            written[1:] = self._lines_with_length(length)
        head = "\r\n".join(written).encode("utf-8", "surrogateescape")
        return head + b"\r\n\r\n" + self.body

    def _lines_with_length(self, length: str) -> list[str]:
        """The lines with that Content-Length in the place of the first one, and no other."""
        lines: list[str] = []
        counted = False
        for key, line in zip(self._keys, self._lines, strict=True):
            if key != "content-length":
                lines.append(line)
            elif not counted:
                lines.append(line if value_of(line) == length else f"{name_of(line)}: {length}")
                counted = True
        return lines

    def _copy_into(self, copy: "Message") -> None:
        # Typed values can be changed by who holds them, so a copy reads its own.
        copy.version = self.version
        copy._keys = self._keys.copy()
        copy._lines = self._lines.copy()
        copy._firsts = None if self._firsts is None else self._firsts.copy()
        copy._repeated = self._repeated


class Request(Message):
    """A request; `uri` is the text of the Request-URI."""

    __slots__ = ("_parsed_uri", "_uri", "method")

    def __init__(self, method: str, uri: str, headers: Iterable[tuple[str, object]] = (), body: bytes = b"") -> None:
        Message.__init__(self, headers, body)
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

    def head(self) -> "Request":
        """A copy without the body, to keep for as long as an answer is waited for."""
        copy = self.copy()
        copy.body = b""
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
        Message.__init__(self, headers, body)
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
    keys: list[str] = []
    lines: list[str] = []
    firsts: dict[str, str] = {}
    for key, line in zip(request._keys, request._lines, strict=True):
        if key == "via":
            keys.append(key)
            lines.append(line)
        elif key in _COPIED and key not in firsts:
            firsts[key] = line
    if to_tag is not None and status != 100 and "to" in firsts and not _has_tag(request):
        firsts["to"] = header_line(name_of(firsts["to"]), f"{request.first_values()['to']};tag={to_tag}")
    for key in _IN_ORDER:
        if key in firsts and (key != "timestamp" or status == 100):
            keys.append(key)
            lines.append(firsts[key])
    for name, value in headers:
        keys.append(header_key(name))
        lines.append(header_line(name, value))
    response = Response(status, reason)
    response._keys = keys
    response._lines = lines
    return response


# What a response has from its request besides the Vias; the last one is for a 100.
_IN_ORDER: Final = ("from", "to", "call-id", "cseq", "timestamp")
_COPIED: Final = frozenset(_IN_ORDER)


def _has_tag(request: Request) -> bool:
    try:
        return request.to.tag is not None
    except HeaderError:
        return ";tag=" in (request.get("to") or "").lower()
