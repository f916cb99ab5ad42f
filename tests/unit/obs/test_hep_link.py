"""HepSink and HepCollector on real sockets."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from talkburst.obs.frame import Frame
from talkburst.obs.hep import HepCollector, HepSink, encode, sink
from talkburst.obs.trace import Trace

TIMEOUT = 5.0


class Collected:
    """A collector and what arrived in it."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.collector = HepCollector(self._take)
        self._more = asyncio.Event()

    def _take(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._more.set()

    async def until(self, count: int) -> list[Frame]:
        async with asyncio.timeout(TIMEOUT):
            while len(self.frames) < count:
                self._more.clear()
                await self._more.wait()
        return self.frames


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something has happened that sends no event."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.fixture
async def collected() -> AsyncIterator[Collected]:
    collected = Collected()
    yield collected
    await collected.collector.close()


def frame(number: int, size: int = 0) -> Frame:
    payload = b"OPTIONS sip:x SIP/2.0\r\nCall-ID: %d\r\n\r\n" % number + b"x" * size
    return Frame(1.5, ("127.0.0.1", 5060), ("127.0.0.1", 5061), "UDP", "sip", payload, "core", True)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_frames_arrive_in_order(collected: Collected, transport: str) -> None:
    link = HepSink(transport, *await collected.collector.listen(transport=transport))
    await link.start()
    for number in range(100):
        link.frame(frame(number))
    link.flush()
    assert await collected.until(100) == [frame(number) for number in range(100)]
    await link.close()
    assert link.dropped == 0


async def test_a_traced_message_arrives_without_anything_more_being_done(collected: Collected) -> None:
    trace = Trace("core", [HepSink("tcp", *await collected.collector.listen())])
    await trace.start()
    trace.message(b"ACK sip:x SIP/2.0\r\n\r\n", ("127.0.0.1", 5060), ("127.0.0.1", 5090), False, "sip", "UDP", 2.5)
    (only,) = await collected.until(1)
    assert (only.source, only.destination) == (("127.0.0.1", 5090), ("127.0.0.1", 5060))
    assert (only.node, only.outbound, only.time) == ("core", False, 2.5)
    await trace.close()


async def test_close_delivers_what_was_queued_before_the_connection_stood(collected: Collected) -> None:
    link = HepSink("tcp", *await collected.collector.listen())
    await link.start()
    for number in range(2000):
        link.frame(frame(number, size=1000))
    await link.close()
    await collected.until(2000)
    assert link.dropped == 0


async def test_a_collector_that_comes_late_gets_everything(
    collected: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = await collected.collector.listen()
    await collected.collector.close()
    late = Collected()
    link = HepSink("tcp", host, port)
    link.frame(frame(1))
    await link.start()
    await until(lambda: "cannot reach the collector" in caplog.text)
    await late.collector.listen(host, port)
    assert await late.until(1) == [frame(1)]
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.WARNING]
    await link.close()
    await late.collector.close()


async def test_a_collector_that_restarts_is_found_again(collected: Collected) -> None:
    host, port = await collected.collector.listen()
    link = HepSink("tcp", host, port)
    await link.start()
    link.frame(frame(1))
    link.flush()
    await collected.until(1)
    await collected.collector.close()
    again = Collected()
    await again.collector.listen(host, port)
    await until(lambda: bool(again.collector.connections))
    link.frame(frame(2))
    link.flush()
    assert await again.until(1) == [frame(2)]
    await link.close()
    await again.collector.close()


async def test_a_full_queue_drops_counts_and_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sink, "QUEUE", 10)
    monkeypatch.setattr(sink, "FLUSH", 0.01)
    link = HepSink("tcp", "127.0.0.1", 9)
    for number in range(15):
        link.frame(frame(number))
    assert link.dropped == 5
    assert caplog.text.count("are dropped") == 1
    await link.close()
    assert link.dropped == 15
    assert "15 frames did not reach the collector" in caplog.text


async def test_close_gives_up_on_a_collector_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "FLUSH", 0.05)
    link = HepSink("tcp", "127.0.0.1", 9)
    await link.start()
    link.frame(frame(1))
    async with asyncio.timeout(TIMEOUT):
        await link.close()
    assert link.dropped == 1


async def test_close_gives_up_on_a_collector_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "FLUSH", 0.2)
    reading = asyncio.Event()

    async def never_read(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reading.wait()
        writer.close()

    server = await asyncio.start_server(never_read, "127.0.0.1", 0, limit=1)
    link = HepSink("tcp", *server.sockets[0].getsockname())
    await link.start()
    for number in range(2000):
        link.frame(frame(number, size=10_000))
        link.flush()
    async with asyncio.timeout(TIMEOUT):
        await link.close()
    reading.set()
    server.close()


async def test_an_address_that_is_none_is_dropped_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    link = HepSink("tcp", "127.0.0.1", 9)
    link.frame(Frame(1.0, ("localhost", 1), ("127.0.0.1", 2), "UDP", "sip", b""))
    assert link.dropped == 1
    assert "not to be encoded" in caplog.text


async def test_a_sender_of_something_else_is_cut_off_and_counted_and_the_others_stay(
    collected: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    address = await collected.collector.listen()
    good, bad = [await asyncio.open_connection(*address) for _ in range(2)]
    bad[1].write(encode(frame(1)) + b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(bad[0].readexactly(1), TIMEOUT)
    good[1].write(encode(frame(2)))
    assert await collected.until(2) == [frame(1), frame(2)]
    assert collected.collector.counters == {"frames": 2, "not_hep": 1}
    assert "not HEP3 from" in caplog.text
    for _, writer in (good, bad):
        writer.close()


async def test_a_datagram_of_something_else_is_counted_and_no_more(collected: Collected) -> None:
    host, port = await collected.collector.listen(transport="udp")
    loop = asyncio.get_running_loop()
    sender, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(host, port))
    sender.sendto(b"nonsense")
    sender.sendto(encode(frame(1)))
    await collected.until(1)
    assert collected.collector.counters == {"frames": 1, "not_hep": 1}
    sender.close()
