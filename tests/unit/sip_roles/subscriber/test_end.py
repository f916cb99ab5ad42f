"""The end of a subscription, against a stranger who writes each message by hand."""

from typing import Any

import pytest

from subscriber_bench import Bench
from talkburst.sip.subscriber import NO_NOTIFY, State


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("terminated;reason=deactivated", ("deactivated", None)),
        ("terminated;reason=probation;retry-after=30", ("probation", 30)),
        ("terminated;reason=giveup;retry-after=5", ("giveup", 5)),
        ("terminated;reason=NoResource", ("noresource", None)),
        ("terminated;reason=something-new", ("something-new", None)),
        ("terminated", ("", None)),
        ("Terminated;retry-after=7;expires=9", ("", 7)),
    ],
)
def test_the_reason_goes_to_the_application_and_nothing_is_done_about_it(
    bench: Bench, state: str, end: tuple[str, float | None]
) -> None:
    bench.establish()
    assert bench.notify(state).status == 200
    assert bench.ends == [end]
    assert bench.subscription.state is State.TERMINATED
    assert bench.subscriber.subscriptions == []
    bench.net.run(10000)
    assert bench.asks() == [1]


def test_stop_unsubscribes_and_ends_with_the_last_notify(bench: Bench) -> None:
    bench.establish()
    bench.subscription.stop(bench.net.now)
    assert bench.asked().get("Expires") == "0"
    bench.answer("200 OK", "Expires: 0")
    assert bench.notify("active;expires=100").status == 200  # crossed on the way
    assert bench.ends == []
    assert bench.notify("terminated;reason=timeout").status == 200
    assert bench.ends == [("timeout", None)]


def test_stop_ends_without_the_last_notify_too(bench: Bench) -> None:
    bench.establish()
    bench.subscription.stop(bench.net.now)
    bench.answer("200 OK", "Expires: 0")
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_a_notify_that_crossed_the_unsubscribe_is_not_the_last_one(bench: Bench) -> None:
    bench.establish()
    bench.subscription.stop(bench.net.now)
    bench.answer("200 OK", "Expires: 0")
    bench.notify("active;expires=100")
    bench.net.run(33)
    assert bench.ends == [(NO_NOTIFY, None)]


def test_stop_ends_when_unsubscribing_fails(bench: Bench) -> None:
    bench.establish()
    bench.subscription.stop(bench.net.now)
    bench.answer("503 Service Unavailable")
    assert bench.ends == [("503", None)]


def test_stop_before_the_first_notify_waits_for_the_dialog(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 3600")
    bench.subscription.stop(bench.net.now)
    assert bench.asks() == [1]
    bench.notify()
    assert bench.asked().get("Expires") == "0"
    assert bench.asks() == [1, 2]


def test_stop_before_the_start_is_the_end(bench: Bench) -> None:
    bench.subscription.stop(bench.net.now)
    assert bench.subscription.state is State.TERMINATED
    assert bench.net.sent("SUBSCRIBE") == []


def test_expires_0_fetches_once(net: Any) -> None:
    bench = Bench(net, expires=0)
    bench.start()
    bench.answer("200 OK", "Expires: 0")
    assert bench.notify("terminated;reason=timeout", body=b"<reginfo/>").status == 200
    assert bench.told == [("terminated;reason=timeout", b"<reginfo/>")]
    assert bench.ends == [("timeout", None)]
