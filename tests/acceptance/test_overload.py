"""A core that is asked for three times as much as it can do: it sends away what it cannot do, does the rest, and is
back as soon as the load ends."""

import asyncio
import itertools
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import tomli_w

import flood
import users
from answers import DatagramPeer, StreamPeer
from core_user import User
from damage import options, request
from sip_peer import Peer
from talkburst.daemon.control import ask
from watched import WITHIN, Watched, free, watched, within_a_second

pytestmark = pytest.mark.acceptance

TIMES = 3  # what the daemon can do
SECONDS = 2.5  # of load
GROWTH = 12 * 1024  # KiB, beside what is remembered of each request that was served until Timer J
REMEMBERED = 2  # KiB
HELD = 0.3  # seconds of serving that wait in connections: more than a request may have to wait, or nobody is refused
HELD_BY_ONE = 290  # requests in the buffers of a connection, ours and the daemon's
BACK_WITHIN = 1.0  # seconds after the last request of the load
TIMERS = {"t1": 0.1, "t2": 0.4, "t4": 0.5}  # a transaction lasts 6.4 s, in which a commit may be slow
DRIBBLERS = 500  # connections
REGISTER, OPTIONS = 0, 6  # shapes of damage.request
_numbers = itertools.count(10_000)  # of OPTIONS; those of `answers` begin at 0


async def cost(daemon: Watched) -> float:
    """Seconds of a processor that the daemon needs for one request, of those that a flood consists of."""
    number = 400
    async with DatagramPeer.open() as peer:
        for attempt in range(2):  # the first time warms up
            before = processor(daemon.process.pid)[0]
            for first in range(0, number, 20):
                made = [
                    request(100_000 + attempt * number + each, (REGISTER, OPTIONS)[each % 2], peer.address)
                    for each in range(first, first + 20)
                ]
                for data in made:
                    peer.transport.sendto(data, daemon.address())
                done = (attempt * number) + first + 20
                await peer.until(lambda done=done: len(peer.answered) >= done)
                assert len(peer.answered) == done
        return (processor(daemon.process.pid)[0] - before) / number


def processor(pid: int) -> tuple[float, float]:
    """Seconds for which the first thread of a process has run, and could have run and had no processor."""
    run, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(run) / 1e9, int(waited) / 1e9


def kept_waiting(daemon: Watched) -> float:
    """Seconds for which the daemon and we could have run and had no processor, since somebody else did."""
    return sum(processor(pid)[1] for pid in (daemon.process.pid, os.getpid()))


async def until_served(daemon: Watched, transport: str) -> None:
    """OPTIONS again and again, until one is answered 200."""
    if transport == "tcp":
        while True:
            async with StreamPeer.open(daemon.address("tcp")) as peer:
                number = next(_numbers)
                peer.send(options(number, peer.address, daemon.address("tcp"), "TCP"))
                await peer.until_answered({f"options-{number}"})
                if [answer.status for answer in peer.answers] == [200]:
                    return
    async with DatagramPeer.open() as peer:
        while 200 not in peer.statuses.values():
            peer.transport.sendto(options(next(_numbers), peer.address, daemon.address()), daemon.address())
            await peer.until(lambda: 200 in peer.statuses.values(), 0.05)


async def refresh(user: User, done: list[float]) -> None:
    """SUBSCRIBE in its dialog, again and again: 200 and NOTIFY; `done` is when."""
    while True:
        await user.watch.goes_on()
        done.append(time.monotonic())


class Flood:
    """The program that asks too much."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self._process, self._said = process, process.stdout

    @classmethod
    async def begin(cls, daemon: Watched, transport: str, rate: float, sources: int) -> "Flood":
        target = daemon.address(transport)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, flood.__file__, transport, target[0], str(target[1])),
            *(str(rate), str(SECONDS), str(sources)),
            stdout=asyncio.subprocess.PIPE,
        )
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(daemon.process.pid, processors[:1])
        os.sched_setaffinity(process.pid, processors[1:] or processors)
        return cls(process)

    async def end(self) -> float:
        """When the last request was sent, by the monotonic clock."""
        return float(await self._line())

    async def outcome(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(await self._line())
        await self._process.wait()
        return said

    async def _line(self) -> bytes:
        return await asyncio.wait_for(self._said.readline(), SECONDS + WITHIN)


@asynccontextmanager
async def core(directory: Path, **limits: float) -> AsyncIterator[tuple[Watched, User]]:
    """A core, and a client that is registered there and watches its registration."""
    (directory / "profiles").mkdir()
    profile = users.PROFILE.format(user="user0@ims.example", criteria="")
    (directory / "profiles" / "user0.xml").write_text(profile)
    credentials = directory / "credentials.toml"
    credentials.write_text(tomli_w.dumps({"user0@ims.example": {"password": "secret"}}))
    own = {"profiles": str(directory / "profiles"), "credentials": str(credentials), "notify_interval": 0.0}
    async with watched(
        "core", directory, free(timers=TIMERS, core=own, limits=limits, log={"level": "warning"})
    ) as daemon:
        peer = Peer(daemon.address())
        await peer.start()
        user = User(0, peer)
        assert (await user.register()).status == 200
        assert (await user.watch.subscribe()).status == 200
        try:
            yield daemon, user
        finally:
            await peer.close()


@pytest.mark.longer  # it wants both processors for itself
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_core_that_is_asked_too_much_refuses_serves_and_recovers(transport: str, tmp_path: Path) -> None:
    async with core(tmp_path) as (daemon, user):
        can = 1 / await cost(daemon)
        rate, sources = TIMES * can, 4 if transport == "udp" else math.ceil(can * HELD / HELD_BY_ONE)
        before = daemon.memory
        load = await Flood.begin(daemon, transport, rate, sources)
        refreshed: list[float] = []
        refreshing = asyncio.ensure_future(refresh(user, refreshed))
        over = await load.end()
        before_that = kept_waiting(daemon)
        await until_served(daemon, transport)
        took = time.monotonic() - over - (kept_waiting(daemon) - before_that)
        refreshing.cancel()
        with suppress(asyncio.CancelledError):
            await refreshing
        outcome = await load.outcome()
        assert took < BACK_WITHIN
        assert len([each for each in refreshed if each < over]) > SECONDS
        statuses, waits = outcome["statuses"], outcome["retry_after"]
        assert set(statuses) == {"200", "401", "503"}
        # Of what reached it: what the kernel has no room for is seen by nobody.
        assert sum(waits.values()) == statuses["503"] > sum(statuses.values()) // 10
        assert {*map(int, waits)} == {5, 6, 7, 8, 9, 10}
        assert daemon.memory - before < GROWTH + REMEMBERED * (statuses["200"] + statuses["401"])
        counters = ask(tmp_path / "core.state" / "core.sock", "show")["counters"]
        assert counters["overload"] >= statuses["503"]
        assert daemon.log.count("overloaded, new requests are answered 503") == 1


async def test_five_hundred_connections_that_dribble_keep_nobody_from_registering(tmp_path: Path) -> None:
    """A byte at a time, each; they are closed when the time for a message is over, and cost next to nothing."""
    time_for_a_message = 2.0
    async with core(tmp_path, message_time=time_for_a_message) as (daemon, user):
        target = daemon.address("tcp")
        data = request(1, REGISTER, ("127.0.0.1", 5999), "TCP")
        dribblers = [StreamPeer(*await asyncio.open_connection(*target)) for _ in range(DRIBBLERS)]
        begun, before, place = time.monotonic(), daemon.processor, 0
        ended = [asyncio.ensure_future(each.until_closed(WITHIN)) for each in dribblers]
        while not all(each.done() for each in ended):
            for dribbler in dribblers:
                if not dribbler.ended and place < len(data) - 1:
                    dribbler.send(data[place : place + 1])
            place += 1
            assert (await within_a_second(user.register())).status == 200
            await asyncio.wait(ended, timeout=0.1)
        assert time.monotonic() - begun > time_for_a_message - 0.1
        assert place > 2
        assert daemon.processor - before < time.monotonic() - begun
        for dribbler in dribblers:
            assert dribbler.answers == []
            await dribbler.close()
        assert ask(tmp_path / "core.state" / "core.sock", "show")["counters"]["connections_unfinished"] == DRIBBLERS
        await daemon.until_descriptors_are_back()
