"""Publications that are written to a journal, and taken from it by another process."""

import json

import pytest

from talkburst.sip.journal import Journal, RowError


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def first(make_compositor, journal):
    return make_compositor(journal)


class Disk(dict):
    """Rows by entity-tag, as JSON would give them back."""

    def store(self, journal):
        for table, key, row in journal.take():
            assert table == "publications"
            if row is None:
                self.pop(key, None)
            else:
                self[key] = json.loads(json.dumps(row))


@pytest.fixture
def disk():
    return Disk()


def heir_of(first, make_compositor, disk, journal, **options):
    disk.store(journal)
    heir = make_compositor(journal)
    heir.now = first.now
    heir.esc.restore(disk, **options)
    return heir


def test_each_publication_is_one_row_under_its_present_tag(first, journal, disk):
    etag = first.publish("one").get("SIP-ETag")
    other = first.publish("two").get("SIP-ETag")
    disk.store(journal)
    assert sorted(disk) == sorted([etag, other])
    etag = first.publish(etag=etag).get("SIP-ETag")
    other = first.publish(etag=other, expires="0").get("SIP-ETag")
    disk.store(journal)
    assert list(disk) == [etag]


def test_another_process_has_what_was_published(first, make_compositor, journal, disk):
    etag = first.publish("one").get("SIP-ETag")
    heir = heir_of(first, make_compositor, disk, journal)
    assert heir.stored() == ["one"]
    assert heir.package.happened == []
    assert heir.publish("two", etag=etag).status == 200
    assert heir.stored() == ["two"]


def test_order_of_publication_is_kept_over_a_refresh(first, make_compositor, journal, disk):
    etag = first.publish("one").get("SIP-ETag")
    first.pass_time(1)
    first.publish("two")
    first.pass_time(1)
    first.publish(etag=etag)
    assert heir_of(first, make_compositor, disk, journal).stored() == ["one", "two"]


def test_owner_is_kept(first, make_compositor, journal, disk):
    first.publish("one")
    [publication] = first.esc.publications("sip:alice@example.com")
    first.esc.own(publication, "urn:uuid:1")
    heir = heir_of(first, make_compositor, disk, journal)
    assert [each.owner for each in heir.esc.publications("sip:alice@example.com")] == ["urn:uuid:1"]


def test_expiry_is_kept_and_what_expired_meanwhile_is_told(first, make_compositor, journal, disk):
    first.publish("short", expires="60")
    first.publish("long", expires="3600")
    first.pass_time(30)
    disk.store(journal)
    first.now += 100
    heir = heir_of(first, make_compositor, disk, journal)
    heir.pass_time(0)
    assert heir.package.happened == [("expired", "short")]
    heir.pass_time(3600)
    assert heir.package.happened == [("expired", "short"), ("expired", "long")]
    disk.store(journal)
    assert disk == {}


def test_going_back_replaces_what_is_there_and_waits_until_it_is_told_to(first, journal, disk):
    first.publish("short", expires="60")
    disk.store(journal)
    first.publish("lost")
    first.pass_time(0)
    first.package.happened.clear()
    first.now += 100
    first.esc.restore(disk, first.now + 5)
    first.pass_time(4)
    assert (first.stored(), first.package.happened) == (["short"], [])
    first.pass_time(2)
    assert first.package.happened == [("expired", "short")]


def test_document_that_cannot_be_read_any_more_is_an_error(first, make_compositor, journal, disk):
    first.publish("one")
    disk.store(journal)
    for row in disk.values():
        row["body"] = "bad"
    with pytest.raises(RowError, match="this is no word"):
        heir_of(first, make_compositor, disk, journal)


def test_moved_publications_are_stored_where_they_went(first, make_compositor, journal, disk):
    first.publish("one")
    first.esc.move("sip:alice@example.com", "sip:bob@example.com")
    heir = heir_of(first, make_compositor, disk, journal)
    assert [each.content for each in heir.esc.publications("sip:bob@example.com")] == ["one"]
