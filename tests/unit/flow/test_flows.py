"""Rule 10: several flows in one capture; rule 9: a later registration of the same client."""

from dataclasses import replace

START = 1_700_000_000.0
SECOND = {"client": ("192.0.2.11", 5091), "name": "b", "instance": "urn:uuid:0b0b0b0b-0000-4000-8000-00000000000b"}
SHOWN = (("urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a", "false", "automatic"),)


def renamed(recording, old, new):
    """A recording of another user."""
    shots = [replace(shot, payload=shot.payload.replace(old, new)) for shot in recording.shots]
    return type(recording)(shots)


def bob(author, start=START):
    flow = author(client=("192.0.2.20", 5090), name="bob", instance="urn:uuid:b0b", start=start).write()
    return renamed(renamed(flow, b"alice@ims", b"bobby@ims"), b"12025550101", b"12025550102")


def test_two_users_at_the_same_time_are_two_flows(right, author, judge_all):
    alice, other = judge_all((right + bob(author, START + 0.003)).frames())
    assert (alice.verdict, other.verdict) == ("pass", "pass")
    assert (alice.identity, other.identity) == ("sip:alice@ims.example", "sip:bobby@ims.example")


def test_two_users_behind_one_address_have_each_their_own_steps(author, judge_all):
    alice = author(instance="").write()
    other = author(name="bob", instance="", start=START + 0.003).write()
    other = renamed(renamed(other, b"alice@ims", b"bobby@ims"), b"12025550101", b"12025550102")
    reports = judge_all((alice + renamed(other, b"alice@192", b"bobby@192")).frames())
    assert [(report.identity, report.verdict) for report in reports] == [
        ("sip:alice@ims.example", "pass"),
        ("sip:bobby@ims.example", "pass"),
    ]


def test_a_failure_of_one_flow_is_not_one_of_the_other(right, author, judge_all):
    alice, other = judge_all((right + bob(author, START + 0.003).without(9)).frames())
    assert alice.verdict == "pass"
    assert other.first_failure == 9


def test_the_same_client_registering_anew_is_a_new_flow(right, author, judge_all):
    again = author(
        name="again",
        start=START + 5.0,
        shown_before=SHOWN,
    ).write()
    reports = judge_all((right + again).frames())
    assert [report.verdict for report in reports] == ["pass", "pass"]
    assert [report.call_id for report in reports] == ["reg-a", "reg-again"]


def refresh(recording, expires):
    """The REGISTER of step 3 and its 200 again, with the next CSeq."""
    shots = []
    for step in (3, 4):
        shot = recording.step(step)
        payload = shot.payload.replace(b"-C-reg2", b"-C-reg3").replace(b"CSeq: 2 ", b"CSeq: 3 ")
        payload = payload.replace(b"Expires: 600000", f"Expires: {expires}".encode())
        shots.append(replace(shot, step=None, payload=payload, time=shot.time + 3.0))
    return type(recording)(shots)


def test_a_refresh_opens_no_flow(right, judge):
    report = judge((right + refresh(right, 600000)).frames())
    assert report.verdict == "pass"
    assert report.steps[2].time == right.step(3).time


def test_expires_0_closes_the_flow_and_the_same_call_id_opens_another(right, judge_all):
    again = right.later(5.0)
    reports = judge_all((right + refresh(right, 0) + renamed(again, b"branch=z9hG4bK-a", b"branch=z9hG4bK-z")).frames())
    assert len(reports) == 2


def test_a_removal_alone_opens_no_flow(right, judge_all):
    reports = judge_all(refresh(right, 0).frames())
    assert [report.identity for report in reports] == [""]


def in_the_servers_old_dialog(later):
    """The server refreshes in the dialog of the first flow, and is notified there."""
    for step in (7, 8, 9, 10):
        later = later.change(step, "Call-ID: swatch-b", "Call-ID: swatch-a").change(step, "CSeq: 1 ", "CSeq: 2 ")
    for step in (8, 9, 10):
        later = later.change(step, "tag=answer-b", "tag=answer-a")
    later = later.change(7, "To: <sip:alice@ims.example>", "To: <sip:alice@ims.example>;tag=answer-a")
    return later.change(7, "SUBSCRIBE sip:alice@ims.example", "SUBSCRIBE sip:192.0.2.1:5054")


def test_documents_may_follow_the_notify_that_tells_of_the_change_before_the_server_refreshes(right, author, judge_all):
    later = in_the_servers_old_dialog(author(**SECOND, start=START + 2.0, shown_before=SHOWN).write())
    told = later.step(9)
    change = replace(
        told,
        step=None,
        payload=told.payload.replace(b"CSeq: 2 ", b"CSeq: 9 ").replace(b"branch=z9hG4bK", b"branch=z9hG4bKnews"),
        time=later.step(7).time - 0.002,
    )
    early = [replace(s, time=change.time + 0.0001) if s.protocol == "http" else s for s in later.shots]
    _, other = judge_all((right + type(right)([*early, change])).frames())
    assert other.verdict == "pass", [step.why for step in other.steps]
    # without that NOTIFY the server could not know
    _, other = judge_all((right + type(right)(early)).frames())
    assert other.first_failure == 11
    assert "before its cause, step 9," in other.steps[10].why


def test_a_refresh_of_the_servers_subscription_counts_on_a_later_registration(right, author, judge_all):
    later = author(
        **SECOND,
        start=START + 2.0,
        shown_before=SHOWN,
    ).write()
    later = in_the_servers_old_dialog(later)
    first, other = judge_all((right + later).frames())
    assert (first.verdict, other.verdict) == ("pass", "pass")
    assert any("a refresh of the server's existing subscription" in note for note in other.steps[6].notes)
    # without it nothing of the old dialog counts for the new registration
    _, other = judge_all((right + later.without(7)).frames())
    assert other.first_failure == 7


def test_5_to_11_go_to_the_newest_flow_of_the_user(right, author, judge_all):
    later = author(
        **SECOND,
        start=START + 2.0,
        shown_before=SHOWN,
    ).write()
    first, other = judge_all((right.without(5) + later).frames())
    assert first.first_failure == 5
    assert other.verdict == "pass"


def test_a_client_is_known_by_its_contact_where_it_has_no_instance_id(right, author, judge_all):
    plain = renamed(right, b';+sip.instance="<urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a>"', b"")
    second = author(
        **SECOND,
        start=START + 2.0,
        shown_before=SHOWN,
    ).write()
    second = renamed(second, b';+sip.instance="<urn:uuid:0b0b0b0b-0000-4000-8000-00000000000b>"', b"")
    reports = judge_all((plain + second).frames())
    assert [report.verdict for report in reports] == ["pass", "pass"]
