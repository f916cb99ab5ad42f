"""The capture that is right: every step passes, however it was captured."""


def test_all_32_steps_pass_in_a_capture_of_everything(right, judge):
    report = judge(right.frames())
    assert [(step.step, step.why) for step in report.steps if step.verdict != "pass"] == []
    assert (report.verdict, report.first_failure) == ("pass", None)


def test_all_32_steps_pass_where_both_ends_report(right, judge):
    report = judge(right.reported())
    assert [(step.step, step.why) for step in report.steps if step.verdict != "pass"] == []
