"""A run judged while it happens: frames from HEP senders, brought into order, shown as a ladder, decided."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import sys
import time

import click

from talkburst.flow.checker import Checker
from talkburst.flow.evidence import Hints
from talkburst.flow.ladder import Ladder, columns, needs_ascii
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
        self._ladder = Ladder(ascii_only=needs_ascii(sys.stdout), width=columns(sys.stdout))
        self._held: list[tuple[float, int, float, Frame | str]] = []
        self._order = itertools.count()

    def frame(self, frame: Frame) -> None:
        """Take one frame as it is reported."""
        if not self.frames:
            click.echo(self._ladder.header())
        self.frames.append(frame)
        self._hold(frame.time, frame)

    def remark(self, at: float, text: str) -> None:
        """Show what somebody said at that time (seconds since the epoch) between the messages."""
        self._hold(at, text)

    @property
    def flow_count(self) -> int:
        """How many registrations have begun, as far as is shown."""
        return self._checker.flow_count

    async def decided(self, ended: asyncio.Event, flows: int = 1, patience: float | None = None) -> None:
        """Return when nothing can change the verdict on that many flows any more, or when `ended` is set.

        A flow that does not begin is waited for `patience` seconds; without that as long as a step, or for ever where
        nobody said since when.
        """
        if patience is None:
            patience = math.inf if self._hints.started is None else self._wait
        until = time.time() + patience
        while not ended.is_set():
            self._release(HOLD)
            if not self._held:
                now, begun = time.time(), self._checker.flow_count
                if begun < flows and now >= until and not begun:
                    return
                if (begun >= flows or now >= until) and self._checker.decided(now):
                    return
            try:
                await asyncio.wait_for(ended.wait(), TICK)
            except TimeoutError:
                continue

    @property
    def passed_over(self) -> str:
        """What is to be said of frames that are too broken to be judged, as far as they are shown."""
        return self._checker.passed_over

    def reports(self, ended: bool) -> list[Report]:
        """The verdicts over all frames so far, put into the order of their times; shows what was still held back."""
        self._release(0.0)
        checker = Checker(self._roles, self._wait, self._hints)
        for frame in sorted(self.frames, key=lambda frame: frame.time):
            checker.add(frame)
        return checker.reports(time.time(), ended)

    def without_flow(self) -> Report:
        """The verdicts on a registration that did not begin."""
        return Checker(self._roles, self._wait, self._hints).reports(time.time(), ended=True)[0]

    def _hold(self, at: float, item: Frame | str) -> None:
        heapq.heappush(self._held, (at, next(self._order), time.monotonic(), item))

    def _release(self, hold: float) -> None:
        now = time.monotonic()
        while self._held and now - self._held[0][2] >= hold:
            at, _, _, item = heapq.heappop(self._held)
            if isinstance(item, str):
                click.echo(self._ladder.remark(at, item))
                continue
            for event in self._checker.feed(item):
                click.echo(self._ladder.line(event))
