"""The live side: events as frames come in, what is still waited for, when nothing can change any more."""

import pytest

from talkburst.flow.checker import Checker
from talkburst.flow.evidence import Hints

START = 1_700_000_000.0
ALL = Hints(reporting=frozenset({"client", "core", "server", "xdms"}), started=START)


def fed(frames, wait=10.0, hints=None):
    checker = Checker(wait=wait, hints=hints)
    for frame in frames:
        checker.feed(frame)
    return checker


def test_each_message_is_one_event_with_its_step_number(right):
    checker = Checker()
    events = [event for frame in right.reported() for event in checker.feed(frame)]
    assert len(events) == len(right.shots)
    numbered = [event.steps for event in events if event.steps]
    expected = [(shot.step,) for shot in right.shots if shot.step is not None]
    assert numbered == expected


def test_an_event_tells_what_the_start_line_does_not(right):
    checker = Checker()
    events = [event for frame in right.frames() for event in checker.feed(frame)]
    notify = next(event for event in events if event.steps == (29,))
    assert (notify.message, notify.method, notify.event, notify.cseq) == (
        "NOTIFY sip:alice@192.0.2.10:5090 SIP/2.0",
        "NOTIFY",
        "poc-settings",
        2,
    )
    assert (notify.sender, notify.receiver, notify.call_id) == ("server", "core", "settings-a")


def test_a_run_in_which_all_passed_is_decided_at_once(right):
    frames = right.reported()
    checker = Checker(hints=ALL)
    for frame in frames[:-1]:
        checker.feed(frame)
        assert not checker.decided(frame.time)
    checker.feed(frames[-1])
    assert checker.decided(frames[-1].time)


def test_a_missing_message_is_waited_for_as_long_as_it_may_take(right):
    checker = fed(right.without(*range(29, 33)).reported(), hints=ALL)
    cause = START + right.at(25)
    assert not checker.decided(cause + 9.9)
    assert checker.decided(cause + 10.1)
    report = checker.reports(cause + 10.1, ended=False)[0]
    assert report.first_failure == 28
    assert "did not come within 10 s of its cause, step 25 (0.310)" in report.steps[28].why


def test_the_wait_is_the_callers(right):
    checker = fed(right.without(32).reported(), wait=1.0, hints=ALL)
    assert not checker.decided(START + right.at(31) + 0.9)
    assert checker.decided(START + right.at(31) + 1.1)


def test_a_lost_message_is_waited_for_too(right):
    checker = fed(right.reported(lost=[20]), hints=ALL)
    assert not checker.decided(START + right.at(17) + 9.0)
    assert checker.decided(START + right.at(17) + 10.1)


def test_a_later_step_whose_cause_came_gets_its_wait_after_an_earlier_one_failed(right):
    late = right.without(6).moved(31, 9.0).without(32)
    checker = fed(late.reported(), hints=ALL)
    assert not checker.decided(START + 10.2)  # step 6 is lost since 10.04; 32 may come until 19
    assert checker.decided(START + 19.1)


def test_what_follows_a_step_that_never_came_is_not_waited_for_on_its_own(right):
    checker = fed(right.only(1, 2, 3, 4).reported(), hints=ALL)
    assert not checker.decided(START + right.at(4) + 9.9)
    assert checker.decided(START + right.at(4) + 10.1)


def test_a_refused_attempt_may_be_followed_by_another(right):
    refused = right.without(*range(14, 33)).change(13, "200 OK", "407 Proxy Authentication Required")
    checker = fed(refused.without(16).reported(), hints=ALL)
    report = checker.reports(START + 1.0, ended=False)[0]
    assert report.steps[12].verdict == "fail"
    assert report.steps[12].pending


def test_a_final_refusal_is_final(right):
    checker = fed(right.change(13, "200 OK", "403 Forbidden").reported(), hints=ALL)
    assert not checker.reports(START + 1.0, ended=False)[0].steps[12].pending


def test_nothing_at_all_is_waited_for_from_the_start(right):
    checker = Checker(hints=ALL)
    assert not checker.decided(START + 9.0)
    assert checker.decided(START + 10.1)
    report = checker.reports(START + 10.1, ended=False)[0]
    assert report.first_failure == 1
    assert report.steps[0].why == "REGISTER did not come within 10 s"


def test_without_a_start_the_first_client_is_waited_for_for_ever():
    assert not Checker().decided(START + 1e6)


def test_24_to_32_are_not_needed_only_after_the_wait_for_24(author):
    shown = (("urn:uuid:other", "false", "automatic"),)
    frames = author(shown_before=shown).write(publishes=False).reported()
    checker = fed(frames, hints=ALL)
    assert not checker.decided(START + 5.0)
    assert checker.decided(START + 10.5)
    assert checker.reports(START + 10.5, ended=False)[0].verdict == "pass"


def test_a_client_that_is_known_to_publish_nothing_is_not_waited_for(author):
    shown = (("urn:uuid:other", "false", "automatic"),)
    frames = author(shown_before=shown).write(publishes=False).reported()
    hints = Hints(reporting=ALL.reporting, publishes=False)
    assert fed(frames, hints=hints).decided(frames[-1].time)


def test_two_flows_are_decided_together(right, author):
    bob = author(client=("192.0.2.20", 5090), name="b", instance="urn:uuid:b", start=START + 5.0)
    shown = (("urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a", "false", "automatic"),)
    bob.shown_before = shown
    recording = right + bob.write()
    checker = fed(recording.frames()[:-1])
    assert not checker.decided(START + 5.5)
    checker.feed(recording.frames()[-1])
    assert checker.decided(START + 5.5)


def test_a_pending_step_says_that_it_has_not_come_yet(right):
    checker = fed(right.only(1, 2, 3).reported(), hints=ALL)
    report = checker.reports(START + 0.1, ended=False)[0]
    assert report.steps[3].why == "200 OK has not come yet after its cause, step 3 (0.020)"


@pytest.mark.parametrize("ended", [True, False])
def test_the_end_of_the_capture_ends_every_wait(right, ended):
    checker = fed(right.without(32).frames())
    report = checker.reports(START + 0.4, ended=ended)[0]
    assert report.pending is not ended
    if ended:
        assert "did not come before the capture ended at 0.400, after its cause, step 31" in report.steps[31].why


def test_a_hop_that_nobody_reports_is_not_waited_for(right):
    seen = right.reported(silent=["client", "core"])
    hints = Hints(reporting=frozenset({"server", "xdms"}))
    checker = fed(seen, hints=hints)
    report = checker.reports(seen[-1].time, ended=False)[0]
    assert (report.verdict, report.pending) == ("partial", False)
    assert fed(seen).reports(seen[-1].time, ended=False)[0].pending  # without that word it may still come


def test_a_client_that_begins_with_credentials_is_waited_for_as_long_as_a_step(right):
    checker = fed(right.without(1, 2).reported())
    opened = START + right.at(3)
    assert not checker.decided(opened + 9.0)
    assert checker.decided(opened + 10.1)


def test_an_end_without_any_message_names_no_time(right):
    report = Checker(hints=ALL).reports(START, ended=True)[0]
    assert report.steps[0].why == "REGISTER did not come"


def test_what_others_go_on_with_before_a_client_comes_is_no_registration(right):
    checker = fed(right.only(7, 8).reported(), hints=Hints(reporting=ALL.reporting))
    assert checker.flow_count == 0
    assert not checker.decided(START + 1e6)
    for frame in right.only(1).reported():
        checker.feed(frame)
    assert checker.flow_count == 1


def test_where_no_client_can_be_seen_the_others_begin_the_flow(right):
    checker = fed(right.reported(silent=["client", "core"]), hints=Hints(reporting=frozenset({"server", "xdms"})))
    assert checker.flow_count == 1
