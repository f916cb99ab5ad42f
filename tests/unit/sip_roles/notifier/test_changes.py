from typing import Any

from notifier_bench import OURS, Bench, states

# Changes


def test_a_change_is_told_at_once_with_what_is_left(bench: Bench) -> None:
    bench.subscribe("Expires: 600")
    bench.net.run(99.9)
    bench.change("b")
    assert states(bench.run(0.1)) == [("b 1", "active;expires=499")]


def test_changes_within_the_interval_are_told_once_with_the_last_state(bench: Bench) -> None:
    bench.subscribe()
    start = bench.net.now
    bench.change("b")
    for text in "cdef":
        bench.run(0.5)
        bench.change(text)
    bench.run(10)
    told = [message for message in bench.net.sent("NOTIFY") if not message.body.startswith(b"alice")]
    assert [message.body for message in told] == [b"b 1", b"f 2"]
    assert bench.net.times("NOTIFY", start)[1:] == [0.0, 5.0]


def test_after_a_quiet_interval_a_change_is_told_at_once_again(bench: Bench) -> None:
    bench.subscribe()
    start = bench.net.now
    bench.change("b")
    bench.run(6)
    bench.change("c")
    bench.run(1)
    assert bench.net.times("NOTIFY", start)[1:] == [0.0, 6.0]


def test_a_coalesced_notify_starts_the_next_interval(bench: Bench) -> None:
    bench.subscribe()
    start = bench.net.now
    for text, pause in (("b", 1), ("c", 6), ("d", 8)):
        bench.change(text)
        bench.run(pause)
    assert bench.net.times("NOTIFY", start)[1:] == [0.0, 5.0, 10.0]


def test_the_notify_of_a_subscribe_is_neither_delayed_nor_starts_an_interval(bench: Bench) -> None:
    bench.subscribe()
    bench.change("b")
    bench.run(1)
    bench.again()
    assert states(bench.notifies) == [("b 2", "active;expires=3761")]
    bench.run(10)
    bench.again(cseq=3)
    bench.change("c")
    assert [request.body for request in bench.run(0.1)] == [b"c 4"]


def test_what_a_refresh_told_is_not_told_again_when_the_interval_ends(bench: Bench) -> None:
    bench.subscribe()
    bench.change("b")
    bench.run(1)
    bench.change("c")
    bench.again()
    assert [request.body for request in bench.notifies] == [b"c 2"]
    assert bench.run(20) == []


def test_the_end_is_told_within_the_interval_and_nothing_after_it(bench: Bench) -> None:
    bench.subscribe()
    bench.change("b")
    bench.run(1)
    bench.change("c")
    bench.notifier.terminate("reg", "alice", "deactivated", bench.net.now)
    assert states(bench.run(0.1)) == [("c 2", "terminated;reason=deactivated")]
    assert bench.run(20) == []


def test_those_that_share_a_key_share_the_rate_and_others_do_not(bench: Bench) -> None:
    bench.subscribe(call="c1", from_tag="f1")
    bench.subscribe(call="c2", from_tag="f2")
    bench.subscribe(call="c3", from_tag="f3", asserted="sip:other@ims.example")
    bench.change("b")
    assert sorted(request.call_id for request in bench.run(1)) == ["c1", "c2", "c3"]
    bench.change("c")
    assert bench.run(3.5) == []
    assert sorted((request.call_id, request.body) for request in bench.run(1)) == [
        ("c1", b"c 2"),
        ("c2", b"c 2"),
        ("c3", b"c 2"),
    ]


def test_without_an_interval_every_change_is_told(net: Any) -> None:
    bench = Bench(net, interval=0)
    bench.subscribe()
    for text in "bcd":
        bench.change(text)
        bench.run(0.1)
    assert [message.body for message in bench.net.sent("NOTIFY")] == [b"alice 0", b"b 1", b"c 2", b"d 3"]


# One NOTIFY at a time


def test_while_a_notify_is_unanswered_the_next_waits_and_says_the_last_state(net: Any) -> None:
    bench = Bench(net, interval=0)
    bench.subscribe()
    bench.answers = None
    bench.change("b")
    (waiting,) = bench.run(0.1)
    for text in "cd":
        bench.change(text)
    bench.again()
    assert {message.body for message in bench.net.sent("NOTIFY")} == {b"alice 0", b"b 1"}
    bench.answers = "200 OK"
    bench.net.answer(waiting, "200 OK", to=OURS)
    assert [request.body for request in bench.run(0.1)] == [b"d 2"]


def test_the_end_waits_for_the_answer_too_and_keeps_its_document(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    (waiting,) = bench.notifies
    bench.package.text = "gone"
    bench.notifier.terminate("reg", "alice", "deactivated", bench.net.now)
    bench.package.text = "forgotten"
    bench.net.answer(waiting, "500 Server Internal Error", to=OURS)
    assert states(bench.run(0.1)) == [("gone 1", "terminated;reason=deactivated")]


def test_a_provisional_answer_is_no_answer(bench: Bench) -> None:
    bench.answers = None
    bench.subscribe()
    bench.net.answer(bench.notify, "100 Trying", to=OURS)
    bench.change("b")
    assert bench.run(0.1) == []
