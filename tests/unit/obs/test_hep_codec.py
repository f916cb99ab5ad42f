"""HEP3 packets, literal octets in and out."""

import gzip
import zlib

import pytest

from talkburst.obs.frame import Frame
from talkburst.obs.hep import StreamDecoder, Undecodable, decode, encode

OPTIONS = b"OPTIONS sip:bob@ims.example SIP/2.0\r\nCall-ID: a84b4c76e66710\r\nContent-Length: 0\r\n\r\n"

# The example packet of the specification, its payload as long as it says there.
EXAMPLE = bytes.fromhex(
    "48455033 0071"
    "0000 0001 0007 02"
    "0000 0002 0007 11"
    "0000 0003 000a d4ca0001"
    "0000 0004 000a 527400d3"
    "0000 0007 0008 2eea"
    "0000 0008 0008 13c4"
    "0000 0009 000a 4e4982cb"
    "0000 000a 000a 0001d4c0"
    "0000 000b 0007 01"
    "0000 000c 000a 000000e4"
    "0000 000f 0014 494e56495445207369703a626f62"
)


def frame(**changes: object) -> Frame:
    values: dict[str, object] = {
        "time": 1313440459.12,
        "source": ("127.0.0.1", 5090),
        "destination": ("127.0.0.1", 5060),
        "transport": "UDP",
        "protocol": "sip",
        "payload": OPTIONS,
        "node": "client",
        "outbound": True,
    }
    return Frame(**{**values, **changes})  # type: ignore[arg-type]  # the values are of the right types


def chunk(kind: int, value: bytes, vendor: int = 0) -> bytes:
    return vendor.to_bytes(2) + kind.to_bytes(2) + (6 + len(value)).to_bytes(2) + value


def packet(*chunks: bytes) -> bytes:
    body = b"".join(chunks)
    return b"HEP3" + (6 + len(body)).to_bytes(2) + body


ADDRESSES = (
    chunk(3, bytes([10, 0, 0, 1])),
    chunk(4, bytes([10, 0, 0, 2])),
    chunk(7, (5060).to_bytes(2)),
    chunk(8, (5061).to_bytes(2)),
)


def test_the_example_of_the_specification_is_read() -> None:
    assert decode(EXAMPLE) == Frame(
        time=1313440459.12,
        source=("212.202.0.1", 12010),
        destination=("82.116.0.211", 5060),
        transport="UDP",
        protocol="sip",
        payload=b"INVITE sip:bob",
        node=None,
        outbound=None,
    )


def test_a_sip_frame_is_written_octet_by_octet_as_specified() -> None:
    assert encode(frame()).hex(" ", -2) == (
        packet(
            chunk(0x01, b"\x02"),
            chunk(0x02, b"\x11"),
            chunk(0x03, b"\x7f\0\0\x01"),
            chunk(0x04, b"\x7f\0\0\x01"),
            chunk(0x07, b"\x13\xe2"),
            chunk(0x08, b"\x13\xc4"),
            chunk(0x09, bytes.fromhex("4e4982cb")),
            chunk(0x0A, bytes.fromhex("0001d4c0")),
            chunk(0x0B, b"\x01"),
            chunk(0x0C, b"\0\0\0\0"),
            chunk(0x13, b"client"),
            chunk(0x01, b"\x01", vendor=0x54),
            chunk(0x11, b"a84b4c76e66710"),
            chunk(0x0F, OPTIONS),
        ).hex(" ", -2)
    )


@pytest.mark.parametrize(
    "sent",
    [
        frame(),
        frame(outbound=False),
        frame(node=None, outbound=None),
        frame(transport="TCP"),
        frame(source=("2001:db8::1", 5060), destination=("2001:db8::2", 65535)),
        frame(protocol="http", transport="TCP", payload=b"GET /xcap-root HTTP/1.1\r\n\r\n"),
        frame(protocol="http", transport="TCP", payload=b"the rest of a body"),
        frame(payload=b""),
        frame(time=1700000000.999999),
        frame(node="nœud"),
    ],
)
def test_what_is_encoded_decodes_to_the_same(sent: Frame) -> None:
    received = decode(encode(sent))
    assert isinstance(received, Frame)
    assert received.time == pytest.approx(sent.time, abs=1e-6)
    received.time = sent.time
    assert received == sent


def test_microseconds_that_round_up_carry_into_the_seconds() -> None:
    received = decode(encode(frame(time=99.9999999)))
    assert isinstance(received, Frame)
    assert received.time == 100.0


def test_the_compact_form_gives_the_correlation_id_too() -> None:
    assert chunk(0x11, b"f81d4fae@h") in encode(frame(payload=b"BYE sip:b SIP/2.0\r\ni:  f81d4fae@h \r\n\r\n"))


def test_http_goes_out_as_the_log_type_of_homer() -> None:
    sent = encode(frame(protocol="http", payload=b"HTTP/1.1 200 OK\r\n\r\n"))
    assert chunk(0x0B, b"\x64") in sent
    assert chunk(0x02, b"http", vendor=0x54) in sent


def test_an_ipv4_mapped_address_goes_out_as_ipv4() -> None:
    received = decode(encode(frame(source=("::ffff:10.0.0.1", 1), destination=("::ffff:10.0.0.2", 2))))
    assert isinstance(received, Frame)
    assert received.source == ("10.0.0.1", 1)


def test_mixed_families_and_zones_are_no_obstacle() -> None:
    received = decode(encode(frame(source=("fe80::1%eth0", 1), destination=("10.0.0.2", 2))))
    assert isinstance(received, Frame)
    assert (received.source, received.destination) == (("fe80::1", 1), ("10.0.0.2", 2))


def test_a_payload_too_long_for_a_packet_is_cut() -> None:
    sent = encode(frame(payload=b"x" * 70_000))
    assert len(sent) == 65_535
    received = decode(sent)
    assert isinstance(received, Frame)
    assert set(received.payload) == {ord("x")}


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="localhost"):
        encode(frame(source=("localhost", 5060)))


def test_a_foreign_sender_needs_neither_node_nor_direction_and_may_add_what_it_likes() -> None:
    received = decode(
        packet(
            chunk(0x99, b"unknown"),
            chunk(0x01, b"\x07", vendor=2),
            *ADDRESSES,
            chunk(0x0B, b"\x01"),
            chunk(0x0E, b"key"),
            chunk(0x0F, OPTIONS),
        )
    )
    assert isinstance(received, Frame)
    assert (received.node, received.outbound, received.transport) == (None, None, "UDP")
    assert received.source == ("10.0.0.1", 5060)


def test_the_later_name_of_the_protocol_is_known() -> None:
    assert isinstance(decode(b"EEP3" + EXAMPLE[4:]), Frame)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_a_compressed_payload_is_inflated(compress: object) -> None:
    assert callable(compress)
    received = decode(packet(*ADDRESSES, chunk(0x10, compress(OPTIONS))))
    assert isinstance(received, Frame)
    assert received.payload == OPTIONS


def test_http_of_a_foreign_sender_is_known_by_its_start_line() -> None:
    for start in (b"GET /xcap-root/x HTTP/1.1\r\n", b"HTTP/1.1 404 Not Found\r\n"):
        received = decode(packet(*ADDRESSES, chunk(0x0B, b"\x64"), chunk(0x0F, start + b"\r\n")))
        assert isinstance(received, Frame)
        assert received.protocol == "http"


@pytest.mark.parametrize(
    ("octets", "reason", "broken"),
    [
        (b"", "not_hep", True),
        (b"HEP3", "not_hep", True),
        (b"GET / HTTP/1.1\r\n\r\n", "not_hep", True),
        (b"\x02\x1c" + b"\0" * 40, "not_hep", True),  # HEP version 2
        (EXAMPLE[:-1], "length", True),
        (b"HEP3\x00\x06", "no_payload", False),
        (packet(b"\0\0\0"), "chunk", True),
        (packet(b"\0\0\0\x0f\0\x05"), "chunk", True),
        (packet(b"\0\0\0\x0f\0\xff" + b"x"), "chunk", True),
        (packet(*ADDRESSES, chunk(0x0B, b"\x05"), chunk(0x0F, b"{}")), "not_carried", False),
        (packet(*ADDRESSES, chunk(0x0B, b"\x64"), chunk(0x0F, b"a log line")), "not_carried", False),
        (packet(chunk(0x0F, OPTIONS)), "address", False),
        (packet(*ADDRESSES[:1], chunk(4, b"\x01"), chunk(0x0F, OPTIONS)), "address", False),
        (packet(*ADDRESSES, chunk(0x10, b"not compressed")), "compression", False),
        (packet(*ADDRESSES, chunk(0x10, zlib.compress(b"\0" * 5_000_000))), "compression", False),
    ],
)
def test_what_gives_no_frame_says_why(octets: bytes, reason: str, broken: bool) -> None:
    result = decode(octets)
    assert isinstance(result, Undecodable)
    assert (result.reason, result.broken) == (reason, broken)


def test_a_stream_may_be_cut_anywhere() -> None:
    stream = EXAMPLE + encode(frame()) + b"HEP3\x00\x06" + EXAMPLE
    for size in (1, 3, 50, len(stream)):
        decoder = StreamDecoder()
        results = [item for at in range(0, len(stream), size) for item in decoder.feed(stream[at : at + size])]
        assert [isinstance(item, Frame) for item in results] == [True, True, False, True]


def test_a_stream_that_is_not_hep_is_given_up_after_what_was_good() -> None:
    first, last = StreamDecoder().feed(EXAMPLE + b"REGISTER sip:x SIP/2.0\r\n")
    assert isinstance(first, Frame)
    assert isinstance(last, Undecodable)
    assert last.broken


def test_a_length_below_the_header_does_not_stall_a_stream() -> None:
    (only,) = StreamDecoder().feed(b"HEP3\x00\x00HEP3")
    assert isinstance(only, Undecodable)
    assert only.broken


def test_no_mutilated_packet_raises() -> None:
    sound = encode(frame())
    for at in range(len(sound)):
        for value in (0, 1, 0x7F, 0xFF):
            decode(sound[:at] + bytes([value]) + sound[at + 1 :])
