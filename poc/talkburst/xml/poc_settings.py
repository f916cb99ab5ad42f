"""PoC settings: application/poc-settings+xml (RFC 4354 section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from lxml import etree

from talkburst.xml.document import (
    XmlError,
    boolean,
    children,
    note,
    place,
    required,
    root_of,
    written,
    written_document,
)

NAMESPACE: Final = "urn:oma:params:xml:ns:poc:poc-settings"
MEDIA_TYPE: Final = "application/poc-settings+xml"

AnswerMode = Literal["automatic", "manual"]

_SEGMENTS: Final[Mapping[str, str]] = {
    "isb-settings": "incoming-session-barring",
    "am-settings": "answer-mode",
    "ipab-settings": "incoming-personal-alert-barring",
    "sss-settings": "simultaneous-sessions-support",
}
# MCPTT clients in the field write the words of TS 24.379's prose instead of the schema's.
_ANSWER_MODES: Final[Mapping[str, AnswerMode]] = {
    "automatic": "automatic",
    "manual": "manual",
    "auto-answer": "automatic",
    "manual-answer": "manual",
}


@dataclass(slots=True)
class Entity:
    """The settings of one event publication agent; None where it said nothing (RFC 4354 defines no default values)."""

    id: str
    barring: bool | None = None
    answer_mode: AnswerMode | None = None
    alert_barring: bool | None = None
    simultaneous_sessions: bool | None = None


@dataclass(slots=True)
class PocSettings:
    """One document.

    `tolerated` names what did not keep to the schema and was read or passed over nevertheless, the first of it when
    there is much.
    """

    entities: list[Entity] = field(default_factory=list)
    tolerated: list[str] = field(default_factory=list, compare=False)


def to_xml(settings: PocSettings) -> bytes:
    """The document, segments in the order of the schema (RFC 4354 6.1)."""
    entities = "".join(map(_entity_text, settings.entities))
    return written_document(written("poc-settings", entities or None, {"xmlns": NAMESPACE}))


def _entity_text(entity: Entity) -> str:
    segments = _switch_text("isb-settings", entity.barring)
    if entity.answer_mode is not None:
        segments += f"<am-settings><answer-mode>{entity.answer_mode}</answer-mode></am-settings>"
    segments += _switch_text("ipab-settings", entity.alert_barring)
    segments += _switch_text("sss-settings", entity.simultaneous_sessions)
    return written("entity", segments or None, {"id": entity.id})


def _switch_text(segment: str, active: bool | None) -> str:
    if active is None:
        return ""
    return f'<{segment}><{_SEGMENTS[segment]} active="{"true" if active else "false"}"/></{segment}>'


def from_xml(data: bytes, *, strict: bool = False) -> PocSettings:
    """Reads a document. Unknown namespaces are ignored at every level, as RFC 4354 6 demands.

    Elements this namespace does not know, segments out of order, and other spellings of the answer mode are tolerated
    and named; with `strict` the first of them is an error. What cannot be understood raises `XmlError`.
    """
    root = root_of(data, NAMESPACE, "poc-settings")
    settings = PocSettings()
    for name, element in children(root, NAMESPACE):
        if name == "entity":
            settings.entities.append(_entity(element, settings.tolerated))
        else:
            note(settings.tolerated, "unknown-element", element)
    if strict and settings.tolerated:
        raise XmlError(settings.tolerated[0])
    return settings


def _entity(element: etree._Element, tolerated: list[str]) -> Entity:
    entity = Entity(required(element, "id"))
    seen: list[str] = []
    for name, segment in children(element, NAMESPACE):
        if name not in _SEGMENTS:
            note(tolerated, "unknown-element", segment)
            continue
        if name in seen:
            raise XmlError(f"{place(segment)}: a second {name} in one entity")
        seen.append(name)
        _read_segment(entity, name, segment, tolerated)
    if seen != sorted(seen, key=list(_SEGMENTS).index):
        note(tolerated, "segment-order", element, f" has {', '.join(seen)}")
    return entity


def _read_segment(entity: Entity, name: str, segment: etree._Element, tolerated: list[str]) -> None:
    setting = next((child for found, child in children(segment, NAMESPACE) if found == _SEGMENTS[name]), None)
    if setting is None:
        raise XmlError(f"{place(segment)} has no {_SEGMENTS[name]}")
    if name == "am-settings":
        entity.answer_mode = _answer_mode(setting, tolerated)
        return
    active = boolean(required(setting, "active"))
    if active is None:
        raise XmlError(f"{place(setting)}: active={setting.get('active')!r} is none of true, false, 1, 0")
    if name == "isb-settings":
        entity.barring = active
    elif name == "ipab-settings":
        entity.alert_barring = active
    else:
        entity.simultaneous_sessions = active


def _answer_mode(element: etree._Element, tolerated: list[str]) -> AnswerMode:
    text = element.text or ""
    if text in ("automatic", "manual"):
        return cast(AnswerMode, text)
    mode = _ANSWER_MODES.get(text.strip().lower())
    if mode is None:
        raise XmlError(f"{place(element)}: {text.strip()[:40]!r} is neither automatic nor manual")
    note(tolerated, "answer-mode-spelling", element, f" says {text!r}")
    return mode
