"""The PoC server is killed and started again over what its journal left."""

import pytest

ALICE = "sip:alice@ims.example"
PHONE = "sip:+12025550101@ims.example;user=phone"
TEL = "tel:+12025550101"
ONE = "urn:uuid:00000000-0000-4000-8000-000000000001"
TWO = "urn:uuid:00000000-0000-4000-8000-000000000002"


def states(news):
    return [str(message.get("Subscription-State")).partition(";expires")[0] for message in news]


# The reg event


def test_reg_subscription_is_refreshed_in_its_dialog(registered):
    before = registered.subscribe
    (subscribe,) = registered.restart()
    assert subscribe.start_line == f"SUBSCRIBE sip:{before.get('Route')[5:-4]} SIP/2.0"
    assert (subscribe.call_id, subscribe.from_.tag, subscribe.to.tag) == (before.call_id, before.from_.tag, "notifier")
    assert subscribe.cseq.number == before.cseq.number + 1
    assert [subscribe.get(name) for name in ("Event", "Accept", "Expires", "Contact", "P-Asserted-Identity")] == [
        before.get(name) for name in ("Event", "Accept", "Expires", "Contact", "P-Asserted-Identity")
    ]
    registered.accept_reg()
    (subscribe,) = registered.restart()
    assert subscribe.cseq.number == before.cseq.number + 2


def test_reg_subscription_is_renewed_in_time_after_a_restart(registered, text):
    registered.restart()
    registered.accept_reg(expires=3600)
    registered.notify_reg(text.reginfo(text.contact(1), version=1), state="active;expires=3600")
    assert registered.advance(2999) == []
    assert text.lines(registered.advance(1)) == ["SUBSCRIBE sip:127.0.0.1:5054 SIP/2.0"]


def test_notify_of_the_core_is_taken_in_the_old_dialog(registered, text):
    registered.restart()
    (answer,) = registered.notify_reg(text.reginfo(text.contact(1), version=1))
    assert answer.status == 200


def test_versions_are_counted_on(registered, text):
    registered.notify_reg(text.reginfo(text.contact(1), version=7))
    registered.restart()
    registered.notify_reg(text.reginfo(version=6, state="terminated"))
    assert registered.said("came too late")[0]["version"] == 6
    # A partial document adds to what was known before.
    news = text.contact(2, host="127.0.0.1:5091", instance=TWO)
    registered.notify_reg(text.reginfo(news, version=8, kind="partial"))
    assert len(registered.server.users.of(ALICE).contacts) == 2
    assert not registered.said("not understood")


def test_lower_cseq_than_before_the_restart_is_500(registered, text):
    registered.restart()
    (answer,) = registered.notify_reg(text.reginfo(text.contact(1), version=1), CSeq="1 NOTIFY")
    assert answer.status == 500


def test_subscription_that_the_core_lost_is_followed_by_one_new_one(registered, text):
    registered.restart()
    old = registered.subscribe
    (subscribe,) = registered.answer(old, 481)
    assert (subscribe.start_line, subscribe.to.tag) == (f"SUBSCRIBE {ALICE} SIP/2.0", None)
    assert subscribe.get("Route") == "<sip:127.0.0.1:5054;lr>"
    registered.answer(subscribe, 480)
    assert registered.advance(3000) == []


def test_reg_subscription_that_expired_in_between_is_followed_by_a_new_one(bench, text):
    bench.third_party()
    bench.accept_reg(expires=3600)
    bench.notify_reg(text.reginfo(text.contact(1)), state="active;expires=3600")
    (subscribe,) = bench.restart(after=4000)
    assert (subscribe.start_line, subscribe.to.tag) == (f"SUBSCRIBE {ALICE} SIP/2.0", None)


def test_killed_before_the_first_notify_it_subscribes_anew_and_answers_the_old_one_481(bench, text):
    bench.third_party()
    old = bench.subscribe
    bench.accept_reg()
    (subscribe,) = bench.restart()
    assert subscribe.call_id != old.call_id
    bench.subscribe = old
    assert bench.notify_reg(text.reginfo(text.contact(1)))[0].status == 481
    bench.subscribe = subscribe
    assert bench.notify_reg(text.reginfo(text.contact(1)))[0].status == 200


def test_refused_subscription_still_waits_for_the_next_register_after_a_restart(bench):
    bench.third_party()
    bench.answer(bench.subscribe, 403)
    assert bench.restart() == []
    assert bench.advance(3000) == []
    _, subscribe = bench.third_party()
    assert subscribe.to.tag is None


def test_attempt_that_waited_for_its_time_is_made_after_the_restart(bench, text):
    bench.third_party()
    bench.answer(bench.subscribe, 503, ("Retry-After", 600))
    assert text.lines(bench.restart()) == [f"SUBSCRIBE {ALICE} SIP/2.0"]


def test_xdm_documents_are_fetched_again_when_the_reg_event_tells(registered, text):
    registered.fetched.clear()
    registered.restart()
    assert registered.fetched == []
    registered.notify_reg(text.reginfo(text.contact(1), version=1))
    assert registered.fetched == [[ALICE, PHONE, TEL]]


def test_many_users_are_asked_for_one_after_the_other(bench):
    for number in range(250):
        user = f"sip:user{number}@ims.example"
        bench.third_party(to=user)
        bench.answer(bench.subscribe, 503, ("Retry-After", 600))

    def asked(news):
        return len({message.call_id for message in news})

    assert asked(bench.restart()) == 1
    assert asked(bench.advance(1)) == 101
    assert asked(bench.advance(2)) == 250


# Third-party registration


def test_further_register_after_a_restart_finds_the_user(registered):
    registered.restart()
    registered.accept_reg()
    before = registered.subscribe
    answer, subscribe = registered.third_party()
    assert answer.status == 200
    assert (subscribe.call_id, subscribe.cseq.number) == (before.call_id, before.cseq.number + 1)


def test_registration_that_lapsed_in_between_ends_the_user_unless_the_core_knows_better(registered, text):
    registered.watch()
    registered.publish(text.settings(ONE))
    registered.restart(after=3700)  # settings and subscription to them have expired as well
    registered.watch()
    registered.answer(registered.subscribe, 481)
    registered.answer(registered.subscribe, 480)
    news = registered.advance(40)
    assert states(text.notifies(news)) == ["terminated;reason=deactivated"]
    assert registered.server.third_party.registrations == []
    assert registered.disk["registrations"] == {}


def test_registration_that_lapsed_stays_while_the_core_goes_on_telling(registered, text):
    registered.restart(after=3700)
    registered.accept_reg()
    registered.notify_reg(text.reginfo(text.contact(1), version=1))
    registered.advance(100)
    assert len(registered.server.third_party.registrations) == 1


def test_registration_expires_after_a_restart_as_it_would_have(bench):
    bench.third_party(expires=600)
    bench.answer(bench.subscribe, 403)
    bench.restart(after=500)
    bench.advance(100 + 31)
    assert len(bench.server.third_party.registrations) == 1
    bench.advance(2)
    assert bench.server.third_party.registrations == []


def test_user_who_left_is_not_there_after_a_restart_but_the_end_is_still_taken(registered, text):
    registered.third_party(expires=0)
    registered.restart()
    assert registered.server.third_party.registrations == []
    registered.notify_reg(text.reginfo(state="terminated", version=1), state="terminated;reason=deactivated")
    assert registered.disk["registrations"] == {}
    assert registered.restart() == []


# Settings


def test_publication_is_refreshed_changed_and_removed_under_its_tag(registered, text):
    etag = registered.publish(text.settings(ONE))[0].get("SIP-ETag")
    for body, expires in (("", "3600"), (text.settings(ONE, "manual"), "3600"), ("", "0")):
        registered.restart()
        answer = registered.publish(body, etag=etag, expires=expires)[0]
        assert answer.status == 200
        assert registered.publish("", etag=etag)[0].status == 412
        etag = answer.get("SIP-ETag")
    registered.restart()
    assert registered.server.settings.effective(registered.server.users.of(ALICE)) is None
    assert registered.disk["publications"] == {}


def test_subscription_to_settings_goes_on_in_its_dialog(registered, text):
    answer, first = registered.watch()
    registered.publish(text.settings(ONE))
    last = text.notifies(registered.sent)[-1]
    registered.restart(after=60)
    ok, notify = registered.watch(
        From=str(answer.get("From")), To=str(answer.get("To")), Call_ID=answer.call_id, CSeq="9999 SUBSCRIBE"
    )
    assert (ok.status, ok.to.tag) == (200, answer.to.tag)
    assert (notify.call_id, notify.from_.tag, notify.to.tag) == (first.call_id, first.from_.tag, first.to.tag)
    assert notify.cseq.number == last.cseq.number + 1
    assert notify.get("Route") == first.get("Route")
    assert text.entities(notify) == {ONE: "automatic"}


def test_who_changed_last_counts_also_after_a_refresh_and_a_restart(registered, text):
    etag = registered.publish(text.settings(ONE, "manual"))[0].get("SIP-ETag")
    registered.advance(10)
    registered.publish(text.settings(TWO), host="127.0.0.1:5091")
    registered.advance(10)
    registered.publish("", etag=etag)
    registered.restart()
    assert registered.server.settings.effective(registered.server.users.of(ALICE)).id == TWO


def test_settings_go_with_their_contact_that_went_while_the_server_was_down(registered, text):
    second = text.contact(2, host="127.0.0.1:5091", instance=TWO)
    registered.notify_reg(text.reginfo(text.contact(1), second, version=1))
    registered.watch()
    registered.publish(text.settings("opaque"))
    registered.publish(text.settings(TWO), host="127.0.0.1:5091")
    registered.advance(20)
    registered.restart(after=60)
    news = registered.notify_reg(text.reginfo(second, version=2))
    assert text.entities(text.notifies(news)[0]) == {TWO: "automatic"}


def test_contact_that_the_reg_event_found_for_settings_later_is_kept_as_well(bench, text):
    bench.publish(text.settings(ONE))
    bench.third_party()
    second = text.contact(2, host="127.0.0.1:5091", instance=TWO)
    bench.notify_reg(text.reginfo(text.contact(1), second))
    bench.restart()
    bench.notify_reg(text.reginfo(second, version=1))
    assert bench.server.settings.compositor.publications(ALICE) == []


def test_publication_that_expired_in_between_is_told(registered, text):
    registered.watch(Expires="3600")
    registered.publish(text.settings(ONE), expires="60")
    registered.publish(text.settings(TWO), expires="600", host="127.0.0.1:5091")
    registered.advance(20)
    (notify,) = text.notifies(registered.restart(after=100))
    assert text.entities(notify) == {TWO: "automatic"}


@pytest.mark.parametrize(("watched", "published", "told"), [(60, 600, {ONE: "automatic"}), (600, 60, {})])
def test_subscription_that_expired_in_between_is_told_once_how_things_stand(registered, text, watched, published, told):
    registered.watch(Expires=str(watched))
    registered.publish(text.settings(ONE), expires=str(published))
    registered.advance(20)
    news = text.notifies(registered.restart(after=1000))
    assert states(news) == ["terminated;reason=timeout"]
    assert text.entities(news[0]) == told
    assert registered.disk["subscriptions"] == registered.disk["publications"] == {}


def test_notify_that_nobody_answered_is_owed(registered, text):
    registered.watch()
    before = text.notifies(registered.sent)[-1]
    registered.acknowledge = lambda news: None
    (answer, lost) = registered.publish(text.settings(ONE))
    del registered.acknowledge
    assert (answer.status, lost.method) == (200, "NOTIFY")
    (notify,) = text.notifies(registered.restart())
    assert notify.cseq.number == before.cseq.number + 2
    assert text.entities(notify) == {ONE: "automatic"}
    assert text.notifies(registered.restart()) == []


def test_notify_that_waited_for_the_rate_of_the_package_is_owed(registered, text):
    registered.watch()
    etag = registered.publish(text.settings(ONE))[0].get("SIP-ETag")
    (answer,) = registered.publish(text.settings(ONE, "manual"), etag=etag)
    assert answer.status == 200
    (notify,) = text.notifies(registered.restart())
    assert text.entities(notify) == {ONE: "manual"}


def test_killed_between_the_joining_of_two_names_and_the_telling_of_it(bench, text):
    bench.publish(text.settings("phone"), TEL, asserted=f"<{TEL}>")
    bench.watch()
    bench.third_party()
    assert text.notifies(bench.notify_reg(text.reginfo(text.contact(1, instance="phone")))) == []
    (notify,) = text.notifies(bench.restart())
    assert text.entities(notify) == {"phone": "automatic"}


def test_subscription_of_a_listener_that_is_gone_is_told_from_the_first_one(registered, text):
    registered.watch()
    etag = registered.publish(text.settings(ONE))[0].get("SIP-ETag")
    for row in registered.disk["subscriptions"].values():
        row["listener"] = "server/2"
    registered.restart()
    (notify,) = text.notifies(registered.publish(text.settings(ONE, "manual"), etag=etag))
    assert text.entities(notify) == {ONE: "manual"}


def test_publish_that_is_sent_again_after_the_restart_makes_no_second_publication(registered, text):
    request = {"Via": "SIP/2.0/UDP 127.0.0.1:5054;branch=z9hG4bKsame, SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKsame2"}
    for _ in range(2):
        (answer,) = registered.publish(text.settings(ONE), Call_ID="same", CSeq="1 PUBLISH", **request)
        assert answer.status == 200
        registered.restart()
    assert len(registered.server.settings.compositor.publications(ALICE)) == 1


def test_subscribe_that_is_sent_again_after_the_restart_makes_no_second_subscription(registered, text):
    request = {"Via": "SIP/2.0/UDP 127.0.0.1:5054;branch=z9hG4bKsame", "CSeq": "1 SUBSCRIBE", "Call_ID": "same"}
    tags = set()
    for _ in range(2):
        answer, *_ = registered.watch(From=f"<{ALICE}>;tag=w", **request)
        tags.add(answer.to.tag)
        registered.restart()
    assert len(tags) == 1
    assert len(registered.server.settings.notifier.subscriptions) == 1
