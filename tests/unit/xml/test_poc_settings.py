import time

import pytest

from talkburst.xml import XmlError
from talkburst.xml.document import MOST_NOTES
from talkburst.xml.poc_settings import Entity, PocSettings, from_xml, to_xml

NAMESPACE = "urn:oma:params:xml:ns:poc:poc-settings"


def document(inside: str) -> bytes:
    return f'<poc-settings xmlns="{NAMESPACE}">{inside}</poc-settings>'.encode()


def test_nothing_published_is_a_document_without_entities() -> None:
    written = to_xml(PocSettings())
    assert written == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"/>'
    )
    assert from_xml(written) == PocSettings()


def test_segments_are_written_in_the_order_of_the_schema() -> None:
    settings = PocSettings([Entity("urn:uuid:1", False, "manual", True, True), Entity("b", answer_mode="automatic")])
    written = to_xml(settings)
    assert written.endswith(
        b'<entity id="urn:uuid:1"><isb-settings><incoming-session-barring active="false"/></isb-settings>'
        b"<am-settings><answer-mode>manual</answer-mode></am-settings>"
        b'<ipab-settings><incoming-personal-alert-barring active="true"/></ipab-settings>'
        b'<sss-settings><simultaneous-sessions-support active="true"/></sss-settings></entity>'
        b'<entity id="b"><am-settings><answer-mode>automatic</answer-mode></am-settings></entity></poc-settings>'
    )
    assert from_xml(written, strict=True) == settings


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), (" false ", False), ("0", False)])
def test_every_spelling_of_xs_boolean_is_read(text: str, value: bool) -> None:
    inside = f'<entity id="a"><isb-settings><incoming-session-barring active="{text}"/></isb-settings></entity>'
    assert from_xml(document(inside), strict=True).entities == [Entity("a", barring=value)]


@pytest.mark.parametrize(
    ("inside", "entity", "name"),
    [
        (
            "<am-settings><answer-mode>manual</answer-mode></am-settings>"
            '<ext-app><parallel-streams active="true"/></ext-app>',
            Entity("a", answer_mode="manual"),
            "unknown-element",
        ),
        (
            "<am-settings><answer-mode>manual</answer-mode></am-settings>"
            '<isb-settings><incoming-session-barring active="1"/></isb-settings>',
            Entity("a", True, "manual"),
            "segment-order",
        ),
        ("<am-settings><answer-mode> Manual\n</answer-mode></am-settings>", Entity("a", None, "manual"), "answer-mode"),
        ("<am-settings><answer-mode>auto-answer</answer-mode></am-settings>", Entity("a", None, "automatic"), "answer"),
    ],
)
def test_faults_seen_in_the_field_are_tolerated_by_name(inside: str, entity: Entity, name: str) -> None:
    data = document(f'<entity id="a">{inside}</entity>')
    settings = from_xml(data)
    assert settings.entities == [entity]
    assert [entry.startswith(name) for entry in settings.tolerated] == [True]
    with pytest.raises(XmlError, match=name):
        from_xml(data, strict=True)


def test_an_mcptt_body_with_foreign_elements_is_valid() -> None:
    inside = """<entity id="urn:uuid:1" xmlns:m="urn:3gpp:mcsSettings:1.0" m:x="1">
      <am-settings><answer-mode>automatic</answer-mode><answer-mode>nonsense</answer-mode><m:y/></am-settings>
      <m:selected-user-profile-index><m:user-profile-index>1</m:user-profile-index></m:selected-user-profile-index>
    </entity><z xmlns="urn:z"/>"""
    assert from_xml(document(inside), strict=True).entities == [Entity("urn:uuid:1", answer_mode="automatic")]


def test_two_entities_of_one_id_are_both_kept() -> None:
    assert from_xml(document('<entity id="a"/><entity id="a"/>')).entities == [Entity("a"), Entity("a")]


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("<entity/>", "entity .*has no attribute id"),
        ('<entity id="a"><isb-settings/></entity>', "isb-settings .*has no incoming-session-barring"),
        (
            '<entity id="a"><isb-settings><incoming-session-barring/></isb-settings></entity>',
            "incoming-session-barring .*has no attribute active",
        ),
        (
            '<entity id="a"><sss-settings><simultaneous-sessions-support active="yes"/></sss-settings></entity>',
            "active='yes'",
        ),
        ('<entity id="a"><am-settings><answer-mode>maybe</answer-mode></am-settings></entity>', "'maybe' is neither"),
        (
            '<entity id="a"><am-settings><answer-mode>manual</answer-mode></am-settings>'
            "<am-settings><answer-mode>automatic</answer-mode></am-settings></entity>",
            r"am-settings\[2\].*a second am-settings",
        ),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_place(inside: str, text: str) -> None:
    with pytest.raises(XmlError, match=text):
        from_xml(document(inside))


def test_another_root_is_refused() -> None:
    with pytest.raises(XmlError, match="the root element is poc-settings of no namespace"):
        from_xml(b"<poc-settings/>")


def test_of_many_departures_from_the_schema_the_first_are_named() -> None:
    settings = from_xml(document('<entity id="a">' + "<x/>" * 3000 + "</entity>"))
    assert settings.entities == [Entity("a")]
    assert len(settings.tolerated) == MOST_NOTES
    assert settings.tolerated[1].startswith("unknown-element: poc-settings/entity/x[2]")


def test_as_many_unknown_elements_as_fit_cost_little_more_than_to_walk_over_them() -> None:
    body = f'<poc-settings xmlns="{NAMESPACE}">{"<a/>" * 250_000}</poc-settings>'.encode()
    started = time.process_time()
    settings = from_xml(body)
    assert time.process_time() - started < 1.5
    assert settings.tolerated[0] == "unknown-element: poc-settings/a[1] (line 1)"
    assert settings.tolerated[15] == "unknown-element: poc-settings/a[16] (line 1)"
