"""A run judged while it happens: frames from HEP senders, brought into order, shown as a ladder, decided."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import sys
import time

import click

from talkburst.flow.checker import Checker
from talkburst.flow.evidence import Hints
from talkburst.flow.ladder import Ladder, needs_ascii
from talkburst.flow.report import Report
from talkburst.flow.roles import Roles
from talkburst.obs.frame import Frame

# Daemons report over connections of their own, so a cause may arrive after its effect. The display holds frames back
# for as long as the slower reporter usually needs, in seconds; the verdict is made from all frames, sorted.
HOLD = 0.15
TICK = 0.05


class LiveCheck:
    """Collects frames, draws the ladder, and knows when the verdict can't change any more.

    `wait` is how long a step may take after its cause, in seconds (10 at T1 = 0.5 s).
    """

    def __init__(self, roles: Roles, wait: float, hints: Hints) -> None:
        self.frames: list[Frame] = []
        self._roles = roles
        self._wait = wait
        self._hints = hints
        self._checker = Checker(roles, wait, hints)
        self.started = hints.started or time.time()
        self._ladder = Ladder(ascii_only=needs_ascii(sys.stdout))
        self._held: list[tuple[float, int, float, Frame]] = []
        self._order = itertools.count()

    def frame(self, frame: Frame) -> None:
        """Take one frame as it is reported."""
        if not self.frames:
            click.echo(self._ladder.header())
        self.frames.append(frame)
        heapq.heappush(self._held, (frame.time, next(self._order), time.monotonic(), frame))

    async def decided(self, ended: asyncio.Event, flows: int = 1) -> None:
        """Return when nothing can change the verdict on that many flows any more, or when `ended` is set.

        A flow that does not begin is waited for as long as a step.
        """
        patience = time.time() + self._wait
        while not ended.is_set():
            self._release(HOLD)
            if not self._held and self._checker.decided(time.time()):
                begun = self._checker.flow_count
                if begun >= flows or (self._hints.started is not None and time.time() >= patience):
                    return
            try:
                await asyncio.wait_for(ended.wait(), TICK)
            except TimeoutError:
                continue

    def reports(self, ended: bool) -> list[Report]:
        """The verdicts over all frames so far, put into the order of their times; shows what was still held back."""
        self._release(0.0)
        checker = Checker(self._roles, self._wait, self._hints)
        for frame in sorted(self.frames, key=lambda frame: frame.time):
            checker.add(frame)
        return checker.reports(time.time(), ended)

    def _release(self, hold: float) -> None:
        now = time.monotonic()
        while self._held and now - self._held[0][2] >= hold:
            frame = heapq.heappop(self._held)[3]
            for event in self._checker.feed(frame):
                click.echo(self._ladder.line(event))
