"""Step 11: which GETs count."""

from dataclasses import replace

import pytest

from talkburst.flow.checker import Checker
from talkburst.flow.http_exchange import xcap_target

RULES = "org.openmobilealliance.poc-rules/users/sip:alice@ims.example/pocrules"
LISTS = "resource-lists/users/sip:alice@ims.example/index"


def http(recording, edit):
    """Edit the HTTP messages: None drops one."""
    shots = []
    for shot in recording.shots:
        payload = edit(shot.payload.decode()) if shot.protocol == "http" else shot.payload.decode()
        if payload is not None:
            shots.append(replace(shot, payload=payload.encode()))
    return type(recording)(shots)


@pytest.mark.parametrize(
    ("usage", "missing"),
    [("poc-rules", "poc-rules, poc-groups or the directory"), ("resource-lists", "resource-lists")],
)
def test_one_get_of_each_xdms_is_needed(right, judge, usage, missing):
    # the answers keep their place: each takes the oldest open request
    without = http(right, lambda text: text.replace(usage, "org.example.other"))
    report = judge(without.frames())
    assert report.first_failure == 11
    assert f"no GET of {missing}" in report.steps[10].why


@pytest.mark.parametrize("status", ["200 OK", "304 Not Modified", "404 Not Found"])
def test_what_is_there_unchanged_or_never_stored_passes(right, judge, status):
    assert judge(http(right, lambda text: text.replace("404 Not Found", status)).frames()).verdict == "pass"


@pytest.mark.parametrize("other", ["org.openmobilealliance.poc-groups", "org.openmobilealliance.xcap-directory"])
def test_groups_or_the_directory_are_poc_data_too(right, judge, other):
    assert (
        judge(http(right, lambda text: text.replace("org.openmobilealliance.poc-rules", other)).frames()).verdict
        == "pass"
    )


def test_another_answer_fails(right, judge):
    report = judge(http(right, lambda text: text.replace("404 Not Found", "500 Broken")).frames())
    assert report.first_failure == 11
    assert report.steps[10].verdict == "fail"
    assert f"GET /xcap-root/{RULES} was answered 500 Broken" in report.steps[10].why


def test_a_challenge_that_is_never_answered_fails(right, judge):
    refused = http(right, lambda text: text.replace("200 OK", "401 Unauthorized"))
    report = judge(refused.frames())
    assert report.first_failure == 11
    assert f"GET /xcap-root/{LISTS} was answered 401 Unauthorized" in report.steps[10].why


def test_a_get_without_an_answer_is_not_reached(right, judge):
    report = judge(http(right, lambda text: None if "200 OK" in text else text).frames())
    assert report.steps[10].verdict == "not-reached"
    assert f"GET /xcap-root/{LISTS} at 0.160 was not answered" in report.steps[10].why


def test_gets_for_an_address_that_step_9_does_not_name_do_not_count(right, judge):
    report = judge(http(right, lambda text: text.replace("alice", "bob")).frames())
    assert report.first_failure == 11
    assert "GETs for sip:bob@ims.example came, which step 9 does not name" in report.steps[10].why
    assert "sip:alice@ims.example, tel:+12025550101" in report.steps[10].why


def test_gets_for_an_alias_of_step_9_count(right, judge):
    assert (
        judge(http(right, lambda text: text.replace("sip:alice@ims.example", "tel:%2B12025550101")).frames()).verdict
        == "pass"
    )


def test_gets_before_step_9_fail_with_that_reason(right, judge):
    shots = [replace(shot, time=shot.time - 0.05) if shot.protocol == "http" else shot for shot in right.shots]
    report = judge(sorted(type(right)(shots).frames(), key=lambda frame: frame.time))
    assert report.first_failure == 11
    assert "before its cause, step 9," in report.steps[10].why


@pytest.mark.parametrize(("method", "sender"), [("GET", "server"), ("PUT", "client")])
def test_where_nothing_else_is_known_the_server_reads_and_a_client_writes(right, method, sender):
    frame = right.step(11).frame(0.0)
    frame.payload = frame.payload.replace(b"GET", method.encode())
    (event,) = Checker().feed(frame)
    assert (event.sender, event.receiver) == (sender, "xdms")


def test_the_order_of_the_gets_is_free(right, judge):
    swapped = http(right, lambda text: text.replace(RULES, "#").replace(LISTS, RULES).replace("#", LISTS))
    assert judge(swapped.frames()).verdict == "pass"


@pytest.mark.parametrize(
    ("target", "usage", "user"),
    [
        (f"/xcap-root/{RULES}", "org.openmobilealliance.poc-rules", "sip:alice@ims.example"),
        (f"http://x:8080/a/b/{LISTS}", "resource-lists", "sip:alice@ims.example"),
        ("/resource-lists/users/tel:%2B12025550101/index", "resource-lists", "tel:+12025550101"),
        (
            "/r/org.openmobilealliance.xcap-directory/users/sip%3Aa%40b/directory.xml",
            "org.openmobilealliance.xcap-directory",
            "sip:a@b",
        ),
        ("/r/org.openmobilealliance.poc-groups/global/byGroupID/sip:g@b", "org.openmobilealliance.poc-groups", ""),
    ],
)
def test_an_xcap_target_is_read_wherever_the_root_is(target, usage, user):
    assert xcap_target(target) == (usage, user)


@pytest.mark.parametrize(
    "target", ["/", "/metrics", "/resource-lists", "/resource-lists/elsewhere/x", "*", "http://[/x"]
)
def test_other_targets_are_no_xcap(target):
    assert xcap_target(target) is None
