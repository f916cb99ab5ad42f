"""STUN on a SIP port, as far as keep-alives need it: a Binding Request is told where it came from.

RFC 5626 3.5.2 and 8 over RFC 8489, without authentication. Nothing is kept between two requests: a Binding Request may
be answered anew as often as it comes (RFC 8489 6.3.1).

DEVIATION(RFC 8489 6.3.1.1): no SOFTWARE is sent, so that an answer has at most 24 bytes more than what it answers.
"""

from __future__ import annotations

import struct
import zlib
from ipaddress import ip_address
from typing import Final

from talkburst.sip.flow import Address

COOKIE: Final = b"\x21\x12\xa4\x42"
BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111

MESSAGE_INTEGRITY: Final = 0x0008
ERROR_CODE: Final = 0x0009
UNKNOWN_ATTRIBUTES: Final = 0x000A
MESSAGE_INTEGRITY_SHA256: Final = 0x001C
XOR_MAPPED_ADDRESS: Final = 0x0020
FINGERPRINT: Final = 0x8028

_HEADER: Final = struct.Struct("!HH4s12s")
_ATTRIBUTE: Final = struct.Struct("!HH")
_NUMBER: Final = struct.Struct("!I")
_OPTIONAL: Final = 0x8000  # from here on what is not understood is ignored
_FINGERPRINT_MASK: Final = 0x5354554E
# Without knowing the path nobody sends longer ones (RFC 8489 6.1, the minimum MTU of IPv6).
LONGEST: Final = 1280
# RFC 8489 18.3: what a server has to have heard of. Known but of no use here, they are ignored (6.3).
_KNOWN: Final = frozenset({0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E, 0x0020})
# Class 4, number 20; the reason is as short as that so that the answer is.
_UNKNOWN_ATTRIBUTE: Final = bytes((0, 0, 4, 20)) + b"Unknown"

Attributes = list[tuple[int, bytes]]


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN and not SIP: its first two bits are 0, and it has the magic cookie (RFC 8489 5).

    Most SIP methods can be told from it by their first byte, which is `@` or beyond.
    """
    return data[4:8] == COOKIE and data[0] < 0x40 and len(data) >= _HEADER.size


def answer(data: bytes, remote: Address) -> bytes | None:
    """The answer to a Binding Request that came from `remote`; None for all that is to be dropped (RFC 8489 6.3).

    Dropped are what is malformed, what has a wrong FINGERPRINT, other methods, indications and responses.
    """
    kind, _, _, transaction = _HEADER.unpack_from(data)
    attributes = _attributes(data)
    if kind != BINDING_REQUEST or attributes is None:
        return None
    unknown = list(dict.fromkeys(type_ for type_, _ in attributes if type_ < _OPTIONAL and type_ not in _KNOWN))
    if unknown:
        listed = struct.pack(f"!{len(unknown)}H", *unknown)
        kind, answered = BINDING_ERROR, [(ERROR_CODE, _UNKNOWN_ATTRIBUTE), (UNKNOWN_ATTRIBUTES, listed)]
    else:
        kind, answered = BINDING_SUCCESS, [(XOR_MAPPED_ADDRESS, _xor_mapped(remote, transaction))]
    return _message(kind, transaction, answered, fingerprint=any(type_ == FINGERPRINT for type_, _ in attributes))


def _attributes(data: bytes) -> Attributes | None:
    """The attributes of a message, without those that are not protected though there is a MESSAGE-INTEGRITY (RFC 8489
    9); None when they do not fill the message exactly, or a FINGERPRINT is wrong or not the last.
    """
    _, length, _, _ = _HEADER.unpack_from(data)
    if length % 4 or len(data) != _HEADER.size + length or len(data) > LONGEST:
        return None
    found: Attributes = []
    place, protected = _HEADER.size, False
    while place < len(data):
        type_, size = _ATTRIBUTE.unpack_from(data, place)
        begin = place + _ATTRIBUTE.size
        end = begin + size + -size % 4
        if end > len(data):
            return None
        if type_ == FINGERPRINT and (size != 4 or end != len(data) or data[begin:end] != _fingerprint(data[:place])):
            return None
        if not protected or type_ in (MESSAGE_INTEGRITY_SHA256, FINGERPRINT):
            found.append((type_, data[begin : begin + size]))
        protected = protected or type_ in (MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256)
        place = end
    return found


def _message(kind: int, transaction: bytes, attributes: Attributes, *, fingerprint: bool) -> bytes:
    body = b"".join(_ATTRIBUTE.pack(type_, len(value)) + value + bytes(-len(value) % 4) for type_, value in attributes)
    # The length covers the FINGERPRINT already when that is computed (RFC 8489 14.7).
    length = len(body) + (8 if fingerprint else 0)
    data = _HEADER.pack(kind, length, COOKIE, transaction) + body
    return data + _ATTRIBUTE.pack(FINGERPRINT, 4) + _fingerprint(data) if fingerprint else data


def _fingerprint(before: bytes) -> bytes:
    """RFC 8489 14.7: over everything before the attribute, whose header is written as if it were there."""
    return _NUMBER.pack(zlib.crc32(before) ^ _FINGERPRINT_MASK)


def _xor_mapped(remote: Address, transaction: bytes) -> bytes:
    """RFC 8489 14.2: family, port and address, hidden from NATs that rewrite what looks like an address."""
    host, port = remote
    packed = ip_address(host).packed
    mask = COOKIE + transaction
    family = 1 if len(packed) == 4 else 2
    return struct.pack("!BBH", 0, family, port ^ 0x2112) + bytes(
        one ^ other for one, other in zip(packed, mask, strict=False)
    )
