"""RFC 3261 17.2.2 and RFC 4320 4."""

import pytest

REGISTER = """
    REGISTER sip:ims.example SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKone;rport
    Max-Forwards: 70
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:alice@ims.example>
    Call-ID: reg-1@192.0.2.9
    CSeq: 1 REGISTER
    Content-Length: 0
"""


def test_a_retransmitted_register_gets_the_stored_401(bench) -> None:
    bench.receive(REGISTER)
    bench.respond(401, to_tag="t1")
    assert bench.receive(REGISTER) == ["SIP/2.0 401 Unauthorized"]
    assert bench.sent[0][1].data == bench.sent[1][1].data
    assert len(bench.user.requests) == 1
    assert bench.engine.counters["retransmission"] == 1


def test_the_authenticated_register_with_the_branch_of_the_first_is_a_new_request(bench) -> None:
    bench.receive(REGISTER)
    bench.respond(401, to_tag="t1")
    assert bench.receive(REGISTER.replace("CSeq: 1", "CSeq: 2")) == []
    assert len(bench.user.requests) == 2


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_an_undecided_user_makes_a_100_at_3_5_seconds(make_bench, transport: str) -> None:
    bench = make_bench(transport)
    bench.receive(REGISTER)
    assert bench.advance(3.49) == []
    assert bench.advance(0.01) == ["SIP/2.0 100 Trying"]
    assert bench.last.to.tag is None
    assert bench.receive(REGISTER) == ["SIP/2.0 100 Trying"]
    assert bench.respond(200, to_tag="t1") == ["SIP/2.0 200 OK"]


def test_a_decided_user_makes_no_100(bench) -> None:
    bench.receive(REGISTER)
    bench.respond(200, to_tag="t1")
    assert bench.advance(31) == []


def test_the_100_carries_the_timestamp(bench) -> None:
    bench.receive(REGISTER + "    Timestamp: 54\n")
    bench.advance(4)
    assert bench.last.get("Timestamp") == "54"


@pytest.mark.parametrize(("transport", "status", "sent"), [("UDP", 100, 0), ("UDP", 180, 0), ("TCP", 100, 1)])
def test_only_a_100_may_be_provisional_and_over_udp_not_early(make_bench, transport, status: int, sent: int) -> None:
    bench = make_bench(transport)
    bench.receive(REGISTER)
    assert len(bench.respond(status)) == sent
    assert bench.engine.counters["withheld_provisional"] == 1 - sent


def test_a_100_of_the_user_may_follow_after_3_5_seconds(bench) -> None:
    bench.receive(REGISTER)
    bench.advance(4)
    assert bench.respond(100) == ["SIP/2.0 100 Trying"]


def test_a_response_after_the_client_gave_up_is_dropped(bench) -> None:
    bench.receive(REGISTER)
    bench.advance(32)
    assert bench.engine.counters["abandoned"] == 1
    assert not bench.engine.servers
    assert bench.respond(200, to_tag="t1") == []
    assert bench.engine.counters["late_answer"] == 1


def test_the_to_tag_of_a_transaction_is_made_once(bench) -> None:
    bench.receive(REGISTER)
    transaction = bench.user.requests[0]
    assert transaction.to_tag == "token1"
    assert transaction.to_tag == "token1"
    assert transaction.listener == "main"


def test_the_to_tag_of_an_in_dialog_request_is_its_own(bench) -> None:
    bench.receive(REGISTER.replace("To: <sip:alice@ims.example>", "To: <sip:alice@ims.example>;tag=theirs"))
    assert bench.user.requests[0].to_tag == "theirs"


def test_a_transport_failure_leaves_the_stored_answer(bench) -> None:
    bench.receive(REGISTER)
    bench.respond(200, to_tag="t1")
    bench.engine.transport_failed(bench.flow, bench.now, bench.last)
    assert bench.receive(REGISTER) == ["SIP/2.0 200 OK"]


def test_what_was_answered_is_kept_as_bytes_alone(bench) -> None:
    much = "\n".join(["Subject: " + "x" * 6000] * 10)
    bench.receive(REGISTER.replace("Content-Length: 0", much))
    bench.respond(401, to_tag="t1")
    (transaction,) = bench.engine.servers.values()
    assert len(transaction.request.to_bytes()) < 100
    assert transaction.to_tag == "t1"
    assert bench.receive(REGISTER) == ["SIP/2.0 401 Unauthorized"]
    assert bench.sent[0][1].data == bench.sent[1][1].data
