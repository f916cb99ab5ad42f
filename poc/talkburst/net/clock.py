"""The one clock of a daemon."""

from __future__ import annotations

import time

READINGS = 16


class Clock:
    """Seconds since the epoch that never run backwards: the wall clock at construction plus monotonic time since."""

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset = min(_offset() for _ in range(READINGS))[1]

    def now(self) -> float:
        return self._offset + time.monotonic()


def _offset() -> tuple[float, float]:
    """How long both clocks took to read, and how far they are apart.

    On a busy machine the process may have to wait between two readings; daemons whose traces are put together would
    then disagree on what came first.
    """
    before, wall, after = time.monotonic(), time.time(), time.monotonic()
    return after - before, wall - (before + after) / 2
