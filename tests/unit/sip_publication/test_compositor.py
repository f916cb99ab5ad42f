"""RFC 3903 section 6, step by step and in its order."""

import pytest

ALICE = "sip:alice@example.com"


def test_initial_publication_is_stored_and_gets_entity_tag_and_expires(compositor):
    answer = compositor.publish("hello", expires=600)
    assert (answer.status, answer.get("Expires"), answer.get("SIP-ETag")) == (200, "600", "tag1")
    assert answer.get("Contact") is None
    assert compositor.stored() == ["hello"]
    assert compositor.package.happened == [("published", "hello")]


def test_record_route_and_contact_of_a_publish_mean_nothing(compositor):
    answer = compositor.publish("hello", more="Record-Route: <sip:192.0.2.1;lr>\nContact: <sip:a@192.0.2.9>")
    assert answer.status == 200
    assert answer.get("Record-Route") is None


@pytest.mark.parametrize(
    ("asked", "granted"),
    [(None, "3600"), (60, "60"), (7200, "7200"), (7201, "7200"), (4294967295, "7200"), (0, "0")],
    ids=["default", "the minimum", "the maximum", "shortened", "a whole age", "nothing"],
)
def test_duration_may_be_shortened_and_is_never_lengthened(compositor, asked, granted):
    answer = compositor.publish("hello", expires=asked)
    assert (answer.status, answer.get("Expires")) == (200, granted)


def test_too_brief_a_duration_is_423_with_the_minimum(compositor):
    answer = compositor.publish("hello", expires=59)
    assert (answer.status, answer.get("Min-Expires")) == (423, "60")
    assert compositor.stored() == []


def test_every_success_gives_a_new_entity_tag_also_refresh_and_removal(compositor):
    etags = [compositor.etag(compositor.publish("hello"))]
    etags.append(compositor.etag(compositor.publish(etag=etags[-1])))
    etags.append(compositor.etag(compositor.publish("again", etag=etags[-1])))
    etags.append(compositor.etag(compositor.publish(etag=etags[-1], expires=0)))
    assert len(set(etags)) == 4
    assert compositor.package.happened == [
        ("published", "hello"),
        ("published", "again"),
        ("removed by its publisher", "again"),
    ]


def test_refresh_keeps_the_state_and_moves_its_end(compositor):
    etag = compositor.etag(compositor.publish("hello", expires=100))
    compositor.pass_time(90)
    compositor.publish(etag=etag, expires=100)
    compositor.pass_time(99)
    assert compositor.stored() == ["hello"]
    compositor.pass_time(1)
    assert compositor.stored() == []


def test_modify_replaces_the_state_as_a_whole(compositor):
    etag = compositor.etag(compositor.publish("hello"))
    compositor.publish("bye", etag=etag)
    assert compositor.stored() == ["bye"]


def test_two_publications_of_one_resource_live_side_by_side(compositor):
    first = compositor.etag(compositor.publish("one"))
    compositor.pass_time(1)
    compositor.publish("two")
    assert compositor.stored() == ["one", "two"]
    compositor.pass_time(1)
    compositor.publish("three", etag=first)
    assert compositor.stored() == ["two", "three"]


def test_expiry_is_a_change_of_state(compositor):
    compositor.publish("hello", expires=60)
    compositor.pass_time(60)
    assert compositor.stored() == []
    assert compositor.package.happened[-1] == ("expired", "hello")


def test_removing_what_has_expired_is_412(compositor):
    etag = compositor.etag(compositor.publish("hello", expires=60))
    compositor.pass_time(60)
    assert compositor.publish(etag=etag, expires=0).status == 412


def test_removing_twice_is_412_the_second_time(compositor):
    etag = compositor.etag(compositor.publish("hello"))
    assert compositor.publish(etag=etag, expires=0).status == 200
    assert compositor.publish(etag=etag, expires=0).status == 412


def test_an_entity_tag_belongs_to_its_resource(compositor):
    etag = compositor.etag(compositor.publish("hello"))
    assert compositor.publish("hello", to="sip:bob@example.com", etag=etag).status == 412


def test_publishing_for_no_time_stores_nothing(compositor):
    assert compositor.publish("hello", expires=0).status == 200
    assert compositor.stored() == []
    assert compositor.package.happened == []


def test_removal_with_a_document_removes_all_the_same(compositor):
    etag = compositor.etag(compositor.publish("hello"))
    assert compositor.publish("bye", etag=etag, expires=0).status == 200
    assert compositor.stored() == []


@pytest.mark.parametrize(
    ("request_", "status", "header"),
    [
        ({"to": "sip:alice@elsewhere.example", "event": "other", "etag": "old"}, 404, None),
        ({"to": "sip:mallory@example.com", "event": "other"}, 403, None),
        ({"event": "other", "etag": "old", "content_type": "image/png"}, 489, ("Allow-Events", "words")),
        ({"event": None, "etag": "old"}, 489, ("Allow-Events", "words")),
        ({"event": "Words"}, 489, ("Allow-Events", "words")),
        ({"etag": "old, older", "expires": 1}, 400, None),
        ({"etag": '"quoted"'}, 400, None),
        ({"etag": "old", "expires": 1, "content_type": "image/png"}, 412, None),
        ({"expires": 1, "content_type": "image/png"}, 423, ("Min-Expires", "60")),
        ({"content_type": "image/png"}, 415, ("Accept", "text/plain")),
        ({"content_type": None}, 415, ("Accept", "text/plain")),
        ({"body": ""}, 400, None),
        ({"body": "", "expires": 0}, 400, None),
        ({"body": "bad"}, 400, None),
    ],
    ids=[
        "not ours, before the event",
        "not allowed",
        "foreign event, before the tag",
        "no event",
        "the event is case-sensitive",
        "two tags, before the duration",
        "a tag is a token",
        "unknown tag, before duration and type",
        "too brief, before the type",
        "wrong type",
        "no type",
        "neither tag nor document",
        "neither, and to be removed",
        "not to be understood",
    ],
)
def test_refused_for_the_first_reason_and_nothing_changes(compositor, request_, status, header):
    answer = compositor.publish(**{"body": "hello", **request_})
    assert answer.status == status
    if header:
        assert answer.get(header[0]) == header[1]
    assert compositor.esc.resources() == []
    assert compositor.package.happened == []


def test_a_refused_modification_leaves_what_was_there(compositor):
    etag = compositor.etag(compositor.publish("hello"))
    assert compositor.publish("bad", etag=etag).status == 400
    assert compositor.publish("bye", etag=etag, content_type="image/png").status == 415
    assert compositor.stored() == ["hello"]
    assert compositor.publish(etag=etag).status == 200


def test_unreadable_expires_is_400(compositor):
    assert compositor.publish("hello", expires="soon").status == 400
    assert compositor.stored() == []


def test_type_is_compared_without_case_and_parameters(compositor):
    assert compositor.publish("hello", content_type="Text/PLAIN;charset=utf-8").status == 200


def test_two_header_fields_of_sip_if_match_are_400(compositor):
    etag = compositor.etag(compositor.publish("hello"))
    assert compositor.publish("bye", etag=etag, more=f"SIP-If-Match: {etag}").status == 400


def test_compact_event_header_is_read(compositor):
    assert compositor.publish("hello", event=None, more="o: words").status == 200


def test_source_is_the_bottom_via(compositor):
    compositor.publish("hello", more="Via: SIP/2.0/UDP Phone.example.com;branch=z9hG4bKx")
    (publication,) = compositor.esc.publications(ALICE)
    assert publication.source == "phone.example.com:5060"


def test_dropped_publication_does_not_expire_later(compositor):
    compositor.publish("hello", expires=60)
    (publication,) = compositor.esc.publications(ALICE)
    compositor.esc.remove(publication)
    compositor.esc.remove(publication)
    compositor.pass_time(100)
    assert compositor.package.happened == [("published", "hello")]


def test_moved_publications_keep_tag_and_end(compositor):
    etag = compositor.etag(compositor.publish("hello", to="sip:alias@example.com", expires=60))
    compositor.publish("own")
    compositor.esc.move("sip:alias@example.com", ALICE)
    assert sorted(compositor.stored()) == ["hello", "own"]
    assert compositor.publish("bye", etag=etag, expires=60).status == 200
    compositor.pass_time(60)
    assert compositor.stored() == ["own"]
