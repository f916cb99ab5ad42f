"""Holds back what the engine wants sent until what it rests on is stored.

Each event that the engine takes in leaves a unit: what it wants done, and what it changed in the state. Units leave in
their order. One without changes leaves at once when none is before it; one with changes leaves after the commit that
holds them. Units that gather while a commit is under way share the next one.

What changed without that anything is to be done about it, such as an answer that was waited for, holds nobody up: it
waits for the commit that somebody needs, `company` seconds at most. Whoever is killed in that time is where it would be
had the packet been lost on its way.

A commit costs about the same whatever it holds. So the next one waits until as many have come as shared the last one:
those are back in a moment with what follows. It waits no longer than half of what the last one took, and for nobody
who was alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from talkburst.sip.actions import Action
from talkburst.sip.journal import Change, Journal
from talkburst.store.state import StateStore

COMPANY: Final = 0.05  # seconds
LONGEST_REST: Final = 0.005  # seconds between two commits


class Unit(NamedTuple):
    """What one event led to."""

    actions: list[Action]
    changes: list[Change]


class CommitGate:
    """`perform(actions)` is called for what may leave. `lost(units, error)` is told what was not stored, with all that
    came after it and may rest on it; `settled()` is called after each commit, good or bad."""

    def __init__(
        self,
        journal: Journal,
        store: StateStore,
        perform: Callable[[list[Action]], None],
        lost: Callable[[list[Unit], Exception], None],
        settled: Callable[[], None],
        company: float = COMPANY,
    ) -> None:
        self._journal = journal
        self._store = store
        self._perform = perform
        self._lost = lost
        self._settled = settled
        self._company = company
        self._units: deque[Unit] = deque()
        self._commit: asyncio.Task[None] | None = None
        self._commit_at = 0.0
        self._together = 0  # units of the last commit that somebody waited for
        self._rest_until = 0.0
        self._later: asyncio.TimerHandle | None = None  # when the next commit begins whoever has come
        self._later_at = 0.0

    def add(self, actions: list[Action]) -> None:
        """Take in what the event just now led to."""
        changes = self._journal.take()
        if actions or changes:
            self._units.append(Unit(actions, changes))

    def advance(self, *, at_once: bool = False) -> bool:
        """Perform what waits for nothing, and begin to store what is to be stored. True when something was done.

        `at_once`: also what could wait for company.
        """
        if self._commit is not None:
            return False
        performed = False
        while self._units and not self._units[0].changes:
            self._perform(self._units.popleft().actions)
            performed = True
        if self._units:
            loop = asyncio.get_running_loop()
            now = loop.time()
            delay = 0.0 if at_once else self._delay(now)
            if delay > 0:
                if self._later is None or now + delay < self._later_at:
                    self._forget_later()
                    self._later, self._later_at = loop.call_later(delay, self._store_now), now + delay
                return performed
            self._forget_later()
            units = list(self._units)
            self._units.clear()
            self._commit, self._commit_at = loop.create_task(self._store_units(units)), now
        return performed

    def behind(self) -> tuple[float, int]:
        """For how many seconds the commit that is under way has run, and how many units wait for the next one."""
        if self._commit is None:
            return 0.0, 0
        return asyncio.get_running_loop().time() - self._commit_at, len(self._units)

    async def drain(self) -> None:
        """Wait until what has gathered by now is stored and performed."""
        for _ in range(2):  # the commit under way, and the one of what has gathered behind it
            self.advance(at_once=True)
            if self._commit is not None:
                await self._commit

    def _delay(self, now: float) -> float:
        """For how many seconds what there is may wait for company."""
        waiting = len([unit for unit in self._units if unit.actions])
        if waiting == 0:
            return self._company
        return 0.0 if waiting >= self._together else self._rest_until - now

    def _store_now(self) -> None:
        self._later = None
        self.advance(at_once=True)

    def _forget_later(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def _store_units(self, units: list[Unit]) -> None:
        last = {(change.table, change.key): change for unit in units for change in unit.changes}
        try:
            await self._store.commit(last.values())
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was stored and nothing may wait for ever
            self._commit = None
            behind = list(self._units)
            self._units.clear()
            self._lost(units + behind, error)
        else:
            self._commit = None
            now = asyncio.get_running_loop().time()
            self._together = len([unit for unit in units if unit.actions])
            self._rest_until = now + min((now - self._commit_at) / 2, LONGEST_REST)
            for unit in units:
                self._perform(unit.actions)
        self._settled()
