import pytest

from talkburst.sip.timers import Timer, Timers

# RFC 3261 table 4, RFC 6026 (L, M), RFC 6665 4.1.2.4 (N): seconds over UDP and over TCP.
DURATIONS = [
    (Timer.A, 0.5, None),
    (Timer.B, 32.0, 32.0),
    (Timer.D, 32.0, 0.0),
    (Timer.E, 0.5, None),
    (Timer.F, 32.0, 32.0),
    (Timer.G, 0.5, None),
    (Timer.H, 32.0, 32.0),
    (Timer.I, 5.0, 0.0),
    (Timer.J, 32.0, 0.0),
    (Timer.K, 5.0, 0.0),
    (Timer.L, 32.0, 32.0),
    (Timer.M, 32.0, 32.0),
    (Timer.N, 32.0, 32.0),
]


@pytest.mark.parametrize(("timer", "udp", "tcp"), DURATIONS, ids=[row[0].name for row in DURATIONS])
def test_each_timer_has_the_duration_of_its_table(timer: Timer, udp: float, tcp: float | None) -> None:
    timers = Timers()
    assert timers.duration(timer) == udp
    assert timers.runs(timer, reliable=False)
    assert timers.runs(timer, reliable=True) is (tcp is not None)
    if tcp is not None:
        assert timers.duration(timer, reliable=True) == tcp


def test_timer_c_is_more_than_three_minutes() -> None:
    assert Timers().duration(Timer.C) > 180


def test_every_timer_has_a_duration() -> None:
    for timer in Timer:
        assert Timers().duration(timer) > 0


def test_the_base_values_scale_the_rest() -> None:
    timers = Timers(t1=0.1, t2=0.4, t4=1.0)
    assert timers.duration(Timer.F) == pytest.approx(6.4)
    assert timers.duration(Timer.K) == 1.0
    assert timers.late_trying() == pytest.approx(0.1 + 0.2)


@pytest.mark.parametrize(("t1", "seconds"), [(0.05, 32.0), (0.5, 32.0), (1.0, 64.0)])
def test_timer_d_is_never_below_32_seconds_for_the_other_side_has_a_t1_of_its_own(t1: float, seconds: float) -> None:
    assert Timers(t1=t1).duration(Timer.D) == seconds


def test_trying_is_late_by_the_time_timer_e_reaches_t2() -> None:
    assert Timers().late_trying() == 3.5
