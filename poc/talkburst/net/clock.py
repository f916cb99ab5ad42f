"""The one clock of a daemon."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the epoch that never run backwards: the wall clock at construction plus monotonic time since."""

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        return self._offset + time.monotonic()
