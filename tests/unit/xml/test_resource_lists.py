import sys
from types import FrameType

import pytest

from talkburst.xml import XmlError
from talkburst.xml.resource_lists import Entry, EntryRef, External, UriList, from_xml


def document(inside: str) -> bytes:
    return f'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">{inside}</resource-lists>'.encode()


def test_lists_are_read_with_everything_in_them() -> None:
    lists = from_xml(
        document("""
        <list name="oma_pocbuddylist"><display-name xml:lang="en">Buddies</display-name>
          <entry uri="sip:bob@ims.example"><display-name>Bob</display-name><x xmlns="urn:x"/></entry>
          <list name="work"><entry uri="tel:+12025550103"/></list>
          <entry-ref ref="resource-lists/users/sip:bill@ims.example/index/~~/resource-lists/list%5b1%5d"/>
          <external anchor="http://xcap.example.com/resource-lists/users/sip:a@example.com/index"/>
        </list><list/>""")
    )
    buddies = lists.named("oma_pocbuddylist")
    assert buddies == UriList(
        "oma_pocbuddylist",
        "Buddies",
        [
            Entry("sip:bob@ims.example", "Bob"),
            UriList("work", None, [Entry("tel:+12025550103")]),
            EntryRef("resource-lists/users/sip:bill@ims.example/index/~~/resource-lists/list%5b1%5d"),
            External("http://xcap.example.com/resource-lists/users/sip:a@example.com/index"),
        ],
    )
    assert [entry.uri for entry in buddies.entries()] == ["sip:bob@ims.example", "tel:+12025550103"]
    assert lists.named("OMA_pocbuddylist") is None


@pytest.mark.parametrize(
    ("inside", "condition", "text", "field"),
    [
        ("<entry uri='a'/>", "schema-validation-error", "entry of namespace .*expected list", ""),
        ("<list><entry/></list>", "schema-validation-error", "entry .*has no attribute uri", ""),
        ("<list><entry uri='a'>text</entry></list>", "schema-validation-error", "text 'text'", ""),
        ("<list>text<entry uri='a'/></list>", "schema-validation-error", "text 'text'", ""),
        ("<list><entry uri='a'/>text</list>", "schema-validation-error", "text 'text' between", ""),
        ("<list><entry uri='a'/><display-name>x</display-name></list>", "schema-validation-error", "the first", ""),
        ("<list><entry xmlns='' uri='a'/></list>", "schema-validation-error", "entry of no namespace", ""),
        (
            "<list name='a'/><list name='b'/><list name='a'/>",
            "uniqueness-failure",
            "name 'a' is there twice",
            r"resource-lists/list[3]/@name",
        ),
        (
            "<list><entry uri='sip:a'/><entry uri='sip:A'/><entry uri='sip:a'/></list>",
            "uniqueness-failure",
            "uri 'sip:a' is there twice",
            "resource-lists/list/entry[3]/@uri",
        ),
        ("<list><entry-ref ref='/abs'/></list>", "constraint-failure", "not relative", ""),
        ("<list><entry-ref ref='http://x/y'/></list>", "constraint-failure", "not relative", ""),
        ("<list><external anchor='index'/></list>", "constraint-failure", "not an absolute HTTP URI", ""),
        ("<list>" * 33 + "</list>" * 33, "constraint-failure", "nested more than 32", ""),
    ],
)
def test_a_wrong_document_is_refused_with_condition_place_and_field(
    inside: str, condition: str, text: str, field: str
) -> None:
    with pytest.raises(XmlError, match=text) as refused:
        from_xml(document(inside))
    assert (refused.value.condition, refused.value.field) == (condition, field)


def calls_to_read(entries: int) -> int:
    """How many functions are called to read a list of that many entries."""
    text = document("<list>" + "".join(f'<entry uri="sip:{number}@x"/>' for number in range(entries)) + "</list>")
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        from_xml(text)
    finally:
        sys.setprofile(None)
    return calls


def test_the_work_of_reading_is_the_same_few_calls_for_each_entry() -> None:
    fewer, more = calls_to_read(500), calls_to_read(2500)
    assert (more - fewer) / 2000 < 15
    assert more / fewer < 5.1
