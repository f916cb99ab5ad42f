"""Rule 1: which order binds, and which does not."""

import pytest

# step, and the cause that it is moved before
BOUND = [
    (2, 1), (3, 2), (4, 3), (5, 3), (6, 5), (7, 5), (8, 7), (9, 7), (10, 9), (12, 4), (13, 12), (14, 12), (15, 14),
    (16, 4), (17, 16), (18, 17), (19, 18), (20, 17), (21, 20), (22, 21), (23, 22), (24, 4), (25, 24), (26, 25),
    (27, 26), (30, 29), (31, 30), (32, 31),
]  # fmt: skip
# step, and the one it may come before
FREE = [(17, 5), (17, 9), (20, 18), (29, 26), (14, 13), (9, 8), (12, 5), (16, 12), (16, 5), (25, 18)]


@pytest.mark.parametrize(("step", "cause"), BOUND)
def test_a_message_before_its_cause_fails_with_that_reason(right, judge, step, cause):
    report = judge(right.moved(step, right.at(cause) - 0.001).frames())
    verdict = report.steps[step - 1]
    assert (report.verdict, verdict.verdict) == ("fail", "fail"), verdict
    assert f"before its cause, step {cause}," in verdict.why


@pytest.mark.parametrize(("step", "other"), FREE)
def test_an_order_that_no_edge_binds_passes(right, judge, step, other):
    moving = {17: [16, 17], 25: [24, 25], 16: [16], 12: [12]}.get(step, [step])
    recording = right
    for number in moving:
        earlier = right.at(other) - 0.009 + 0.001 * number / 10
        recording = recording.moved(number, earlier if other != 5 else right.at(4) + 0.0001 * number)
    report = judge(recording.frames())
    assert [(verdict.step, verdict.why) for verdict in report.steps if verdict.verdict != "pass"] == []


def test_a_notify_with_the_settings_before_they_were_published_is_not_step_29(right, judge):
    report = judge(right.moved(29, right.at(25) - 0.001).frames())
    assert (report.steps[28].verdict, report.first_failure) == ("not-reached", 29)


def test_publishing_before_the_current_settings_came_is_a_note(right, judge):
    recording = right.moved(24, right.at(20) + 0.001)
    report = judge(recording.frames())
    assert report.verdict == "pass"
    assert any("before step 21" in note for note in report.steps[23].notes)


def test_a_client_without_isim_needs_step_14_before_16(author, judge):
    temporary = "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
    recording = author(registered=temporary).write()
    assert judge(recording.frames()).verdict == "pass"
    report = judge(recording.moved(16, recording.at(14) - 0.001).frames())
    assert report.first_failure == 16
    assert "before its cause, step 14," in report.steps[15].why


def test_the_order_is_compared_by_the_clock_of_the_role_that_acts(right, judge):
    frames = right.reported()
    for frame in frames:
        if frame.node == "server":
            frame.time += 3.0  # its clock is ahead
    assert judge(frames).verdict == "pass"


@pytest.mark.parametrize(("step", "cause"), [(5, 3), (12, 4), (17, 16), (20, 17), (29, 25)])
def test_a_message_later_than_the_wait_is_not_reached(right, judge, step, cause):
    late = right.at(cause) + 10.5
    recording = right
    for number in range(step, 33):
        if any(shot.step == number for shot in right.shots):
            recording = recording.moved(number, late + number * 0.001)
    report = judge(recording.frames())
    assert report.steps[step - 1].verdict == "not-reached"
    assert "10 s are allowed" in report.steps[step - 1].why
