"""RFC 3261 17.2.1 with RFC 6026, CANCEL (RFC 3261 9.2) and the RFC 2543 rules."""

INVITE = """
    INVITE sip:bob@192.0.2.1 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKinv;rport
    Max-Forwards: 70
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:bob@ims.example>
    Call-ID: call-1@192.0.2.9
    CSeq: 7 INVITE
    Contact: <sip:alice@192.0.2.9:5070>
    Content-Length: 0
"""
ACK = INVITE.replace("INVITE", "ACK").replace("bob@ims.example>", "bob@ims.example>;tag=t1")
CANCEL = INVITE.replace("INVITE", "CANCEL")
BUSY = "SIP/2.0 486 Busy Here"


def test_a_100_is_sent_after_200_ms_when_the_user_is_silent(bench) -> None:
    bench.receive(INVITE)
    assert bench.advance(0.19) == []
    assert bench.advance(0.01) == ["SIP/2.0 100 Trying"]
    assert bench.receive(INVITE) == ["SIP/2.0 100 Trying"]
    assert bench.advance(400) == [], "the user may take its time"


def test_a_rejection_is_repeated_by_timer_g_until_timer_h(bench) -> None:
    bench.receive(INVITE)
    bench.respond(486, to_tag="t1")
    bench.advance(40)
    assert bench.send_times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.engine.counters["unacknowledged"] == 1
    assert not bench.engine.servers


def test_the_ack_of_a_2xx_reaches_the_user_with_and_without_a_branch_of_its_own(bench) -> None:
    bench.receive(INVITE)
    bench.respond(200, to_tag="t1")
    bench.receive(ACK.replace("z9hG4bKinv", "z9hG4bKack"))
    bench.receive(ACK)
    assert [ack.method for ack in bench.user.acks] == ["ACK", "ACK"]


def test_cancel_is_answered_200_and_told_to_the_user(bench) -> None:
    bench.receive(INVITE)
    bench.respond(180, to_tag="t1")
    assert bench.receive(CANCEL) == ["SIP/2.0 200 OK"]
    assert bench.last.get("CSeq") == "7 CANCEL"
    assert bench.last.to.tag == "t1", "the tag of the INVITE's responses"
    assert bench.user.cancelled == bench.user.requests
    assert bench.receive(CANCEL) == ["SIP/2.0 200 OK"]
    assert len(bench.user.cancelled) == 1
    assert bench.respond(487, to_tag="t1") == ["SIP/2.0 487 Request Terminated"]


def test_a_cancel_that_comes_too_late_is_answered_and_told_nobody(bench) -> None:
    bench.receive(INVITE)
    bench.respond(486, to_tag="t1")
    assert bench.receive(CANCEL) == ["SIP/2.0 200 OK"]
    assert bench.user.cancelled == []


def test_a_cancel_of_nothing_is_answered_481(bench) -> None:
    assert bench.receive(CANCEL) == ["SIP/2.0 481 Call/Transaction Does Not Exist"]
    assert bench.last.to.tag is not None
    assert bench.user.requests == []
