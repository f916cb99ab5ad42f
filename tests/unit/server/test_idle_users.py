"""Users of whom nothing is left: forgotten after a while, durably, and welcome back."""

import pytest

ALICE = "sip:alice@ims.example"
PHONE = "sip:+12025550101@ims.example;user=phone"
TEL = "tel:+12025550101"
BOB = "sip:bob@ims.example"
TEMPORARY = "sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
HOUR = 3600.0
LONG_ENOUGH = 2 * HOUR + 1


def known(bench):
    """The users in memory, which have to be those on disk."""
    names = {user.name for user in bench.server.users.all()}
    assert {row["addresses"][0] for row in bench.disk.get("users", {}).values()} == names
    return names


def kept(bench):
    """The users who were not forgotten since the test began."""
    assert bench.said("forgotten") == []
    return known(bench)


def leave(bench, text):
    """What the core says when the last client of alice has gone."""
    bench.third_party(expires=0)
    bench.notify_reg(text.reginfo(text.contact(1, state="terminated"), version=1, state="terminated"))
    bench.notify_reg("", state="terminated;reason=noresource")


def test_user_who_left_is_forgotten_after_a_while(registered, text):
    leave(registered, text)
    registered.advance(HOUR - 1)
    assert known(registered) == {ALICE}
    registered.advance(HOUR + 2)
    assert known(registered) == set()
    assert {table: rows for table, rows in registered.disk.items() if rows} == {}
    assert [registered.server.users.of(address) for address in (ALICE, PHONE, TEL)] == [None] * 3
    assert registered.said("forgotten") == [{"user": ALICE}]


def test_user_who_is_registered_and_nothing_else_is_kept(registered):
    for _ in range(20):
        registered.third_party()
        registered.accept_reg()
        registered.advance(HOUR / 2)
    assert kept(registered) == {ALICE}


def test_user_whom_the_core_announced_and_no_reg_event_tells_of_is_kept(bench):
    bench.watch(Expires="0")
    bench.third_party(expires=int(10 * HOUR))
    bench.answer(bench.subscribe, 403)
    bench.advance(9 * HOUR)
    assert kept(bench) == {ALICE}
    bench.advance(4 * HOUR)
    assert known(bench) == set()


def test_user_who_has_never_registered_is_kept_as_long_as_settings_are_published(bench, text):
    (answer, *_) = bench.publish(text.settings("e1"))
    for _ in range(20):
        bench.advance(HOUR / 2)
        (answer, *_) = bench.publish(etag=answer.get("SIP-ETag"))
        assert answer.status == 200
    assert kept(bench) == {ALICE}
    bench.advance(HOUR + LONG_ENOUGH)
    assert known(bench) == set()


def test_user_who_has_never_registered_is_kept_as_long_as_somebody_watches(bench):
    for _ in range(10):
        bench.watch(Expires="3600")
        bench.advance(HOUR - 1)
    assert kept(bench) == {ALICE}
    bench.advance(HOUR + LONG_ENOUGH)
    assert known(bench) == set()


def test_user_who_asked_once_is_forgotten_and_nobody_else_is(registered):
    registered.watch(BOB, f"<{BOB}>", Expires="0")
    registered.publish("", BOB, f"<{BOB}>", expires="0")
    assert known(registered) == {ALICE, BOB}
    registered.third_party(expires=int(5 * HOUR))
    registered.advance(LONG_ENOUGH)
    assert known(registered) == {ALICE}


def test_user_who_comes_back_is_like_a_new_one(registered, text):
    registered.publish(text.settings("e1"))
    leave(registered, text)
    registered.advance(LONG_ENOUGH)
    assert known(registered) == set()
    registered.third_party()
    registered.accept_reg()
    registered.notify_reg(text.reginfo(text.contact(1)))
    assert known(registered) == {ALICE}
    _, notify = registered.watch(TEL, f"<{TEL}>")
    assert text.entities(notify) == {}
    (stored, told) = registered.publish(text.settings("e2", "manual"))
    assert stored.status == 200
    assert text.entities(told) == {"e2": "manual"}
    registered.restart()
    assert text.entities(registered.watch(PHONE, f"<{PHONE}>")[1]) == {"e2": "manual"}


def test_user_who_was_forgotten_is_forgotten_after_a_restart_too(registered, text):
    leave(registered, text)
    registered.advance(LONG_ENOUGH)
    registered.restart()
    assert known(registered) == set()


def test_users_of_a_server_that_was_restarted_are_forgotten_and_only_those_of_whom_nothing_is_left(bench, text):
    for number in range(20):
        user = f"sip:user{number}@ims.example"
        bench.publish(text.settings("e1"), user, f"<{user}>", expires="3600")
    bench.advance(HOUR / 2)
    for number in range(5):
        user = f"sip:user{number}@ims.example"
        bench.watch(user, f"<{user}>", Expires="3600")
    bench.restart(after=HOUR * 0.4)
    assert len(known(bench)) == 20
    bench.advance(LONG_ENOUGH)
    left = known(bench)
    assert left
    assert left <= {f"sip:user{number}@ims.example" for number in range(5)}
    bench.advance(HOUR)
    assert known(bench) == set()


def test_users_are_looked_at_one_after_the_other_after_a_restart(bench):
    for number in range(100):
        bench.watch(f"sip:user{number}@ims.example", f"<sip:user{number}@ims.example>", Expires="0")
    bench.restart()
    bench.advance(1.5 * HOUR)
    assert len(known(bench)) == 50
    bench.advance(HOUR)
    assert known(bench) == set()


def test_user_who_became_part_of_another_is_no_user_to_forget(registered):
    registered.watch(TEL, f"<{TEL}>", Expires="0")
    registered.third_party(expires=int(9 * HOUR))
    registered.advance(LONG_ENOUGH)
    assert registered.server.users.of(TEL) is registered.server.users.of(ALICE)
    assert kept(registered) == {ALICE}


def test_user_announced_under_an_identity_that_is_no_poc_address_is_forgotten_too(bench, text):
    """A temporary identity registers; the reg event tells the PoC Addresses behind it."""
    bench.third_party(to=TEMPORARY)
    bench.accept_reg()
    bench.notify_reg(text.reginfo(text.contact(1)))
    bench.publish(text.settings("e1"))
    bench.third_party(to=TEMPORARY, expires=0)
    bench.notify_reg(text.reginfo(text.contact(1, state="terminated"), version=1, state="terminated"))
    assert bench.said("settings dropped")[0]["why"] == "the user deregistered"
    bench.notify_reg("", state="terminated;reason=noresource")
    bench.advance(LONG_ENOUGH)
    assert known(bench) == set()


def test_user_announced_under_an_identity_that_is_no_poc_address_is_kept_while_registered(bench, text):
    bench.third_party(to=TEMPORARY, expires=int(9 * HOUR))
    bench.accept_reg()
    bench.notify_reg(text.reginfo(text.contact(1)))
    bench.advance(8 * HOUR)
    assert kept(bench) == {ALICE}


@pytest.mark.parametrize("address", [TEMPORARY, ALICE])
def test_settings_go_with_the_last_contact_in_the_reg_event(bench, text, address):
    bench.third_party(to=address)
    bench.accept_reg()
    bench.notify_reg(text.reginfo(text.contact(1)))
    bench.publish(text.settings("e1"))
    bench.notify_reg(text.reginfo(text.contact(1, state="terminated"), version=1, state="terminated"))
    assert bench.said("settings dropped")[0]["why"] == "its contact is no longer registered"
