"""What happens to messages when they come faster than they can be served.

Usually they go straight through. When the loop has not caught up with what comes for a while (`Intake.behind`), they
pass a queue that is bounded in time: what belongs to something that has begun goes first, what would begin something
waits its turn, and once that is `delay` seconds what comes after it is answered 503 at a tenth of the cost of serving
it. So the queue is empty `delay` seconds after the load has ended.

Four signs say that the loop is behind: a socket from which, for half of `delay`, a whole batch could be read each
time; one for whose datagrams the kernel had no room; a timer that rings that much too late; a commit that takes a
second while others wait for it.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from talkburst.daemon.log import Log
from talkburst.net.seldom import Seldom
from talkburst.sip.actions import Send
from talkburst.sip.engine import Engine
from talkburst.sip.first_look import first_look, unavailable
from talkburst.sip.flow import Flow
from talkburst.sip.message import Response
from talkburst.sip.parser import is_keepalive

PROBE = 0.05  # seconds between two looks at how late the loop is, while anything comes at all
SLICE = 0.02  # seconds of serving between two rounds of reading
KEPT_BACK = 4  # one message in so many of those read stays for later while more come than there is room for
FIRST = 4  # messages of what has begun, for one that begins something
FEW = 64  # so few that wait are served at once, whatever held us up: nobody has to be sent away
BEGUN = 4  # times as many of what has begun may wait as of what would begin something
MOST_BYTES = 16 * 1024 * 1024  # of everything that waits
SLOW_COMMIT = 1.0  # seconds
READ = 512  # messages that may be taken from streams between two slices
PIECE = 4096  # bytes; a stream that brings less at a time is not made to wait

_UNAVAILABLE = Response(503)


@dataclass(slots=True, frozen=True)
class QueueLimits:
    """`delay`: seconds that a request may have to wait; `waiting`: messages of each kind that may."""

    delay: float = 0.2
    waiting: int = 2000


class Stream(Protocol):
    """A connection that can be read later."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Server(Protocol):
    """What the intake needs of its shell."""

    engine: Engine

    def now(self) -> float: ...
    def pump(self) -> None: ...

    def serve(self, data: bytes, flow: Flow, now: float, *, overloaded: bool = False) -> None:
        """Give a message to the engine."""

    def perform(self, send: Send) -> None:
        """Send what waits for no commit."""

    def commit_behind(self) -> tuple[float, int]:
        """For how many seconds the commit that is under way has run, and how many events wait for the next one."""

    def read_ahead(self, wanted: bool) -> None:
        """Read as much as there is of datagrams before anything is served."""


class Waiting(NamedTuple):
    at: float
    data: bytes
    flow: Flow


class Intake:
    """The queue before an engine, for as long as there is one."""

    def __init__(self, shell: Server, limits: QueueLimits, log: Log) -> None:
        self.behind = False  # messages have to pass the queue
        self.late_at = math.inf  # by then the loop would have come round, had it not fallen behind
        self.full: dict[str, float] = {}  # sockets that could not be read empty, since when
        self._shell = shell
        self._limits = limits
        self._begun: deque[Waiting] = deque()
        self._new: deque[Waiting] = deque()
        self._bytes = 0
        self._paused: deque[Stream] = deque()
        self._resumed = 1  # of them are read again after each slice
        self._taken = 0  # messages since the last one
        self._work: asyncio.Handle | None = None
        self._probe: asyncio.TimerHandle | None = None
        self._probe_at = 0.0
        self._awake = False
        self._late = False
        self._lost = False  # datagrams, since the last look
        self._slow_commit = False
        self._log = Seldom(log, "overloaded, new requests are answered 503")

    # What the shell tells

    def awake(self) -> None:
        """Something came: how late the loop is will be looked at."""
        self._awake = True
        if self._probe is None:
            self._set_probe()

    def came_late(self) -> None:
        """`late_at` is past: what is being read now comes at the end of a long round."""
        self.late_at, self._late = math.inf, True
        if not self.behind:
            self._fall_behind()

    def batch_was_full(self, name: str, now: float) -> None:
        """There is more to be read from this socket than was read at once."""
        since = self.full.setdefault(name, now)
        if not self.behind and now - since >= self._limits.delay / 2:
            self._fall_behind()

    def some_were_lost(self) -> None:
        """Datagrams came that the kernel had no room for: a quick engine empties a full socket before it is late."""
        self._lost = True
        if not self.behind:
            self._fall_behind()
        self.awake()

    def read_empty(self, name: str) -> None:
        """Nothing is left in the kernel of this socket."""
        self.full.pop(name, None)

    def hold(self, stream: Stream, size: int) -> None:
        """What follows the `size` bytes of a stream that were read is read when there is time."""
        if size < PIECE:
            return
        stream.pause()
        self._paused.append(stream)
        self._go_on()

    def close(self) -> None:
        """What waits is lost, as it is when a daemon ends."""
        for handle in (self._work, self._probe):
            if handle is not None:
                handle.cancel()
        self._begun.clear()
        self._new.clear()
        self._paused.clear()

    # The queue

    def take(self, data: bytes, flow: Flow, now: float) -> None:
        """A message that came while we are behind."""
        engine, look = self._shell.engine, None
        self._taken += 1
        if data.startswith(b"SIP/2.0 ") or is_keepalive(data):
            begun = True
        else:
            look = first_look(data)
            begun = look is not None and (look.goes_first or look.key in engine.servers)
        if not begun and self._is_long(now):
            self._log.warn(now, waiting=len(self._new))
            if look is None:
                self._shell.serve(data, flow, now, overloaded=True)
            else:
                engine.counters["overload"] += 1
                answer = unavailable(look, flow, engine.retry_after, engine.software)
                self._shell.perform(Send(*answer, _UNAVAILABLE))
        elif begun and (len(self._begun) >= BEGUN * self._limits.waiting or self._bytes > MOST_BYTES):
            engine.counters["overload_dropped"] += 1
        else:
            self._bytes += len(data)
            (self._begun if begun else self._new).append(Waiting(now, data, flow))
        self._go_on()

    def _go_on(self) -> None:
        if self._work is None:
            self._work = asyncio.get_running_loop().call_soon(self._serve)

    def _is_long(self, now: float) -> bool:
        """Whether what would begin something has to be sent away."""
        new = self._new
        if len(new) < FEW:
            return self._slow_commit or self._bytes > MOST_BYTES
        return now - new[0].at > self._limits.delay or len(new) >= self._limits.waiting or self._bytes > MOST_BYTES

    def _serve(self) -> None:
        """One round: serve for a while, then let the loop read on.

        A quick engine would serve in that time whatever the kernel has room for, and leave all else to be dropped
        there unseen. So while a socket is full, less is served than was read, until the queue is long and those who
        come last are told.
        """
        self._work = None
        shell, now = self._shell, self._shell.now()
        end = now + SLICE
        waiting = len(self._begun) + len(self._new)
        stays = waiting - max(FEW, self._taken - self._taken // KEPT_BACK) if self.full or self._lost else 0
        while now < end and len(self._begun) + len(self._new) > max(stays, 0):
            for _ in range(FIRST):
                if self._begun:
                    self._serve_next(self._begun, now)
            if self._new:
                self._serve_next(self._new, now)
            now = shell.now()
        shell.pump()
        self._resumed = max(1, self._resumed // 2) if self._taken > READ else min(2 * self._resumed, READ)
        self._taken = 0
        for _ in range(min(self._resumed, len(self._paused))):
            self._paused.popleft().resume()
        if self._begun or self._new or self._paused:
            self._go_on()
        else:
            self._catch_up()

    def _serve_next(self, queue: deque[Waiting], now: float) -> None:
        _, data, flow = queue.popleft()
        self._bytes -= len(data)
        self._shell.serve(data, flow, now)

    # Whether we are behind

    def _fall_behind(self) -> None:
        self.behind = True
        self._shell.read_ahead(True)

    def _catch_up(self) -> None:
        if self.behind and not (self.full or self._late or self._lost or self._slow_commit or self._begun or self._new):
            self.behind = False
            self._shell.read_ahead(False)

    def _set_probe(self) -> None:
        loop = asyncio.get_running_loop()
        self._probe_at = loop.time() + PROBE
        self.late_at = self._shell.now() + PROBE + self._limits.delay / 2
        self._probe = loop.call_at(self._probe_at, self._look)

    def _look(self) -> None:
        """A loop that gets round to this much too late gets round to everything else as late."""
        self._probe, self.late_at, self._lost = None, math.inf, False
        self._late = asyncio.get_running_loop().time() - self._probe_at >= self._limits.delay / 2
        age, waiting = self._shell.commit_behind()
        self._slow_commit = age >= SLOW_COMMIT and waiting >= FEW
        if not self.behind and (self._late or self._slow_commit):
            self._fall_behind()
        elif self._work is None and not self._paused:
            self._catch_up()
        if self._awake or self.behind:
            self._awake = False
            self._set_probe()
