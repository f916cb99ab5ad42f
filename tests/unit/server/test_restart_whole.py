"""What the PoC server knows of its users after a restart at any point, and what becomes of what was not stored."""

import json

import pytest

from talkburst.daemon.shown import select
from talkburst.sip.journal import RowError

ALICE = "sip:alice@ims.example"
TEL = "tel:+12025550101"
ONE = "urn:uuid:00000000-0000-4000-8000-000000000001"
TWO = "urn:uuid:00000000-0000-4000-8000-000000000002"


# Users


def test_addresses_of_a_user_are_known_before_the_reg_event_tells_again(registered, text):
    registered.publish(text.settings(ONE))
    registered.restart()
    _, notify = registered.watch(TEL, asserted=f"<{TEL}>")
    assert text.entities(notify) == {ONE: "automatic"}


def test_names_that_were_joined_stay_joined(bench, text):
    bench.publish(text.settings("phone"), TEL, asserted=f"<{TEL}>")
    bench.watch()
    bench.third_party()
    bench.notify_reg(text.reginfo(text.contact(1, instance="phone")))
    (users,) = [bench.disk["users"]]
    assert len(users) == 1
    bench.restart()
    _, notify = bench.watch()
    assert text.entities(notify) == {"phone": "automatic"}


def test_address_that_moved_to_another_user_is_restored_with_that_one(bench, text):
    bench.third_party()
    bench.notify_reg(text.reginfo(text.contact(1), aors=(ALICE, TEL)))
    bench.third_party(to="sip:bob@ims.example")
    bench.notify_reg(text.reginfo(text.contact(2), aors=("sip:bob@ims.example", TEL)))
    bench.restart()
    assert bench.server.users.of(TEL) is bench.server.users.of("sip:bob@ims.example")
    assert bench.server.users.of(ALICE).addresses == [ALICE]


# All of it


def script(text):
    """One thing after the other, each a request of the core."""
    second = text.contact(2, host="127.0.0.1:5091", instance=TWO)
    yield lambda bench: bench.third_party()
    yield lambda bench: bench.accept_reg()
    yield lambda bench: bench.notify_reg(text.reginfo(text.contact(1)))
    yield lambda bench: bench.watch()
    yield lambda bench: bench.publish(text.settings(ONE))
    yield lambda bench: bench.watch(TEL, asserted=f"<{TEL}>")
    yield lambda bench: bench.notify_reg(text.reginfo(text.contact(1), second, version=1))
    yield lambda bench: bench.publish(text.settings(TWO, "manual"), host="127.0.0.1:5091")
    yield lambda bench: bench.third_party(to="sip:bob@ims.example")
    yield lambda bench: bench.publish(text.settings("bob"), "sip:bob@ims.example", asserted="<sip:bob@ims.example>")
    yield lambda bench: bench.advance(30)
    yield lambda bench: bench.notify_reg("", state="terminated;reason=timeout")
    yield lambda bench: bench.third_party(to="sip:bob@ims.example", expires=0)
    yield lambda bench: bench.third_party(expires=0)


def test_after_each_step_a_new_process_knows_what_the_old_one_knew(make_bench, text):
    bench = make_bench()
    for step in script(text):
        step(bench)
        heir = make_bench()
        heir.server.restore(bench.tables(), bench.now)
        known, inherited = (select(each.server.show(bench.now)) for each in (bench, heir))
        for registration in [*known["registrations"], *inherited["registrations"]]:
            del registration["reg_subscription"]  # one that has no dialog yet is begun anew
        assert canonical(inherited) == canonical(known)


def test_restart_after_each_step_leads_to_the_same(make_bench, text):
    straight, broken = make_bench(), make_bench()
    for step in script(text):
        step(straight)
        step(broken)
        broken.restart()
    assert canonical(broken.server.show(broken.now)) == canonical(straight.server.show(straight.now))


def canonical(shown):
    return json.dumps({name: sorted(json.dumps(each) for each in rows) for name, rows in shown.items()})


# What could not be stored


def test_going_back_to_what_was_stored_undoes_the_rest_and_is_silent_for_a_while(registered, text):
    registered.watch()
    etag = registered.publish(text.settings(ONE))[0].get("SIP-ETag")
    registered.advance(20)
    stored = registered.tables()
    before = canonical(registered.server.show(registered.now))
    registered.acknowledge = lambda news: None
    registered.publish(text.settings(ONE, "manual"), etag=etag)
    del registered.acknowledge
    registered.third_party(to="sip:bob@ims.example")
    registered.watch()
    registered.disk = stored
    registered.server.restore(registered.tables(), registered.now, registered.now + 5)
    registered.collect()
    assert canonical(registered.server.show(registered.now)) == before
    assert registered.advance(4.9) == []  # not even a retransmission of the NOTIFY that is undone
    assert text.lines(registered.advance(0.2)) == ["SUBSCRIBE sip:127.0.0.1:5054 SIP/2.0"]
    assert registered.publish(text.settings(ONE), etag=etag)[0].status == 200


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("registrations", "user"),
        ("registrations", "table"),
        ("publications", "body"),
        ("subscriptions", "dialog"),
        ("users", "keys"),
    ],
)
def test_row_that_cannot_be_read_is_named(registered, text, table, column):
    registered.watch()
    registered.publish(text.settings(ONE))
    tables = registered.tables()
    for row in tables[table].values():
        row[column] = 7
    with pytest.raises(RowError, match=column):
        registered.server.restore(tables, registered.now)
