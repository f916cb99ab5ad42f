"""Byte streams to messages."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkburst.sip.framer import KeepAlive, StreamFramer, StreamLimits
from talkburst.sip.parser import Malformed

HEAD = b"Via: SIP/2.0/TCP h;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: 1\r\nCSeq: 1 MESSAGE\r\n"
FIRST = b"MESSAGE sip:h SIP/2.0\r\n" + HEAD + b"Content-Length: 8\r\n\r\n\r\n\r\nbody"
SECOND = b"SIP/2.0 200 OK\r\n" + HEAD + b"l:\r\n 0\r\n\r\n"


def test_two_messages_in_one_segment_are_cut():
    assert StreamFramer().feed(FIRST + SECOND) == [FIRST, SECOND]


@settings(max_examples=100)
@given(st.lists(st.integers(0, len(FIRST + SECOND + FIRST)), max_size=8))
def test_messages_are_the_same_however_the_stream_is_cut(cuts):
    stream, framer = FIRST + SECOND + FIRST, StreamFramer()
    places = [0, *sorted(cuts), len(stream)]
    framed = [item for a, b in pairwise(places) for item in framer.feed(stream[a:b])]
    assert framed == [FIRST, SECOND, FIRST]


def test_ping_and_pong_between_messages_are_told_apart():
    framer = StreamFramer()
    assert framer.feed(b"\r\n\r\n" + FIRST + b"\r\n" + SECOND) == [KeepAlive.PING, FIRST, KeepAlive.PONG, SECOND]
    assert framer.feed(b"\r") == []
    assert framer.feed(b"\n\r\n") == [KeepAlive.PING]


def test_ping_in_two_halves_is_a_ping_in_the_end():
    framer = StreamFramer()
    assert framer.feed(b"\r\n") == [KeepAlive.PONG]
    assert framer.feed(b"\r\n") == [KeepAlive.PING]
    assert framer.feed(b"\r\n") == [KeepAlive.PONG]
    assert framer.feed(FIRST) == [FIRST]
    assert framer.feed(b"\r\n") == [KeepAlive.PONG]


@pytest.mark.parametrize(
    ("lengths", "status"),
    [
        (b"", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 1\r\nl: 2\r\n", 400),
        (b"Content-Length: 2000000\r\n", 513),
    ],
)
def test_stream_without_a_usable_length_is_broken_and_answered(lengths, status):
    framer = StreamFramer()
    (fault,) = framer.feed(b"MESSAGE sip:h SIP/2.0\r\n" + HEAD + lengths + b"\r\n" + SECOND)
    assert isinstance(fault, Malformed)
    assert (fault.status, fault.request is None) == (status, False)
    assert framer.broken
    assert framer.feed(SECOND) == []


def test_head_without_end_is_not_kept_for_ever():
    framer = StreamFramer(StreamLimits(head=100))
    assert framer.feed(b"x" * 100) == []
    (fault,) = framer.feed(b"x")
    assert isinstance(fault, Malformed)
    assert (fault.status, fault.request) == (513, None)
    (fault,) = StreamFramer(StreamLimits(head=100)).feed(FIRST)
    assert isinstance(fault, Malformed)


def test_limits_are_the_most_that_is_taken():
    head, body = FIRST.index(b"\r\n\r\n"), 8
    assert StreamFramer(StreamLimits(head, body)).feed(FIRST) == [FIRST]
    for limits in (StreamLimits(head - 1, body), StreamLimits(head, body - 1)):
        (fault,) = StreamFramer(limits).feed(FIRST)
        assert isinstance(fault, Malformed)
        assert fault.status == 513


def test_headers_as_large_as_may_be_are_taken_however_they_arrive():
    head = FIRST.index(b"\r\n\r\n")
    for size in (1, 2, 3, len(FIRST)):
        framer = StreamFramer(StreamLimits(head, len(FIRST)))
        pieces = [FIRST[start : start + size] for start in range(0, len(FIRST), size)]
        assert [item for piece in pieces for item in framer.feed(piece)] == [FIRST], size


def test_what_is_unfinished_is_what_may_still_end():
    framer = StreamFramer()
    for data, unfinished in ((FIRST[:-1], True), (FIRST[-1:], False), (b"\r", True), (b"\n", False)):
        framer.feed(data)
        assert framer.unfinished is unfinished
    framer.feed(b"GET / HTTP/1.1\r\n\r\n" + FIRST)
    assert not framer.unfinished


def test_broken_start_line_does_not_break_the_stream():
    broken = b"MESSAGE  sip:h SIP/2.0\r\nl: 0\r\n\r\n"
    assert StreamFramer().feed(broken + FIRST) == [broken, FIRST]


def test_foreign_protocol_breaks_the_stream():
    framer = StreamFramer()
    (fault,) = framer.feed(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert isinstance(fault, Malformed)
    assert fault.request is None
    assert framer.broken


def test_answers_to_pings_of_ours_are_no_halves_of_a_ping():
    framer = StreamFramer()
    for _ in range(3):
        framer.expect_pong()
        assert framer.feed(b"\r\n") == [KeepAlive.PONG]
