"""A subscriber's refreshes, against a stranger who writes each message by hand."""

import pytest

from subscriber_bench import Bench
from talkburst.sip.subscriber import EXPIRED, NO_NOTIFY


@pytest.mark.parametrize(("granted", "after"), [(3600, 3000), (1201, 601), (1200, 600), (600, 300), (60, 30)])
def test_it_refreshes_600_s_before_the_end_or_at_half_time(bench: Bench, granted: int, after: int) -> None:
    bench.establish(granted)
    bench.net.run(after - 1)
    assert bench.asks() == [1]
    bench.net.run(1)
    assert bench.asks() == [1, 2]
    assert bench.asked().get("Expires") == "600000"


def test_a_200_without_expires_means_what_was_asked_for(bench: Bench) -> None:
    bench.start()
    bench.answer()
    bench.notify("active")
    bench.net.run(599000)
    assert bench.asks() == [1]
    bench.net.run(400)
    assert bench.asks() == [1, 2]


def test_a_refresh_starts_the_time_anew(bench: Bench) -> None:
    bench.establish(600)
    bench.net.run(300)
    bench.answer("200 OK", "Expires: 600")
    assert bench.notify("active;expires=600").status == 200
    bench.net.run(299)
    assert bench.asks() == [1, 2]
    bench.net.run(2)
    assert bench.asks() == [1, 2, 3]


def test_a_notify_shortens_but_does_not_lengthen(bench: Bench) -> None:
    bench.establish(3600)
    bench.net.run(100)
    end = bench.subscription.expires_at
    bench.notify("active;expires=90000")
    bench.notify("active;expires=3499")
    assert bench.subscription.expires_at == end
    bench.notify("active;expires=200")
    assert bench.subscription.expires_at == pytest.approx(bench.net.now + 200, abs=0.1)
    bench.net.run(101)
    assert bench.asks() == [1, 2]


def test_a_notify_that_overtook_the_200_shortens_too(bench: Bench) -> None:
    bench.start()
    bench.notify("active;expires=200")
    bench.answer("200 OK", "Expires: 3600")
    assert bench.subscription.expires_at == pytest.approx(bench.net.now + 200, abs=0.2)


def test_a_refresh_while_one_is_under_way_follows_it(bench: Bench) -> None:
    bench.establish()
    for _ in range(3):
        bench.subscription.refresh(bench.net.now)
    assert bench.asks() == [1, 2]
    bench.answer("200 OK", "Expires: 3600")
    assert bench.asks() == [1, 2, 3]
    bench.answer("200 OK", "Expires: 3600")
    assert bench.asks() == [1, 2, 3]


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_answers_to_a_refresh_that_end_it(bench: Bench, status: int) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer(f"{status} Gone")
    assert bench.ends == [(str(status), None)]
    assert bench.notify().status == 481


@pytest.mark.parametrize("status", [400, 403, 408, 423, 486, 500, 503, 504, 600])
def test_answers_to_a_refresh_that_leave_it_alive_until_it_expires(bench: Bench, status: int) -> None:
    bench.establish(600)
    bench.subscription.refresh(bench.net.now)
    bench.answer(f"{status} Not now", "Retry-After: 10000")
    bench.net.run(400)
    assert bench.ends == []
    assert bench.notify("active;expires=200").status == 200
    bench.net.run(300)
    assert bench.ends == [(EXPIRED, None)]


def test_a_refresh_that_failed_is_tried_again_when_the_notifier_says(bench: Bench) -> None:
    bench.establish(3600)
    bench.subscription.refresh(bench.net.now)
    bench.answer("503 Service Unavailable", "Retry-After: 30")
    bench.net.run(29)
    assert bench.asks() == [1, 2]
    bench.net.run(1)
    assert bench.asks() == [1, 2, 3]
    bench.answer("200 OK", "Expires: 3600")
    bench.notify()
    bench.net.run(2900)
    assert bench.asks() == [1, 2, 3]


@pytest.mark.parametrize(("asked", "seconds"), [("86400", 3600), ("9" * 400, 3600), ("never", 0.5)])
def test_a_refresh_that_failed_is_tried_again_within_the_hour(bench: Bench, asked: str, seconds: float) -> None:
    bench.establish(36_000)
    bench.subscription.refresh(bench.net.now)
    bench.answer("503 Service Unavailable", f"Retry-After: {asked}")
    bench.net.run(seconds - 0.1)
    assert bench.asks() == [1, 2]
    bench.net.run(0.2)
    assert bench.asks() == [1, 2, 3]


def test_a_refresh_without_a_notify_ends_it(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer("200 OK", "Expires: 3600")
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_a_refresh_without_any_answer_ends_it(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_a_refresh_that_was_notified_but_not_answered_does_not(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.net.run(0.1)
    bench.notify()
    bench.net.run(33)
    assert bench.ends == []


def test_204_says_that_no_notify_will_come(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer("204 No Notification", "Expires: 3600")
    bench.net.run(100)
    assert bench.ends == []


def test_the_200_of_a_refresh_moves_the_target(bench: Bench) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer("200 OK", "Expires: 3600", "Contact: <sip:moved@192.0.2.9:5098>")
    bench.notify(without="Contact")
    bench.subscription.refresh(bench.net.now)
    assert bench.asked().uri == "sip:moved@192.0.2.9:5098"


@pytest.mark.parametrize("header", ["Expires: soon", "Contact: <sip:unclosed"])
def test_a_broken_header_in_the_200_is_not_read(bench: Bench, header: str) -> None:
    bench.establish()
    bench.subscription.refresh(bench.net.now)
    bench.answer("200 OK", header)
    bench.notify()
    assert bench.ends == []
