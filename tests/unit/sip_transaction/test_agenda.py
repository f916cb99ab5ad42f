import gc
from functools import partial

import pytest

from talkburst.sip.agenda import Agenda, Call


def test_alarms_ring_in_order_of_time_then_of_scheduling() -> None:
    agenda, rung = Agenda(), []
    agenda.schedule(2.0, lambda now: rung.append("second"))
    agenda.schedule(1.0, lambda now: rung.append("first"))
    agenda.schedule(2.0, lambda now: rung.append("third"))
    agenda.schedule(2.1, lambda now: rung.append("later"))
    agenda.run(2.0)
    assert rung == ["first", "second", "third"]
    assert agenda.next_deadline() == 2.1


def test_a_cancelled_alarm_neither_rings_nor_is_waited_for() -> None:
    agenda, rung = Agenda(), []
    alarm = agenda.schedule(1.0, lambda now: rung.append("cancelled"))
    agenda.schedule(3.0, rung.append)
    alarm.cancel()
    alarm.cancel()
    assert not alarm.pending
    assert agenda.next_deadline() == 3.0
    agenda.run(2.0)
    assert rung == []


def test_an_empty_agenda_waits_for_nothing() -> None:
    assert Agenda().next_deadline() is None


def test_an_alarm_may_cancel_one_that_is_due_at_the_same_moment() -> None:
    agenda, rung = Agenda(), []
    agenda.schedule(1.0, lambda now: victim.cancel())
    victim = agenda.schedule(1.0, rung.append)
    agenda.run(1.0)
    assert rung == []


def test_what_is_scheduled_for_a_moment_already_reached_is_done_in_the_same_run() -> None:
    agenda, rung = Agenda(), []
    agenda.schedule(1.0, lambda now: agenda.schedule(now, rung.append) and None)
    agenda.run(1.5)
    assert rung == [1.5]


def test_an_alarm_that_raises_is_gone_and_the_next_one_still_due() -> None:
    agenda, rung = Agenda(), []

    def fail(now: float) -> None:
        raise RuntimeError("broken")

    agenda.schedule(1.0, fail)
    agenda.schedule(1.0, rung.append)
    with pytest.raises(RuntimeError):
        agenda.run(1.0)
    assert agenda.next_deadline() == 1.0
    agenda.run(1.0)
    assert rung == [1.0]
    assert agenda.next_deadline() is None


def test_cancelled_alarms_do_not_pile_up() -> None:
    agenda = Agenda()
    for number in range(50_000):
        agenda.schedule(600_000.0 + number, print).cancel()
    assert len(agenda) < 2000


def test_alarms_that_are_awaited_survive_the_sweep_in_their_order() -> None:
    agenda, rung = Agenda(), []
    for number in range(5000):
        agenda.schedule(float(5000 - number), rung.append)
        agenda.schedule(1.0, rung.append).cancel()

    def sweep_while_running(now: float) -> None:
        for _ in range(20_000):
            agenda.schedule(9000.0, print).cancel()

    agenda.schedule(0.5, sweep_while_running)
    for now in range(1, 5001):
        agenda.run(float(now))
    assert rung == [float(now) for now in range(1, 5001)]


def test_cancelled_alarms_of_one_duration_do_not_pile_up() -> None:
    agenda = Agenda()
    agenda.wait(Call(32.0, print), 32.0)  # nothing that is cancelled behind it surfaces
    for number in range(50_000):
        alarm = Call(32.0 + number, print)
        agenda.wait(alarm, 32.0)
        alarm.cancel()
    assert len(agenda) < 2000
    assert agenda.next_deadline() == 32.0


def test_alarms_of_one_duration_survive_the_sweep_in_their_order() -> None:
    agenda, rung = Agenda(), []
    for number in range(20_000):
        alarm = Call(float(number), partial(lambda name, now: rung.append(name), number))
        agenda.wait(alarm, 32.0)
        if number % 10:
            alarm.cancel()
    agenda.run(30_000.0)
    assert rung == list(range(0, 20_000, 10))
    assert len(agenda) == 0


def test_an_alarm_of_a_line_rings_in_time_though_the_clock_went_back() -> None:
    agenda, rung = Agenda(), []
    for at in (32.0, 31.0, 33.0):
        agenda.wait(Call(at, partial(lambda at, now: rung.append(at), at)), 32.0)
    assert agenda.next_deadline() == 31.0
    agenda.run(40.0)
    assert rung == [31.0, 32.0, 33.0]


def test_a_line_is_not_swept_away_with_the_first_of_it() -> None:
    agenda, rung = Agenda(), []
    first = Call(32.0, print)
    agenda.wait(first, 32.0)
    agenda.wait(Call(33.0, rung.append), 32.0)
    first.cancel()
    for _ in range(3000):
        agenda.schedule(600.0, print).cancel()
    agenda.run(40.0)
    assert rung == [40.0]


def test_a_cancelled_alarm_holds_nobody() -> None:
    alarm = Agenda().schedule(1.0, nobody)
    assert any(each is nobody for each in gc.get_referents(alarm))
    alarm.cancel()
    assert not any(each is nobody for each in gc.get_referents(alarm))


def nobody(now: float) -> None:
    """Whom an alarm may hold."""
