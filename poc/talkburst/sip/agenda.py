"""What falls due when: the alarms of the transactions and of whoever uses them, in order of time, then of scheduling.

A heap holds them. Alarms that always wait equally long, as the timers of transactions do, ring in the order in which
they were scheduled, so they stand in a line, one for each duration, and only the first of a line is in the heap: a
hundred thousand transactions that wait for Timer J make neither the heap deep nor an entry in it each.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable


class Alarm:
    """One entry of the agenda, rung once; `cancel` is cheap and may be called at any time, also twice."""

    __slots__ = ("at", "number", "pending")

    def __init__(self, at: float) -> None:
        self.at = at
        self.number = 0  # in the order of scheduling
        self.pending = True

    def cancel(self) -> None:
        """Never ring. What would have been called is let go, for the agenda may hold the alarm for long after."""
        self.pending = False

    def ring(self, now: float) -> None:
        """Do what has become due."""
        raise NotImplementedError


class Call(Alarm):
    """An alarm that calls somebody."""

    __slots__ = ("_call",)

    def __init__(self, at: float, call: Callable[[float], None]) -> None:
        Alarm.__init__(self, at)
        self._call: Callable[[float], None] | None = call

    def cancel(self) -> None:
        self.pending = False
        self._call = None

    def ring(self, now: float) -> None:
        call, self._call = self._call, None
        if call is not None:
            call(now)


# Below this length nobody minds what is cancelled.
_SHORT = 1024


class _Line:
    """Alarms that wait equally long. The first of them is in the heap, cancelled or not, as long as there is one."""

    __slots__ = ("alarms", "sweep_at")

    def __init__(self) -> None:
        self.alarms: deque[Alarm] = deque()
        self.sweep_at = _SHORT

    def sweep(self) -> None:
        first = self.alarms[0]
        self.alarms = deque([alarm for alarm in self.alarms if alarm.pending or alarm is first])
        self.sweep_at = max(_SHORT, 2 * len(self.alarms))

    def next_after_first(self) -> Alarm | None:
        """Takes the first one off, and what is cancelled behind it."""
        alarms = self.alarms
        alarms.popleft()
        while alarms:
            if alarms[0].pending:
                return alarms[0]
            alarms.popleft()
        return None


class Agenda:
    """Alarms in order of time, then of scheduling.

    Cancelled ones are dropped when they surface, and swept out whenever the heap, or a line, has doubled: a
    subscription that is refreshed every minute for a week must not leave an entry for each time.
    """

    __slots__ = ("_heap", "_lines", "_number", "_sweep_at")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm, _Line | None]] = []
        self._lines: dict[float, _Line] = {}  # by duration
        self._number = 0
        self._sweep_at = _SHORT

    def __len__(self) -> int:
        """How many entries it holds, cancelled ones included."""
        behind = sum(len(line.alarms) - 1 for line in self._lines.values() if line.alarms)
        return len(self._heap) + behind

    def schedule(self, at: float, call: Callable[[float], None]) -> Alarm:
        """Call `call(now)` once `run` is told that `at` (seconds) has come."""
        alarm = Call(at, call)
        self._number += 1
        alarm.number = self._number
        self._push(alarm, None)
        return alarm

    def wait(self, alarm: Alarm, duration: float) -> None:
        """Ring `alarm` when its time has come, which is `duration` (seconds) from now.

        For durations of which there are few; as any other alarm where the clock went back.
        """
        self._number += 1
        alarm.number = self._number
        line = self._lines.get(duration)
        if line is None:
            line = self._lines[duration] = _Line()
        alarms = line.alarms
        if not alarms:
            alarms.append(alarm)
            self._push(alarm, line)
        elif alarms[-1].at > alarm.at:
            self._push(alarm, None)
        else:
            if len(alarms) >= line.sweep_at:
                line.sweep()
            line.alarms.append(alarm)

    def _push(self, alarm: Alarm, line: _Line | None) -> None:
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        heapq.heappush(self._heap, (alarm.at, alarm.number, alarm, line))

    def _sweep(self) -> None:
        """In place, for `run` may be at it."""
        self._heap[:] = [entry for entry in self._heap if entry[2].pending or entry[3] is not None]
        heapq.heapify(self._heap)
        self._sweep_at = max(_SHORT, 2 * len(self._heap))

    def _pop(self) -> Alarm:
        """The earliest alarm; the one behind it in its line takes its place in the heap."""
        heap = self._heap
        _, _, alarm, line = heap[0]
        following = None if line is None else line.next_after_first()
        if following is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (following.at, following.number, following, line))
        return alarm

    def run(self, now: float) -> None:
        """Perform what is due. What raises is off the agenda; what is due after it stays for the next run.

        An alarm that is scheduled meanwhile for a moment already reached is performed as well.
        """
        heap = self._heap
        while heap and heap[0][0] <= now:
            alarm = self._pop()
            if alarm.pending:
                alarm.pending = False
                alarm.ring(now)

    def next_deadline(self) -> float | None:
        """The moment of the earliest alarm that is not cancelled, None when there is nothing to wait for."""
        heap = self._heap
        while heap and not heap[0][2].pending:
            self._pop()
        return heap[0][0] if heap else None
