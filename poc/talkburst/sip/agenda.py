"""What falls due when: one heap of alarms for the transactions and for whoever uses them."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Alarm:
    """One entry of the agenda; `cancel` is cheap and may be called at any time, also twice."""

    __slots__ = ("at", "call")

    def __init__(self, at: float, call: Callable[[float], None]) -> None:
        self.at = at
        self.call: Callable[[float], None] | None = call

    def cancel(self) -> None:
        self.call = None

    @property
    def pending(self) -> bool:
        return self.call is not None


# Below this length nobody minds what is cancelled.
_SHORT = 1024


class Agenda:
    """Alarms in order of time, then of scheduling.

    Cancelled ones are dropped when they surface, and swept out whenever the heap has doubled: a subscription that is
    refreshed every minute for a week must not leave an entry for each time.
    """

    __slots__ = ("_heap", "_number", "_sweep_at")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._number = 0
        self._sweep_at = _SHORT

    def __len__(self) -> int:
        """How many entries the heap holds, cancelled ones included."""
        return len(self._heap)

    def schedule(self, at: float, call: Callable[[float], None]) -> Alarm:
        """Call `call(now)` once `run` is told that `at` (seconds) has come."""
        alarm = Alarm(at, call)
        self._number += 1
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        heapq.heappush(self._heap, (at, self._number, alarm))
        return alarm

    def _sweep(self) -> None:
        """In place, for `run` may be at it."""
        self._heap[:] = [entry for entry in self._heap if entry[2].call is not None]
        heapq.heapify(self._heap)
        self._sweep_at = max(_SHORT, 2 * len(self._heap))

    def run(self, now: float) -> None:
        """Perform what is due. What raises is off the agenda; what is due after it stays for the next run.

        An alarm that is scheduled meanwhile for a moment already reached is performed as well.
        """
        heap = self._heap
        while heap and heap[0][0] <= now:
            alarm = heapq.heappop(heap)[2]
            call, alarm.call = alarm.call, None
            if call is not None:
                call(now)

    def next_deadline(self) -> float | None:
        """The moment of the earliest alarm that is not cancelled, None when there is nothing to wait for."""
        heap = self._heap
        while heap and heap[0][2].call is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else None
