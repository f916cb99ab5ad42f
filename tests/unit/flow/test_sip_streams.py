"""SIP over TCP in a capture file, into frames."""

from itertools import pairwise

import pytest

from packets import OPTIONS, RAW, TIME, A, B, pcap, tcp

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
