"""What the branches of an INVITE are told and what is made of their answers (RFC 3261 16.7 and 16.8, RFC 3326)."""

import pytest

from talkburst.sip.locating import Located
from talkburst.sip.message import Response
from talkburst.sip.proxy import Target
from talkburst.sip.timers import Timers

ALICE = ("192.0.2.10", 5090)
INVITE = {"branch": "z9hG4bKcall"}


def requests(sent, method: str):
    return [each.message for each in sent if each.line.startswith(f"{method} ")]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("200 OK", 'SIP;cause=200;text="Call completed elsewhere"'),
        ("600 x", 'SIP;cause=600;text="Busy Everywhere"'),
        ("603 Nobody", 'SIP;cause=603;text="Decline"'),
        ("699 x", 'SIP;cause=699;text="Global Failure"'),
    ],
)
def test_cancel_says_which_answer_of_another_branch_it_is_for(forking, status: str, reason: str) -> None:
    """RFC 3326 3.1: a call that was answered elsewhere is no missed one."""
    rings, decides = forking.request("INVITE")
    forking.answer(rings, "180 Ringing")
    (cancel,) = requests(forking.answer(decides, status), "CANCEL")
    assert cancel.get_all("Reason") == [reason]


def test_cancel_says_so_too_when_it_had_to_wait(forking) -> None:
    late, decides = forking.request("INVITE")
    forking.answer(decides, "200 OK")
    (cancel,) = requests(forking.answer(late, "100 Trying"), "CANCEL")
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'


def test_cancel_for_the_caller_gives_no_reason(bench) -> None:
    (invite,) = bench.request("INVITE", **INVITE)
    bench.answer(invite, "180 Ringing")
    (cancel,) = requests(bench.request("CANCEL", **INVITE), "CANCEL")
    assert cancel.get("Reason") is None


def test_reason_of_the_caller_goes_on_to_every_branch(forking) -> None:
    """RFC 3326 2."""
    for each in forking.request("INVITE", **INVITE):
        forking.answer(each, "180 Ringing")
    reasons = 'Reason: SIP;cause=200;text="Call completed elsewhere"\nReason: Q.850;cause=26'
    cancels = requests(forking.request("CANCEL", reasons, **INVITE), "CANCEL")
    assert [each.values("Reason") for each in cancels] == [
        ['SIP;cause=200;text="Call completed elsewhere"', "Q.850;cause=26"]
    ] * 2


def test_cancel_and_ack_have_what_ties_them_to_their_invite(bench) -> None:
    """RFC 3261 9.1 and 17.1.1.3: one Via, the same Request-URI, Call-ID, From, To and CSeq number, the same Route."""
    bench.targets = [Target("servers", "sip:bob@192.0.2.31", ("<sip:192.0.2.40;lr>",))]
    (sent,) = bench.request("INVITE", "Require: 100rel\nProxy-Authorization: Digest x=y", **INVITE)
    invite = sent.message
    bench.answer(sent, "180 Ringing")
    (cancel,) = requests(bench.request("CANCEL", **INVITE), "CANCEL")
    (ack,) = requests(bench.answer(sent, "487 Request Terminated"), "ACK")
    for companion in (cancel, ack):
        assert companion.uri == invite.uri
        assert companion.get_all("Via") == invite.get_all("Via")[:1]
        assert companion.cseq.number == invite.cseq.number
        for name in ("From", "Call-ID", "Route"):
            assert companion.get_all(name) == invite.get_all(name)
        assert companion.get("Require") is companion.get("Proxy-Authorization") is companion.get("Max-Breadth") is None
    assert cancel.get("To") == invite.get("To")
    assert ack.to.tag == "b"


def test_challenges_of_all_branches_of_an_invite_are_put_together(bench, make_call) -> None:
    """RFC 3261 16.7 step 7, unchanged and in full; what is no challenge is left out."""
    call = make_call(bench, "abc")
    call.play("INVITE > a INVITE, b INVITE, c INVITE")
    one, two, three = bench.sent
    digest = 'Digest realm="{}", nonce="1", algorithm={}, qop="auth"'
    bench.answer(one, "407 x", f"Proxy-Authenticate: {digest.format('a', 'SHA-256')}\nProxy-Authenticate: Odd x y")
    bench.answer(two, "404 x", 'WWW-Authenticate: Digest realm="no", nonce="challenge"')
    answer = bench.answer(three, "401 x", f"WWW-Authenticate: {digest.format('c', 'MD5')}")[-1]
    assert (answer.message.status, answer.to) == (401, ALICE)
    assert answer.message.get_all("WWW-Authenticate") == [digest.format("c", "MD5")]
    assert answer.message.get_all("Proxy-Authenticate") == [digest.format("a", "SHA-256"), "Odd x y"]


def test_redirection_is_for_the_caller(forking) -> None:
    """RFC 3261 16.7 step 4: whoever does not follow it leaves its Contact alone."""
    one, two = forking.request("INVITE")
    forking.answer(one, "302 Moved", "Contact: <sip:bob@192.0.2.77>;q=0.5, <mailto:bob@example>")
    answer = forking.answer(two, "404 Not Found")[-1]
    assert answer.line == "SIP/2.0 302 Moved"
    assert answer.message.get_all("Contact") == ["<sip:bob@192.0.2.77>;q=0.5, <mailto:bob@example>"]


def test_answer_of_one_branch_keeps_its_tag_and_its_order_of_via(forking) -> None:
    one, two = forking.request("INVITE", "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKfirst")
    tags = [forking.answer(each, "180 Ringing", to_tag=tag)[0].message.to.tag for each, tag in ((one, "x"), (two, "y"))]
    assert tags == ["x", "y"]
    answer, _ = forking.answer(two, "200 OK", to_tag="z")
    assert answer.message.get_all("Via")[1:] == ["SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKfirst"]


@pytest.fixture
def patient(make_bench):
    """T1 is so long that Timer C comes before Timer B."""
    return make_bench(Timers(t1=5.0))


def test_timer_c_of_a_branch_that_never_said_anything_is_408(patient) -> None:
    """RFC 3261 16.8: there is nothing that could be cancelled."""
    (invite,) = patient.request("INVITE")
    sent = patient.advance(186)
    assert not requests(sent, "CANCEL")
    assert [(each.line, each.at) for each in sent if each.to == ALICE][-1] == ("SIP/2.0 408 Request Timeout", 185.0)
    assert requests(patient.answer(invite, "180 Ringing"), "CANCEL"), "it rings after all"
    assert requests(patient.answer(invite, "487 Request Terminated"), "ACK")


def test_timer_c_of_one_silent_branch_leaves_the_others_alone(patient, make_call) -> None:
    make_call(patient, "ab").play("""
        INVITE > a INVITE, b INVITE
        b 180 > up 180
        +184 >
        b 180 > up 180
        +2 >
        b 200 > up 200
    """)


def unresolved(bench):
    bench.targets = [Target("servers", "sip:bob@somewhere.example")]
    bench.request("INVITE", **INVITE)
    (question,) = bench.resolving
    return question


def test_invite_that_is_cancelled_before_it_leaves_never_does(bench) -> None:
    """RFC 3261 9.1 has a CANCEL wait for a provisional response; an INVITE that nobody got needs none."""
    question = unresolved(bench)
    sent = bench.request("CANCEL", **INVITE)
    assert [each.line for each in sent] == ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]
    bench.engine.resolved(question.token, [Located("UDP", ("192.0.2.31", 5060))], bench.now)
    assert bench.collect() == []
    assert not bench.engine.clients


def test_timer_c_runs_while_a_name_is_resolved(bench) -> None:
    unresolved(bench)
    sent = bench.advance(186)
    assert [(each.line, each.at) for each in sent] == [
        ("SIP/2.0 100 Trying", 0.2),
        ("SIP/2.0 408 Request Timeout", 185.0),
        *[("SIP/2.0 408 Request Timeout", at) for at in (185.5,)],
    ]
    assert not bench.engine.clients


def test_nobody_takes_over_what_the_caller_gave_up(bench) -> None:
    """RFC 3261 16.10: a CANCEL ends the search, whatever would be tried next."""
    bench.timeout, bench.take_over = 5.0, True
    bench.request("INVITE", **INVITE)
    bench.request("CANCEL", **INVITE)
    answers = [each.line for each in bench.advance(5.1) if isinstance(each.message, Response)]
    assert answers == ["SIP/2.0 100 Trying", "SIP/2.0 487 Request Terminated"]
    assert bench.failures == []


def test_nobody_takes_over_what_fails_after_the_caller_gave_up(bench) -> None:
    bench.take_over = True
    (invite,) = bench.request("INVITE", **INVITE)
    bench.request("CANCEL", **INVITE)
    assert bench.answer(invite, "500 Broken")[-1].line == "SIP/2.0 500 Broken"
    assert bench.failures == []


def test_cancel_of_nothing_that_was_forwarded_is_481(bench) -> None:
    (answer,) = bench.request("CANCEL", branch="z9hG4bKunknown")
    assert answer.line == "SIP/2.0 481 Call/Transaction Does Not Exist"


def test_refusal_of_a_cancel_changes_nothing(bench) -> None:
    """Its answer was meant for us (RFC 3261 16.7 step 3)."""
    (invite,) = bench.request("INVITE", **INVITE)
    bench.answer(invite, "180 Ringing")
    cancel = next(each for each in bench.request("CANCEL", **INVITE) if each.line.startswith("CANCEL"))
    assert bench.answer(cancel, "481 Call/Transaction Does Not Exist") == []
    assert [each.line for each in bench.answer(invite, "200 OK")] == ["SIP/2.0 200 OK"]
