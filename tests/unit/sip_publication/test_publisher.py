"""The publishing agent against a compositor: RFC 3903 sections 4 and 5."""

import pytest

from talkburst.sip.publication_steps import STEPS, Answer, Operation
from talkburst.sip.publisher import State
from talkburst.sip.transaction.client import Failure


def test_publication_is_one_request_with_all_that_was_asked_for(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    (request,) = pair.sent
    assert request.start_line == "PUBLISH sip:alice@example.com SIP/2.0"
    assert [(name, request.get(name)) for name in ("Event", "Expires", "Content-Type", "SIP-If-Match")] == [
        ("Event", "words"),
        ("Expires", "3600"),
        ("Content-Type", "text/plain"),
        ("SIP-If-Match", None),
    ]
    assert request.get("To") == "<sip:alice@example.com>"
    assert request.get("Accept-Contact") == "*;+g.poc.talkburst;require;explicit"
    assert request.get("Route") == "<sip:192.0.2.70:5070;lr>"
    assert request.get("Contact") is None
    assert pair.compositor.stored() == ["hello"]
    assert pair.stored == [pair.publisher.etag]
    assert pair.publisher.state is State.PUBLISHED


def test_change_modifies_under_the_last_tag(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    first = pair.publisher.etag
    pair.publisher.publish(b"bye", pair.now)
    pair.run()
    assert pair.operations[1] == ("bye", first, "3600")
    assert pair.compositor.stored() == ["bye"]


def test_one_request_at_a_time_and_only_the_last_of_what_came_meanwhile(pair):
    for word in (b"one", b"two", b"three"):
        pair.publisher.publish(word, pair.now)
    assert pair.publisher.state is State.PUBLISHING
    pair.run()
    assert [body for body, _, _ in pair.operations] == ["one", "three"]
    assert pair.compositor.stored() == ["three"]


def test_refreshed_ten_minutes_before_the_end(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    etag = pair.publisher.etag
    pair.run(2999)
    assert len(pair.sent) == 1
    pair.run(1)
    assert pair.operations[1] == ("", etag, "3600")
    pair.run(100_000)
    assert pair.compositor.stored() == ["hello"]


def test_short_publication_is_refreshed_at_half_time(pair):
    pair.publisher = pair.agent(expires=100)
    pair.publisher.publish(b"hello", pair.now)
    pair.run(50)
    assert [body for body, _, _ in pair.operations] == ["hello", ""]


def test_shortened_duration_counts(pair):
    pair.compositor.package.max_expires = 100
    pair.publisher.publish(b"hello", pair.now)
    pair.run(50)
    assert [body for body, _, _ in pair.operations] == ["hello", ""]


def test_removal_ends_it(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    over = []
    etag = pair.publisher.etag
    pair.publisher.remove(pair.now, over.append)
    assert pair.publisher.state is State.REMOVING
    pair.run(10_000)
    assert pair.operations[1:] == [("", etag, "0")]
    assert len(over) == 1
    assert pair.compositor.stored() == []
    assert pair.publisher.state is State.IDLE


def test_removal_waits_for_the_answer_that_is_under_way(pair):
    over = []
    pair.publisher.publish(b"hello", pair.now)
    pair.publisher.remove(pair.now, over.append)
    pair.run()
    assert [(body, expires) for body, _, expires in pair.operations] == [("hello", "3600"), ("", "0")]
    assert len(over) == 1


def test_nothing_published_is_removed_at_once(pair):
    over = []
    pair.publisher.remove(pair.now, over.append)
    assert over == [pair.now]
    assert pair.sent == []


def test_removal_that_nobody_answers_is_over_with_timer_f(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    pair.deliver = False
    over = []
    pair.publisher.remove(pair.now, over.append)
    pair.run(31.9)
    assert over == []
    pair.run(0.1)
    assert len(over) == 1


def test_412_to_a_refresh_leads_to_an_initial_publication(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    (publication,) = pair.compositor.esc.publications("sip:alice@example.com")
    pair.compositor.esc.remove(publication)
    pair.run(3000)
    assert [answer.status for answer in pair.got] == [200, 412, 200]
    assert pair.operations[-1] == ("hello", None, "3600")
    assert pair.compositor.stored() == ["hello"]


def test_412_to_a_change_publishes_the_change(pair):
    pair.publisher = pair.agent(etag="from-before")
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    assert pair.operations == [("hello", "from-before", "3600"), ("hello", None, "3600")]
    assert [(outcome.status, delay) for outcome, delay in pair.failed] == [(412, 0.0)]
    assert pair.compositor.stored() == ["hello"]


def test_412_to_an_initial_publication_is_not_repeated_for_ever(pair):
    pair.answer = lambda request: 412
    pair.publisher.publish(b"hello", pair.now)
    pair.run(1000)
    assert len(pair.sent) == 1
    assert pair.failed[0][1] is None


def test_tag_from_before_a_restart_is_used(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    pair.publisher = pair.agent(etag=pair.publisher.etag)
    pair.publisher.publish(b"again", pair.now)
    pair.run()
    assert pair.compositor.stored() == ["again"]
    assert pair.got[-1].status == 200


def test_423_is_asked_again_for_longer(pair):
    pair.publisher = pair.agent(expires=30)
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    assert pair.operations == [("hello", None, "30"), ("hello", None, "60")]
    assert pair.compositor.stored() == ["hello"]


@pytest.mark.parametrize("minimum", ["", "soon", "3600", "99999999999", "9" * 5000])
def test_423_that_names_no_longer_duration_is_given_up(pair, minimum):
    pair.answer = lambda request: 423
    pair.headers = [("Min-Expires", minimum)]
    pair.publisher.publish(b"hello", pair.now)
    pair.run(1000)
    assert len(pair.sent) == 1
    assert pair.failed[0][1] is None


def test_granted_duration_of_more_digits_than_any_number_is_what_was_asked(pair):
    pair.answer = lambda request: 200
    pair.headers = [("SIP-ETag", "dx200xyz"), ("Expires", "9" * 5000)]
    pair.publisher.publish(b"hello", pair.now)
    pair.run(0.1)
    assert (pair.publisher.state, pair.publisher.etag) == (State.PUBLISHED, "dx200xyz")
    assert pair.publisher.expires_at == pytest.approx(pair.now + 3600, abs=1)


def test_overload_is_tried_again_when_it_says(pair):
    pair.answer = lambda request: 503
    pair.headers = [("Retry-After", "20 (maintenance)")]
    pair.publisher.publish(b"hello", pair.now)
    pair.run(0.1)
    assert pair.failed[0][1] == 20
    assert pair.publisher.state is State.WAITING
    pair.answer = lambda request: None
    pair.run(20)
    assert pair.compositor.stored() == ["hello"]


@pytest.mark.parametrize(("asked", "seconds"), [("86400", 3600), ("9" * 400, 3600), ("20 s", 0.5), ("never", 0.5)])
def test_overload_for_longer_than_an_hour_or_for_no_time_is_not_believed(pair, asked, seconds):
    pair.answer = lambda request: 503
    pair.headers = [("Retry-After", asked)]
    pair.publisher.publish(b"hello", pair.now)
    pair.run(0.1)
    assert pair.failed[0][1] == seconds
    pair.answer = lambda request: None
    pair.run(seconds)
    assert pair.compositor.stored() == ["hello"]


def test_missing_answers_are_tried_again_with_growing_delays(pair):
    pair.deliver = False
    pair.publisher.publish(b"hello", pair.now)
    pair.run(200)
    assert [(outcome, delay) for outcome, delay in pair.failed][:4] == [
        (Failure.TIMEOUT, 0.5),
        (Failure.TIMEOUT, 1.0),
        (Failure.TIMEOUT, 2.0),
        (Failure.TIMEOUT, 4.0),
    ]
    pair.deliver = True
    pair.run(60)
    assert pair.compositor.stored() == ["hello"]


def test_lost_answer_to_a_refresh_ends_in_one_publication_under_a_new_tag(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run(2999)
    pair.deliver = False
    pair.run(33)
    pair.deliver = True
    pair.run(10)
    assert pair.got[-1].status == 200
    assert pair.compositor.stored() == ["hello"]


def test_what_is_asked_for_while_waiting_goes_at_once(pair):
    pair.answer = lambda request: 500
    pair.publisher.publish(b"hello", pair.now)
    pair.run(0.1)
    pair.answer = lambda request: None
    pair.publisher.publish(b"bye", pair.now)
    pair.run()
    assert pair.compositor.stored() == ["bye"]
    pair.run(100)
    assert len(pair.sent) == 2


def test_removal_while_waiting_to_try_again_sends_nothing_more(pair):
    pair.answer = lambda request: 500
    pair.publisher.publish(b"hello", pair.now)
    pair.run(0.1)
    over = []
    pair.publisher.remove(pair.now, over.append)
    assert len(over) == 1
    pair.run(100)
    assert len(pair.sent) == 1


def test_refusal_is_told_and_not_repeated(pair):
    pair.answer = lambda request: 403
    pair.publisher.publish(b"hello", pair.now)
    pair.run(10_000)
    assert len(pair.sent) == 1
    outcome, delay = pair.failed[0]
    assert (outcome.status, delay) == (403, None)


def test_refused_change_can_still_be_withdrawn(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    etag = pair.publisher.etag
    pair.answer = lambda request: 403 if request.body else None
    pair.publisher.publish(b"bye", pair.now)
    pair.run()
    pair.publisher.remove(pair.now, lambda now: None)
    pair.run()
    assert pair.operations[-1] == ("", etag, "0")
    assert pair.compositor.stored() == []


def test_success_without_a_tag_is_followed_by_initial_publications(pair):
    pair.answer = lambda request: 200
    pair.headers = [("Expires", "100")]
    pair.publisher.publish(b"hello", pair.now)
    pair.run(50)
    assert pair.operations == [("hello", None, "3600"), ("hello", None, "3600")]


def test_every_operation_knows_what_to_do_about_every_answer():
    assert {operation: set(steps) for operation, steps in STEPS.items()} == {
        operation: set(Answer) for operation in Operation
    }


def test_publication_from_before_a_restart_is_resumed_with_a_refresh(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    etag = pair.publisher.etag
    pair.publisher = pair.agent(etag=etag)
    pair.sent.clear()
    pair.publisher.resume(b"hello", pair.now)
    pair.run()
    assert pair.operations == [("", etag, "3600")]
    assert pair.publisher.etag == pair.stored[1] != etag
    assert pair.publisher.state is State.PUBLISHED
    assert pair.compositor.stored() == ["hello"]


def test_resumed_publication_that_is_gone_is_published_again(pair):
    pair.publisher = pair.agent(etag="long-gone")
    pair.publisher.resume(b"hello", pair.now)
    pair.run()
    assert pair.operations == [("", "long-gone", "3600"), ("hello", None, "3600")]
    assert pair.publisher.state is State.PUBLISHED


def test_resuming_without_a_tag_publishes(pair):
    pair.publisher.resume(b"hello", pair.now)
    pair.run()
    assert pair.operations == [("hello", None, "3600")]


def test_what_is_not_refreshed_any_more_is_not_shown_for_longer_than_it_lives(pair):
    pair.publisher.publish(b"hello", pair.now)
    pair.run()
    pair.answer = lambda request: 403
    pair.run(3500)
    assert pair.publisher.state is State.PUBLISHED
    pair.run(100)
    assert (pair.publisher.state, pair.publisher.etag) == (State.IDLE, None)
    pair.answer = lambda request: None
    pair.publisher.publish(b"again", pair.now)
    pair.run()
    assert pair.operations[-1] == ("again", None, "3600")
    assert pair.publisher.state is State.PUBLISHED


def test_compositor_that_finds_every_duration_too_brief_is_not_asked_for_ever(pair):
    def longer(request):
        pair.headers[:] = [("Min-Expires", request.expires + 1)]
        return 423

    pair.answer = longer
    pair.publisher.publish(b"hello", pair.now)
    pair.run(1000)
    assert len(pair.sent) == 4
    assert pair.failed[0][1] is None


@pytest.mark.parametrize("refused", ["one", ""], ids=["a change", "a refresh"])
def test_what_is_asked_for_while_a_refusal_is_under_way_is_sent_after_it(pair, refused):
    pair.publisher.publish(b"zero", pair.now)
    pair.run()
    pair.answer = lambda request: 403 if request.body.decode() == refused else None
    if refused:
        pair.publisher.publish(b"one", pair.now)
    else:
        pair.publisher.resume(b"zero", pair.now)
    pair.publisher.publish(b"two", pair.now)
    pair.run()
    assert [body for body, _, _ in pair.operations] == ["zero", refused, "two"]
    assert pair.compositor.stored() == ["two"]
    assert not pair.publisher.wanting
