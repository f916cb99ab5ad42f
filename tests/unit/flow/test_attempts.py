"""Rule 5: another attempt of the same step, the last of which is judged."""

from dataclasses import replace

import pytest


def again(recording, step, suffix, **changes):
    """The message of a step as an earlier attempt: another branch, and earlier by some milliseconds."""
    shot = recording.step(step)
    payload = shot.payload
    for old, new in changes.get("edits", ()):
        assert old in payload
        payload = payload.replace(old, new)
    payload = payload.replace(b"branch=z9hG4bK-a-", b"branch=z9hG4bK-" + suffix.encode() + b"-")
    return replace(shot, step=None, payload=payload, time=shot.time - changes.get("before", 0.004))


def refused(recording, answer_step, suffix, line, **changes):
    """The answer to such an attempt."""
    edits = [(b"200 OK", line.encode()), *changes.get("edits", ())]
    return again(recording, answer_step, suffix, edits=edits, before=changes["before"])


ATTEMPTS = [
    (12, 13, "407 Proxy Authentication Required"),
    (16, 19, "503 Service Unavailable"),
    (12, 13, "423 Interval Too Brief"),
    (24, 27, "412 Conditional Request Failed"),
    (7, 8, "401 Unauthorized"),
    (16, 19, "500 Next Hop Unreachable"),
    (16, 19, "504 Server Time-out"),
]


@pytest.mark.parametrize(("request_step", "answer_step", "line"), ATTEMPTS)
def test_the_attempt_after_a_retryable_answer_is_judged(right, judge, request_step, answer_step, line):
    recording = right.later(0)
    cseq = [(b"CSeq: 1 ", b"CSeq: 0 ")]
    recording.shots.append(again(right, request_step, "first", edits=cseq))
    gap = right.at(answer_step) - right.at(request_step)
    recording.shots.append(refused(right, answer_step, "first", line, edits=cseq, before=gap + 0.002))
    report = judge(recording.frames())
    assert report.verdict == "pass", [step.why for step in report.steps]
    assert any(f"was answered {line}" in note for note in report.steps[request_step - 1].notes)
    assert report.steps[request_step - 1].time == right.step(request_step).time


def test_an_answer_that_is_not_retryable_fails_although_a_second_request_follows(right, judge):
    recording = right.later(0)
    cseq = [(b"CSeq: 1 ", b"CSeq: 0 ")]
    recording.shots.append(again(right, 12, "first", edits=cseq))
    recording.shots.append(refused(right, 13, "first", "480 Gone", edits=cseq, before=0.012))
    report = judge(recording.frames())
    assert report.first_failure == 13
    assert "480 Gone came in place of 200" in report.steps[12].why


def test_a_last_attempt_that_is_refused_too_fails(right, judge):
    report = judge(right.change((13,), "200 OK", "407 Proxy Authentication Required").frames())
    assert report.first_failure == 13
    assert "407 Proxy Authentication Required came in place of 200" in report.steps[12].why


def test_a_request_that_changes_to_tcp_is_another_attempt(right, judge):
    recording = right.later(0)
    recording.shots.append(again(right, 16, "udp"))
    shots = [
        replace(
            shot, transport="TCP", payload=shot.payload.replace(b"SIP/2.0/UDP 192.0.2.10", b"SIP/2.0/TCP 192.0.2.10")
        )
        if shot.step in (16, 19)
        else shot
        for shot in recording.shots
    ]
    recording.shots[:] = shots
    report = judge(recording.frames())
    assert report.verdict == "pass", [step.why for step in report.steps]
    assert any("went over UDP, this one over TCP" in note for note in report.steps[15].notes)


def test_a_stale_nonce_makes_step_2_the_challenge_that_step_3_uses(right, judge):
    recording = right.later(0)
    old = [(b'nonce="0123456789abcdef"', b'nonce="00000000000000aa"')]
    # plain REGISTER, 401 with an old nonce, REGISTER with it; the 401 that follows has the nonce of step 3
    plain = replace(right.step(1), step=None, time=right.step(1).time - 0.03)
    plain.payload = plain.payload.replace(b"-C-reg1", b"-C-reg0").replace(b"CSeq: 1 ", b"CSeq: 0 ")
    challenge = replace(right.step(2), step=None, time=right.step(1).time - 0.02)
    challenge.payload = (
        challenge.payload.replace(b"-C-reg1", b"-C-reg0").replace(b"CSeq: 1 ", b"CSeq: 0 ").replace(*old[0])
    )
    stale = right.step(3).payload.replace(*old[0]).replace(b"-C-reg2", b"-C-reg1").replace(b"CSeq: 2 ", b"CSeq: 1 ")
    recording.shots = [
        plain,
        challenge,
        *(replace(shot, payload=stale) if shot.step == 1 else shot for shot in recording.shots),
    ]
    report = judge(recording.frames())
    assert report.verdict == "pass", [step.why for step in report.steps]
    assert report.steps[0].time == right.step(1).time
    assert report.steps[1].time == right.step(2).time


def test_a_core_that_never_challenges_fails_2_and_3_only(right, judge):
    recording = right.without(2, 3).change(4, "CSeq: 2 ", "CSeq: 1 ").change(4, "-C-reg2", "-C-reg1")
    report = judge(recording.frames())
    assert report.first_failure == 2
    assert [step.step for step in report.steps if step.verdict != "pass"] == [2, 3]
    assert "never challenges" in report.steps[1].why
    assert "without a challenge" in report.steps[2].why


def test_a_wrong_password_fails_step_4(right, judge):
    recording = right.only(1, 2, 3, 4).change(4, "200 OK", "401 Unauthorized")
    report = judge(recording.frames())
    assert report.first_failure == 4
    assert "401 Unauthorized came in place of 200" in report.steps[3].why


def test_a_client_that_changes_its_call_id_for_the_credentials_stays_in_one_flow(right, judge):
    report = judge(right.change((3, 4), "Call-ID: reg-a", "Call-ID: reg-b").frames())
    assert report.verdict == "pass"
    assert any("Call-ID is not that of step 1" in note for note in report.steps[2].notes)


def test_empty_credentials_in_the_first_register_answer_no_challenge(right, judge):
    empty = (
        'Authorization: Digest username="alice@ims.example", realm="ims.example", nonce="", uri="sip:x", response=""'
    )
    report = judge(right.change(1, "Expires: 600000", f"Expires: 600000\r\n{empty}").frames())
    assert report.verdict == "pass"


def test_a_third_party_register_to_a_server_that_starts_late_is_judged_by_the_attempt_that_arrived(right, judge):
    early = again(right, 5, "early", edits=[(b"CSeq: 1 ", b"CSeq: 0 ")], before=0.002)
    unheard = early.frame(early.time, node="core", outbound=True)
    report = judge([unheard, *right.reported()])
    assert report.verdict == "pass", [step.why for step in report.steps]
    assert any("was never received by server" in note for note in report.steps[4].notes)
    assert report.steps[4].time == right.step(5).time
