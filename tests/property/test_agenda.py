"""The agenda against the plainest one there could be: a list that is searched for the earliest alarm."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from talkburst.sip.agenda import Agenda, Alarm, Call

DURATIONS = (0.0, 0.5, 5.0, 32.0)


class Bench:
    """Does everything twice: to an agenda, and to a list of time and name in the order of scheduling."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.alarms: dict[int, Alarm] = {}
        self.awaited: list[tuple[float, int]] = []
        self.rung: list[int] = []
        self.names = itertools.count()
        self.now = 100.0

    def wait(self, duration: float, now: float) -> None:
        name = next(self.names)
        alarm = self.alarms[name] = Call(now + duration, lambda now: self.ring(name, now))
        self.awaited.append((alarm.at, name))
        self.agenda.wait(alarm, duration)

    def schedule(self, at: float) -> None:
        name = next(self.names)
        self.awaited.append((at, name))
        self.alarms[name] = self.agenda.schedule(at, lambda now: self.ring(name, now))

    def ring(self, name: int, now: float) -> None:
        assert self.awaited, "nothing was left to ring"
        assert name == min(self.awaited)[1]
        self.awaited.remove(min(self.awaited))
        if name % 5 == 0:
            self.wait(DURATIONS[name % 4], now)

    def cancel(self, which: int) -> None:
        if self.alarms:
            name = which % len(self.alarms)
            self.alarms[name].cancel()
            self.awaited = [each for each in self.awaited if each[1] != name]

    def run(self, seconds: float) -> None:
        self.now += seconds
        self.agenda.run(self.now)
        assert all(at > self.now for at, _ in self.awaited)

    def compare(self) -> None:
        assert self.agenda.next_deadline() == (min(self.awaited)[0] if self.awaited else None)
        assert len(self.agenda) >= len(self.awaited)
        waiting = {name for _, name in self.awaited}
        assert {name for name, alarm in self.alarms.items() if alarm.pending} == waiting


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from(DURATIONS)),
        st.tuples(st.just("wait in the past"), st.sampled_from(DURATIONS)),
        st.tuples(st.just("schedule"), st.sampled_from((-1.0, 0.0, 0.5, 3.0, 32.0))),
        st.tuples(st.just("cancel"), st.integers(0, 1000)),
        st.tuples(st.just("run"), st.sampled_from((0.0, 0.5, 4.5, 32.0))),
    ),
    max_size=60,
)


@given(STEPS)
def test_alarms_ring_as_from_a_list_that_is_searched_each_time(steps: list[tuple[str, float]]) -> None:
    bench = Bench()
    for step, value in steps:
        match step:
            case "wait":
                bench.wait(value, bench.now)
            case "wait in the past":  # whoever calls has an older time in hand
                bench.wait(value, bench.now - 0.25)
            case "schedule":
                bench.schedule(bench.now + value)
            case "cancel":
                bench.cancel(int(value))
            case "run":
                bench.run(value)
        bench.compare()
    bench.run(1000.0)
    bench.run(1000.0)
    bench.compare()
