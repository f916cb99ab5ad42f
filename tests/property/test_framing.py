"""A byte stream gives the same messages however the network cuts it, and what is kept of it is bounded."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sip_damage import damage
from sip_messages import Written, messages
from talkburst.sip.framer import KeepAlive, StreamFramer, StreamLimits
from talkburst.sip.parser import Malformed

SMALL = StreamLimits(head=400, body=60)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Messages and keep-alives, whole or damaged."""
    parts = st.one_of(messages(framed=True).map(lambda written: written.data), st.sampled_from([b"\r\n\r\n", b"\r\n"]))
    stream = b"".join(draw(st.lists(parts, min_size=1, max_size=4)))
    return draw(damage(stream)) if draw(st.booleans()) else stream


cuts = st.lists(st.integers(0, 2000), max_size=10)


def pieces(stream: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(ends)]


def shown(items: list[bytes | KeepAlive | Malformed]) -> list[object]:
    """A ping that comes in two halves is taken for a pong first; what it ends as counts."""
    said: list[object] = []
    for item in items:
        if isinstance(item, Malformed):
            said.append((item.status, item.text, item.request is None))
        elif isinstance(item, bytes):
            said.append(item)
    return said


@given(st.lists(messages(framed=True), min_size=1, max_size=4), cuts)
def test_the_messages_of_a_stream_are_those_that_were_sent(sent: list[Written], places: list[int]) -> None:
    framer = StreamFramer()
    stream = b"".join(written.data for written in sent)
    assert [item for piece in pieces(stream, places) for item in framer.feed(piece)] == [each.data for each in sent]
    assert not framer.unfinished


@given(streams(), cuts)
def test_a_stream_gives_the_same_in_any_pieces(stream: bytes, places: list[int]) -> None:
    whole, cut = StreamFramer(SMALL), StreamFramer(SMALL)
    expected = whole.feed(stream)
    assert shown([item for piece in pieces(stream, places) for item in cut.feed(piece)]) == shown(expected)
    assert (whole.broken, whole.unfinished) == (cut.broken, cut.unfinished)


@given(streams())
def test_a_stream_gives_the_same_byte_by_byte(stream: bytes) -> None:
    whole, cut = StreamFramer(SMALL), StreamFramer(SMALL)
    expected = whole.feed(stream)
    assert shown([item for byte in stream for item in cut.feed(bytes([byte]))]) == shown(expected)


@given(st.lists(streams() | st.binary(max_size=200), max_size=6))
def test_what_is_kept_of_a_stream_is_one_message_within_its_limits_at_most(chunks: list[bytes]) -> None:
    framer = StreamFramer(SMALL)
    for chunk in chunks:
        framer.feed(chunk)
        assert len(framer._buffer) <= SMALL.head + 4 + SMALL.body
        assert not (framer.broken and framer.unfinished)
