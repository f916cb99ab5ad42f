"""Steps 20 to 32: what is alive, the second client, and a client that keeps another's settings."""

import pytest

from talkburst.flow.evidence import Hints

SECOND = {"client": ("192.0.2.11", 5091), "name": "b", "instance": "urn:uuid:0b0b0b0b-0000-4000-8000-00000000000b"}
FIRST_ENTITY = ("urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a", "false", "automatic")
START = 1_700_000_000.0


@pytest.fixture
def second(author):
    """The second client of the same user, two seconds after the first."""

    def write(publishes=True, shown=(FIRST_ENTITY,), **options):
        settings = {"published": ("true", "manual"), **options}
        return author(**SECOND, start=START + 2.0, shown_before=shown, **settings).write(publishes)

    return write


def test_a_second_client_sees_the_first_ones_settings_and_overrides_them(right, second, judge_all):
    first, other = judge_all((right + second()).frames())
    assert (first.verdict, other.verdict) == ("pass", "pass")
    assert other.contact == "sip:alice@192.0.2.11:5091"


def test_a_second_client_that_publishes_nothing_does_not_need_24_to_32(right, second, judge_all):
    _, other = judge_all((right + second(publishes=False)).frames())
    assert other.verdict == "pass"
    assert {step.verdict for step in other.steps[23:]} == {"not-needed"}
    assert all("another client's settings" in step.why for step in other.steps[23:])


def test_a_first_client_that_publishes_nothing_fails_step_24(author, judge):
    report = judge(author().write(publishes=False).frames())
    assert report.first_failure == 24


def test_settings_that_are_missing_from_step_20_fail_it(right, second, judge_all):
    _, other = judge_all((right + second(shown=())).frames())
    assert other.first_failure == 20
    assert "the publication that is alive is not in its document (urn:uuid:0a" in other.steps[19].why


def test_settings_with_other_values_than_published_fail_step_20(right, second, judge_all):
    shown = (FIRST_ENTITY[0], "true", "automatic")
    _, other = judge_all((right + second(shown=(shown,))).frames())
    assert other.first_failure == 20
    assert "barring true, answer mode automatic; published was" in other.steps[19].why


def test_one_composed_entity_with_the_alive_values_passes(right, second, judge_all):
    _, other = judge_all((right + second(shown=(("composed", "false", "automatic"),))).frames())
    assert other.verdict == "pass"


def test_a_publication_that_expired_must_not_be_shown(right, author, judge_all):
    short = right.change((26, 27), "Expires: 3600", "Expires: 1")
    late = author(**SECOND, start=START + 2.0, shown_before=(FIRST_ENTITY,)).write()
    _, other = judge_all((short + late).frames())
    assert other.first_failure == 20
    assert "no longer alive" in other.steps[19].why
    empty = author(**SECOND, start=START + 2.0).write()
    assert judge_all((short + empty).frames())[1].verdict == "pass"


def test_settings_from_before_the_capture_are_a_note(second, judge):
    report = judge(second().frames())
    assert report.verdict == "pass"
    assert any("was not published in this capture" in note for note in report.steps[19].notes)


def test_settings_from_before_the_capture_fail_where_nothing_can_have_been_published(second, judge):
    report = judge(second().frames(), Hints(nothing_published=True))
    assert report.first_failure == 20
    assert "although nothing was published" in report.steps[19].why


def test_own_settings_shown_before_they_are_published_fail_step_20(author, judge):
    report = judge(author(shown_before=(FIRST_ENTITY,), published=("true", "manual")).write().frames())
    assert report.first_failure == 20
    assert "although nothing was published" in report.steps[19].why


def test_own_settings_of_a_client_that_modifies_its_publication_are_from_before(author, judge):
    recording = author(shown_before=(FIRST_ENTITY,), published=("true", "manual")).write()
    modified = recording.change((24, 25), "Event: poc-settings", "SIP-If-Match: old\r\nEvent: poc-settings")
    assert judge(modified.frames()).steps[19].verdict == "pass"


def test_a_later_notify_that_shows_the_values_is_step_29(right, judge):
    recording = right.later(0)
    stale = right.change((29,), 'active="false"', 'active="true"').only(29).shots[0]
    stale.payload = stale.payload.replace(b"S-n2", b"S-nX").replace(b"CSeq: 2 ", b"CSeq: 9 ")
    stale.step, stale.time = None, stale.time - 0.005
    recording.shots.append(stale)
    report = judge(recording.frames())
    assert report.verdict == "pass"
    assert report.steps[28].time == right.step(29).time


def test_step_28_has_no_message_and_the_time_of_its_proof(right, judge):
    step = judge(right.frames()).steps[27]
    assert (step.message, step.sender, step.receiver) == (None, "server", "server")
    assert step.time == right.step(29).time


def test_a_refresh_without_body_is_no_publication(right, judge):
    recording = right.without(*range(24, 33))
    refresh = right.step(24)
    head = refresh.payload.partition(b"\r\n\r\n")[0].replace(b"Content-Type: application/poc-settings+xml\r\n", b"")
    refresh.payload = head.rpartition(b"Content-Length")[0] + b"Content-Length: 0\r\n\r\n"
    recording.shots.append(refresh)
    report = judge(recording.frames())
    assert report.first_failure == 24
    assert "has no body, so it publishes nothing" in report.steps[23].why
