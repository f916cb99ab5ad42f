"""What was seen a moment ago, kept without a timer for each of it."""

from __future__ import annotations

from collections.abc import Hashable


class Recent:
    """Marks that are remembered for at least one and at most two `lifetime`s (seconds).

    Two generations that are swapped cost no timer for each mark, and what they hold is bounded by what came in.
    """

    __slots__ = ("_before", "_lifetime", "_now_on", "_swap_at")

    def __init__(self, lifetime: float) -> None:
        self._lifetime = lifetime
        self._swap_at = 0.0
        self._now_on: set[Hashable] = set()
        self._before: set[Hashable] = set()

    def add(self, mark: Hashable, now: float) -> None:
        self._swap(now)
        self._now_on.add(mark)

    def holds(self, mark: Hashable, now: float) -> bool:
        self._swap(now)
        return mark in self._now_on or mark in self._before

    def seen(self, mark: Hashable, now: float) -> bool:
        """Whether it holds `mark`, which it does from now on."""
        self._swap(now)
        if mark in self._now_on or mark in self._before:
            return True
        self._now_on.add(mark)
        return False

    def _swap(self, now: float) -> None:
        if now >= self._swap_at:
            stale = now >= self._swap_at + self._lifetime
            self._before = set() if stale else self._now_on
            self._now_on, self._swap_at = set(), now + self._lifetime
