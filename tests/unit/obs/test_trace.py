"""The trace tap."""

import asyncio

import pytest

from talkburst.obs.frame import Frame
from talkburst.obs.trace import BACKLOG, Trace

A, B = ("127.0.0.1", 5060), ("127.0.0.1", 5090)


class Memory:
    """A sink that keeps what it gets, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[list[Frame]] = [[]]
        self.closed = False

    async def start(self) -> None: ...

    def frame(self, frame: Frame) -> None:
        self.batches[-1].append(frame)

    def flush(self) -> None:
        self.batches.append([])

    async def close(self) -> None:
        self.closed = True

    @property
    def payloads(self) -> list[bytes]:
        return [frame.payload for batch in self.batches for frame in batch]


async def test_source_and_destination_follow_the_direction() -> None:
    memory = Memory()
    trace = Trace("core", [memory])
    await trace.start()
    trace.message(b"1", A, B, True, "sip", "UDP", 1.0)
    trace.message(b"2", A, B, False, "http", "TCP", 2.0)
    await trace.close()
    assert memory.batches[0] == [
        Frame(1.0, A, B, "UDP", "sip", b"1", "core", True),
        Frame(2.0, B, A, "TCP", "http", b"2", "core", False),
    ]
    assert memory.closed


async def test_the_messages_of_one_turn_of_the_loop_are_one_batch() -> None:
    memory = Memory()
    trace = Trace("core", [memory])
    await trace.start()
    trace.message(b"1", A, B, True, "sip", "UDP", 1.0)
    trace.message(b"2", A, B, True, "sip", "UDP", 1.0)
    assert memory.payloads == []
    await asyncio.sleep(0)
    trace.message(b"3", A, B, True, "sip", "UDP", 1.0)
    await asyncio.sleep(0)
    assert [len(batch) for batch in memory.batches] == [2, 1, 0]
    await trace.close()


async def test_what_was_seen_before_the_start_is_kept() -> None:
    memory = Memory()
    trace = Trace("core", [memory])
    trace.message(b"1", A, B, True, "sip", "UDP", 1.0)
    await trace.start()
    assert memory.payloads == [b"1"]
    await trace.close()


async def test_too_many_at_once_are_dropped_counted_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    trace = Trace("core", [memory])
    for _ in range(BACKLOG + 3):
        trace.message(b"1", A, B, True, "sip", "UDP", 1.0)
    await trace.close()
    assert (len(memory.payloads), trace.dropped) == (BACKLOG, 3)
    assert caplog.text.count("messages are missing from the trace") == 1


def test_without_a_sink_nothing_is_kept_and_no_loop_is_needed() -> None:
    trace = Trace("core")
    for _ in range(BACKLOG + 1):
        trace.message(b"1", A, B, True, "sip", "UDP", 1.0)
    assert trace.dropped == 0


async def test_the_ends_of_an_ipv6_socket_lose_flow_and_scope() -> None:
    memory = Memory()
    trace = Trace("core", [memory])
    long_end: tuple[str, int] = ("::1", 5060, 0, 0)  # type: ignore[assignment]  # what socket.getsockname() gives
    trace.message(b"1", long_end, ("::1", 5090), True, "sip", "UDP", 1.0)
    await trace.close()
    assert memory.batches[0][0].source == ("::1", 5060)
