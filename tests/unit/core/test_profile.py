"""Subscribers from IMSSubscription documents: the demo world, shared sets, and what cannot be used."""

import pytest

from talkburst_core import profile
from talkburst_core.daemon import world

DAVE = "001010000000004@ims.mnc001.mcc001.3gppnetwork.org"


def subscription(private_id: str, *identities: str, criteria: str = "") -> bytes:
    written = "".join(
        f"<PublicIdentity><BarringIndication>{int(each.startswith('!'))}</BarringIndication>"
        f"<Identity>{each.lstrip('!')}</Identity></PublicIdentity>"
        for each in identities
    )
    return (
        f"<IMSSubscription><PrivateID>{private_id}</PrivateID><ServiceProfile>{written}{criteria}</ServiceProfile>"
        "</IMSSubscription>"
    ).encode()


def criterion(priority: object, server: str = "sip:as.ims.example", trigger: str = "") -> str:
    return (
        f"<InitialFilterCriteria><Priority>{priority}</Priority>{trigger}"
        f"<ApplicationServer><ServerName>{server}</ServerName></ApplicationServer></InitialFilterCriteria>"
    )


@pytest.fixture
def demo() -> profile.Subscribers:
    files = sorted((world() / "profiles").iterdir(), key=lambda file: file.name)
    subscribers, defects = profile.load((file.name, file.read_bytes()) for file in files)
    assert defects == []
    return subscribers


def test_demo_world_holds_alice_with_two_devices_bob_carol_and_dave(demo) -> None:
    assert [subscriber.private_ids for subscriber in demo] == [
        ["alice-2@ims.example", "alice@ims.example"],
        ["bob@ims.example"],
        ["carol@ims.example"],
        [DAVE],
    ]
    assert demo.by_private_id("alice@ims.example") is demo.by_private_id("alice-2@ims.example")


def test_set_of_alice_begins_with_her_default_identity(demo) -> None:
    alice = demo.by_private_id("alice@ims.example")
    assert [identity.uri for identity in alice.unbarred] == [
        "sip:alice@ims.example",
        "sip:+12025550101@ims.example;user=phone",
        "tel:+12025550101",
    ]
    assert alice.application_servers == {"sip:poc.ims.example"}
    assert [each.priority for _, each in alice.criteria()] == [0, 1]


def test_dave_registers_with_an_identity_that_is_barred(demo) -> None:
    dave = demo.by_private_id(DAVE)
    assert dave.identity(f"sip:{DAVE}").barred
    assert dave.default_identity.uri == "sip:dave@ims.example"


@pytest.mark.parametrize(
    "written",
    [
        "sip:+12025550101@ims.example;user=phone",
        "sip:+12025550101@IMS.EXAMPLE",
        "sips:alice@ims.example",
        "sip:%61lice@ims.example;transport=tcp",
        "tel:+1-202-555-0101",
    ],
)
def test_user_is_found_however_an_identity_is_written(demo, written: str) -> None:
    subscriber, _ = demo.find(written)
    assert "alice@ims.example" in subscriber.private_ids


@pytest.mark.parametrize("written", ["sip:mallory@ims.example", "sip:alice@other.example", "nonsense", ""])
def test_stranger_is_nobody(demo, written: str) -> None:
    assert demo.find(written) is None


def test_criteria_are_in_the_order_of_their_priority() -> None:
    criteria = criterion(7) + criterion(2) + criterion(4)
    subscribers, _ = profile.load([("a.xml", subscription("a@x", "sip:a@x", criteria=criteria))])
    assert [each.priority for _, each in subscribers.by_private_id("a@x").criteria()] == [2, 4, 7]


def test_bad_criterion_is_skipped_and_named_while_the_others_go_on() -> None:
    bad_pattern = (
        "<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><SIPHeader><Header>^Contact$</Header>"
        "<Content>+g.poc</Content></SIPHeader></SPT></TriggerPoint>"
    )
    criteria = criterion(0, trigger=bad_pattern) + criterion("x") + criterion(2, server="as") + criterion(3)
    subscribers, defects = profile.load([("a.xml", subscription("a@x", "sip:a@x", criteria=criteria))])
    assert [each.priority for _, each in subscribers.by_private_id("a@x").criteria()] == [3]
    texts = [str(defect) for defect in defects]
    assert len(texts) == 3
    assert texts[0].startswith("a.xml, InitialFilterCriteria 1: ")
    assert texts[1].startswith("a.xml: criterion 0 is skipped: bad regular expression '+g.poc'")
    assert texts[2].startswith("a.xml: criterion 2 is skipped: no scheme")


@pytest.mark.parametrize(
    "data",
    [
        b"<IMSSubscription>",
        b"<Other/>",
        subscription("b@x", "not a uri"),
        subscription("b@x"),
        subscription("a@x", "sip:b@x"),  # the private id is taken
        subscription("b@x", "sip:a@x", "sip:b@x"),  # one identity is taken
        subscription("b@x", "!sip:a@x"),  # the same identity, barred here and not there
    ],
)
def test_bad_file_is_skipped_and_named_while_the_others_go_on(data: bytes) -> None:
    files = [("a.xml", subscription("a@x", "sip:a@x")), ("b.xml", data), ("c.xml", subscription("c@x", "sip:c@x"))]
    subscribers, defects = profile.load(files)
    assert [subscriber.private_ids for subscriber in subscribers] == [["a@x"], ["c@x"]]
    assert [defect.file for defect in defects] == ["b.xml"]


def test_several_service_profiles_make_one_set_with_criteria_of_their_own() -> None:
    data = (
        "<IMSSubscription><PrivateID>a@x</PrivateID>"
        "<ServiceProfile><PublicIdentity><Identity>sip:a@x</Identity></PublicIdentity>"
        f"{criterion(0, 'sip:one')}</ServiceProfile>"
        "<ServiceProfile><PublicIdentity><Identity>sip:b@x</Identity></PublicIdentity>"
        f"{criterion(0, 'sip:two')}</ServiceProfile></IMSSubscription>"
    )
    subscribers, _ = profile.load([("a.xml", data.encode())])
    subscriber = subscribers.by_identity("sip:b@x")
    assert [identity.uri for identity in subscriber.identities] == ["sip:a@x", "sip:b@x"]
    own = subscriber.profile_of(subscriber.identity("sip:b@x"))
    assert [each.server.server_name for each in own.criteria] == ["sip:two"]
