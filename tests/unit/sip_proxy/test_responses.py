"""Which answers come back, and when (RFC 3261 16.7 to 16.10, RFC 4320)."""

import pytest

from talkburst.sip.message import Response
from talkburst.sip.transaction.client import Failure

POC = ("192.0.2.20", 5070)
ALICE = ("192.0.2.10", 5090)


def test_response_goes_upstream_without_our_via_and_otherwise_untouched(bench) -> None:
    (sent,) = bench.request()
    (answer,) = bench.answer(sent, "200 Fine With Me", "X-Odd  : a ,b\nExpires: 0060")
    assert answer.line == "SIP/2.0 200 Fine With Me"
    assert answer.to == ALICE
    assert answer.message.get_all("Via") == ["SIP/2.0/UDP 192.0.2.10:5090;branch=z9hG4bKa1"]
    assert "Expires: 0060" in answer.heads
    assert answer.message.get("To") == "<sip:bob@poc.example>;tag=b"


@pytest.mark.parametrize("status", ["404 Not Found", "302 Moved", "486 Busy Here", "500 No", "603 Decline"])
def test_single_answer_is_the_answer(bench, status: str) -> None:
    (sent,) = bench.request()
    (answer,) = bench.answer(sent, status)
    assert answer.line == f"SIP/2.0 {status}"
    assert isinstance(bench.failures[0], Response)


def test_503_becomes_500(bench) -> None:
    """RFC 3261 16.7 step 6: 503 would say that the proxy is overloaded."""
    (sent,) = bench.request()
    (answer,) = bench.answer(sent, "503 Service Unavailable", "Retry-After: 10")
    assert answer.line == "SIP/2.0 500 Server Internal Error"
    assert answer.message.get("Retry-After") is None


def test_refused_connection_counts_as_503(bench) -> None:
    bench.request()
    (answer,) = bench.refuse(POC)
    assert answer.line.startswith("SIP/2.0 500 ")
    assert bench.failures == [Failure.TRANSPORT]


@pytest.mark.parametrize(
    ("first", "second", "best"),
    [
        ("404 Not Found", "302 Moved", "302 Moved"),
        ("500 No", "404 Not Found", "404 Not Found"),
        ("404 Not Found", "401 Unauthorized", "401 Unauthorized"),
        ("404 Not Found", "484 Address Incomplete", "484 Address Incomplete"),
        ("415 Unsupported Media Type", "404 Not Found", "415 Unsupported Media Type"),
        ("603 Decline", "404 Not Found", "603 Decline"),
        ("404 Not Found", "600 Busy Everywhere", "600 Busy Everywhere"),
        ("503 Busy", "500 No", "503 Busy"),
    ],
)
def test_best_of_two_is_chosen_when_both_have_answered(forking, first: str, second: str, best: str) -> None:
    one, two = forking.request()
    assert forking.answer(one, first) == []
    (answer,) = forking.answer(two, second)
    assert answer.line == ("SIP/2.0 500 Server Internal Error" if best.startswith("503") else f"SIP/2.0 {best}")


def test_first_success_goes_at_once_and_the_second_not_at_all(forking) -> None:
    one, two = forking.request()
    (answer,) = forking.answer(two, "200 OK")
    assert answer.line == "SIP/2.0 200 OK"
    assert forking.answer(one, "200 OK") == []
    assert forking.engine.counters["late_response"] == 1


def test_silent_branch_does_not_outdo_one_that_answered(forking) -> None:
    one, _ = forking.request()
    forking.answer(one, "404 Not Found")
    answers = [sent for sent in forking.advance(33) if isinstance(sent.message, Response)]
    assert [sent.line for sent in answers if sent.message.status != 100] == []
    assert "404 Not Found" in [f"{outcome.status} {outcome.reason}" for outcome in forking.failures]


def test_challenges_of_all_branches_are_put_together(forking) -> None:
    one, two = forking.request()
    forking.answer(one, "401 Unauthorized", 'WWW-Authenticate: Digest realm="a", nonce="1"')
    headers = 'Proxy-Authenticate: Digest realm="b", nonce="2"\nWWW-Authenticate: Digest realm="c", nonce="3"'
    (answer,) = forking.answer(two, "407 Proxy Authentication Required", headers)
    assert answer.line == "SIP/2.0 401 Unauthorized"
    assert answer.message.get_all("WWW-Authenticate") == ['Digest realm="a", nonce="1"', 'Digest realm="c", nonce="3"']
    assert answer.message.get_all("Proxy-Authenticate") == ['Digest realm="b", nonce="2"']


def test_provisional_response_of_a_subscribe_stays_here(bench) -> None:
    (sent,) = bench.request()
    assert bench.answer(sent, "100 Trying") == []
    assert bench.answer(sent, "180 Ringing") == []


def test_silence_is_passed_on_as_silence(bench) -> None:
    """RFC 4320 4.2: no 408 to a request that is no INVITE; only the 100 that its client is owed."""
    bench.request()
    answers = [sent for sent in bench.advance(40) if isinstance(sent.message, Response)]
    assert [(sent.line, sent.at) for sent in answers] == [("SIP/2.0 100 Trying", 3.5)]
    assert bench.failures == [Failure.TIMEOUT]


def test_target_without_sign_of_life_is_reported_in_time(bench) -> None:
    bench.timeout = 5.0
    (sent,) = bench.request()
    bench.advance(4.9)
    assert bench.failures == []
    bench.advance(0.2)
    assert bench.failures == [Failure.TIMEOUT]
    assert bench.answer(sent, "200 OK") == []
    assert bench.engine.counters["late_response"] == 1


def test_any_response_is_a_sign_of_life(bench) -> None:
    bench.timeout = 5.0
    (sent,) = bench.request()
    bench.answer(sent, "100 Trying")
    bench.advance(10)
    assert bench.failures == []
    (answer,) = bench.answer(sent, "200 OK")
    assert answer.line == "SIP/2.0 200 OK"


def test_whoever_takes_a_failure_over_answers_it(bench) -> None:
    bench.take_over = True
    (sent,) = bench.request()
    assert bench.answer(sent, "500 No") == []


# INVITE


def test_ringing_and_every_2xx_of_an_invite_go_upstream(forking) -> None:
    one, two = forking.request("INVITE")
    assert [sent.line for sent in forking.answer(one, "180 Ringing")] == ["SIP/2.0 180 Ringing"]
    assert forking.answer(two, "200 OK", to_tag="x")[0].line == "SIP/2.0 200 OK"
    late = forking.answer(one, "200 OK", to_tag="y")
    assert [sent.message.to.tag for sent in late] == ["y"]


def test_2xx_cancels_the_branch_that_still_rings(forking) -> None:
    one, two = forking.request("INVITE")
    forking.answer(one, "180 Ringing")
    sent = forking.answer(two, "200 OK")
    assert [each.line for each in sent] == ["SIP/2.0 200 OK", "CANCEL sip:bob@192.0.2.31:5060 SIP/2.0"]


def test_6xx_cancels_the_branch_that_still_rings_and_waits_for_it(forking) -> None:
    one, two = forking.request("INVITE")
    forking.answer(one, "180 Ringing")
    sent = forking.answer(two, "603 Decline")
    assert [each.line.split()[0] for each in sent] == ["ACK", "CANCEL"]
    sent = forking.answer(one, "487 Request Terminated")
    assert [each.line for each in sent] == ["ACK sip:bob@192.0.2.31:5060 SIP/2.0", "SIP/2.0 603 Decline"]


def test_cancel_is_answered_and_passed_on(bench) -> None:
    (invite,) = bench.request("INVITE", branch="z9hG4bKinvite")
    bench.answer(invite, "180 Ringing")
    sent = bench.request("CANCEL", branch="z9hG4bKinvite")
    assert [each.line for each in sent] == ["SIP/2.0 200 OK", "CANCEL sip:bob@poc.example SIP/2.0"]
    sent = bench.answer(invite, "487 Request Terminated")
    assert [each.line for each in sent] == ["ACK sip:bob@poc.example SIP/2.0", "SIP/2.0 487 Request Terminated"]


def test_ack_of_a_2xx_is_passed_on_without_a_transaction(bench) -> None:
    (invite,) = bench.request("INVITE")
    bench.answer(invite, "200 OK")
    (ack,) = bench.request("ACK", "Route: <sip:192.0.2.1:5060;lr>", uri="sip:bob@192.0.2.20:5070", to_tag="b")
    assert ack.line == "ACK sip:bob@192.0.2.20:5070 SIP/2.0"
    assert ack.message.get("Route") is None
    assert ack.message.get("Max-Forwards") == "69"
    assert bench.request("ACK", max_forwards=0, uri="sip:bob@192.0.2.20:5070", to_tag="b") == []


def test_invite_without_any_answer_is_408(bench) -> None:
    bench.request("INVITE")
    answers = [sent.line for sent in bench.advance(33) if isinstance(sent.message, Response)]
    assert answers[0] == "SIP/2.0 100 Trying"
    assert answers[1] == "SIP/2.0 408 Request Timeout"


def test_timer_c_ends_an_invite_that_rings_for_ever(bench) -> None:
    (invite,) = bench.request("INVITE")
    bench.answer(invite, "180 Ringing")
    bench.advance(180)
    bench.answer(invite, "181 Call Is Being Forwarded")
    bench.advance(180)
    assert not [sent for sent in bench.sent if sent.line.startswith("CANCEL")]
    assert bench.advance(6)[0].line.startswith("CANCEL")


def test_proxy_forgets_what_is_over(bench) -> None:
    (sent,) = bench.request()
    bench.answer(sent, "200 OK")
    bench.request(cseq=2)
    bench.advance(70)
    assert not bench.proxy._contexts
    assert not bench.engine.clients
    assert not bench.engine.servers


def test_2xx_of_an_invite_that_was_given_up_is_too_late_and_does_no_harm(bench) -> None:
    bench.timeout = 5.0
    (invite,) = bench.request("INVITE")
    assert [sent.line for sent in bench.advance(6) if sent.to != POC][-1] == "SIP/2.0 408 Request Timeout"
    bench.answer(invite, "200 OK")
    assert bench.engine.counters["late_answer"] == 1
