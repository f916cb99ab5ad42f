"""RFC 3263 4.3: a request whose target fails goes to the next one, under a new branch."""

import pytest

from talkburst.sip.engine import Connect, Send
from talkburst.sip.flow import Listener
from talkburst.sip.locating import Located
from talkburst.sip.message import Request, Response, response_to

FIRST, SECOND, THIRD = (Located("UDP", (f"192.0.2.{number}", 5060)) for number in (81, 82, 83))


def request(method: str = "OPTIONS", uri: str = "sip:poc.example") -> str:
    return "\n".join(
        [
            f"{method} {uri} SIP/2.0",
            "From: <sip:a@x>;tag=1",
            "To: <sip:b@x>",
            "Call-ID: c1",
            f"CSeq: 1 {method}",
            "Content-Length: 4",
            "",
            "body",
        ]
    )


def resolve(bench, *targets: Located) -> list[str]:
    """The name that was asked for last stands for these."""
    bench.engine.resolved(bench.resolves[-1].token, targets, bench.now)
    return bench.collect()


def went_to(bench) -> list[str]:
    """The last octets of where messages went, each once in a row."""
    octets = [send.flow.remote[0].rpartition(".")[2] for _, send in bench.sent]
    return [each for number, each in enumerate(octets) if number == 0 or octets[number - 1] != each]


def branches(bench) -> list[str]:
    return list(
        dict.fromkeys(send.message.via.branch for _, send in bench.sent if not isinstance(send.message, Response))
    )


def refuse(bench) -> list[str]:
    """ICMP: the last way leads nowhere."""
    bench.engine.transport_failed(bench.sent[-1][1].flow, bench.now)
    return bench.collect()


def test_a_refused_target_is_followed_by_the_next_with_a_new_branch_and_the_same_request(bench) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    assert refuse(bench) == ["OPTIONS sip:poc.example SIP/2.0"]
    assert (went_to(bench), bench.results()) == (["81", "82"], [])
    first, second = (send.data for _, send in bench.sent)
    old, new = branches(bench)
    assert old != new
    assert first.replace(old.encode(), new.encode()) == second
    bench.receive(bench.answer_to_last("200 OK"))
    assert bench.results() == [200]
    assert not bench.advance(40)
    assert not bench.engine.clients


def test_silence_is_a_failure_after_64_t1(bench) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    bench.advance(31.9)
    assert went_to(bench) == ["81"]
    bench.advance(0.2)
    assert went_to(bench) == ["81", "82"]
    bench.sent.clear()
    bench.advance(1.5)
    assert [round(at - 1032, 3) for at, _ in bench.sent] == [0.5, 1.5], "Timer E begins again with T1"
    bench.receive(bench.answer_to_last("200 OK"))
    assert bench.results() == [200]


@pytest.mark.parametrize(
    ("status", "goes_to", "outcome"),
    [
        ("503 Service Unavailable", ["81", "82"], []),
        ("500 Server Internal Error", ["81"], [500]),
        ("486 Busy Here", ["81"], [486]),
        ("603 Decline", ["81"], [603]),
    ],
)
def test_a_503_is_a_failure_and_no_other_answer_is(bench, status: str, goes_to: list[str], outcome: list[int]) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    bench.receive(bench.answer_to_last(status))
    assert (went_to(bench), bench.results()) == (goes_to, outcome)


def test_the_outcome_is_that_of_the_last_target(bench) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND, THIRD)
    refuse(bench)
    bench.receive(bench.answer_to_last("503 Service Unavailable"))
    assert bench.results() == []
    refuse(bench)
    assert (went_to(bench), bench.results()) == (["81", "82", "83"], ["TRANSPORT"])


def test_a_last_503_reaches_the_user_as_it_is(bench) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    for _ in range(2):
        bench.receive(bench.answer_to_last("503 Service Unavailable"))
    assert bench.results() == [503]


def test_a_target_that_has_shown_life_is_left_for_a_503_alone(bench) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    bench.receive(bench.answer_to_last("100 Trying"))
    refuse(bench)
    assert (went_to(bench), bench.results()) == (["81"], [100, "TRANSPORT"])
    bench.outcomes.clear()
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    bench.receive(bench.answer_to_last("100 Trying"))
    bench.receive(bench.answer_to_last("503 Service Unavailable"))
    bench.receive(bench.answer_to_last("200 OK"))
    assert bench.results() == [100, 200]


def test_an_answer_of_the_first_target_that_comes_late_is_a_stray(bench) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    late = bench.answer_to_last("200 OK")
    refuse(bench)
    bench.receive(late)
    assert bench.results() == []
    assert bench.engine.counters["stray_response"] == 1


@pytest.mark.parametrize("timeout", [6.0])
def test_a_timeout_is_shared_between_the_targets(bench, timeout: float) -> None:
    bench.send(request(), timeout=timeout)
    resolve(bench, FIRST, SECOND, THIRD)
    bench.advance(1.99)
    assert went_to(bench) == ["81"]
    bench.advance(0.02)
    assert went_to(bench) == ["81", "82"]
    bench.advance(3.98)
    assert went_to(bench) == ["81", "82", "83"]
    assert bench.results() == []
    bench.advance(0.02)
    assert bench.results() == ["TIMEOUT"]
    bench.sent.clear()
    bench.advance(70)
    assert went_to(bench) == ["83"], "nobody waits any more: no other is asked"
    assert not bench.engine.clients


def test_a_target_that_answers_in_its_share_keeps_the_request(bench) -> None:
    bench.send(request(), timeout=6.0)
    resolve(bench, FIRST, SECOND)
    bench.receive(bench.answer_to_last("100 Trying"))
    bench.advance(5.9)
    assert went_to(bench) == ["81"]


def test_all_targets_together_have_a_bounded_time(bench) -> None:
    """Eight that are silent do not keep their user waiting for more than two times Timer F."""
    bench.send(request())
    resolve(bench, *(Located("UDP", (f"192.0.2.{number}", 5060)) for number in range(81, 89)))
    bench.advance(64)
    assert bench.results() == ["TIMEOUT"]
    assert went_to(bench) == ["81", "82"]


def test_a_target_that_failed_is_tried_last_for_a_minute(bench) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    refuse(bench)
    bench.receive(bench.answer_to_last("200 OK"))
    for later, expected in ((59, "82"), (1.1, "81")):
        bench.advance(later)
        bench.sent.clear()
        bench.send(request())
        resolve(bench, FIRST, SECOND)
        assert went_to(bench) == [expected]
        bench.receive(bench.answer_to_last("200 OK"))


def test_where_every_target_failed_lately_they_are_tried_all_the_same(bench) -> None:
    for _ in range(2):
        bench.sent.clear()
        bench.send(request())
        resolve(bench, FIRST, SECOND)
        refuse(bench)
        refuse(bench)
        assert went_to(bench) == ["81", "82"]
    assert bench.results() == ["TRANSPORT"] * 2


@pytest.mark.parametrize(("asked", "seconds"), [("Retry-After: 7", 7), ("Retry-After: 999999", 3600)])
def test_a_503_says_how_long_it_is_to_be_left_alone_within_an_hour(bench, asked: str, seconds: float) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    answer = bench.answer_to_last("503 Service Unavailable")
    bench.receive(answer.replace("Content-Length", f"{asked}\nContent-Length"))
    for later, expected in ((seconds - 1, "82"), (1.1, "81")):
        bench.advance(later)
        bench.sent.clear()
        bench.send(request())
        resolve(bench, FIRST, SECOND)
        assert went_to(bench) == [expected]
        bench.receive(bench.answer_to_last("200 OK"))


def test_what_is_remembered_of_failures_is_bounded(bench) -> None:
    for number in range(1100):
        bench.send(request())
        target = Located("UDP", (f"10.0.{number // 250}.{number % 250}", 5060))
        resolve(bench, target, SECOND)
        refuse(bench)
        bench.transaction.abandon(bench.now)
    assert len(bench.engine._outbound.avoided) == 1024


def test_a_user_that_gave_up_has_nothing_sent_to_a_next_target(bench) -> None:
    bench.send(request())
    resolve(bench, FIRST, SECOND)
    bench.transaction.abandon(bench.now)
    refuse(bench)
    bench.advance(70)
    assert went_to(bench) == ["81"]


# INVITE


def test_a_refused_invite_is_acknowledged_as_often_as_the_refusal_comes_and_goes_to_the_next_target(bench) -> None:
    bench.send(request("INVITE"))
    resolve(bench, FIRST, SECOND)
    refusal = bench.answer_to_last("503 Service Unavailable")
    assert bench.receive(refusal) == ["ACK sip:poc.example SIP/2.0", "INVITE sip:poc.example SIP/2.0"]
    ack, invite = (send for _, send in bench.sent[-2:])
    assert (ack.flow.remote, invite.flow.remote) == (FIRST.address, SECOND.address)
    assert ack.message.via.branch == bench.sent[0][1].message.via.branch != invite.message.via.branch
    assert bench.receive(refusal) == ["ACK sip:poc.example SIP/2.0"]
    assert bench.sent[-1][1].data == ack.data
    bench.sent.append((bench.now, invite))
    bench.receive(bench.answer_to_last("200 OK"))
    assert bench.results() == [200]
    bench.advance(60)
    assert not bench.engine.clients


def test_a_cancelled_invite_goes_nowhere_else(bench) -> None:
    bench.send(request("INVITE"))
    resolve(bench, FIRST, SECOND)
    bench.transaction.cancel(bench.now)
    refuse(bench)
    assert (went_to(bench), bench.results()) == (["81"], ["TRANSPORT"])


def test_a_cancel_follows_the_invite_to_the_target_that_has_it(bench) -> None:
    bench.send(request("INVITE"))
    resolve(bench, FIRST, SECOND)
    refuse(bench)
    bench.receive(bench.answer_to_last("180 Ringing"))
    bench.transaction.cancel(bench.now)
    assert bench.collect() == ["CANCEL sip:poc.example SIP/2.0"]
    _, cancel = bench.sent[-1]
    assert cancel.flow.remote == SECOND.address
    assert cancel.message.via.branch == bench.transaction.key.split()[0].replace("z9hg4bk", "z9hG4bK")


# Connections


class Both:
    """An engine that listens on UDP and TCP."""

    def __init__(self, make_bench) -> None:
        self.bench = make_bench()
        self.bench.engine.add_listener(Listener("main", "TCP", "192.0.2.1", 5060, ("192.0.2.1", 5060)))

    def send(self, size: int, *targets: Located):
        bench = self.bench
        text = request().replace("Content-Length: 4", f"X: {'x' * size}\nContent-Length: 4")
        bench.send(text)
        bench.engine.resolved(bench.resolves[-1].token, targets, bench.now)
        return self.take()

    def take(self):
        return self.bench.engine.take()


@pytest.fixture
def both(make_bench) -> Both:
    return Both(make_bench)


TCP_FIRST, TCP_SECOND = (Located("TCP", target.address) for target in (FIRST, SECOND))


def test_a_refused_connection_leads_to_the_next_target_and_its_transport(both) -> None:
    (connect,) = both.send(10, TCP_FIRST, SECOND)
    assert connect == Connect(connect.flow)
    assert (connect.flow.transport, connect.flow.remote) == FIRST._replace(transport="TCP")
    both.bench.engine.transport_failed(connect.flow, both.bench.now)
    (send,) = both.take()
    assert (send.flow.transport, send.flow.remote) == SECOND
    assert send.message.via.transport == "UDP"
    both.bench.engine.receive(response_to(send.message, 200).to_bytes(), send.flow, both.bench.now)
    assert both.bench.results() == [200]


def test_a_connection_that_is_reset_leads_to_the_next_target_with_a_new_branch(both) -> None:
    (connect,) = both.send(10, TCP_FIRST, TCP_SECOND)
    both.bench.engine.connected(connect.flow, both.bench.now)
    (first,) = both.take()
    both.bench.engine.transport_failed(connect.flow, both.bench.now)
    (connect,) = both.take()
    assert connect.flow.remote == SECOND.address
    both.bench.engine.connected(connect.flow, both.bench.now)
    (second,) = both.take()
    assert first.message.via.branch != second.message.via.branch
    assert second.data.endswith(b"body")


def test_a_large_request_goes_by_tcp_and_udp_to_one_target_before_the_next_is_tried(both) -> None:
    """RFC 3261 18.1.1 is about the transport of one target, RFC 3263 4.3 about the next one."""
    (connect,) = both.send(1300, FIRST, SECOND)
    assert (connect.flow.transport, connect.flow.remote) == ("TCP", FIRST.address)
    both.bench.engine.transport_failed(connect.flow, both.bench.now)
    (send,) = both.take()
    assert isinstance(send, Send)
    assert (send.flow.transport, send.flow.remote) == FIRST
    both.bench.engine.transport_failed(send.flow, both.bench.now)
    (connect,) = both.take()
    assert (connect.flow.transport, connect.flow.remote) == ("TCP", SECOND.address)
    both.bench.engine.connected(connect.flow, both.bench.now)
    (by_tcp,) = both.take()
    both.bench.engine.transport_failed(connect.flow, both.bench.now)
    (by_udp,) = both.take()
    assert (by_udp.flow.transport, by_udp.flow.remote) == SECOND
    assert by_udp.data.endswith(b"body")
    assert len({each.message.via.branch for each in (send, by_tcp, by_udp)}) == 3
    both.bench.engine.receive(response_to(by_udp.message, 200).to_bytes(), by_udp.flow, both.bench.now)
    assert both.bench.results() == [200]


def test_targets_that_no_listener_can_reach_are_passed_over(both) -> None:
    tls, six = Located("TLS", FIRST.address), Located("UDP", ("2001:db8::1", 5060))
    (send,) = both.send(10, tls, six, SECOND)
    assert send.flow.remote == SECOND.address
    both.send(10, tls, six)
    assert both.bench.results() == ["TRANSPORT"]


def test_a_side_with_listeners_of_both_families_reaches_both(make_bench) -> None:
    bench = make_bench()
    bench.engine.add_listener(Listener("main/2", "UDP", "2001:db8::5", 5062, ("2001:db8::5", 5062)))
    bench.send(request())
    assert bench.resolves[0].wanted.families == (6, 4)
    resolve(bench, Located("UDP", ("2001:db8::1", 5060)), SECOND)
    refuse(bench)
    assert [(send.flow.listener, send.message.via.sent_by) for _, send in bench.sent] == [
        ("main/2", "[2001:db8::5]:5062"),
        ("main", "192.0.2.1:5060"),
    ]
    bench.send(request(uri="sip:[2001:db8::1]"))
    assert bench.sent[-1][1].flow.listener == "main/2", "and so it does where there is no name"


def test_an_ack_of_a_2xx_goes_to_the_first_target_that_takes_a_connection(both) -> None:
    bench = both.bench
    fields = [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>;tag=2"), ("Call-ID", "c1"), ("CSeq", "1 ACK")]
    bench.engine.send_stateless(Request("ACK", "sip:poc.example", fields), bench.now)
    bench.collect()
    bench.engine.resolved(bench.resolves[-1].token, [TCP_FIRST, SECOND], bench.now)
    (connect,) = both.take()
    bench.engine.transport_failed(connect.flow, bench.now)
    (send,) = both.take()
    assert (send.flow.transport, send.flow.remote) == SECOND
