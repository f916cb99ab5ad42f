"""Which PoC Address the reg event gives this device, and what it says of the contact."""

import pytest

from talkburst.sip.headers import parse_name_addrs
from talkburst.sip.uri import parse_uri
from talkburst.ua.reg_event import OwnRegistration
from talkburst.xml.reginfo import Contact, Reginfo, Registration

ALICE = "sip:alice@ims.example"
PHONE = "sip:+12025550101@ims.example;user=phone"
TEL = "tel:+12025550101"
INSTANCE = "urn:uuid:00000000-0000-4000-8000-000000000001"
URI = "sip:alice@127.0.0.1:5090"


def contact(*, tag="", instance=INSTANCE, uri=URI, state="active", event="registered"):
    params = {} if tag is None else {"+g.poc.talkburst": tag or None}
    if instance:
        params["+sip.instance"] = f'"<{instance}>"'
    return Contact(uri, f"c{uri}{instance}", state, event, unknown_params=params)


def document(contacts, version=0, state="active", kind="full"):
    return Reginfo(version, kind, [Registration(aor, aor, state, each) for aor, each in contacts.items()])


@pytest.fixture
def own():
    return OwnRegistration(INSTANCE, parse_uri(URI))


def test_first_associated_identity_that_shows_this_contact_with_the_tag(own):
    own.apply(document({TEL: [contact()], PHONE: [contact()], ALICE: [contact()]}))
    assert own.poc_address(parse_name_addrs(f"<{PHONE}>, <{ALICE}>, <{TEL}>")) == PHONE
    assert own.poc_address(parse_name_addrs(f"<sip:boss@ims.example>, <{TEL}>")) == TEL


def test_without_associated_identities_the_first_of_the_document(own):
    own.apply(document({"sip:other@ims.example": [contact(tag=None)], TEL: [contact()], ALICE: [contact()]}))
    assert own.poc_address([]) == TEL


@pytest.mark.parametrize(
    "shown",
    [
        contact(tag=None),
        contact(tag="FALSE"),
        contact(instance="urn:uuid:another"),
        contact(instance=None, uri="sip:alice@127.0.0.1:5091"),
    ],
    ids=["no tag", "tag is FALSE", "another device", "another URI"],
)
def test_contact_that_is_not_this_one_with_the_tag_gives_no_address(own, shown):
    own.apply(document({ALICE: [shown]}))
    assert own.poc_address(parse_name_addrs(f"<{ALICE}>")) is None


def test_address_that_is_no_uri_is_passed_over(own):
    own.apply(document({"alice": [contact()], TEL: [contact()]}))
    assert own.poc_address([]) == TEL


def test_without_an_instance_id_the_uri_tells(own):
    own.apply(document({ALICE: [contact(instance=None)]}))
    assert own.poc_address(parse_name_addrs(f"<{ALICE}>")) == ALICE


def test_registration_that_is_not_active_gives_no_address(own):
    own.apply(document({ALICE: [contact()]}, state="init"))
    assert own.poc_address([]) is None


def test_end_of_this_contact_is_told_with_its_event(own):
    own.apply(document({ALICE: [contact()]}))
    own.apply(document({ALICE: [contact(state="terminated", event="deactivated")]}, version=1, state="terminated"))
    assert own.ended == "deactivated"
    assert own.poc_address([]) is None


def test_end_of_another_contact_is_not_ours(own):
    gone = contact(instance="urn:uuid:another", uri="sip:x@127.0.0.1", state="terminated", event="expired")
    own.apply(document({ALICE: [contact(), gone]}))
    assert own.ended is None


def test_end_under_one_address_of_a_contact_that_lives_under_another_is_none(own):
    gone = contact(state="terminated", event="expired")
    own.apply(document({ALICE: [contact()], TEL: [gone]}))
    assert own.ended is None


def test_missed_document_asks_for_a_refresh(own):
    assert own.apply(document({ALICE: [contact()]})) is False
    assert own.apply(document({ALICE: [contact()]}, version=5, kind="partial")) is True
