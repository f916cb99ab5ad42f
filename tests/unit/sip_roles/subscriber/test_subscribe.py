"""The subscriber's first SUBSCRIBE, against a stranger who writes each message by hand."""

from typing import Any

import pytest

from subscriber_bench import OURS, PEER, Bench
from talkburst.sip.flow import Flow
from talkburst.sip.message import Response
from talkburst.sip.subscriber import UNREACHABLE, State
from talkburst.sip.transaction.client import Failure

# Asking


def test_what_a_first_subscribe_says(bench: Bench) -> None:
    subscribe = bench.start()
    assert bench.subscription.state is State.NOTIFY_WAIT
    assert subscribe.start_line == "SUBSCRIBE sip:alice@ims.example SIP/2.0"
    assert [line for line in subscribe.header_lines() if line[0] != "Via"] == [
        ("Route", "<sip:192.0.2.9:5090;lr>"),
        ("From", "<sip:as@ims.example>;tag=t2"),
        ("To", "<sip:alice@ims.example>"),
        ("Call-ID", "t1"),
        ("CSeq", "1 SUBSCRIBE"),
        ("Contact", "<sip:as@192.0.2.2:5070>"),
        ("Event", "reg"),
        ("Expires", "600000"),
        ("Accept", "application/reginfo+xml"),
        ("P-Asserted-Identity", "<sip:as@ims.example>"),
        ("Max-Forwards", "70"),
        ("Content-Length", "0"),
    ]


def test_the_200_alone_makes_no_dialog(bench: Bench) -> None:
    bench.start()
    bench.answer("200 OK", "Expires: 3600")
    assert bench.accepted == [200]
    assert bench.subscription.dialog is None
    assert bench.subscription.state is State.NOTIFY_WAIT


def test_202_of_an_old_notifier_is_a_200(bench: Bench) -> None:
    bench.start()
    bench.answer("202 Accepted", "Expires: 3600")
    assert bench.notify().status == 200
    assert (bench.accepted, bench.ends) == ([202], [])


def test_a_subscription_is_started_once(bench: Bench) -> None:
    bench.start()
    with pytest.raises(RuntimeError):
        bench.subscription.start(bench.net.now)


# Failing at the start


@pytest.mark.parametrize(
    ("status", "headers", "end"),
    [
        ("403 Forbidden", (), ("403", None)),
        ("480 Temporarily Unavailable", (), ("480", None)),
        ("489 Bad Event", (), ("489", None)),
        ("503 Service Unavailable", ("Retry-After: 20",), ("503", 20.0)),
        ("423 Interval Too Brief", (), ("423", None)),
        ("302 Moved", (), ("302", None)),
    ],
)
def test_a_refused_subscription_ends_with_the_status(
    bench: Bench, status: str, headers: tuple[str, ...], end: tuple[str, float | None]
) -> None:
    bench.start()
    bench.answer(status, *headers)
    assert bench.ends == [end]
    assert isinstance(bench.subscription.last_failure, Response)
    assert bench.notify().status == 481


def test_a_transport_that_fails_is_told(bench: Bench) -> None:
    bench.start()
    bench.engine.transport_failed(Flow("UDP", OURS, PEER, listener="main"), bench.net.now)
    assert bench.ends == [(UNREACHABLE, None)]
    assert bench.subscription.last_failure is Failure.TRANSPORT


def test_too_brief_is_asked_again_with_the_minimum(net: Any) -> None:
    bench = Bench(net, expires=30)
    bench.start()
    bench.answer("423 Interval Too Brief", "Min-Expires: 60")
    again = bench.asked()
    assert (again.cseq.number, again.get("Expires"), again.to.tag) == (2, "60", None)
    bench.answer("423 Interval Too Brief", "Min-Expires: 60")
    assert bench.ends == [("423", None)]


def test_a_notifier_that_finds_every_duration_too_brief_is_not_asked_for_ever(bench: Bench) -> None:
    bench.start()
    for _ in range(4):
        bench.answer("423 Interval Too Brief", f"Min-Expires: {int(bench.asked().get('Expires') or 0) + 1}")
    assert bench.asked().cseq.number == 4
    assert bench.ends == [("423", None)]


@pytest.mark.parametrize("minimum", ["soon", "99999999999", "9" * 5000])
def test_too_brief_without_a_duration_to_be_had_is_the_end(bench: Bench, minimum: str) -> None:
    bench.start()
    bench.answer("423 Interval Too Brief", f"Min-Expires: {minimum}")
    assert bench.ends == [("423", None)]


def test_a_challenge_is_answered_and_the_dialog_goes_on_counting(bench: Bench) -> None:
    bench.start()
    bench.answer("401 Unauthorized", 'WWW-Authenticate: Digest realm="x", nonce="n", qop="auth"')
    assert bench.asked().cseq.number == 2
    bench.answer("200 OK", "Expires: 3600")
    bench.notify()
    bench.subscription.refresh(bench.net.now)
    assert bench.asked().cseq.number == 3
    bench.answer("401 Unauthorized", 'WWW-Authenticate: Digest realm="x", nonce="m", qop="auth"')
    assert bench.asked().cseq.number == 4
    bench.answer("200 OK", "Expires: 3600")
    bench.subscription.refresh(bench.net.now)
    assert bench.asked().cseq.number == 5
