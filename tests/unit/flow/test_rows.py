"""What must hold of each step's message: one thing altered, and the step that breaks by it."""

import pytest

from talkburst.flow.evidence import Hints

TAG = ";+g.poc.talkburst"
INSTANCE = "urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a"
NOTIFY_2 = (29, 30)

# steps altered, old text, new text, the step that fails first, what its reason says
ROWS = [
    (1, TAG, "", 1, "Contact of the REGISTER has no +g.poc.talkburst (it has +sip.instance)"),
    (1, TAG, TAG + '="FALSE"', 1, 'says +g.poc.talkburst="FALSE", which is off'),
    (1, ">;+g.poc.talkburst", ";+g.poc.talkburst>", 1, "inside the angle brackets"),
    (3, TAG, "", 3, "Contact of the REGISTER has no +g.poc.talkburst"),
    (2, "Digest", "Basic", 2, "no digest challenge"),
    (2, "401 Unauthorized", "403 Forbidden", 2, "403 Forbidden came in place of 401 Unauthorized"),
    (3, 'nonce="0123456789abcdef"', 'nonce="fedcba9876543210"', 3, "nonce of Authorization is 'fedcba9876543210'"),
    (3, 'realm="ims.example"', 'realm="other.example"', 3, "realm of Authorization is 'other.example'"),
    (4, "200 OK", "403 Forbidden", 4, "403 Forbidden came in place of 200"),
    (4, INSTANCE, "urn:uuid:b", 4, "does not list the binding"),
    (4, ";expires=3600", "", 4, "without its expiry"),
    (4, "P-Associated-URI", "X-Associated-URI", 4, "no P-Associated-URI"),
    (4, "Service-Route", "X-Service-Route", 4, "no Service-Route"),
    (5, "Contact: <sip:192.0.2.1:5054>", "Contact: <sip:alice@192.0.2.10:5090>", 5, "that of the client"),
    (5, "Contact: <sip:192.0.2.1:5054>", "Contact: <sip:192.0.2.2:5070>", 5, "an address of the server"),
    (5, "Contact: <sip:192.0.2.1:5054>", "X-Contact: none", 5, "no Contact"),
    (6, "200 OK", "403 Forbidden", 6, "403 Forbidden came in place of 200"),
    (7, "P-Asserted-Identity: <sip:poc.ims.example>", "P-Asserted-Identity: <sip:alice@ims.example>", 7, "use its own"),
    (8, "200 OK", "489 Bad Event", 8, "489 Bad Event came in place of 200"),
    (9, "tag=w-swatch", "tag=other", 9, "its To tag is other, the subscriber's tag is w-swatch"),
    (9, "tag=answer-a", "tag=other", 9, "its From tag is other, the notifier's tag is answer-a"),
    (10, "200 OK", "481 Gone", 10, "481 Gone came in place of 200"),
    (10, "tag=answer-a", "tag=other", 10, "From tag is other, the request had answer-a"),
    (10, "tag=w-swatch", "tag=other", 10, "To tag is other, the request had w-swatch"),
    (9, "application/reginfo+xml", "text/xml", 9, "Content-Type is text/xml, not application/reginfo+xml"),
    (12, "SUBSCRIBE sip:alice@", "SUBSCRIBE sip:bob@", 12, "Request-URI is sip:bob@ims.example"),
    (12, "From: <sip:alice@", "From: <sip:bob@", 12, "From is sip:bob@ims.example"),
    (13, "200 OK", "403 Forbidden", 13, "403 Forbidden came in place of 200"),
    (13, ";tag=answer-a", "", 13, "To has no tag"),
    (14, "tag=w-cwatch", "tag=other", 14, "not in the dialog of step 12"),
    (15, "200 OK", "481 Gone", 15, "481 Gone came in place of 200"),
    ((16, 17), "SUBSCRIBE sip:alice@", "SUBSCRIBE sip:bob@", 16, "not a PoC Address of the user"),
    (17, "Record-Route", "X-Record-Route", 17, "the core put no Record-Route"),
    (17, "branch=z9hG4bK-a-C-set", "branch=z9hG4bK-a-other", 17, "is not under a new one"),
    (17, "tag=c-set", "tag=other", 17, "From tag differs from step 16: other, there c-set"),
    (17, "CSeq: 1 ", "CSeq: 7 ", 17, "CSeq differs from step 16: 7 SUBSCRIBE, there 1 SUBSCRIBE"),
    (18, "200 OK", "480 Gone", 18, "480 Gone came in place of 200"),
    (19, "200 OK", "500 Error", 19, "500 Error came in place of 200"),
    (19, "tag=answer-a", "tag=other", 19, "To tag differs from step 18: other, there answer-a"),
    ((20, 21), "Subscription-State: active;", "Subscription-State: terminated;", 20, "is terminated, not active"),
    (20, "tag=c-set", "tag=other", 20, "not in the dialog of step 17"),
    (21, "tag=c-set", "tag=other", 21, "not in the dialog of step 16"),
    (21, "CSeq: 1 ", "CSeq: 9 ", 21, "CSeq differs from step 20: 9 NOTIFY, there 1 NOTIFY"),
    (21, "</poc-settings>", " </poc-settings>", 21, "body differs from step 20"),
    (21, "branch=z9hG4bK-a-S-n1", "branch=z9hG4bK-a-other", 21, "is not under a new one"),
    (22, "200 OK", "481 Gone", 22, "481 Gone came in place of 200"),
    (23, "200 OK", "408 Late", 23, "408 Late came in place of 200"),
    ((24, 25), "PUBLISH sip:alice@", "PUBLISH sip:bob@", 24, "not a PoC Address of the user"),
    ((24, 25), "<am-settings><answer-mode>automatic</answer-mode></am-settings>", "", 24, "has no answer-mode"),
    (25, 'active="false"', 'active="true"', 25, "body differs from step 24"),
    (25, "branch=z9hG4bK-a-C-pub", "branch=z9hG4bK-a-other", 25, "is not under a new one"),
    (26, "SIP-ETag", "X-ETag", 26, "the 200 has no SIP-ETag"),
    (26, "Expires", "X-Expires", 26, "the 200 has no Expires"),
    (27, "SIP-ETag", "X-ETag", 27, "the 200 has no SIP-ETag"),
    (NOTIFY_2, 'active="false"', 'active="true"', 28, "barring true, answer mode automatic; published was"),
    (29, 'active="false"', 'active="true"', 29, "shows urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a: barring true"),
    (29, ">automatic<", ">manual<", 29, "answer mode manual; published was"),
    (29, "tag=c-set", "tag=other", 29, "not in the dialog of step 17"),
    (30, 'active="false"', 'active="true"', 30, "body differs from step 29"),
    (30, "CSeq: 2 ", "CSeq: 3 ", 30, "CSeq differs from step 29"),
    (31, "200 OK", "481 Gone", 31, "481 Gone came in place of 200"),
    (32, "200 OK", "481 Gone", 32, "481 Gone came in place of 200"),
    (32, "tag=c-set", "tag=other", 32, "To tag differs from step 31"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "old", "new", "fails", "why"), ROWS)
def test_a_row_that_is_broken_fails_its_step(right, judge, steps, old, new, fails, why):
    report = judge(right.change(steps, old, new).frames())
    assert (report.verdict, report.first_failure) == ("fail", fails), report.steps[fails - 1]
    assert why in report.steps[fails - 1].why


@pytest.mark.parametrize("step", [9, 14])
def test_a_reginfo_without_the_tag_does_not_count_and_says_what_it_has(right, judge, step):
    report = judge(right.change(step, '<unknown-param name="+g.poc.talkburst"/>', "").frames())
    assert report.first_failure == step
    assert report.steps[step - 1].verdict == "not-reached"
    assert (
        "lists the contact of step 3 without +g.poc.talkburst (its parameters: +sip.instance)"
        in report.steps[step - 1].why
    )


def later_notify(recording, step, number, *edits):
    """Another NOTIFY of the subscription of `step`, `number` tenths of a second after everything."""
    notify = recording.only(step)
    for old, new in (("-n1", f"-m{number}"), ("CSeq: 1 ", f"CSeq: {number + 1} "), *edits):
        notify = notify.change(step, old, new)
    (shot,) = notify.shots
    shot.step, shot.time = None, recording.shots[-1].time + number / 10
    return notify


NO_TAG = ('<unknown-param name="+g.poc.talkburst"/>', "")
ENDS = ("Subscription-State: active;expires=3761", "Subscription-State: terminated;reason=timeout")


@pytest.mark.parametrize("step", [9, 14])
def test_a_notify_that_ends_the_subscription_is_not_judged_for_the_one_without_the_tag(right, judge, step):
    report = judge((right.change(step, *NO_TAG) + later_notify(right, step, 1, ENDS)).frames())
    assert (report.first_failure, report.steps[step - 1].verdict) == (step, "not-reached")
    assert "without +g.poc.talkburst (its parameters: +sip.instance)" in report.steps[step - 1].why
    assert "terminated" not in report.steps[step - 1].why


@pytest.mark.parametrize("step", [9, 14])
def test_the_first_notify_without_the_tag_is_named_however_many_follow(right, judge, step):
    recording = right.change(step, *NO_TAG)
    for number in (1, 2, 3):
        recording += later_notify(right, step, number, ('state="active"', 'state="terminated"'))
    why = judge(recording.frames()).steps[step - 1].why
    assert "without +g.poc.talkburst" in why
    assert why.count("as terminated") == 1


@pytest.mark.parametrize("step", [9, 14])
def test_where_only_a_notify_that_ends_the_subscription_came_that_is_the_reason(right, judge, step):
    report = judge(right.change(step, *ENDS).frames())
    assert (report.first_failure, report.steps[step - 1].verdict) == (step, "not-reached")
    assert "ends the subscription: Subscription-State is terminated" in report.steps[step - 1].why


@pytest.mark.parametrize("step", [9, 14])
def test_a_reginfo_of_another_contact_does_not_count(right, judge, step):
    recording = right.change(step, "sip:alice@192.0.2.10:5090", "sip:alice@192.0.2.77:1")
    recording = recording.change(step, INSTANCE, "urn:uuid:b").change(step, 'callid="reg-a"', 'callid="x"')
    # the Request-URI of step 14 moved with it; what counts is the document
    report = judge(recording.frames())
    assert report.first_failure == step
    assert "does not list the contact of step 3; it lists sip:alice@192.0.2.77:1" in report.steps[step - 1].why


@pytest.mark.parametrize(("step", "tag"), [(9, '="FALSE"'), (14, '="FALSE"')])
def test_a_tag_that_is_off_in_reginfo_does_not_count(right, judge, step, tag):
    off = '<unknown-param name="+g.poc.talkburst">FALSE</unknown-param>'
    report = judge(right.change(step, '<unknown-param name="+g.poc.talkburst"/>', off).frames())
    assert report.first_failure == step


def test_a_tag_with_the_value_true_counts(right, judge):
    recording = right.change((1, 3), TAG, TAG + '="TRUE"')
    true = '<unknown-param name="+g.poc.talkburst">"TRUE"</unknown-param>'
    report = judge(recording.change((9, 14), '<unknown-param name="+g.poc.talkburst"/>', true).frames())
    assert report.verdict == "pass"


def test_a_reginfo_that_is_no_xml_says_so(right, judge):
    report = judge(right.change(9, "</reginfo>", "").frames())
    assert report.first_failure == 9
    assert "cannot be read: not well-formed" in report.steps[8].why


def test_the_first_notify_that_lists_the_contact_counts_others_neither_count_nor_fail(author, judge):
    recording = author().write()
    early = recording.change(9, '<unknown-param name="+g.poc.talkburst"/>', "").only(9).shots[0]
    early.payload = early.payload.replace(b"-n1", b"-n0").replace(b"CSeq: 1 NOTIFY", b"CSeq: 0 NOTIFY")
    early.step, early.time = None, early.time - 0.005
    recording.shots.append(early)
    report = judge(recording.frames())
    assert report.verdict == "pass"
    assert report.steps[8].time == recording.step(9).time


@pytest.mark.parametrize(("password", "verdict"), [("alice", "pass"), ("mallory", "fail")])
def test_the_response_of_step_3_is_checked_where_the_password_is_known(right, judge, password, verdict):
    report = judge(right.frames(), Hints(passwords={"alice@ims.example": password}))
    assert report.steps[2].verdict == verdict
    assert ("digest response is wrong" in report.steps[2].why) == (verdict == "fail")


def test_202_passes_with_a_note_for_subscribe_and_notify_but_not_for_register(right, judge):
    report = judge(right.change((8, 13, 18, 19), "200 OK", "202 Accepted").frames())
    assert report.verdict == "pass"
    assert any("RFC 3265" in note for note in report.steps[7].notes)
    assert judge(right.change(4, "200 OK", "202 Accepted").frames()).first_failure == 4


def test_a_provisional_response_is_no_answer(author, judge):
    recording = author().write()
    trying = recording.change(18, "200 OK", "100 Trying").only(18).shots[0]
    trying.step, trying.time = None, trying.time - 0.005
    recording.shots.append(trying)
    assert judge(recording.frames()).verdict == "pass"
    assert judge(recording.without(18).frames()).first_failure == 18


def test_the_user_in_from_of_the_third_party_register(right, judge):
    recording = right.change((5, 6), "From: <sip:scscf.ims.example>", "From: <sip:alice@ims.example>")
    report = judge(recording.reported())
    assert report.first_failure == 5
    assert "From is sip:alice@ims.example, an identity of the user; it has to be the core's" in report.steps[4].why


def test_to_is_barred_in_the_third_party_register(author, judge):
    temporary = "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
    recording = author(registered=temporary).write()
    assert judge(recording.frames()).verdict == "pass"
    report = judge(recording.change(5, "To: <sip:alice@ims.example>", f"To: <{temporary}>").frames())
    assert report.first_failure == 5
    assert "which is barred" in report.steps[4].why


def test_a_barred_client_watches_the_first_associated_identity(author, judge):
    temporary = "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
    report = judge(author(registered=temporary, public=temporary).write().frames())
    assert report.first_failure == 12
    assert "has to be the first of P-Associated-URI, sip:alice@ims.example" in report.steps[11].why


def test_another_identity_of_the_user_in_step_12_is_a_note(right, judge):
    report = judge(right.change(12, "SUBSCRIBE sip:alice@ims.example", "SUBSCRIBE tel:+12025550101").frames())
    assert report.verdict == "pass"
    assert any("another identity of the user" in note for note in report.steps[11].notes)


def test_the_alias_of_step_14_is_a_poc_address_for_step_16(right, judge):
    recording = right.change((16, 17), "SUBSCRIBE sip:alice@ims.example", "SUBSCRIBE tel:+12025550101")
    assert judge(recording.frames()).verdict == "pass"


def test_what_a_relay_altered_is_judged_as_it_was_received(right, judge):
    altered = right.change(29, 'active="false"', 'active="true" ')
    frames = right.reported()
    for frame in frames:
        if frame.node == "core" and not frame.outbound and frame.payload == right.step(29).payload:
            frame.payload = altered.step(29).payload
    report = judge(frames)
    assert report.steps[27].verdict == "pass"  # what the server sent shows that it stored it
    assert report.first_failure == 29
    assert "barring true" in report.steps[28].why
    assert any("altered on the way" in note for note in report.steps[28].notes)


def test_the_tag_stripped_on_the_way_fails_step_1(right, judge):
    stripped = right.change((1, 3), TAG, "")
    frames = [frame for frame in right.reported() if frame.node != "core"]
    frames += [frame for frame in stripped.reported() if frame.node == "core"]
    report = judge(sorted(frames, key=lambda frame: frame.time))
    assert report.first_failure == 1
    assert "has no +g.poc.talkburst" in report.steps[0].why
