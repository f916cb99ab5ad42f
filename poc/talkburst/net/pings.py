"""Keep-alives on a connection that we opened (RFC 5626 4.4.1)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from talkburst.net.tcp_limits import TcpLimits

PING = b"\r\n\r\n"


class Pings:
    """`send()` writes one and says whether that could be done, `cut(reason)` closes the connection."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: TcpLimits,
        send: Callable[[], bool],
        cut: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._send = send
        self._cut = cut
        self._alarm: asyncio.TimerHandle | None = None  # until the next one, or while its answer is insisted on
        self._sent_at: float | None = None  # while an answer may come in time
        self._are_answered = False

    def begin(self) -> None:
        """The connection is up. Without `limits.keep_alive` there are none."""
        self._next_within(self._limits.first_ping)

    def answered(self) -> None:
        """A pong came. One that comes too late, or that nobody asked for, says nothing about the next."""
        if self._sent_at is not None and self._loop.time() - self._sent_at <= self._limits.pong:
            self._are_answered = True
            self._next_within(self._limits.keep_alive)
        self._sent_at = None

    def stop(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _next_within(self, bounds: tuple[float, float] | None) -> None:
        """At random times, so that the clients of a proxy that restarts do not all ping at once."""
        if self._limits.keep_alive is None or bounds is None:
            return
        self.stop()
        self._alarm = self._loop.call_later(random.uniform(*bounds), self._ping)

    def _ping(self) -> None:
        """A peer without RFC 5626 reads over a ping (RFC 3261 7.5), so only one that has answered before has to."""
        if not self._send():
            return
        self._sent_at = self._loop.time()
        if self._are_answered:
            self._alarm = self._loop.call_later(self._limits.pong, self._cut, "no answer to a keep-alive")
        else:
            self._next_within(self._limits.keep_alive)
