"""poc-settings at the server: steps 16 to 32, without the core between."""

import pytest

ALICE = "sip:alice@ims.example"
PHONE = "sip:+12025550101@ims.example;user=phone"
TEL = "tel:+12025550101"
ONE = "urn:uuid:00000000-0000-4000-8000-000000000001"
TWO = "urn:uuid:00000000-0000-4000-8000-000000000002"


def test_nothing_published_is_a_document_without_an_entity(bench, text):
    answer, notify = bench.watch()
    assert (answer.status, answer.get("Expires")) == (200, "3600")
    assert notify.get("Subscription-State") == "active;expires=3600"
    assert notify.get("Content-Type") == "application/poc-settings+xml"
    assert notify.get("Route") == "<sip:127.0.0.1:5054;lr>"
    assert text.entities(notify) == {}


def test_notify_can_be_made_to_come_before_the_200(make_bench, text):
    bench = make_bench(notify_first=True)
    notify, answer = bench.watch()
    assert text.lines([notify, answer]) == ["NOTIFY sip:127.0.0.1:5054 SIP/2.0", "SIP/2.0 200 OK"]


def test_publication_is_stored_and_told_after_its_200(bench, text):
    bench.watch()
    answer, notify = bench.publish(text.settings(ONE, "manual"))
    assert (answer.status, answer.get("Expires")) == (200, "3600")
    assert answer.get("SIP-ETag")
    assert text.entities(notify) == {ONE: "manual"}


def test_subscription_after_the_publication_shows_it(bench, text):
    bench.publish(text.settings(ONE, "manual"))
    _, notify = bench.watch()
    assert text.entities(notify) == {ONE: "manual"}


def test_nothing_has_to_be_registered_for_it(bench, text):
    assert bench.watch()[0].status == 200
    assert bench.publish(text.settings(ONE))[0].status == 200
    assert bench.server.third_party.registrations == []


@pytest.mark.parametrize("what", ["watch", "publish"])
@pytest.mark.parametrize(
    ("asserted", "source"),
    [
        (None, ("127.0.0.1", 5054)),
        ("<sip:bob@ims.example>", ("127.0.0.1", 5054)),
        ("nonsense", ("127.0.0.1", 5054)),
        (f"<{ALICE}>", ("192.0.2.66", 5060)),
    ],
    ids=["no identity", "somebody else's", "unreadable", "not from a trusted peer"],
)
def test_identity_that_is_not_the_users_is_403(bench, text, what, asserted, source):
    if what == "watch":
        news = bench.watch(asserted=asserted, source=source)
    else:
        news = bench.publish(text.settings(ONE), asserted=asserted, source=source)
    assert text.lines(news)[0].startswith("SIP/2.0 403")
    assert len(news) == 1
    assert bench.server.settings.compositor.resources() == []


def test_request_uri_without_a_user_is_404(bench, text):
    assert bench.watch(uri="sip:poc.ims.example", asserted=f"<{ALICE}>")[0].status == 404
    assert bench.publish(text.settings(ONE), uri="sip:poc.ims.example")[0].status == 404


def test_foreign_event_is_489_and_names_what_there_is(bench, text):
    (answer,) = bench.watch(Event="presence")
    assert (answer.status, answer.get("Allow-Events")) == (489, "poc-settings")
    (answer,) = bench.publish(text.settings(ONE), Event="presence")
    assert (answer.status, answer.get("Allow-Events")) == (489, "poc-settings")


@pytest.mark.parametrize(
    "body",
    ['<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"/>', "<poc-settings", "<other/>"],
    ids=["no entity", "not XML", "another document"],
)
def test_document_that_says_nothing_of_its_publisher_is_400(bench, body):
    (answer,) = bench.publish(body)
    assert answer.status == 400
    assert answer.reason.startswith("poc-settings:")


def test_elements_that_do_not_belong_there_are_passed_over(bench, text):
    body = text.settings("alice@open-ims.test").replace(
        "</entity>", '<ext-app><parallel-streams active="true"/></ext-app></entity>'
    )
    assert bench.publish(body)[0].status == 200
    assert bench.said("settings stored")[0]["tolerated"]


def test_alias_asserted_together_with_the_address_is_the_same_record(bench, text):
    both = f'"Alice" <{ALICE}>, <{TEL}>'
    bench.publish(text.settings(ONE), asserted=both)
    _, notify = bench.watch(uri=TEL, asserted=both)
    assert text.entities(notify) == {ONE: "automatic"}


def test_aliases_that_the_reg_event_names_share_one_record(registered, text):
    registered.publish(text.settings(ONE, "manual"))
    _, notify = registered.watch(uri=TEL, asserted=f"<{TEL}>")
    assert text.entities(notify) == {ONE: "manual"}
    _, notify = registered.watch(uri=PHONE, asserted=f"<{PHONE}>")
    assert text.entities(notify) == {ONE: "manual"}


def test_what_was_done_under_two_names_is_one_record_when_the_reg_event_comes(bench, text):
    etag = bench.publish(text.settings(ONE, "manual"))[0].get("SIP-ETag")
    bench.watch(uri=TEL, asserted=f"<{TEL}>")
    bench.watch(uri=ALICE)
    bench.third_party()
    bench.notify_reg(text.reginfo(text.contact(1)))
    news = bench.publish(text.settings(ONE), uri=TEL, asserted=f"<{TEL}>", etag=etag)
    assert news[0].status == 200
    assert [text.entities(notify) for notify in text.notifies(news)] == [{ONE: "automatic"}] * 2


def test_two_clients_of_one_user_see_each_other(bench, text):
    bench.watch()
    bench.publish(text.settings(ONE, "automatic"))
    bench.advance(10)
    _, second = bench.watch()
    assert text.entities(second) == {ONE: "automatic"}
    news = bench.publish(text.settings(TWO, "manual"), host="127.0.0.1:5091")
    told = text.notifies(news)
    assert [text.entities(notify) for notify in told] == [{ONE: "automatic", TWO: "manual"}] * 2
    assert len({notify.call_id for notify in told}) == 2


def test_last_publication_is_the_one_that_counts(bench, text):
    bench.publish(text.settings(ONE, "automatic"))
    bench.advance(1)
    etag = bench.publish(text.settings(TWO, "manual"))[0].get("SIP-ETag")
    settings, user = bench.server.settings, bench.server.users.of(ALICE)
    assert settings.effective(user).answer_mode == "manual"
    bench.publish(etag=etag, expires="0")
    assert settings.effective(user).answer_mode == "automatic"


def test_two_publications_with_one_entity_id_are_one_entity_and_the_newest_segment_counts(bench, text):
    bench.publish(text.settings("same", "automatic", "true"), host="127.0.0.1:5090")
    bench.advance(1)
    only_mode = text.settings("same", "manual")
    start, end = only_mode.index("<isb"), only_mode.index("<am-")
    bench.publish(only_mode[:start] + only_mode[end:], host="127.0.0.1:5091")
    (entity,) = bench.server.settings.entities(bench.server.users.of(ALICE))
    assert (entity.answer_mode, entity.barring) == ("manual", True)


def test_client_that_lost_its_tag_replaces_what_it_published(bench, text):
    bench.publish(text.settings(ONE, "automatic"))
    etag = bench.publish(text.settings(ONE, "manual"))[0].get("SIP-ETag")
    bench.publish(etag=etag, expires="0")
    assert bench.server.settings.entities(bench.server.users.of(ALICE)) == []


def test_changes_within_five_seconds_are_told_once_with_the_last_state(bench, text):
    bench.watch()
    answer, notify = bench.publish(text.settings(ONE, "automatic"))
    assert text.entities(notify) == {ONE: "automatic"}
    for mode in ("manual", "automatic", "manual"):
        (answer,) = bench.publish(text.settings(ONE, mode), etag=answer.get("SIP-ETag"))
    assert bench.advance(4.9) == []
    (notify,) = bench.advance(0.1)
    assert text.entities(notify) == {ONE: "manual"}


def test_rate_is_counted_per_user_and_subscribes_are_never_delayed(bench, text):
    bench.watch()
    bench.publish(text.settings(ONE, "automatic"))
    assert len(bench.watch()) == 2
    news = bench.publish(text.settings(TWO), uri="sip:bob@ims.example", asserted="<sip:bob@ims.example>")
    assert len(news) == 1
    bench.watch(uri="sip:bob@ims.example", asserted="<sip:bob@ims.example>")
    news = bench.publish(text.settings(ONE), uri="sip:bob@ims.example", asserted="<sip:bob@ims.example>")
    assert len(text.notifies(news)) == 1


def test_expired_publication_is_told(bench, text):
    bench.watch()
    bench.publish(text.settings(ONE), expires="60")
    (notify,) = bench.advance(60)
    assert text.entities(notify) == {}


def test_removed_publication_is_told(bench, text):
    bench.watch()
    etag = bench.publish(text.settings(ONE))[0].get("SIP-ETag")
    bench.advance(10)
    answer, notify = bench.publish(etag=etag, expires="0")
    assert (answer.status, answer.get("Expires")) == (200, "0")
    assert text.entities(notify) == {}


def test_settings_go_with_the_contact_of_their_instance(registered, text):
    registered.notify_reg(
        text.reginfo(text.contact(1), text.contact(2, host="127.0.0.1:5091", instance=TWO), version=1)
    )
    registered.watch()
    registered.publish(text.settings(ONE, "manual"))
    registered.publish(text.settings(TWO, "automatic"), host="127.0.0.1:5091")
    registered.advance(10)
    news = registered.notify_reg(text.reginfo(text.contact(2, host="127.0.0.1:5091", instance=TWO), version=2))
    (notify,) = text.notifies(news)
    assert text.entities(notify) == {TWO: "automatic"}


def test_settings_go_with_the_contact_that_stands_in_the_bottom_via(bench, text):
    bench.third_party()
    bench.notify_reg(text.reginfo(text.contact(1, instance=None, host="10.0.0.1:5062")))
    bench.publish(text.settings("alice@open-ims.test"), host="10.0.0.1:5062")
    bench.publish(text.settings("elsewhere"), host="10.0.0.9")
    bench.notify_reg(text.reginfo(text.contact(3, instance=None, host="10.0.0.3"), version=1))
    (entity,) = bench.server.settings.entities(bench.server.users.of(ALICE))
    assert entity.id == "elsewhere"


def test_settings_go_when_the_contact_loses_the_tag(registered, text):
    registered.publish(text.settings(ONE))
    registered.notify_reg(text.reginfo(text.contact(1, tag=None), version=1))
    assert registered.server.settings.entities(registered.server.users.of(ALICE)) == []
    assert registered.said("settings dropped")[0]["why"] == "its contact is no longer registered"


def test_settings_published_before_their_contact_is_told_stay(registered, text):
    registered.publish(text.settings(TWO), host="127.0.0.1:5091")
    registered.notify_reg(text.reginfo(text.contact(1), version=1))
    assert len(registered.server.settings.entities(registered.server.users.of(ALICE))) == 1


def test_with_the_last_contact_all_settings_go(registered, text):
    registered.publish(text.settings("nobody's"), host="127.0.0.1:6000")
    registered.notify_reg(text.reginfo(state="terminated", version=1))
    assert registered.server.settings.entities(registered.server.users.of(ALICE)) == []


def test_refresh_of_what_went_with_its_contact_is_412(registered, text):
    etag = registered.publish(text.settings(ONE))[0].get("SIP-ETag")
    registered.notify_reg(text.reginfo(state="terminated", version=1))
    assert registered.publish(etag=etag)[0].status == 412


def test_deregistered_user_is_told_for_the_last_time(registered, text):
    registered.watch()
    registered.publish(text.settings(ONE))
    answer, notify = registered.third_party(expires=0)
    assert answer.status == 200
    assert text.entities(notify) == {}
    assert notify.get("Subscription-State") == "terminated;reason=deactivated"


def test_show_tells_users_publications_and_watchers(registered, text):
    registered.watch()
    registered.publish(text.settings(ONE, "manual"))
    (user,) = registered.server.show(registered.now)["users"]
    assert user["addresses"] == [ALICE, "sip:+12025550101@ims.example", TEL]
    assert user["effective"] == {"entity": ONE, "barring": False, "answer_mode": "manual"}
    assert user["publications"][0]["contact"] == ONE
    assert user["watchers"] == [{"subscriber": ALICE, "expires_in": 3600}]
    (registration,) = registered.server.show(registered.now)["registrations"]
    assert registration["reg_subscription"] == "active"
    assert registration["poc_addresses"] == [ALICE, PHONE, TEL]


def test_stranger_who_knows_a_dialog_may_not_use_it(bench, text):
    answer, notify = bench.watch()
    dialog = {"To": f"<{ALICE}>;tag={answer.to.tag}", "From": notify.get("To"), "Call_ID": answer.call_id}
    stolen = bench.watch(source=("192.0.2.66", 5060), Contact="<sip:192.0.2.66:5060>", CSeq="900 SUBSCRIBE", **dialog)
    assert text.lines(stolen) == ["SIP/2.0 403 Peer is not trusted to assert identities"]
    assert text.lines(bench.watch(CSeq="900 SUBSCRIBE", **dialog)) == [
        "SIP/2.0 200 OK",
        "NOTIFY sip:127.0.0.1:5054 SIP/2.0",
    ]


@pytest.mark.parametrize("asserted", ["sip:bob@ims.example", "tel:+12025550102"])
def test_other_user_who_knows_a_dialog_may_not_use_it(bench, text, asserted):
    answer, notify = bench.watch()
    dialog = {"To": f"<{ALICE}>;tag={answer.to.tag}", "From": notify.get("To"), "Call_ID": answer.call_id}
    stolen = bench.watch(asserted=f"<{asserted}>", Expires="0", CSeq="900 SUBSCRIBE", **dialog)
    assert text.lines(stolen) == ["SIP/2.0 403 Subscription is somebody else's"]
    assert bench.said("SUBSCRIBE refused")[0]["why"] == "Subscription is somebody else's"
    assert text.lines(bench.watch(CSeq="900 SUBSCRIBE", **dialog))[0] == "SIP/2.0 200 OK"


def test_user_goes_on_with_a_dialog_under_another_of_the_own_addresses(registered, text):
    answer, notify = registered.watch()
    dialog = {"To": f"<{ALICE}>;tag={answer.to.tag}", "From": notify.get("To"), "Call_ID": answer.call_id}
    refreshed = registered.watch(asserted=f"<{TEL}>", CSeq="900 SUBSCRIBE", **dialog)
    assert text.lines(refreshed)[0] == "SIP/2.0 200 OK"
    assert text.lines(registered.watch(asserted=None, CSeq="901 SUBSCRIBE", **dialog))[0] == "SIP/2.0 200 OK"


def test_settings_follow_a_client_that_modifies_them_from_another_place(bench, text):
    bench.third_party()
    bench.accept_reg()
    bench.notify_reg(text.reginfo(text.contact(1, instance=None)))
    etag = bench.publish(text.settings("opaque"))[0].get("SIP-ETag")
    bench.publish(text.settings("opaque", "manual"), etag=etag, host="127.0.0.1:5099")
    bench.notify_reg(text.reginfo(text.contact(2, instance=None, host="127.0.0.1:5099"), version=1))
    assert text.entities(bench.watch()[1]) == {"opaque": "manual"}


def test_watcher_under_one_name_is_told_what_was_published_under_another(bench, text):
    bench.publish(text.settings(ONE, "manual"))
    bench.watch(uri=TEL, asserted=f"<{TEL}>")
    bench.third_party()
    bench.notify_reg(text.reginfo(text.contact(1)))
    assert [text.entities(notify) for notify in text.notifies(bench.advance(0.0))] == [{ONE: "manual"}]


def test_settings_of_a_user_whose_only_address_moved_still_expire(bench, text):
    bench.publish(text.settings(TWO), uri=TEL, asserted=f"<{TEL}>", expires="60")
    bench.third_party(to=TEL)
    bench.notify_reg(text.reginfo(text.contact(1, instance=TWO), aors=(TEL,)))
    bench.third_party(to=ALICE)
    bench.notify_reg(text.reginfo(text.contact(1), aors=(ALICE, TEL)))
    bench.advance(60)
    assert [facts["entity"] for facts in bench.said("settings dropped")] == [TWO]


def test_one_user_cannot_fill_the_server(bench, text):
    for number in range(32):
        assert bench.publish(text.settings(f"urn:x:{number}"))[0].status == 200
    refused = bench.publish(text.settings("urn:x:32"))[0]
    assert (refused.status, refused.get("Retry-After")) == (503, "60")
    assert bench.publish(text.settings("x" * 20_000))[0].status == 413
    assert (
        bench.publish(text.settings(TWO), uri="sip:bob@ims.example", asserted="<sip:bob@ims.example>")[0].status == 200
    )
