"""RFC 3261 17.1.1 with RFC 6026, and CANCEL (RFC 3261 9.1)."""

INVITE = """
    INVITE sip:bob@192.0.2.9:5070 SIP/2.0
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:bob@ims.example>
    Call-ID: call-1@192.0.2.1
    CSeq: 7 INVITE
    Route: <sip:192.0.2.9:5070;lr>
    Route: <sip:next.example;lr>
    Contact: <sip:alice@192.0.2.1>
    Content-Length: 0
"""


def test_timer_a_doubles_without_limit_until_timer_b(bench) -> None:
    bench.send(INVITE)
    bench.advance(40)
    assert bench.send_times() == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.results() == ["TIMEOUT"]
    assert bench.outcomes[0][0] == 1032.0


def test_a_rejection_is_acknowledged_on_the_branch_of_the_invite(bench) -> None:
    bench.send(INVITE)
    answer = bench.answer_to_last("486 Busy Here")
    assert bench.receive(answer) == ["ACK sip:bob@192.0.2.9:5070 SIP/2.0"]
    assert bench.results() == [486]
    assert bench.sent[1][1].flow == bench.sent[0][1].flow
    assert bench.sent[1][1].data.decode() == (
        "ACK sip:bob@192.0.2.9:5070 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtoken1;rport\r\n"
        "Max-Forwards: 70\r\n"
        "Route: <sip:192.0.2.9:5070;lr>\r\n"
        "Route: <sip:next.example;lr>\r\n"
        "From: <sip:alice@ims.example>;tag=a1\r\n"
        "To: <sip:bob@ims.example>;tag=peer\r\n"
        "Call-ID: call-1@192.0.2.1\r\n"
        "CSeq: 7 ACK\r\n"
        "Content-Length: 0\r\n\r\n"
    )


def test_a_2xx_is_not_acknowledged_and_each_copy_reaches_the_handler_until_timer_m(bench) -> None:
    bench.send(INVITE)
    answer = bench.answer_to_last("200 OK")
    assert bench.receive(answer) == []
    assert bench.receive(answer.replace("tag=peer", "tag=otherbranch")) == []
    assert bench.results() == [200, 200]
    bench.advance(32)
    assert not bench.engine.clients
    bench.receive(answer)
    assert bench.results() == [200, 200]
    assert bench.engine.counters["stray_response"] == 1


def test_cancel_waits_for_a_provisional_response(bench) -> None:
    bench.send(INVITE)
    answer = bench.answer_to_last("180 Ringing")
    bench.transaction.cancel(bench.now)
    assert bench.collect() == []
    assert bench.receive(answer) == ["CANCEL sip:bob@192.0.2.9:5070 SIP/2.0"]
    assert bench.last.get("CSeq") == "7 CANCEL"
    assert bench.last.get("To") == "<sip:bob@ims.example>"
    assert bench.last.get_all("Route") == ["<sip:192.0.2.9:5070;lr>", "<sip:next.example;lr>"]
    assert str(bench.last.via) == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtoken1;rport"


def test_cancel_is_repeated_until_answered_and_the_487_ends_the_invite(bench) -> None:
    bench.send(INVITE)
    bench.receive(bench.answer_to_last("180 Ringing"))
    rejection = bench.answer_to_last("487 Request Terminated")
    bench.transaction.cancel(bench.now)
    bench.transaction.cancel(bench.now)
    assert bench.collect() == ["CANCEL sip:bob@192.0.2.9:5070 SIP/2.0"]
    assert bench.advance(0.5) == ["CANCEL sip:bob@192.0.2.9:5070 SIP/2.0"]
    bench.receive(bench.answer_to_last("200 OK"))
    assert bench.receive(rejection) == ["ACK sip:bob@192.0.2.9:5070 SIP/2.0"]
    assert bench.advance(100) == []
    assert bench.results() == [180, 487]
    assert not bench.engine.clients


def test_a_cancelled_invite_that_is_never_answered_times_out_after_64_t1(bench) -> None:
    bench.send(INVITE)
    bench.receive(bench.answer_to_last("180 Ringing"))
    bench.advance(10)
    bench.transaction.cancel(bench.now)
    bench.advance(40)
    assert bench.results() == [180, "TIMEOUT"]
    assert bench.outcomes[-1][0] == 1042.0
