"""Every timer of the transaction layer in one table.

RFC 3261 table 4 (A to K), RFC 3261 16.6 (C), RFC 6026 7 (L, M), RFC 6665 4.1.2.4 (N), RFC 4320 4.1 (the late 100).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Timer(Enum):
    """The timers by the names their specifications give them, and two that have a duration but no letter."""

    A = auto()  # INVITE request retransmission
    B = auto()  # INVITE client transaction timeout
    C = auto()  # proxied INVITE, restarted by each 101-199
    D = auto()  # INVITE client: absorbs retransmitted 3xx-6xx
    E = auto()  # non-INVITE request retransmission
    F = auto()  # non-INVITE client transaction timeout
    G = auto()  # INVITE 3xx-6xx retransmission
    H = auto()  # waits for the ACK
    I = auto()  # noqa: E741 - absorbs retransmitted ACK
    J = auto()  # non-INVITE server: absorbs retransmitted requests
    K = auto()  # non-INVITE client: absorbs retransmitted responses
    L = auto()  # INVITE server: absorbs retransmitted requests after a 2xx
    M = auto()  # INVITE client: 2xx retransmissions and 2xx of other branches
    N = auto()  # subscriber: waits for the NOTIFY
    INVITE_TRYING = auto()  # the server says 100 to an INVITE
    TRYING = auto()  # the server says 100 to any other request
    ABANDON = auto()  # a server transaction nobody ever answered

    __hash__ = object.__hash__  # what Enum has costs ten times as much, and every transaction asks for it


@dataclass(slots=True, frozen=True)
class Timers:
    """The three base values, in seconds, and Timer C; every other duration follows from them."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    timer_c: float = 185.0

    def duration(self, timer: Timer, reliable: bool = False) -> float:
        """Seconds until `timer` first fires; 0 for the absorbing timers on a reliable transport (RFC 3261 17)."""
        if reliable and timer in ZERO_WHEN_RELIABLE:
            return 0.0
        return DURATIONS[timer](self)

    def durations(self, reliable: bool) -> dict[Timer, float]:
        """Those of all timers that run."""
        return {timer: self.duration(timer, reliable) for timer in Timer if self.runs(timer, reliable)}

    def runs(self, timer: Timer, reliable: bool) -> bool:
        """False for retransmission timers on a reliable transport."""
        return not (reliable and timer in UNRELIABLE_ONLY)

    def late_trying(self) -> float:
        """When Timer E of the client reaches T2 (RFC 4320 4.1): 3.5 s with the default T1 and T2."""
        elapsed, interval = 0.0, self.t1
        while interval < self.t2:
            elapsed, interval = elapsed + interval, interval * 2
        return elapsed


DURATIONS: Mapping[Timer, Callable[[Timers], float]] = {
    Timer.A: lambda t: t.t1,  # then doubled
    Timer.B: lambda t: 64 * t.t1,
    Timer.C: lambda t: t.timer_c,
    Timer.D: lambda t: max(32.0, 64 * t.t1),  # RFC 3261 17.1.1.2: nobody knows the T1 of the other side
    Timer.E: lambda t: t.t1,  # then doubled up to T2; T2 once a 1xx came
    Timer.F: lambda t: 64 * t.t1,
    Timer.G: lambda t: t.t1,  # then doubled up to T2
    Timer.H: lambda t: 64 * t.t1,
    Timer.I: lambda t: t.t4,
    Timer.J: lambda t: 64 * t.t1,
    Timer.K: lambda t: t.t4,
    Timer.L: lambda t: 64 * t.t1,
    Timer.M: lambda t: 64 * t.t1,
    Timer.N: lambda t: 64 * t.t1,
    Timer.INVITE_TRYING: lambda t: 0.2,
    Timer.TRYING: Timers.late_trying,
    # The client's Timer F has ended its transaction by then, and RFC 4320 4.2 lets nobody say 408.
    Timer.ABANDON: lambda t: 64 * t.t1,
}

UNRELIABLE_ONLY = frozenset({Timer.A, Timer.E, Timer.G})
ZERO_WHEN_RELIABLE = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})
