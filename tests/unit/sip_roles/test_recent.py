"""Marks that are kept for a while (what tells merged requests, and the ACK of a 2xx that passed)."""

from talkburst.sip.recent import Recent


def test_mark_is_held_for_one_lifetime_and_gone_after_two() -> None:
    recent = Recent(32.0)
    recent.add("call", 1000.0)
    assert recent.holds("call", 1000.0)
    assert recent.holds("call", 1032.0)
    assert not recent.holds("call", 1064.0)


def test_mark_is_gone_after_a_silence() -> None:
    recent = Recent(32.0)
    recent.add("call", 1000.0)
    assert not recent.holds("call", 5000.0)


def test_mark_that_comes_again_lives_on() -> None:
    recent = Recent(32.0)
    for moment in range(1000, 1300, 20):
        recent.add("call", float(moment))
    assert recent.holds("call", 1300.0)


def test_mark_is_seen_when_it_came_before() -> None:
    recent = Recent(32.0)
    assert not recent.seen("call", 1000.0)
    assert recent.seen("call", 1031.0)
    assert not recent.seen("other call", 1031.0)
    assert not recent.seen("call", 5000.0)
