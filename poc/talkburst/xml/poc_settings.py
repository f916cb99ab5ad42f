"""PoC settings: application/poc-settings+xml (RFC 4354 section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from lxml import etree

from talkburst.xml.document import (
    XmlError,
    boolean,
    note,
    place,
    qualified,
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
# Of a segment's tag its name, the tag of what it holds, and its place in the schema's order.
_BY_TAG: Final = {
    qualified(NAMESPACE, segment): (segment, qualified(NAMESPACE, setting), number)
    for number, (segment, setting) in enumerate(_SEGMENTS.items())
}
_OURS: Final = qualified(NAMESPACE, "")
_ENTITY: Final = qualified(NAMESPACE, "entity")
# MCPTT clients in the field write the words of TS 24.379's prose instead of the schema's.
_ANSWER_MODES: Final[Mapping[str, AnswerMode]] = {
    "automatic": "automatic",
    "manual": "manual",
    "auto-answer": "automatic",
    "manual-answer": "manual",
}
# The document around its entities.
_OPENED, _, _CLOSED = written_document(written("poc-settings", "|", {"xmlns": NAMESPACE})).partition(b"|")


@dataclass(slots=True)
class Entity:
    """The settings of one event publication agent; None where it said nothing (RFC 4354 defines no default values)."""

    id: str
    barring: bool | None = None
    answer_mode: AnswerMode | None = None
    alert_barring: bool | None = None
    simultaneous_sessions: bool | None = None

    def over(self, before: "Entity") -> "Entity":
        """What it says, and what `before` said where it says nothing."""
        return Entity(
            self.id,
            before.barring if self.barring is None else self.barring,
            before.answer_mode if self.answer_mode is None else self.answer_mode,
            before.alert_barring if self.alert_barring is None else self.alert_barring,
            before.simultaneous_sessions if self.simultaneous_sessions is None else self.simultaneous_sessions,
        )


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
    if not settings.entities:
        return written_document(written("poc-settings", None, {"xmlns": NAMESPACE}))
    return _OPENED + "".join([_entity_text(entity) for entity in settings.entities]).encode() + _CLOSED


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
    for element in root:
        if element.tag == _ENTITY:
            settings.entities.append(_entity(element, settings.tolerated))
        elif _is_ours(element):
            note(settings.tolerated, "unknown-element", element)
    if strict and settings.tolerated:
        raise XmlError(settings.tolerated[0])
    return settings


def _is_ours(element: etree._Element) -> bool:
    """Whether it is of this namespace and its own kind is not known; elements of others are passed over."""
    tag = element.tag
    return isinstance(tag, str) and tag.startswith(_OURS)


def _entity(element: etree._Element, tolerated: list[str]) -> Entity:
    entity = Entity(required(element, "id"))
    seen: list[str] = []
    last, in_order = -1, True
    for child in element:
        known = _BY_TAG.get(child.tag)
        if known is None:
            if _is_ours(child):
                note(tolerated, "unknown-element", child)
            continue
        name, setting, number = known
        if name in seen:
            raise XmlError(f"{place(child)}: a second {name} in one entity")
        seen.append(name)
        in_order, last = in_order and number > last, number
        _read_segment(entity, name, setting, child, tolerated)
    if not in_order:
        note(tolerated, "segment-order", element, f" has {', '.join(seen)}")
    return entity


def _read_segment(entity: Entity, name: str, tag: str, segment: etree._Element, tolerated: list[str]) -> None:
    setting = next(segment.iterchildren(tag), None)
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
