"""Warnings about what a peer can bring about as often as it likes: one line in a while, and how many it stands for."""

from __future__ import annotations

import math

from talkburst.daemon.log import Log

PAUSE = 10.0  # seconds between two lines


class Seldom:
    """One kind of warning. `now` is any clock that runs on, in seconds."""

    __slots__ = ("_last", "_log", "_message", "_unsaid")

    def __init__(self, log: Log, message: str) -> None:
        self._log = log
        self._message = message
        self._last = -math.inf
        self._unsaid = 0

    def warn(self, now: float, **fields: object) -> None:
        """Say it, unless it was said less than `PAUSE` ago; then it is counted, and told the next time."""
        if now < self._last + PAUSE:
            self._unsaid += 1
            return
        self._log.warning(self._message, **fields, more_before=self._unsaid or None)
        self._last, self._unsaid = now, 0
