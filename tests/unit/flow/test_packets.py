"""Packets of a capture file under every link layer, their IP headers and fragments, into frames."""

import struct
from itertools import pairwise

import pytest

from packets import (
    A6,
    B6,
    ETHERNET,
    IPV4,
    IPV6,
    LOOP,
    NULL,
    OPTIONS,
    RAW,
    SLL,
    SLL2,
    TIME,
    A,
    B,
    framed,
    ip,
    pcap,
    tcp,
    udp,
)


@pytest.mark.parametrize("link", [ETHERNET, SLL, SLL2, RAW, NULL, LOOP, IPV4])
def test_a_sip_datagram_is_read_under_every_link_layer(read, link):
    (frame,) = read(pcap(framed(udp(), link), link=link)).frames
    assert (frame.time, frame.source, frame.destination) == (TIME, A, B)
    assert (frame.transport, frame.protocol, frame.payload) == ("UDP", "sip", OPTIONS)
    assert (frame.node, frame.outbound) == (None, None)


@pytest.mark.parametrize("link", [ETHERNET, SLL, SLL2, RAW, IPV6])
def test_ipv6_is_read_too(read, link):
    (frame,) = read(pcap(framed(udp(source=A6, destination=B6), link), link=link)).frames
    assert (frame.source, frame.destination, frame.payload) == (A6, B6, OPTIONS)


def test_vlan_tags_are_passed_over(read):
    packet = framed(udp(), ETHERNET)
    tagged = packet[:12] + b"\x88\xa8\0\1\x81\0\0\2" + packet[12:]
    assert len(read(pcap(tagged)).frames) == 1


def test_other_traffic_is_passed_over(read):
    dns, arp = framed(udp(b"\x12\x34\1\0"), ETHERNET), b"\xff" * 12 + b"\x08\x06" + b"\0" * 28
    keepalive = framed(udp(b"\r\n\r\n"), ETHERNET)
    assert read(pcap(dns, arp, keepalive, framed(udp(), ETHERNET))).packets == 4
    capture = read(pcap(dns, arp, keepalive, framed(udp(), ETHERNET)))
    assert (len(capture.frames), capture.warnings) == (1, [])


def fragments4(packet: bytes, size: int) -> list[bytes]:
    header, data = packet[:20], packet[20:]
    pieces = []
    for offset in range(0, len(data), size):
        piece = data[offset : offset + size]
        flags = offset // 8 | (0x2000 if offset + size < len(data) else 0)
        pieces.append(header[:2] + struct.pack("!HHH", 20 + len(piece), 77, flags) + header[8:] + piece)
    return pieces


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0, 1]])
def test_ipv4_fragments_are_put_together_in_any_order(read, order):
    pieces = fragments4(udp(), 72)
    assert len(pieces) == 3
    capture = read(pcap(*(framed(pieces[number], ETHERNET) for number in order)))
    assert [frame.payload for frame in capture.frames] == [OPTIONS]


def test_ipv6_fragments_are_put_together(read):
    packet = udp(source=A6, destination=B6)
    data = packet[40:]
    pieces = []
    for offset, more in ((0, 1), (112, 0)):
        piece = data[offset : offset + 112] if more else data[offset:]
        body = struct.pack("!BBHI", 17, 0, offset | more, 9) + piece
        pieces.append(struct.pack("!IHBB", 6 << 28, len(body), 44, 64) + packet[8:40] + body)
    capture = read(pcap(*pieces, link=RAW))
    assert [frame.payload for frame in capture.frames] == [OPTIONS]


def test_a_fragment_that_never_came_makes_no_frame(read):
    assert read(pcap(*(framed(piece, ETHERNET) for piece in fragments4(udp(), 104)[:-1]))).frames == []


@pytest.mark.parametrize("kinds", [(0,), (43,), (60,), (0, 60, 43)])
def test_extension_headers_of_ipv6_are_passed_over(read, kinds):
    datagram = udp(source=A6, destination=B6)[40:]
    headers = b""
    for _, following in pairwise((*kinds, 17)):
        headers += bytes([following, 1]) + bytes(14)
    (frame,) = read(pcap(ip(headers + datagram, kinds[0], A6, B6), link=RAW)).frames
    assert (frame.source, frame.payload) == (A6, OPTIONS)


def test_what_stands_behind_a_packet_or_a_datagram_is_no_part_of_it(read):
    trailer = b"\0" * 6  # padding, or a frame check sequence
    segments = [tcp(OPTIONS[:100], 1) + trailer, tcp(OPTIONS[100:], 101) + trailer]
    (over_tcp,) = read(pcap(*segments, link=RAW)).frames
    surplus = ip(udp()[20:] + trailer, 17)
    (over_udp,) = read(pcap(surplus, link=RAW)).frames
    assert (over_tcp.payload, over_udp.payload) == (OPTIONS, OPTIONS)


def test_a_link_type_that_tells_of_a_frame_check_sequence_is_known(read):
    assert len(read(pcap(framed(udp(), ETHERNET), link=ETHERNET | 0x24000000)).frames) == 1


def test_packets_that_are_broken_are_counted(read):
    truncated = framed(udp(), ETHERNET)[:36]
    capture = read(pcap(truncated, framed(udp(), ETHERNET)))
    assert len(capture.frames) == 1
    assert capture.warnings == ["1 of 2 packets could not be read as IP, UDP or TCP"]


def test_an_unknown_link_type_is_told(read):
    assert read(pcap(b"x" * 60, link=147)).warnings == ["1 of 1 packets could not be read as IP, UDP or TCP"]
