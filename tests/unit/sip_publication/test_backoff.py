"""How long until the next attempt, and until what was granted is renewed."""

import pytest

from talkburst.sip.backoff import LONGEST_ASKED, Backoff, renewal, retry_after
from talkburst.sip.message import Response


def test_delays_double_up_to_the_longest():
    backoff = Backoff()
    assert [backoff.next() for _ in range(10)] == [0.5, 1, 2, 4, 8, 16, 32, 64, 120, 120]


def test_success_begins_anew():
    backoff = Backoff(first=1)
    assert [backoff.next(), backoff.next()] == [1, 2]
    backoff.reset()
    assert backoff.next() == 1


def test_peer_may_ask_for_a_longer_pause():
    assert Backoff().next(at_least=20) == 20
    assert Backoff(first=30).next(at_least=20) == 30


@pytest.mark.parametrize("asked", [3601, 86_400, 2**32 - 1, float("inf")])
def test_no_peer_can_ask_for_more_than_an_hour(asked):
    assert Backoff().next(at_least=asked) == LONGEST_ASKED == 3600


def test_a_thousand_failures_are_still_a_delay():
    backoff = Backoff()
    assert [backoff.next() for _ in range(1000)][-1] == 120


@pytest.mark.parametrize(("granted", "renewed"), [(600_000, 599_400), (3600, 3000), (1201, 601), (1200, 600), (60, 30)])
def test_renewed_ten_minutes_before_the_end_or_at_half_time(granted, renewed):
    assert renewal(granted) == renewed


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("18000;duration=3600", 18000),
        ("120 (I'm in a meeting)", 120),
        ("120 ;duration=5", 120),
        (" 5", 5),
        ("9" * 5000, 2**32 - 1),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("12 seconds", None),
        ("60, 120", None),
        ("\u0661", None),
        ("", None),
    ],
)
def test_retry_after_is_read_up_to_its_comment(value, seconds):
    assert retry_after(Response(503, headers=[("Retry-After", value)])) == seconds


def test_without_retry_after_there_is_none():
    assert retry_after(Response(503)) is None
