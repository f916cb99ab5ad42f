"""Taking leave step by step; a step that nobody answers is not waited for longer than a limit."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from talkburst.sip.agenda import Agenda, Alarm
from talkburst.ua.decision import Decide

LIMIT: Final = 1.5  # seconds for one step

Done = Callable[[float], None]
Step = tuple[str, Callable[[float, Done], None]]


class Farewell:
    """Runs `steps` one after the other: each is started with the time and what to call when it is over."""

    def __init__(self, agenda: Agenda, steps: Sequence[Step], done: Done, decide: Decide, limit: float = LIMIT) -> None:
        self._agenda = agenda
        self._steps = steps
        self._done = done
        self._decide = decide
        self._limit = limit
        self._reached = -1
        self._alarm: Alarm | None = None

    def begin(self, now: float) -> None:
        """Start; `done(now)` is called after the last step, at most `limit` seconds for each later."""
        self._over(-1, now)

    def _over(self, number: int, now: float) -> None:
        if number != self._reached:  # it came after its limit
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._reached += 1
        if self._reached == len(self._steps):
            self._done(now)
            return
        over = partial(self._over, self._reached)
        self._alarm = self._agenda.schedule(now + self._limit, partial(self._late, self._reached))
        self._steps[self._reached][1](now, over)

    def _late(self, number: int, now: float) -> None:
        self._decide("leaving without an answer", {"step": self._steps[number][0]})
        self._over(number, now)
