import pytest

from talkburst.xml import XmlError
from talkburst.xml.reginfo import Contact, Reginfo, ReginfoTable, Registration, from_xml, has_tag, to_xml

TAG = "+g.poc.talkburst"

ALICE = b"""<?xml version="1.0" encoding="UTF-8"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">
  <registration aor="sip:alice@ims.example" id="r1" state="active">
    <contact id="c1" state="active" event="registered" expires="3600" duration-registered="0" callid="7f1@192.0.2.10"
        cseq="2" q="0.8">
      <uri>sip:alice@192.0.2.10:5060;a=b&amp;c</uri>
      <display-name>Alice</display-name>
      <unknown-param name="+g.poc.talkburst"/>
      <unknown-param name="+sip.instance">"&lt;urn:uuid:6b0f0d9e-8f3e-4d6e-9a55-0d8a3f9b6c11&gt;"</unknown-param>
      <pub-gruu xmlns="urn:ietf:params:xml:ns:gruuinfo" uri="sip:alice@ims.example;gr=x"/>
    </contact>
  </registration>
  <registration aor="tel:+12025550101" id="r2" state="active">
    <contact id="c2" state="active" event="created"><uri>sip:alice@192.0.2.10:5060</uri></contact>
  </registration>
</reginfo>"""


def contact(**params: str | None) -> Contact:
    return Contact(
        "sip:a@192.0.2.1", "c1", unknown_params={key.replace("_", "."): value for key, value in params.items()}
    )


def one(version: int, state: str, *registrations: Registration) -> Reginfo:
    return Reginfo(version, state, list(registrations))


def registration(state: str = "active", *contacts: Contact) -> Registration:
    return Registration("sip:alice@ims.example", "r1", state, list(contacts))


def test_a_full_document_is_read_and_extensions_are_passed_over() -> None:
    reginfo = from_xml(ALICE)
    assert (reginfo.version, reginfo.state, reginfo.tolerated) == (0, "full", [])
    first = reginfo.registrations[0].contacts[0]
    assert first == Contact(
        uri="sip:alice@192.0.2.10:5060;a=b&c",
        id="c1",
        state="active",
        event="registered",
        expires=3600,
        duration_registered=0,
        q="0.8",
        callid="7f1@192.0.2.10",
        cseq=2,
        display_name="Alice",
        unknown_params={
            "+g.poc.talkburst": None,
            "+sip.instance": '"<urn:uuid:6b0f0d9e-8f3e-4d6e-9a55-0d8a3f9b6c11>"',
        },
    )
    assert first.param("+sip.instance") == "<urn:uuid:6b0f0d9e-8f3e-4d6e-9a55-0d8a3f9b6c11>"
    assert [item.aor for item in reginfo.registrations] == ["sip:alice@ims.example", "tel:+12025550101"]


def test_what_is_written_keeps_the_order_of_the_schema_and_reads_back() -> None:
    reginfo = from_xml(ALICE)
    written = to_xml(reginfo)
    assert from_xml(written) == reginfo
    assert written.index(b"<uri>") < written.index(b"<display-name>") < written.index(b"<unknown-param")
    assert b'<unknown-param name="+g.poc.talkburst"/>' in written
    assert b'>"&lt;urn:uuid:6b0f0d9e-8f3e-4d6e-9a55-0d8a3f9b6c11&gt;"<' in written


@pytest.mark.parametrize(
    ("name", "value", "on"),
    [
        ("+g.poc.talkburst", None, True),
        ("g.poc.talkburst", None, True),
        ("+G.PoC.Talkburst", None, True),
        ("+g.poc.talkburst", '"TRUE"', True),
        ("+g.poc.talkburst", "TRUE", True),
        ("+g.poc.talkburst", '"!FALSE"', True),
        ("+g.poc.talkburst", '"FALSE"', False),
        ("+g.poc.talkburst", '"!TRUE"', False),
        ("+g.poc.talkburst2", None, False),
        ("+g.poc.groupad", None, False),
    ],
)
def test_a_feature_tag_is_on_without_value_or_with_true(name: str, value: str | None, on: bool) -> None:
    assert has_tag(Contact("sip:a@192.0.2.1", "c1", unknown_params={name: value}), TAG) is on


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (b'version="0"', b"", "no attribute version"),
        (b'version="0"', b'version="-1"', "version '-1'"),
        (b'version="0"', b'version="4294967296"', r"2\*\*32"),
        (b'state="full"', b'state="some"', "neither full nor partial"),
        (b'aor="tel:+12025550101" ', b"", r"registration\[2\] \(line 13\) has no attribute aor"),
        (b'id="r2" state="active"', b'id="r2" state="on"', "init, active, terminated"),
        (b'id="c2" state="active"', b'id="c2" state="init"', "neither active nor terminated"),
        (b"<uri>sip:alice@192.0.2.10:5060</uri>", b"", "has no uri"),
        (b"urn:ietf:params:xml:ns:reginfo", b"urn:other", "namespace urn:other, expected reginfo"),
    ],
)
def test_a_missing_or_wrong_required_value_is_named_with_its_place(before: bytes, after: bytes, text: str) -> None:
    assert before in ALICE
    with pytest.raises(XmlError, match=text):
        from_xml(ALICE.replace(before, after, 1))


def test_missing_ids_and_events_are_filled_in_and_named() -> None:
    reginfo = from_xml(
        b'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="1" state="partial"><registration aor="sip:a@b" '
        b'state="active"><contact state="active" expires="soon"><uri>sip:a@192.0.2.1</uri></contact></registration>'
        b"</reginfo>"
    )
    assert reginfo.registrations == [
        Registration("sip:a@b", "sip:a@b", "active", [Contact("sip:a@192.0.2.1", "sip:a@192.0.2.1")])
    ]
    assert [entry.split(":")[0] for entry in reginfo.tolerated] == [
        "without-id", "contact-without-event", "without-id",
    ]  # fmt: skip


def test_partial_documents_update_rows_and_terminated_rows_go() -> None:
    table = ReginfoTable()
    first, second = Contact("sip:a@192.0.2.1", "c1"), Contact("sip:a@192.0.2.2", "c2", unknown_params={TAG: None})
    assert table.apply(one(0, "full", registration("active", first))) is False
    assert table.addresses_with(TAG) == []
    assert table.apply(one(1, "partial", registration("active", second))) is False
    assert table.registrations[0].contacts == [first, second]
    assert table.addresses_with(TAG) == ["sip:alice@ims.example"]
    gone = Contact("sip:a@192.0.2.1", "c1", "terminated", "expired")
    assert table.apply(one(2, "partial", registration("active", gone))) is False
    assert table.registrations[0].contacts == [second]
    assert table.apply(one(3, "partial", registration("terminated"))) is False
    assert table.registrations == []


@pytest.mark.parametrize(
    ("held", "version", "state", "refresh", "discarded"),
    [
        (None, 0, "full", False, 0),
        (None, 7, "full", False, 0),
        (None, 7, "partial", True, 0),
        (3, 4, "partial", False, 0),
        (3, 6, "partial", True, 0),
        (3, 6, "full", False, 0),
        (3, 3, "full", False, 0),
        (3, 3, "partial", False, 1),
        (3, 2, "full", False, 1),
    ],
)
def test_the_version_decides_what_is_taken_and_when_a_refresh_is_due(
    held: int | None, version: int, state: str, refresh: bool, discarded: int
) -> None:
    table = ReginfoTable()
    if held is not None:
        table.apply(one(held, "full"))
    assert table.apply(one(version, state, registration())) is refresh
    assert table.discarded == discarded
    assert bool(table.registrations) is (discarded == 0)


def test_a_core_that_always_says_version_0_is_followed() -> None:
    table = ReginfoTable()
    table.apply(one(0, "full", registration("active", contact())))
    table.apply(one(0, "full", registration("active")))
    assert table.registrations == [registration("active")]
