"""What the reg event means to the server: PoC Addresses, contacts, documents to fetch (steps 9 to 11)."""

import pytest

ALICE = "sip:alice@ims.example"
PHONE = "sip:+12025550101@ims.example;user=phone"
TEL = "tel:+12025550101"


def test_addresses_with_a_tagged_contact_are_the_poc_addresses_and_their_documents_are_fetched(registered):
    assert registered.fetched == [[ALICE, PHONE, TEL]]
    user = registered.server.users.of(ALICE)
    assert user.addresses == [ALICE, "sip:+12025550101@ims.example", TEL]
    assert user is registered.server.users.of(TEL)


def test_nothing_is_fetched_before_the_first_notify(bench):
    bench.third_party()
    bench.accept_reg()
    bench.advance(10)
    assert bench.fetched == []


def test_notify_before_the_200_is_as_good(bench, text):
    bench.third_party()
    (answer,) = bench.notify_reg(text.reginfo(text.contact(1)))
    assert answer.status == 200
    bench.accept_reg()
    assert bench.fetched == [[ALICE, PHONE, TEL]]
    _, refresh = bench.third_party()
    assert refresh.to.tag == "notifier"


@pytest.mark.parametrize("tag", [None, "FALSE", '"FALSE"'], ids=["absent", "FALSE", "quoted"])
def test_contact_without_the_tag_makes_no_poc_address(bench, text, tag):
    bench.third_party()
    bench.notify_reg(text.reginfo(text.contact(1, tag=tag)))
    assert bench.fetched == []
    assert bench.said("no active contact of the user has +g.poc.talkburst")


@pytest.mark.parametrize("tag", ["", "TRUE", '"TRUE"'])
def test_tag_without_value_or_with_true_counts(bench, text, tag):
    bench.third_party()
    bench.notify_reg(text.reginfo(text.contact(1, tag=tag), aors=(ALICE,)))
    assert bench.fetched == [[ALICE]]


def test_unchanged_news_fetches_nothing_again(registered, text):
    registered.notify_reg(text.reginfo(text.contact(1), version=1))
    assert len(registered.fetched) == 1


def test_every_further_registration_fetches_again(registered, text):
    registered.third_party()
    registered.accept_reg()
    registered.notify_reg(text.reginfo(text.contact(1), version=1))
    assert len(registered.fetched) == 2


def test_another_address_fetches_again(registered, text):
    registered.notify_reg(text.reginfo(text.contact(1), version=1, aors=(ALICE, PHONE, TEL, "sip:boss@ims.example")))
    assert registered.fetched[1] == [ALICE, PHONE, TEL, "sip:boss@ims.example"]


def test_document_that_is_none_is_answered_200_and_said(registered):
    (answer,) = registered.notify_reg("<reginfo>")
    assert answer.status == 200
    assert registered.said("reg event not understood")


def test_document_that_came_too_late_is_discarded(registered, text):
    registered.notify_reg(text.reginfo(text.contact(1), version=7))
    registered.notify_reg(text.reginfo(version=3))
    assert registered.said("came too late")[0]["version"] == 3
    assert registered.server.users.of(ALICE).contacts


def test_missed_partial_document_leads_to_a_refresh(registered, text):
    news = registered.notify_reg(text.reginfo(text.contact(1), version=5, kind="partial"))
    assert text.lines(news) == ["SIP/2.0 200 OK", "SUBSCRIBE sip:127.0.0.1:5054 SIP/2.0"]


def test_notify_of_a_stranger_is_481(registered, text):
    registered.subscribe = registered.subscribe.copy()
    registered.subscribe.set("Call-ID", "somebody-elses")
    (answer,) = registered.notify_reg(text.reginfo())
    assert answer.status == 481


def test_address_that_moved_to_another_user_is_taken_from_the_first(registered, text):
    registered.third_party(to="sip:bob@ims.example")
    registered.accept_reg()
    registered.notify_reg(text.reginfo(text.contact(1, host="127.0.0.1:5099"), aors=("sip:bob@ims.example", TEL)))
    users = registered.server.users
    assert users.of(TEL) is users.of("sip:bob@ims.example")
    assert users.of(TEL) is not users.of(ALICE)
    assert TEL not in users.of(ALICE).addresses
