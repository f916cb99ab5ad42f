"""Every message of the flow taken away, one at a time: the checker names that step and says why."""

import pytest

from talkburst.flow.evidence import Hints

MESSAGES = [number for number in range(1, 33) if number not in (11, 28)]
ALL = Hints(reporting=frozenset({"client", "core", "server", "xdms"}))


@pytest.mark.parametrize("step", MESSAGES)
def test_a_message_missing_from_the_capture_is_the_first_failure(right, judge, step):
    report = judge(right.without(step).frames())
    assert (report.verdict, report.first_failure) == ("fail", step)
    verdict = report.steps[step - 1]
    assert (verdict.verdict, verdict.message, verdict.time) == ("not-reached", None, None)


@pytest.mark.parametrize("step", MESSAGES)
def test_a_message_that_only_its_sender_reports_was_never_received(right, judge, step):
    report = judge(right.reported(lost=[step]))
    assert (report.verdict, report.first_failure) == ("fail", step)
    verdict = report.steps[step - 1]
    shot = right.step(step)
    assert verdict.verdict == "not-reached"
    assert f"sent by {shot.sender} at {right.at(step):.3f} never received by {shot.receiver}" in verdict.why


def test_the_reason_names_message_time_and_both_ends(right, judge):
    report = judge(right.reported(lost=[20]))
    assert report.steps[19].why == "NOTIFY Event: poc-settings sent by server at 0.260 never received by core"


@pytest.mark.parametrize("step", MESSAGES)
def test_where_the_receiver_reports_nothing_sent_counts_as_received(right, judge, step):
    receiver = right.step(step).receiver
    report = judge(right.reported(lost=[step], silent=[receiver]))
    assert report.steps[step - 1].verdict == "pass"


def test_a_message_that_only_its_receiver_reports_was_received(right, judge):
    assert judge(right.reported(silent=["client"])).verdict == "pass"


@pytest.mark.parametrize(("first", "last"), [(5, 32), (12, 32), (20, 32), (29, 32)])
def test_a_flow_that_stops_fails_at_the_first_step_it_lacks(right, judge, first, last):
    report = judge(right.without(*range(first, last + 1)).reported(), ALL)
    # That the server stored the settings shows in no message but the NOTIFY of step 29.
    assert report.first_failure == (28 if first == 29 else first)


def test_missing_gets_fail_step_11_where_the_server_is_known_to_report_its_http(right, judge):
    report = judge(right.without(11, None).reported(), ALL)
    assert report.first_failure == 11
    assert "no GET of poc-rules, poc-groups or the directory; no GET of resource-lists" in report.steps[10].why


def test_what_follows_a_missing_cause_names_it(right, judge):
    report = judge(right.without(9).frames())
    assert report.steps[9].why == "its cause, step 9, did not come"
    report = judge(right.without(20).frames())
    assert report.steps[20].why == "its cause, step 20, did not come (though this one did, at 0.270)"


def test_an_empty_capture_is_no_observation(judge):
    report = judge([])
    assert (report.verdict, report.first_failure) == ("partial", None)
    assert {step.verdict for step in report.steps} == {"not-observed"}


def test_silence_of_roles_that_report_is_a_failure_of_step_1(judge):
    report = judge([], ALL)
    assert (report.verdict, report.first_failure) == ("fail", 1)
