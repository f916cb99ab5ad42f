"""Keeps an event package's rate: not more than one notification in an interval for one key (RFC 6665 4.2.4).

The first change goes out at once and closes the gate; what changes while it is closed waits, and is told once, with
the state of that moment, when the gate opens. Nothing but changes passes here: NOTIFYs that answer a SUBSCRIBE and
those that end a subscription are never delayed, and do not close the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Generic, TypeVar

from talkburst.sip.agenda import Agenda

Watcher = TypeVar("Watcher", bound=Hashable)


class Throttle(Generic[Watcher]):
    """`notify(watcher, now)` is called for each watcher when its notification is due."""

    def __init__(self, agenda: Agenda, notify: Callable[[Watcher, float], None]) -> None:
        self._agenda = agenda
        self._notify = notify
        self._closed: dict[Hashable, dict[Watcher, None]] = {}  # key: who waits for the gate, in the order of arrival
        self._waiting: dict[Watcher, Hashable] = {}

    def change(self, key: Hashable, watchers: Iterable[Watcher], interval: float, now: float) -> None:
        """Something changed for `watchers`, who share `key`; `interval` in seconds, 0 for no limit."""
        waiting = self._closed.get(key)
        if waiting is not None:
            for watcher in watchers:
                waiting[watcher] = None
                self._waiting[watcher] = key
            return
        self._pass(key, watchers, interval, now)

    def waits(self, watcher: Watcher) -> bool:
        """Whether `watcher` is to be told of a change when the gate opens."""
        return watcher in self._waiting

    def satisfied(self, watcher: Watcher) -> None:
        """`watcher` is told the present state for another reason, or is gone: it waits no more."""
        key = self._waiting.pop(watcher, None)
        if key is not None:
            self._closed[key].pop(watcher, None)

    def _pass(self, key: Hashable, watchers: Iterable[Watcher], interval: float, now: float) -> None:
        if interval > 0:
            self._closed[key] = {}
            self._agenda.schedule(now + interval, partial(self._open, key, interval))
        for watcher in watchers:
            self._notify(watcher, now)

    def _open(self, key: Hashable, interval: float, now: float) -> None:
        waiting = list(self._closed.pop(key))
        for watcher in waiting:
            del self._waiting[watcher]
        if waiting:
            self._pass(key, waiting, interval, now)
