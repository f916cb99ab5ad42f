"""Valid SIP requests, and seeded ways to damage them."""

import random
import re
from collections.abc import Callable

SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"><entity id="urn:uuid:1">
<isb-settings><incoming-session-barring active="false"/></isb-settings>
<am-settings><answer-mode>automatic</answer-mode></am-settings></entity></poc-settings>"""
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

SHAPES = (
    ("REGISTER", "sip:ims.example", "Contact: <sip:alice@127.0.0.1:5090>;+g.poc.talkburst;expires=60", ""),
    (
        "REGISTER",
        "sip:ims.example",
        'Authorization: Digest username="alice@ims.example", realm="ims.example", nonce="00", uri="sip:ims.example", '
        'response="0123456789abcdef0123456789abcdef", qop=auth, nc=00000001, cnonce="x", algorithm=MD5',
        "",
    ),
    ("SUBSCRIBE", "sip:alice@ims.example", "Event: reg\r\nContact: <sip:alice@127.0.0.1:5090>\r\nExpires: 60", ""),
    ("SUBSCRIBE", "sip:alice@ims.example", "Event: poc-settings\r\nContact: <sip:a@127.0.0.1>\r\nExpires: 60", ""),
    ("PUBLISH", "sip:alice@ims.example", "Event: poc-settings\r\nContent-Type: application/poc-settings+xml", SETTINGS),
    (
        "NOTIFY",
        "sip:alice@127.0.0.1:5090",
        "Event: reg\r\nSubscription-State: active;expires=60\r\nContact: <sip:x@127.0.0.1>",
        "",
    ),
    ("OPTIONS", "sip:ims.example", "Accept: application/sdp, application/reginfo+xml", ""),
    ("INVITE", "sip:bob@ims.example", "Contact: <sip:a@127.0.0.1>\r\nContent-Type: application/sdp", SDP),
    ("MESSAGE", "sip:bob@ims.example", "Content-Type: text/plain\r\nSubject: =?x", "hello"),
)


def request(number: int, shape: int, source: tuple[str, int], transport: str = "UDP") -> bytes:
    """One of the shapes, with a branch, a tag and a Call-ID of its own."""
    method, uri, headers, body = SHAPES[shape % len(SHAPES)]
    return (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} {source[0]}:{source[1]};branch=z9hG4bKdamage{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:alice@ims.example>;tag=f{number}\r\nTo: <sip:alice@ims.example>\r\n"
        f"Call-ID: damage-{number}\r\nCSeq: {number + 1} {method}\r\n{headers}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def options(number: int, source: tuple[str, int], target: tuple[str, int], transport: str = "UDP") -> bytes:
    """What every daemon answers 200 while it is well."""
    return (
        f"OPTIONS sip:{target[0]}:{target[1]} SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} {source[0]}:{source[1]};branch=z9hG4bKoptions{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:alice@ims.example>;tag=o{number}\r\nTo: <sip:alice@ims.example>\r\n"
        f"Call-ID: options-{number}\r\nCSeq: {number + 1} OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def _flip(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.randint(1, 8)):
        data[dice.randrange(len(data))] = dice.randrange(256)


def _cut(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    del data[start : start + dice.randint(1, 40)]


def _repeat(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    data[start:start] = data[start : start + dice.randint(1, 200)] * dice.randint(1, 20)


def _truncate(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(1, max(len(data), 2)) :]


def _number(data: bytearray, dice: random.Random) -> None:
    digits = [position for position, octet in enumerate(data) if 0x30 <= octet <= 0x39]
    position = dice.choice(digits or [0])
    data[position : position + 1] = dice.choice((b"-1", b"4294967296", b"9" * 40, b"0x10", b""))


def _line(data: bytearray, dice: random.Random) -> None:
    lines = bytes(data).split(b"\r\n")
    index = dice.randrange(len(lines))
    if dice.random() < 0.5:
        del lines[index]
    else:
        lines.insert(dice.randrange(len(lines)), lines[index])
    data[:] = b"\r\n".join(lines) or b"\r\n"


def _insert(data: bytearray, dice: random.Random) -> None:
    nasty = (b"\x00", b"\xff\xfe", b"%00", b"<", b'"', b";;", b",", b"\r\n", b"\r\n ", b"[::", b"\xc3\x28", b"(" * 200)
    position = dice.randrange(len(data))
    data[position:position] = dice.choice(nasty)


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _cut,
    _repeat,
    _truncate,
    _number,
    _line,
    _insert,
)


def damaged(number: int, source: tuple[str, int], dice: random.Random, transport: str = "UDP") -> bytes:
    """One valid request, damaged once or several times."""
    return damage(request(number, number, source, transport), dice)


def damage(message: bytes, dice: random.Random) -> bytes:
    """A message, damaged once or several times."""
    data = bytearray(message)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        dice.choice(WAYS)(data, dice)
        if not data:
            return b"\x00"
    return bytes(data[:60_000])


_CONTENT_LENGTH = re.compile(rb"(?:content-length|l)[ \t]*:", re.IGNORECASE)


def framed(data: bytes) -> bytes:
    """A damaged message that a stream carries all the same: it ends where its one Content-Length says."""
    head, _, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if line and not _CONTENT_LENGTH.match(line)] or [b"?"]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def noise(dice: random.Random) -> bytes:
    """No SIP at all."""
    return dice.randbytes(dice.choice((1, 20, 400, 1500, 9000)))
