"""What REGISTER does to the bindings of a user (RFC 3261 10.3 steps 6 and 7)."""

import itertools

import pytest

from talkburst.sip import Request
from talkburst.sip.flow import Flow
from talkburst_core.bindings import ContactEvent, Registration
from talkburst_core.profile import Identity, Profile, Subscriber
from talkburst_core.refusal import Refusal
from talkburst_core.registration_update import MOST_CONTACTS, Limits, Update, update_of

AOR = "sip:alice@ims.example"
FLOW = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.1", 5090), listener="clients")


class User:
    """The registration of one user, and the REGISTER requests that change it."""

    def __init__(self) -> None:
        self.registration = Registration(Subscriber(["alice@ims.example"], [Profile([Identity(AOR, AOR)], [])]))
        self.now = 1000.0
        numbers = itertools.count(1)
        self.new_id = lambda: f"c{next(numbers)}"
        self.cseq = itertools.count(1)

    def update(
        self, *contacts: str, expires: str | None = None, call_id: str = "a", cseq: int = 0, private_id: str = "alice"
    ) -> Update | Refusal:
        headers: list[tuple[str, object]] = [("Call-ID", call_id), ("CSeq", f"{cseq or next(self.cseq)} REGISTER")]
        headers += [("Contact", contact) for contact in contacts]
        if expires is not None:
            headers.append(("Expires", expires))
        return update_of(Request("REGISTER", "sip:ims.example", headers), private_id, FLOW, Limits(60, 3600))

    def register(self, *contacts: str, **options: object) -> Refusal | None:
        update = self.update(*contacts, **options)  # type: ignore[arg-type]
        if isinstance(update, Refusal):
            return update
        return self.registration.apply(update, AOR, self.now, self.new_id)

    @property
    def bound(self) -> dict[str, int]:
        return {str(each.contact.uri): each.remaining(self.now) for each in self.registration.bindings}

    @property
    def ended(self) -> list[tuple[str, str]]:
        return [(str(each.binding.contact.uri), each.event.value) for each in self.registration.ended]


@pytest.fixture
def user() -> User:
    return User()


@pytest.mark.parametrize(
    ("contact", "header", "granted"),
    [
        ("<sip:a@h>", None, 3600),
        ("<sip:a@h>", "600000", 3600),
        ("<sip:a@h>", "1800", 1800),
        ("<sip:a@h>;expires=120", "1800", 120),
        ("<sip:a@h>;expires=4294967296", None, 3600),
        ("<sip:a@h>;expires=99999999999999999999", None, 3600),
        ("<sip:a@h>;expires=soon", "1800", 3600),
        ("<sip:a@h>", "soon", 3600),
        ("sip:a@h;expires=300", None, 300),
    ],
)
def test_lifetime_comes_from_the_contact_then_from_expires_then_from_us(
    user: User, contact: str, header: str | None, granted: int
) -> None:
    assert user.register(contact, expires=header) is None
    assert user.bound == {"sip:a@h": granted}


@pytest.mark.parametrize("wanted", ["1", "59"])
def test_too_short_a_lifetime_is_423_with_the_minimum(user: User, wanted: str) -> None:
    assert user.register("<sip:a@h>", expires=wanted) == Refusal(423, "Interval Too Brief", (("Min-Expires", 60),))
    assert user.bound == {}


def test_too_short_a_lifetime_refuses_the_other_contacts_as_well(user: User) -> None:
    refusal = user.register("<sip:a@h>;expires=600", "<sip:b@h>;expires=5")
    assert isinstance(refusal, Refusal)
    assert user.bound == {}


def test_several_contacts_are_bound_each_for_its_time(user: User) -> None:
    user.register("<sip:a@h>;q=0.5;expires=600, <sip:b@h>;q=1.0", "<sip:c@h>", expires="900")
    assert user.bound == {"sip:a@h": 600, "sip:b@h": 900, "sip:c@h": 900}
    assert [binding.q for binding in user.registration.bindings] == ["0.5", "1.0", None]


def test_parameters_are_kept_but_for_q_and_expires(user: User) -> None:
    user.register('<sip:a@h>;expires=600;+g.poc.talkburst;+sip.instance="<urn:uuid:1>";q=0.1')
    header = user.registration.bindings[0].header(user.now)
    assert header == '<sip:a@h>;+g.poc.talkburst;+sip.instance="<urn:uuid:1>";expires=600;q=0.1'


def test_refresh_keeps_the_contact_and_its_id(user: User) -> None:
    user.register("<sip:a@h>")
    user.now += 100
    user.register("<sip:A@H>".replace("A", "a"))
    binding = user.registration.bindings[0]
    assert (binding.id, binding.event, binding.registered_at) == ("c1", ContactEvent.REFRESHED, 1000.0)
    assert user.bound == {"sip:a@h": 3600}
    assert user.ended == []


def test_equivalent_uri_is_the_same_contact(user: User) -> None:
    user.register("<sip:%61lice@H;transport=udp>")
    user.register("<sip:alice@h;Transport=UDP>")
    assert len(user.bound) == 1


def test_contact_is_removed_by_expires_zero(user: User) -> None:
    user.register("<sip:a@h>", "<sip:b@h>")
    user.register("<sip:a@h>;expires=0")
    assert list(user.bound) == ["sip:b@h"]
    assert user.ended == [("sip:a@h", "unregistered")]


def test_removal_of_what_is_not_there_is_no_fault(user: User) -> None:
    assert user.register("<sip:a@h>", expires="0") is None
    assert user.ended == []


def test_wildcard_removes_everything(user: User) -> None:
    user.register("<sip:a@h>", "<sip:b@h>")
    assert user.register("*", expires="0") is None
    assert user.bound == {}
    assert [uri for uri, _ in user.ended] == ["sip:a@h", "sip:b@h"]


def test_wildcard_removes_the_contacts_of_other_devices_too(user: User) -> None:
    user.register('<sip:a@h>;+sip.instance="<urn:uuid:1>"')
    assert user.register("*", expires="0", private_id="alice-2") is None
    assert user.bound == {}


def test_wildcard_with_an_old_cseq_removes_nothing(user: User) -> None:
    user.register("<sip:a@h>", call_id="a", cseq=5)
    refusal = user.register("*", expires="0", call_id="a", cseq=5)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 500
    assert user.bound == {"sip:a@h": 3600}


def test_number_of_contacts_has_an_end(user: User) -> None:
    for number in range(MOST_CONTACTS):
        assert user.register(f"<sip:a{number}@h>") is None
    refusal = user.register("<sip:one-too-many@h>")
    assert isinstance(refusal, Refusal)
    assert refusal.status == 403
    assert len(user.bound) == MOST_CONTACTS
    assert user.register("<sip:a0@h>") is None


def test_contacts_are_counted_before_any_is_compared(user: User) -> None:
    refusal = user.update(*[f"<sip:a{number}@h>" for number in range(MOST_CONTACTS + 1)], expires="0")
    assert isinstance(refusal, Refusal)
    assert refusal.status == 403


@pytest.mark.parametrize(
    ("contacts", "expires"), [(("*",), None), (("*",), "60"), (("*", "<sip:a@h>"), "0"), (("<sip:a@h>", "*"), "0")]
)
def test_wildcard_stands_alone_and_needs_expires_zero(
    user: User, contacts: tuple[str, ...], expires: str | None
) -> None:
    refusal = user.register(*contacts, expires=expires)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400


@pytest.mark.parametrize("contact", ["<tel:+12025550101>", "<mailto:a@h>"])
def test_contact_that_cannot_be_reached_by_sip_is_400(user: User, contact: str) -> None:
    refusal = user.register(contact)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400


def test_same_call_id_needs_a_higher_cseq(user: User) -> None:
    user.register("<sip:a@h>", cseq=5)
    for cseq in (4, 5):
        refusal = user.register("<sip:a@h>", expires="60", cseq=cseq)
        assert isinstance(refusal, Refusal)
        assert refusal.status == 500
    assert user.bound == {"sip:a@h": 3600}
    assert user.register("<sip:a@h>", expires="60", cseq=6) is None
    assert user.register("<sip:a@h>", expires="90", cseq=1, call_id="b") is None
    assert user.bound == {"sip:a@h": 90}


def test_old_cseq_for_one_contact_refuses_the_whole_request(user: User) -> None:
    user.register("<sip:a@h>", cseq=5)
    assert isinstance(user.register("<sip:b@h>", "<sip:a@h>", cseq=5), Refusal)
    assert isinstance(user.register("*", expires="0", cseq=5), Refusal)
    assert list(user.bound) == ["sip:a@h"]


def test_instance_id_finds_the_contact_under_another_uri(user: User) -> None:
    user.register('<sip:a@h:1>;+sip.instance="<urn:uuid:1>"')
    user.register('<sip:a@h:2>;+sip.instance="<urn:uuid:1>"')
    assert list(user.bound) == ["sip:a@h:2"]
    assert user.ended == [("sip:a@h:1", "unregistered")]
    assert user.registration.bindings[0].id == "c2"


@pytest.mark.parametrize(
    ("second", "private_id"),
    [
        ('<sip:a@h:2>;+sip.instance="<urn:uuid:2>"', "alice"),
        ('<sip:a@h:2>;+sip.instance="<urn:uuid:1>";reg-id=2', "alice"),
        ('<sip:a@h:2>;+sip.instance="<urn:uuid:1>"', "alice-2"),
        ("<sip:a@h:2>", "alice"),
    ],
)
def test_other_instance_flow_or_private_id_is_another_contact(user: User, second: str, private_id: str) -> None:
    user.register('<sip:a@h:1>;+sip.instance="<urn:uuid:1>"')
    user.register(second, private_id=private_id)
    assert list(user.bound) == ["sip:a@h:1", "sip:a@h:2"]


def test_device_that_adds_an_instance_id_later_does_not_appear_twice(user: User) -> None:
    user.register("<sip:a@h>")
    user.register('<sip:a@h>;+sip.instance="<urn:uuid:1>"')
    assert list(user.bound) == ["sip:a@h"]


def test_contacts_expire_one_by_one(user: User) -> None:
    user.register("<sip:a@h>;expires=60", "<sip:b@h>;expires=90")
    assert user.registration.next_expiry() == 1060.0
    user.now = 1060.0
    assert [str(each.contact.uri) for each in user.registration.expire(user.now)] == ["sip:a@h"]
    assert user.ended == [("sip:a@h", "expired")]
    user.now = 1090.0
    user.registration.expire(user.now)
    assert not user.registration.active
    assert user.registration.next_expiry() is None


def test_identity_is_explicit_until_the_last_contact_goes(user: User) -> None:
    user.register("<sip:a@h>")
    assert user.registration.explicit == {AOR}
    user.register("*", expires="0")
    assert user.registration.explicit == set()
