"""Binding Requests on a SIP port: RFC 8489 as far as RFC 5626 8 uses it, with the messages of RFC 5769."""

import struct
import zlib

import pytest

from talkburst.sip.stun import LONGEST, answer, is_stun

# RFC 5769 2.1: attributes of ICE, FINGERPRINT at the end. 2.2 and 2.3 answer it. 2.4 has long-term credentials.
REQUEST = bytes.fromhex(
    "00010058 2112a442 b7e7a701bc34d686fa87dfae 80220010 5354554e207465737420636c69656e74 00240004 6e0001ff"
    "80290008 932ff9b151263b36 00060009 6576746a3a68367659202020 00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004 e57a3bcf"
)
IPV4_RESPONSE = bytes.fromhex(
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220 00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
)
IPV6_RESPONSE = bytes.fromhex(
    "01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
    "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9 00080014 a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004 c8fb0b4c"
)
LONG_TERM_REQUEST = bytes.fromhex(
    "00010060 2112a442 78ad3433c6ad72c029da412e 00060012 e3839ee38388e383aae38383e382afe382b90000"
    "0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341 0014000b 6578616d706c652e6f726700"
    "00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
IPV4, IPV6 = ("192.0.2.1", 32853), ("2001:db8:1234:5678:11:2233:4455:6677", 32853)
XOR_IPV4 = bytes.fromhex("00200008 0001a147 e112a643")
XOR_IPV6 = bytes.fromhex("00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9")
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
UNKNOWN_24 = bytes.fromhex("0009000b 00000414 556e6b6e6f776e00 000a0002 00240000")


def stun(*attributes, kind=0x0001, transaction=TRANSACTION, fingerprint=False, after=b""):
    """A message; each attribute is its type and its value."""
    body = b"".join(
        struct.pack("!HH", type_, len(value)) + value + bytes(-len(value) % 4) for type_, value in attributes
    )
    length = len(body) + 8 * fingerprint + len(after)
    data = struct.pack("!HH", kind, length) + b"\x21\x12\xa4\x42" + transaction + body
    return data + (fingerprint_of(data) if fingerprint else b"") + after


def fingerprint_of(before):
    return struct.pack("!HHI", 0x8028, 4, zlib.crc32(before) ^ 0x5354554E)


def success(value, fingerprint=False):
    return stun((0x0020, value[4:]), kind=0x0101, fingerprint=fingerprint)


@pytest.mark.parametrize(("remote", "value"), [(IPV4, XOR_IPV4), (IPV6, XOR_IPV6)], ids=["ipv4", "ipv6"])
def test_binding_request_is_told_where_it_came_from_as_in_rfc_5769(remote, value):
    assert value in IPV4_RESPONSE + IPV6_RESPONSE
    assert answer(stun(), remote) == success(value)


def test_bare_request_of_twenty_bytes_is_enough():
    """RFC 5626 8: these Binding Requests do not require any attributes."""
    assert answer(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + TRANSACTION, IPV4) is not None


def test_zone_of_a_link_local_address_is_no_part_of_it():
    assert answer(stun(), ("fe80::1%eth0", 5060)) == answer(stun(), ("fe80::1", 5060))


def test_answer_has_a_fingerprint_where_the_request_had_one():
    assert answer(stun(fingerprint=True), IPV4) == success(XOR_IPV4, fingerprint=True)


@pytest.mark.parametrize("message", [REQUEST, IPV4_RESPONSE, IPV6_RESPONSE], ids=["request", "ipv4", "ipv6"])
def test_fingerprint_that_answers_are_compared_with_is_that_of_rfc_5769(message):
    assert fingerprint_of(message[:-8]) == message[-8:]


def test_request_of_rfc_5769_asks_for_priority_which_is_not_known_here():
    told = answer(REQUEST, IPV4)
    assert told is not None
    assert told[:2] == b"\x01\x11"
    assert told[8:20] == TRANSACTION
    assert UNKNOWN_24 in told
    assert told[-8:] == fingerprint_of(told[:-8])


def test_credentials_that_nobody_asked_for_are_ignored_as_in_rfc_5769_2_4():
    told = answer(LONG_TERM_REQUEST, IPV4)
    assert told is not None
    assert told[:4] == b"\x01\x01\x00\x0c"


def test_each_unknown_attribute_is_listed_once_and_optional_ones_are_ignored():
    told = answer(stun((0x7FFF, b""), (0x0024, b"abcd"), (0x8FFF, b"x"), (0x7FFF, b"")), IPV4)
    assert told is not None
    assert told.endswith(bytes.fromhex("000a0004 7fff0024"))


def test_what_follows_the_integrity_is_ignored_but_for_the_fingerprint():
    """RFC 8489 9: nothing protects it, so it may have been put there on the way."""
    told = answer(stun((0x0008, bytes(20)), (0x0024, b"abcd"), fingerprint=True), IPV4)
    assert told == success(XOR_IPV4, fingerprint=True)


DROPPED = {
    "success response": IPV4_RESPONSE,
    "error response": stun((0x0009, bytes((0, 0, 4, 0))), kind=0x0111),
    "indication": stun(kind=0x0011),
    "another method": stun(kind=0x0003),
    "reserved class bit": stun(kind=0x3001),
    "length that is none of four": b"\x00\x01\x00\x02" + stun()[4:] + b"ab",
    "length beyond the datagram": b"\x00\x01\x00\x08" + stun()[4:],
    "bytes after the message": stun() + bytes(4),
    "attribute that does not end": stun((0x8022, b"abcd"))[:-6] + b"\x00\x05abcd",
    "half an attribute header": b"\x00\x01\x00\x04" + stun()[4:] + b"\x80\x22\x00\x01",
    "wrong fingerprint": stun(fingerprint=True)[:-1] + b"\x00",
    "fingerprint of another size": stun(fingerprint=True)[:-5] + b"\x03" + stun(fingerprint=True)[-4:],
    "attribute after the fingerprint": stun((0x8028, bytes(4)), (0x8022, b"late")),
    "longer than any path": stun((0x8022, bytes(LONGEST))),
}


@pytest.mark.parametrize("data", DROPPED.values(), ids=DROPPED)
def test_what_is_no_sound_binding_request_is_dropped(data):
    assert is_stun(data)
    assert answer(data, IPV4) is None


def test_message_after_a_fingerprint_that_is_right_is_dropped_too():
    assert answer(stun(fingerprint=True, after=bytes.fromhex("80220000")), IPV4) is None


@pytest.mark.parametrize("cut", range(20, len(REQUEST)))
def test_request_that_is_cut_short_is_dropped(cut):
    assert answer(REQUEST[:cut], IPV4) is None


@pytest.mark.parametrize("bit", range(0, 8 * len(REQUEST), 5))
def test_flipped_bit_under_a_fingerprint_is_noticed(bit):
    """Unless it makes another attribute of the fingerprint: then the message has none, nor has the answer."""
    damaged = bytearray(REQUEST)
    damaged[bit // 8] ^= 1 << bit % 8
    told = answer(bytes(damaged), IPV4) if is_stun(bytes(damaged)) else None
    assert told is None or told[-8:] != fingerprint_of(told[:-8])


NOT_STUN = [b"", b"\r\n\r\n", b"\0\0\0\0", b"REGISTER sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", REQUEST[:19]]
NOT_STUN += [b"\xc0" + REQUEST[1:], REQUEST[:4] + b"\x21\x12\xa4\x43" + REQUEST[8:]]


@pytest.mark.parametrize("data", NOT_STUN)
def test_what_has_no_magic_cookie_or_not_two_bits_of_zero_is_not_stun(data):
    assert not is_stun(data)


@pytest.mark.parametrize("remote", [IPV4, IPV6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("fingerprint", [False, True], ids=["plain", "fingerprint"])
@pytest.mark.parametrize("unknown", [0, 1, 2, 3, 7, 100])
def test_answer_is_hardly_longer_than_what_it_answers(remote, fingerprint, unknown):
    """Somebody who writes another's address on his requests sends that other no more than he could himself."""
    request = stun(*((0x0100 + number, b"") for number in range(unknown)), fingerprint=fingerprint)
    told = answer(request, remote)
    assert told is not None
    assert len(told) <= len(request) + 24
    assert answer(told, remote) is None
