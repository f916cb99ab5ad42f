"""Bytes to messages. RFC 3261 7, 18.3 and 25.1.

One pass splits the start line, the header lines and the body; nothing else is looked at but Content-Length. What stands
in the headers is judged by `talkburst.sip.defects`.
"""

import re
from dataclasses import dataclass
from typing import Final

from talkburst.sip.header_fields import NOTHING_REPEATED, HeaderFields, with_another
from talkburst.sip.headers.grammar import BLANK, HeaderError, is_token, parse_number
from talkburst.sip.headers.names import KEYS_WITH_COLON, USUAL_KEYS, header_key
from talkburst.sip.message import SIP_VERSION, Request, Response
from talkburst.sip.methods import KNOWN_METHODS

MAX_BODY: Final = 2**31 - 1
_KEEPALIVE: Final = (b"", b"\r", b"\n", b"\x00")  # how such data begins
_CONTENT_LENGTH: Final = frozenset({"content-length"})
_BLANK_OR_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")


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
    return data[:1] in _KEEPALIVE and not data.strip(b"\r\n\x00")


def parse_message(data: bytes) -> Request | Response | Malformed:
    """Reads one datagram, or one message of a stream. Never raises.

    Line breaks before the start line are skipped (RFC 3261 7.5). A body longer than Content-Length is cut, a shorter
    one is an error; without Content-Length the body goes to the end (RFC 3261 18.3).
    """
    head, blank_line, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    message = parse_head(head)
    if isinstance(message, Malformed):
        return message
    if not blank_line:
        return malformed(message, "no empty line after the headers", 400, "RFC 3261 7")
    declared = message.first_values().get("content-length")
    try:
        if declared is None:
            length = None
        elif message.repeats_one_of(_CONTENT_LENGTH):
            length = declared_length(message.get_all("content-length"))
        else:
            length = parse_number(declared, MAX_BODY)
    except HeaderError as error:
        return malformed(message, str(error), 400, "RFC 3261 20.14")
    if length is None or length == len(body):
        message.body = body
    elif length < len(body):
        message.body = body[:length]
    else:
        return malformed(message, f"Content-Length is {length}, the body {len(body)}", 400, "RFC 3261 18.3")
    return message


def parse_head(head: bytes) -> Request | Response | Malformed:
    """Reads what stands before the empty line; the message has no body yet. Never raises."""
    start_line, _, rest = head.decode("utf-8", "surrogateescape").partition("\r\n")
    message, complaint = _start(start_line)
    clause = "RFC 3261 7.1 and 7.2"
    if message is None:
        return Malformed(complaint, 400, clause)
    broken_line = read_fields(message, rest)
    if not complaint and broken_line:
        complaint, clause = broken_line, "RFC 3261 7.3"
    return malformed(message, complaint, 400, clause) if complaint else message


def declared_length(declared: list[str]) -> int | None:
    """What the Content-Length fields say, in bytes; None without one. Raises HeaderError for no number and for two."""
    if not declared:
        return None
    length = parse_number(declared[0], MAX_BODY)
    if any(parse_number(other, MAX_BODY) != length for other in declared[1:]):
        raise HeaderError("Content-Length comes twice and differs")
    return length


def malformed(message: Request | Response, text: str, status: int, clause: str) -> Malformed:
    """The fault of a message; a request is kept when a response can find its way back and be understood there."""
    if not isinstance(message, Request):
        return Malformed(text, status, clause)
    try:
        message.via, message.cseq  # noqa: B018 - read to learn whether they can be
    except HeaderError:
        return Malformed(text, status, clause)
    answerable = message.get("from") and message.get("to") and message.get("call-id")
    return Malformed(text, status, clause, message if answerable else None)


def read_fields(into: HeaderFields, text: str) -> str:
    """Puts the header lines of a head without its start line into what has none yet.

    What is wrong with the first that is no header line comes back, or nothing; such lines are left out.
    """
    received = text.split("\r\n") if text else []
    together = "".join(received)  # what is left of line breaks in it is none of CRLF
    odd = "\r" in together or "\n" in together or "\t" in together
    if not odd and ":  " not in text and " \r" not in text and not text.endswith(" "):
        try:
            _read_usual(into, received)
            return ""
        except KeyError:  # of a name that is not met all the time, or no name
            pass
    unfolded = received
    if "\r\n " in text or "\r\n\t" in text:
        received, unfolded = _unfold(received)
    complaint = ""
    for raw, line in zip(received, unfolded, strict=True):
        name, colon, _ = line.partition(":")
        key = USUAL_KEYS.get(name)
        if key is None:
            name = name.rstrip(BLANK)
            key = header_key(name)
            if not is_token(name):
                colon = ""
        if "\n" in line or "\r" in line:
            complaint = complaint or f"a line break that is not CRLF in {line[:40]!r}"
        elif colon:
            into._keys.append(key)
            into._lines.append(raw)
        else:
            complaint = complaint or f"{line[:40]!r} is no header"
    return complaint


def _read_usual(into: HeaderFields, received: list[str]) -> None:
    """Lines that are all ``Name: value``. Raises KeyError for a name that is not known; a fold begins with none."""
    keys: list[str] = []
    firsts: dict[str, str] = {}
    repeated = NOTHING_REPEATED
    for line in received:
        name, _, value = line.partition(" ")
        key = KEYS_WITH_COLON[name]
        keys.append(key)
        if key in firsts:
            repeated = with_another(repeated, key, firsts[key], value)
        else:
            firsts[key] = value
    into._keys = keys
    into._lines = received
    into._firsts = firsts
    into._repeated = repeated


def _unfold(received: list[str]) -> tuple[list[str], list[str]]:
    """Puts folded lines together: as they were received, and as the one line they stand for (RFC 3261 7.3.1).

    A blank before the first of all goes on with nothing. It stays, so that this is no header: where we put one of ours
    in front of it, the next hop would take it for a part of that one.
    """
    folds: list[list[str]] = []
    for line in received:
        if line[:1] in (" ", "\t") and folds:
            folds[-1].append(line)
        else:
            folds.append([line])
    raw = ["\r\n".join(fold) for fold in folds]
    return raw, [" ".join([fold[0].rstrip(BLANK), *(line.strip(BLANK) for line in fold[1:])]) for fold in folds]


def _start(line: str) -> tuple[Request | Response | None, str]:
    """The message a start line begins, as far as it can be made out, and what is wrong with the line or nothing."""
    first, _, rest = line.partition(" ")
    if first in KNOWN_METHODS:
        uri, _, version = rest.partition(" ")
        if version == SIP_VERSION and uri and uri.isprintable():
            return Request(first, uri), ""
    if first[:4].upper() == "SIP/":
        return _status_line(first, rest)
    uri, blank, version = rest.rpartition(" ")
    request = Request(first, uri if blank else rest)
    if not is_token(first) or not uri or not _is_version(version):
        return request, f"{line[:60]!r} is no request line"
    if _BLANK_OR_CONTROL.search(uri) is not None:
        return request, f"a blank in the Request-URI {uri[:60]!r}"
    request.version = version.upper()
    return request, ""


def _status_line(version: str, rest: str) -> tuple[Response | None, str]:
    code, _, reason = rest.partition(" ")
    if not (code.isascii() and code.isdigit() and len(code) == 3 and "100" <= code <= "699"):
        return None, f"{code[:24]!r} is no status"
    if not _is_version(version) or "\r" in reason or "\n" in reason:
        return None, "no status line"
    response = Response(int(code), reason)
    response.version = version.upper()
    return response, ""


def _is_version(text: str) -> bool:
    """SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT, in any case."""
    protocol, _, number = text.partition("/")
    major, _, minor = number.partition(".")
    return protocol.upper() == "SIP" and number.isascii() and major.isdigit() and minor.isdigit()
