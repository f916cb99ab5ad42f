import pytest

from notifier_bench import OURS, Bench
from talkburst.sip.flow import Flow


@pytest.mark.parametrize("status", [404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_answers_to_a_notify_that_remove_the_subscription(bench: Bench, status: int) -> None:
    bench.answers = f"{status} Gone"
    bench.subscribe()
    assert bench.notifier.subscriptions == []
    bench.change("b")
    bench.run(5000)
    assert len(bench.net.sent("NOTIFY")) == 1
    assert bench.decisions[-1][1]["why"] == str(status)


@pytest.mark.parametrize("status", [400, 401, 403, 407, 415, 486, 500, 503, 600])
def test_answers_to_a_notify_that_do_not(bench: Bench, status: int) -> None:
    bench.answers = f"{status} Not now"
    bench.subscribe()
    assert len(bench.notifier.subscriptions) == 1
    bench.answers = "200 OK"
    bench.change("b")
    assert [request.body for request in bench.run(0.1)] == [b"b 1"]


def test_no_answer_at_all_removes_the_subscription(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    bench.run(31)
    assert len(bench.notifier.subscriptions) == 1
    bench.run(2)
    assert bench.notifier.subscriptions == []
    assert len(bench.net.sent("NOTIFY")) == 11
    assert bench.decisions[-1][1]["why"] == "no answer"


def test_a_transport_error_counts_as_503_and_does_not(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    engine = bench.net.engines[OURS]
    engine.transport_failed(Flow("UDP", OURS, ("192.0.2.9", 5090), listener="main"), bench.net.now)
    assert len(bench.notifier.subscriptions) == 1
    bench.answers = "200 OK"
    bench.change("b")
    assert [request.body for request in bench.run(0.1)] == [b"b 1"]


@pytest.mark.parametrize("answer", ["430 Flow Failed", "500 Oops", "502 Bad", "503 Busy", "504 Late"])
def test_what_did_not_get_through_is_told_when_it_does_with_the_state_of_then(bench: Bench, answer: str) -> None:
    bench.subscribe()
    bench.answers = answer
    bench.change("b")
    since = bench.net.now
    first, *others = bench.run(4)
    assert [request.body for request in others] == [b"b 2", b"b 3", b"b 4"]
    assert [request.cseq.number - first.cseq.number for request in others] == [1, 2, 3]
    assert [at for at in bench.net.times("NOTIFY", since) if at > 0] == pytest.approx([0.5, 1.5, 3.5], abs=0.15)
    assert bench.decisions[-1] == (
        "NOTIFY failed, trying again",
        {
            "event": "reg",
            "resource": "alice",
            "subscriber": "sip:as@ims.example",
            "call_id": "c1",
            "why": answer[:3],
            "seconds": 4.0,
        },
    )
    bench.package.text = "c"
    bench.answers = "200 OK"
    assert [request.body for request in bench.run(600)] == [b"c 5"]


def test_it_is_tried_again_when_the_answer_says_and_not_before(bench: Bench) -> None:
    bench.subscribe()
    bench.answers = None
    bench.change("b")
    [notify] = bench.run(0.1)
    bench.net.answer(notify, "486 Busy Here", "Retry-After: 20", to=OURS)
    bench.answers = "200 OK"
    assert bench.run(19.5) == []
    assert [request.body for request in bench.run(1)] == [b"b 2"]


@pytest.mark.parametrize(("asked", "seconds"), [("86400", 3600), ("9" * 400, 3600), ("later", 0.5)])
def test_it_is_tried_again_within_the_hour_whatever_the_answer_says(bench: Bench, asked: str, seconds: float) -> None:
    bench.subscribe(expires=36_000)
    bench.answers = None
    bench.change("b")
    [notify] = bench.run(0.1)
    bench.net.answer(notify, "503 Service Unavailable", f"Retry-After: {asked}", to=OURS)
    bench.answers = "200 OK"
    assert bench.run(seconds - 0.2) == []
    assert [request.body for request in bench.run(1)] == [b"b 2"]


def test_who_cannot_be_reached_is_told_when_that_is_over(bench: Bench) -> None:
    bench.subscribe()
    bench.answers = None
    bench.change("b")
    engine = bench.net.engines[OURS]
    for delay in (0.5, 1.0):
        engine.transport_failed(Flow("UDP", OURS, ("192.0.2.9", 5090), listener="main"), bench.net.now)
        bench.net.run(delay)
        bench.net.take_mail()
    bench.answers = "200 OK"
    assert [request.body for request in bench.run(600)] == [b"b 3"]


def test_a_refresh_tells_it_first_and_then_nothing_is_owed(bench: Bench) -> None:
    bench.subscribe()
    bench.answers = "503 Busy"
    bench.change("b")
    bench.run(0.1)
    bench.answers = "200 OK"
    bench.again()
    assert [request.body for request in bench.notifies] == [b"b 2"]
    assert bench.run(600) == []


def test_the_end_is_tried_again_too_but_not_for_ever(bench: Bench) -> None:
    bench.subscribe()
    bench.answers = "503 Busy"
    bench.notifier.terminate("reg", "alice", "deactivated", bench.net.now)
    told = bench.run(3600)
    assert {request.get("Subscription-State") for request in told} == {"terminated;reason=deactivated"}
    assert {request.body for request in told} == {b"alice 1"}
    assert len(told) == 9


def test_what_did_not_get_through_is_owed_no_more_when_the_subscription_has_ended(bench: Bench) -> None:
    bench.subscribe("Expires: 60")
    bench.answers = "503 Busy"
    bench.change("b")
    bench.run(55)
    bench.answers = "200 OK"
    [last] = bench.run(600)
    assert last.get("Subscription-State") == "terminated;reason=timeout"


def test_what_is_due_is_dropped_with_the_subscription(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    bench.change("b")
    bench.net.answer(bench.notify, "481 Gone", to=OURS)
    assert bench.run(20) == []
