"""Documents that are written as text: well-formed and what lxml would write, whatever peers put into them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from talkburst.xml import poc_settings, reginfo
from talkburst.xml.document import (
    append,
    character_data,
    new_root,
    parse,
    serialise,
    writable,
    written,
    written_document,
)

# Also what peers can get into a str: controls, and octets that were no UTF-8 (surrogates).
TEXTS = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["<&>\"'", "]]>", "\r\n\t", "\udc80\x00\ufffe", "&amp;"]
)


@given(TEXTS, TEXTS, st.none() | TEXTS)
def test_an_element_is_written_as_lxml_writes_it(value: str, other: str, content: str | None) -> None:
    root = new_root("urn:x", "a")
    append(root, "b", content, {"one": value, "none": None, "two": other})
    text = None if content is None else character_data(content)
    own = written("a", written("b", text, {"one": value, "none": None, "two": other}), {"xmlns": "urn:x"})
    assert written_document(own) == serialise(root)


@given(st.lists(TEXTS, min_size=8, max_size=8))
def test_a_reginfo_of_any_texts_reads_back(texts: list[str]) -> None:
    aor, number, uri, call_id, q, name, param, value = texts
    contact = reginfo.Contact(uri, number, "active", "refreshed", 5, 6, q, call_id, 7, name, 8, {param: value})
    document = parse(
        reginfo.to_xml(reginfo.Reginfo(1, "full", [reginfo.Registration(aor, number, "active", [contact])]))
    )
    found = [element for element in document.iter() if isinstance(element.tag, str)]
    assert [etree.QName(element).localname for element in found] == [
        *("reginfo", "registration", "contact", "uri", "display-name", "unknown-param")
    ]
    assert {etree.QName(element).namespace for element in found} == {reginfo.NAMESPACE}
    _, registration, read, *inside = found
    assert dict(registration.attrib) == {"aor": writable(aor), "id": writable(number), "state": "active"}
    assert dict(read.attrib) == {
        "id": writable(number),
        "state": "active",
        "event": "refreshed",
        "expires": "5",
        "retry-after": "8",
        "duration-registered": "6",
        "q": writable(q),
        "callid": writable(call_id),
        "cseq": "7",
    }
    assert [element.text or "" for element in inside] == [writable(uri), writable(name), writable(value)]
    assert inside[-1].get("name") == writable(param)


@pytest.mark.parametrize("contacts", [[], [reginfo.Contact("sip:a@h", "c")]])
def test_a_reginfo_with_nothing_in_it_reads_back(contacts: list[reginfo.Contact]) -> None:
    document = reginfo.Reginfo(3, "partial", [reginfo.Registration("sip:a@h", "r", "init", contacts)])
    assert reginfo.from_xml(reginfo.to_xml(document)) == document
    assert reginfo.from_xml(reginfo.to_xml(reginfo.Reginfo(0, "full"))) == reginfo.Reginfo(0, "full")


@given(TEXTS.filter(bool), st.booleans() | st.none(), st.sampled_from(["automatic", "manual", None]))
def test_settings_under_any_entity_id_read_back(
    name: str, active: bool | None, mode: poc_settings.AnswerMode | None
) -> None:
    entity = poc_settings.Entity(name, active, mode, active, active)
    read = poc_settings.from_xml(poc_settings.to_xml(poc_settings.PocSettings([entity])), strict=True)
    assert read.entities == [poc_settings.Entity(writable(name), active, mode, active, active)]


def test_a_document_that_is_refused_does_not_harm_the_next_one() -> None:
    for _ in range(3):
        with pytest.raises(ValueError, match="not well-formed"):
            parse(b"<a><b></a>")
        assert parse(b"<a><b/></a>").tag == "a"
