"""HTTP in a capture file, into frames."""

import random

import pytest

from packets import RAW, TIME, A, pcap, tcp

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
