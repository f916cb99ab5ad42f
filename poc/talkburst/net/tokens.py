"""Unguessable strings for branches and tags (RFC 3261 19.3)."""

from __future__ import annotations

import os
from typing import Final

AT_ONCE: Final = 256  # tokens for which the kernel is asked once


class Tokens:
    """`next()` gives `size` random octets in hexadecimal, and each of them once. Not for a process that forks."""

    __slots__ = ("_digits", "_place", "_pool")

    def __init__(self, size: int = 8) -> None:
        self._digits = 2 * size
        self._pool = ""
        self._place = 0

    def next(self) -> str:
        if self._place >= len(self._pool):
            self._pool = os.urandom(AT_ONCE * self._digits // 2).hex()
            self._place = 0
        begin = self._place
        self._place = begin + self._digits
        return self._pool[begin : self._place]
