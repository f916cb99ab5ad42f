"""Capture files of every kind that tcpdump, dumpcap and Wireshark write, into frames."""

import contextlib
import gzip
import random
import socket
import struct
from itertools import pairwise
from pathlib import Path

import dpkt
import pytest

from talkburst.flow import capture_file
from talkburst.flow.capture_file import CaptureError, PacketFile
from talkburst.flow.readers import read_capture

A, B = ("192.0.2.10", 5090), ("192.0.2.1", 5060)
A6, B6 = ("2001:db8::10", 5090), ("2001:db8::1", 5060)
TIME = 1_700_000_000.25
OPTIONS = (
    b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5090;branch=z9hG4bK-1\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:192.0.2.1>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 4\r\n\r\nbody"
)
ETHERNET, SLL, SLL2, RAW, NULL, LOOP, IPV4, IPV6 = 1, 113, 276, 101, 0, 108, 228, 229


def address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def udp(payload=OPTIONS, source=A, destination=B) -> bytes:
    """An IP packet with a datagram in it."""
    datagram = dpkt.udp.UDP(sport=source[1], dport=destination[1], data=payload)
    datagram.ulen = len(datagram)
    return ip(bytes(datagram), 17, source, destination)


def tcp(payload: bytes, sequence: int, flags=0x18, source=A, destination=B) -> bytes:
    segment = dpkt.tcp.TCP(sport=source[1], dport=destination[1], seq=sequence % 2**32, flags=flags, data=payload)
    return ip(bytes(segment), 6, source, destination)


def ip(data: bytes, protocol: int, source=A, destination=B) -> bytes:
    if ":" in source[0]:
        header = struct.pack("!IHBB", 6 << 28, len(data), protocol, 64)
        return header + address(source[0]) + address(destination[0]) + data
    packet = dpkt.ip.IP(src=address(source[0]), dst=address(destination[0]), p=protocol, data=data)
    packet.len = len(packet)
    return bytes(packet)


def framed(packet: bytes, link: int) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    match link:
        case 1:
            return b"\2" * 6 + b"\4" * 6 + kind.to_bytes(2) + packet
        case 113:
            return struct.pack("!HHH8sH", 0, 1, 6, b"\2" * 8, kind) + packet
        case 276:
            return struct.pack("!HHIHBB8s", kind, 0, 1, 1, 0, 6, b"\2" * 8) + packet
        case 0 | 108:
            return struct.pack("=I" if link == 0 else "!I", 2) + packet
    return packet


def pcap(*packets: bytes, link=ETHERNET, order="<", nanoseconds=False, times=None) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for number, packet in enumerate(packets):
        time = times[number] if times else TIME + number * 0.5
        fraction = round(time % 1 * (1e9 if nanoseconds else 1e6))
        data += struct.pack(f"{order}IIII", int(time), fraction, len(packet), len(packet)) + packet
    return data


def block(kind: int, body: bytes, order="<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def section(order="<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int, order="<", tsresol: int | None = None) -> bytes:
    options = (
        struct.pack(f"{order}HHB3x", 9, 1, tsresol) + struct.pack(f"{order}HH", 0, 0) if tsresol is not None else b""
    )
    return block(1, struct.pack(f"{order}HHI", link, 0, 262144) + options, order)


def enhanced(number: int, time: float, packet: bytes, order="<", units=1e6) -> bytes:
    stamp = round(time * units)
    header = struct.pack(f"{order}IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
    return block(6, header + packet, order)


@pytest.fixture
def read(tmp_path: Path):
    def read_bytes(data: bytes):
        path = tmp_path / "capture"
        path.write_bytes(data)
        return read_capture(path)

    return read_bytes


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


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_both_byte_orders_and_both_resolutions_of_pcap(read, order, nanoseconds):
    (frame,) = read(pcap(framed(udp(), ETHERNET), order=order, nanoseconds=nanoseconds)).frames
    assert frame.time == pytest.approx(TIME, abs=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_interfaces_of_different_link_types_and_resolutions(read, order):
    data = section(order) + interface(ETHERNET, order) + interface(SLL2, order, 9)
    data += block(5, b"\0" * 12, order)  # interface statistics, of no interest
    data += enhanced(0, TIME, framed(udp(), ETHERNET), order)
    data += enhanced(1, TIME + 1, framed(udp(), SLL2), order, units=1e9)
    data += section(order) + interface(RAW, order) + enhanced(0, TIME + 2, udp(), order)
    assert [frame.time for frame in read(data).frames] == pytest.approx([TIME, TIME + 1, TIME + 2], abs=1e-6)


def test_frames_are_in_the_order_of_time(read):
    data = pcap(framed(udp(), ETHERNET), framed(udp(), ETHERNET), times=[TIME + 2, TIME])
    assert [frame.time for frame in read(data).frames] == [TIME, TIME + 2]


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


# Streams: what is sent, cut into segments at these places, in this order.
ORDERS = {
    "in order": [0, 1, 2, 3],
    "out of order": [2, 0, 3, 1],
    "retransmitted": [0, 1, 1, 0, 2, 3, 3],
    "backwards": [3, 2, 1, 0],
}


def segments(data: bytes, cuts: list[int], base=1000) -> list[bytes]:
    edges = [0, *cuts, len(data)]
    return [tcp(data[first:last], base + 1 + first) for first, last in pairwise(edges) if first < last]


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("base", [1000, 2**32 - 20])
def test_sip_over_tcp_is_put_together_whatever_the_order_of_its_segments(read, order, base):
    pieces = segments(OPTIONS + b"\r\n\r\n" + OPTIONS, [3, 250, 300], base)
    packets = [tcp(b"", base, 0x02), *(pieces[number] for number in order)]
    capture = read(pcap(*packets, link=RAW))
    assert [(frame.transport, frame.protocol, frame.payload) for frame in capture.frames] == [
        ("TCP", "sip", OPTIONS)
    ] * 2


def test_segments_that_overlap_give_each_byte_once(read):
    data = OPTIONS
    packets = [tcp(b"", 0, 2), tcp(data[:100], 1), tcp(data[60:160], 61), tcp(data[20:], 21)]
    assert [frame.payload for frame in read(pcap(*packets, link=RAW)).frames] == [OPTIONS]


def test_a_message_has_the_time_of_its_last_byte(read):
    packets = [tcp(b"", 1000, 2), *segments(OPTIONS, [100])]
    (frame,) = read(pcap(*packets, link=RAW, times=[TIME, TIME + 1, TIME + 2])).frames
    assert frame.time == TIME + 2


def test_a_capture_that_begins_in_the_middle_of_a_message_finds_the_next(read):
    (frame,) = read(pcap(tcp(OPTIONS[100:] + OPTIONS, 5000), link=RAW)).frames
    assert frame.payload == OPTIONS


def test_after_a_segment_that_was_not_captured_the_next_message_is_found(read):
    pieces = segments(OPTIONS * 3, [100, 150])
    capture = read(pcap(tcp(b"", 1000, 2), pieces[0], pieces[2], link=RAW))
    assert [frame.payload for frame in capture.frames] == [OPTIONS] * 2


def test_compact_content_length_frames_too(read):
    compact = OPTIONS.replace(b"Content-Length: 4", b"l : 4")
    (first, second) = read(pcap(tcp(compact + OPTIONS, 1), link=RAW)).frames
    assert (first.payload, second.payload) == (compact, OPTIONS)


def test_both_directions_of_a_connection_are_read(read):
    answer = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
    packets = [tcp(b"", 10, 2), tcp(b"", 90, 0x12, B, A), tcp(OPTIONS, 11), tcp(answer, 91, 0x18, B, A)]
    first, second = read(pcap(*packets, link=RAW)).frames
    assert (first.source, second.source, second.payload) == (A, B, answer)


def test_a_first_segment_that_is_seen_again_begins_no_new_stream(read):
    request = b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    first = tcp(b"", 100, 2)
    segments = [first, tcp(request, 101), first, tcp(answer, 1, 0x18, B, A)]
    capture = read(pcap(*segments, link=RAW))
    assert ([frame.payload[:8] for frame in capture.frames], capture.warnings) == ([b"GET / HT", b"HTTP/1.1"], [])


def test_ports_that_are_used_again_begin_a_new_stream(read):
    packets = [tcp(b"", 10, 2), tcp(OPTIONS[:50], 11), tcp(b"", 900_000, 2), tcp(OPTIONS, 900_001)]
    assert [frame.payload for frame in read(pcap(*packets, link=RAW)).frames] == [OPTIONS]


GET = b"GET /xcap-root/x HTTP/1.1\r\nHost: xdms\r\n\r\n"
WEB = ("192.0.2.3", 8080)


def conversation(*turns: tuple[bool, bytes]) -> list[bytes]:
    """An HTTP connection: who speaks (True: the client) and what."""
    sent = {True: 1, False: 1}
    packets = [tcp(b"", 0, 2, A, WEB), tcp(b"", 0, 0x12, WEB, A)]
    for client, data in turns:
        ends = (A, WEB) if client else (WEB, A)
        for start in range(0, len(data), 40):
            piece = data[start : start + 40]
            packets.append(tcp(piece, sent[client], 0x18, *ends))
            sent[client] += len(piece)
    packets.append(tcp(b"", sent[False], 0x11, WEB, A))
    return packets


def test_http_messages_of_a_kept_connection_are_read_one_by_one(read):
    found = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: x\r\n\r\nhello"
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    frames = read(pcap(*conversation((True, GET), (False, found), (True, GET), (False, missing)), link=RAW)).frames
    assert [frame.protocol for frame in frames] == ["http"] * 4
    assert [frame.payload for frame in frames] == [GET, found, GET, missing]
    assert [frame.source for frame in frames] == [A, WEB, A, WEB]


def test_chunked_bodies_come_without_their_chunks(read):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
    frames = read(pcap(*conversation((True, GET), (False, chunked)), link=RAW)).frames
    assert frames[1].payload.endswith(b"\r\n\r\nhello!")


def test_a_body_that_ends_with_the_connection_is_whole_then(read):
    endless = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n" + b"y" * 100
    frames = read(pcap(*conversation((True, GET), (False, endless)), link=RAW)).frames
    assert frames[1].payload == endless


def test_http_that_is_broken_gives_what_came_before(read):
    frames = read(pcap(*conversation((True, GET), (False, b"HTTP/1.1 2x0 what\r\n\r\n")), link=RAW)).frames
    assert [frame.payload for frame in frames] == [GET]


FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def told(capture) -> str:
    (warning,) = capture.warnings
    return warning


ORPHAN = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nagain"


def test_an_http_answer_without_its_request_is_passed_over_and_the_next_request_is_read(read):
    begun = conversation((False, ORPHAN), (True, GET), (False, FOUND), (True, GET), (False, FOUND))[2:]
    capture = read(pcap(*begun, link=RAW))
    assert [frame.payload for frame in capture.frames] == [GET, FOUND, GET, FOUND]
    assert (
        told(capture) == "HTTP could not be followed once between 192.0.2.3:8080 and 192.0.2.10:5090: "
        "an answer without its request"
    )


def test_a_capture_that_begins_in_the_middle_of_an_http_answer_finds_the_next_request(read):
    begun = conversation((False, ORPHAN), (True, GET), (False, FOUND))[3:]
    capture = read(pcap(*begun, link=RAW))
    assert ([frame.payload for frame in capture.frames], capture.warnings) == ([GET, FOUND], [])


def test_a_request_in_the_middle_of_an_answer_that_nobody_asked_for_is_read(read):
    packets = [
        tcp(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", 1, 0x18, WEB, A),
        tcp(GET, 1, 0x18, A, WEB),
    ]
    capture = read(pcap(*packets, link=RAW))
    assert [frame.payload for frame in capture.frames] == [GET]
    assert "192.0.2.10:5090" in told(capture)


def test_http_packets_in_reversed_order_are_read_as_far_as_they_go(read):
    turns = conversation((True, GET), (False, FOUND), (True, GET), (False, FOUND))
    capture = read(pcap(*reversed(turns), link=RAW))
    assert all(frame.payload in (GET, FOUND) for frame in capture.frames)
    times = [TIME + number for number in reversed(range(len(turns)))]
    capture = read(pcap(*reversed(turns), link=RAW, times=times))
    assert ([frame.payload for frame in capture.frames], capture.warnings) == ([GET, FOUND] * 2, [])


def test_a_request_after_the_server_closed_is_passed_over(read):
    packets = [tcp(b"", 0, 2, A, WEB), tcp(b"", 0, 0x12, WEB, A), tcp(GET, 1, 0x18, A, WEB), tcp(FOUND, 1, 24, WEB, A)]
    packets += [tcp(b"", 1 + len(FOUND), 0x11, WEB, A), tcp(GET, 1 + len(GET), 0x18, A, WEB)]
    capture = read(pcap(*packets, link=RAW))
    assert [frame.payload for frame in capture.frames][:2] == [GET, FOUND]


def test_bytes_after_the_end_of_a_connection_are_passed_over(read):
    packets = [tcp(GET, 1, 0x18, A, WEB), tcp(FOUND, 1, 0x19, WEB, A), tcp(FOUND, 1 + len(FOUND), 0x18, WEB, A)]
    capture = read(pcap(*packets, link=RAW))
    assert [frame.payload for frame in capture.frames] == [GET, FOUND]
    assert "HTTP" in told(capture)


@pytest.mark.parametrize("seed", range(60))
def test_http_segments_in_any_order_and_with_gaps_raise_nothing(read, seed):
    chance = random.Random(seed)
    connect = b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"
    turns = [(True, chance.choice([GET, GET, connect])), (False, FOUND), (True, GET), (False, FOUND)] * 3
    packets = conversation(*turns)
    chosen = chance.sample(packets, chance.randint(len(packets) // 2, len(packets)))
    read(pcap(*(chosen if seed % 2 else sorted(chosen, key=packets.index)), link=RAW))


@pytest.mark.parametrize("syn", [True, False])
def test_sip_that_hep_reports_is_not_taken_for_sip_on_the_wire(read, syn):
    report = b"HEP3\x01\x00\x00\x00\x00\x01\x00\x07\x02\r\n" + OPTIONS
    packets = [tcp(b"", 0, 2)] if syn else []
    capture = read(pcap(*packets, tcp(report, 1), tcp(report, 1 + len(report)), link=RAW))
    assert capture.frames == []


def test_a_connection_that_begins_with_something_else_carries_no_sip(read):
    data = b"220 mail.example ready\r\n" + OPTIONS
    assert read(pcap(tcp(b"", 0, 2), tcp(data, 1), link=RAW)).frames == []


def test_other_protocols_over_tcp_are_passed_over(read):
    assert read(pcap(tcp(b"\x16\x03\x01" + bytes(9000), 1), link=RAW)).frames == []


DAMAGED = {
    "empty": (b"", "the file is empty"),
    "no capture": (b"not a capture at all", "neither pcap nor pcapng"),
    "half a header": (pcap()[:20], "its header has 20 bytes of 24"),
    "a length that cannot be": (
        pcap() + struct.pack("<IIII", 1, 1, 2**31, 2**31) + b"x" * 50,
        "damaged at byte 24, after packet 0",
    ),
    "a block of three bytes": (section() + struct.pack("<III", 6, 3, 3) + b"\0" * 8, "says that it has 3 bytes"),
    "no byte order": (section().replace(b"\x4d\x3c\x2b\x1a", b"abcd"), "byte-order magic"),
    "no interface": (section() + enhanced(0, TIME, udp()), "names interface 0, which nothing describes"),
    "a packet that is too short": (section() + interface(1) + block(6, b"\0" * 8), "too short"),
    "more than the block holds": (
        section() + interface(1) + block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99) + b"x"),
        "says that it holds 99 bytes",
    ),
}


@pytest.mark.parametrize(("data", "text"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_a_clear_error(read, data, text):
    with pytest.raises(CaptureError, match=text):
        read(data)


def test_a_file_that_is_cut_short_gives_what_is_whole_and_says_so(read):
    whole = pcap(framed(udp(), ETHERNET), framed(udp(), ETHERNET))
    capture = read(whole[:-10])
    assert len(capture.frames) == 1
    assert capture.warnings == ["the file is cut short after packet 1"]
    ng = section() + interface(RAW) + enhanced(0, TIME, udp())
    assert read(ng + enhanced(0, TIME, udp())[:-7]).warnings == ["the file is cut short after packet 1"]


def test_a_capture_that_was_compressed_is_read(read):
    packed = gzip.compress(pcap(framed(udp(), ETHERNET)))
    assert len(read(packed).frames) == 1
    cut = read(gzip.compress(pcap(framed(udp(), ETHERNET), framed(udp(), ETHERNET))[:-10]))
    assert cut.warnings == ["the file is cut short after packet 1"]


@pytest.mark.parametrize(
    "damaged",
    [b"\x1f\x8b\x08", gzip.compress(pcap(udp()))[:-12], gzip.compress(b"")[:10] + b"x"],
    ids=["begun", "cut", "spoilt"],
)
def test_what_was_compressed_and_is_damaged_is_a_clear_error(read, damaged):
    with pytest.raises(CaptureError, match="gzip"):
        read(damaged)


def test_what_grows_without_measure_when_it_is_unpacked_is_refused(read, monkeypatch):
    monkeypatch.setattr(capture_file, "_MAX_UNPACKED", 1000)
    with pytest.raises(CaptureError, match="unpack"):
        read(gzip.compress(pcap() + bytes(1000)))


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


def test_pcapng_times_have_an_offset_and_binary_fractions(read):
    options = struct.pack("<HHB3x", 9, 1, 0x80 | 10) + struct.pack("<HHq", 14, 8, 1000) + struct.pack("<HH", 0, 0)
    described = block(1, struct.pack("<HHI", RAW, 0, 0) + options)
    (frame,) = read(section() + described + enhanced(0, TIME - 1000, udp(), units=1024)).frames
    assert frame.time == pytest.approx(TIME, abs=1e-3)


def test_obsolete_packet_blocks_are_read(read):
    stamp, packet = round(TIME * 1e6), udp()
    header = struct.pack("<HHIIII", 0, 0, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
    (frame,) = read(section() + interface(RAW) + block(2, header + packet)).frames
    assert (frame.time, frame.payload) == (pytest.approx(TIME, abs=1e-3), OPTIONS)


def test_packets_that_were_cut_by_a_snap_length_are_told(read):
    def cut_at(length: int, packet: bytes) -> tuple[bytes, bytes]:
        """The packet with its beginning alone, as pcap and as pcapng keep it."""
        kept = packet[:length]
        record = struct.pack("<IIII", int(TIME), 0, len(kept), len(packet)) + kept
        header = struct.pack("<IIIII", 0, 0, 0, len(kept), len(packet))
        return record, block(6, header + kept)

    record, enhanced_block = cut_at(100, udp())
    simple = block(3, struct.pack("<I", len(udp())) + udp()[:100])
    short_interface = block(1, struct.pack("<HHI", RAW, 0, 100))
    told = ["1 of 2 packets were captured in part (by a snap length); what was cut off is not seen"]
    assert read(pcap(udp(), link=RAW) + record).warnings == told
    assert read(section() + interface(RAW) + enhanced(0, TIME, udp()) + enhanced_block).warnings == told
    assert read(section() + short_interface + enhanced(0, TIME, udp()) + simple).warnings == told


def test_packets_that_are_broken_are_counted(read):
    truncated = framed(udp(), ETHERNET)[:36]
    capture = read(pcap(truncated, framed(udp(), ETHERNET)))
    assert len(capture.frames) == 1
    assert capture.warnings == ["1 of 2 packets could not be read as IP, UDP or TCP"]


def test_an_unknown_link_type_is_told(read):
    assert read(pcap(b"x" * 60, link=147)).warnings == ["1 of 1 packets could not be read as IP, UDP or TCP"]


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_no_cut_of_a_file_raises_anything_but_a_capture_error(cut):
    data = (section() + interface(ETHERNET) + enhanced(0, TIME, framed(udp(), ETHERNET)))[:cut]
    with contextlib.suppress(CaptureError):
        assert len(list(PacketFile(data))) <= 1


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        read_capture(tmp_path / "none")


def test_the_whole_flow_is_judged_from_a_file(read, right, judge):
    packets, streams = [], {}
    for shot in right.shots:
        if shot.protocol == "sip":
            packets.append(udp(shot.payload, shot.source, shot.destination))
        else:
            sequence = streams.get(shot.source, 1)
            streams[shot.source] = sequence + len(shot.payload)
            packets.append(tcp(shot.payload, sequence, 0x18, shot.source, shot.destination))
    capture = read(pcap(*packets, link=RAW, times=[shot.time for shot in right.shots]))
    assert judge(capture.frames).verdict == "pass"
