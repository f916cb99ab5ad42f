"""Bytes to messages. RFC 3261 7, 18.3 and 25.1.

One pass splits the start line, the header lines and the body; nothing else is looked at but Content-Length. What stands
in the headers is judged by `talkburst.sip.defects`.
"""

from dataclasses import dataclass

from talkburst.sip.headers.grammar import HeaderError, is_token, parse_number
from talkburst.sip.headers.names import header_key, is_usual
from talkburst.sip.message import HeaderLine, Request, Response

MAX_BODY = 2**31 - 1


@dataclass(slots=True)
class Malformed:
    """A message that cannot be taken apart, with the answer it deserves.

    `request` holds what could be read when that is enough for an answer (Via and CSeq right, From, To and Call-ID
    there); without it the message can only be dropped, as every broken response is.
    """

    text: str
    status: int
    clause: str
    request: Request | None = None


def is_keepalive(data: bytes) -> bool:
    """True when there is nothing but line breaks and NULs: a ping, or what keeps a NAT binding open."""
    return not data.strip(b"\r\n\x00")


def parse_message(data: bytes) -> Request | Response | Malformed:
    """Reads one datagram, or one message of a stream. Never raises.

    Line breaks before the start line are skipped (RFC 3261 7.5). A body longer than Content-Length is cut, a shorter
    one is an error; without Content-Length the body goes to the end (RFC 3261 18.3).
    """
    head, blank_line, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    start_line, _, rest = head.decode("utf-8", "surrogateescape").partition("\r\n")
    lines, complaint = _header_lines(rest)
    if not blank_line:
        complaint = complaint or "no empty line after the headers"
    message = _message(start_line)
    if isinstance(message, Malformed):
        if message.request is not None:
            message.request._lines = lines
            message.request = _answerable(message.request)
        return message
    message._lines = lines
    if complaint:
        return _malformed(message, complaint, "RFC 3261 7.3")
    try:
        message.body = _body(message, body)
    except HeaderError as error:
        return _malformed(message, str(error), "RFC 3261 18.3")
    return message


def _header_lines(text: str) -> tuple[list[HeaderLine], str]:
    """The header lines, and what is wrong with the first that is none, or an empty text."""
    lines: list[HeaderLine] = []
    complaint = ""
    for line in text.split("\r\n") if text else []:
        if line[:1] in (" ", "\t") and lines:
            last = lines[-1]
            value = f"{last.value} {line.strip()}".strip()
            lines[-1] = HeaderLine(last.name, last.key, value, f"{last.line}\r\n{line}")
            continue
        name, colon, value = line.partition(":")
        if not is_usual(name):
            name = name.rstrip(" \t")
            if not is_token(name):
                complaint = complaint or f"{line[:40]!r} is no header"
                continue
        if not colon or "\n" in value or "\r" in value:
            complaint = complaint or f"{line[:40]!r} is no header"
            continue
        lines.append(HeaderLine(name, header_key(name), value.strip(" \t"), line))
    if not complaint and ("\n" in text or "\r" in text) and _has_lone_break(text):
        complaint = "a line break that is not CRLF"
    return lines, complaint


def _has_lone_break(text: str) -> bool:
    rest = text.replace("\r\n", "")
    return "\r" in rest or "\n" in rest


def _message(start_line: str) -> Request | Response | Malformed:
    """The message a start line begins, still without headers and body."""
    first, _, rest = start_line.partition(" ")
    if first[:4].upper() == "SIP/":
        return _response(first, rest)
    uri, blank, version = rest.rpartition(" ")
    request = Request(first, uri if blank else rest)
    if not is_token(first) or not blank or not uri:
        return Malformed(f"{start_line[:60]!r} is no start line", 400, "RFC 3261 7.1", request)
    if not _is_version(version) or " " in uri or "\t" in uri or _has_control(uri):
        return Malformed(f"{start_line[:60]!r} is no request line", 400, "RFC 3261 7.1", request)
    request.version = version if version.upper() != "SIP/2.0" else "SIP/2.0"
    return request


def _response(version: str, rest: str) -> Response | Malformed:
    code, _, reason = rest.partition(" ")
    if not (code.isascii() and code.isdigit() and len(code) == 3 and "100" <= code <= "699"):
        return Malformed(f"{code[:24]!r} is no status", 400, "RFC 3261 7.2")
    if version.upper() != "SIP/2.0" or "\r" in reason or "\n" in reason:
        return Malformed(f"{version[:24]!r} is no version of SIP spoken here", 400, "RFC 3261 7.1")
    return Response(int(code), reason)


def _is_version(text: str) -> bool:
    """SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT"""
    protocol, _, number = text.partition("/")
    major, _, minor = number.partition(".")
    return protocol.upper() == "SIP" and number.isascii() and major.isdigit() and minor.isdigit()


def _has_control(text: str) -> bool:
    return any(character < " " or character == "\x7f" for character in text)


def _body(message: Request | Response, rest: bytes) -> bytes:
    """The body of a message whose bytes after the empty line are `rest`. Raises HeaderError."""
    declared = message.get_all("content-length")
    if not declared:
        return rest
    length = parse_number(declared[0], MAX_BODY)
    if any(other != declared[0] and parse_number(other, MAX_BODY) != length for other in declared[1:]):
        raise HeaderError("Content-Length comes twice and differs")
    if length > len(rest):
        raise HeaderError(f"Content-Length is {length}, the body has {len(rest)} bytes")
    return rest if length == len(rest) else rest[:length]


def _malformed(message: Request | Response, text: str, clause: str) -> Malformed:
    return Malformed(text, 400, clause, _answerable(message) if isinstance(message, Request) else None)


def _answerable(request: Request) -> Request | None:
    """The request when a response could find its way back and be understood there, else None."""
    try:
        request.via, request.cseq  # noqa: B018 - read to learn whether they can be
    except HeaderError:
        return None
    return request if request.get("from") and request.get("to") and request.get("call-id") else None
