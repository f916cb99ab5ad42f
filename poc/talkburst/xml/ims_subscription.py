"""Subscriber profile: the IMSSubscription document (TS 29.228 annexes B and E).

Strings and numbers stand here as they stand in the document; what a regular expression in them means is decided where
it is evaluated. An initial filter criterion that cannot be used is left out with its reason; the others go on.
"""

from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from talkburst.xml.document import XmlError, boolean, children, non_negative, place, root_of, text_of

NO_NAMESPACE: Final = ""
_CONDITIONS: Final = ("RequestURI", "Method", "SIPHeader", "SessionCase", "SessionDescription")
_IN_A_TRIGGER: Final = frozenset({"ConditionNegated", "Group", "Extension", *_CONDITIONS})


@dataclass(slots=True, frozen=True)
class RequestUriCondition:
    pattern: str


@dataclass(slots=True, frozen=True)
class MethodCondition:
    method: str


@dataclass(slots=True, frozen=True)
class SipHeaderCondition:
    """`header` and `content` are regular expressions; content None tests for presence."""

    header: str
    content: str | None


@dataclass(slots=True, frozen=True)
class SessionCaseCondition:
    """0 originating, 1 terminating registered, 2 terminating unregistered, 3 originating unregistered, 4 diverted."""

    case: int


@dataclass(slots=True, frozen=True)
class SessionDescriptionCondition:
    line: str
    content: str | None


Condition = (
    RequestUriCondition | MethodCondition | SipHeaderCondition | SessionCaseCondition | SessionDescriptionCondition
)


@dataclass(slots=True, frozen=True)
class ServicePointTrigger:
    """One SPT. `registration_types`: 0 initial, 1 re-registration, 2 de-registration; empty stands for any."""

    condition: Condition
    groups: tuple[int, ...]
    negated: bool = False
    registration_types: frozenset[int] = frozenset()


@dataclass(slots=True, frozen=True)
class TriggerPoint:
    """CNF: OR inside a group, AND between groups. Not CNF (DNF): the other way round (TS 29.228 annex C)."""

    cnf: bool
    triggers: tuple[ServicePointTrigger, ...]


@dataclass(slots=True, frozen=True)
class ApplicationServer:
    """`default_handling`: 0 the session goes on without this server, 1 it is ended."""

    server_name: str
    default_handling: int = 0
    service_info: str | None = None
    include_register_request: bool = False
    include_register_response: bool = False


@dataclass(slots=True, frozen=True)
class InitialFilterCriteria:
    """`trigger_point` None matches everything. `profile_part`: 0 registered, 1 unregistered, None both."""

    priority: int
    trigger_point: TriggerPoint | None
    application_server: ApplicationServer
    profile_part: int | None = None


@dataclass(slots=True, frozen=True)
class SkippedCriteria:
    """A criterion that is not used: which one in document order (from 0), its priority as written, and why."""

    index: int
    priority: str
    reason: str


@dataclass(slots=True, frozen=True)
class PublicIdentity:
    """`identity_type`: 0 public user identity, 1 distinct PSI, 2 wildcarded PSI, 3 and 4 wildcarded identities."""

    identity: str
    barred: bool = False
    identity_type: int = 0
    display_name: str | None = None
    wildcard: str | None = None
    alias_group: str | None = None


@dataclass(slots=True)
class ServiceProfile:
    """Identities that share `criteria`, which are in the order of evaluation: lowest priority number first."""

    public_identities: list[PublicIdentity] = field(default_factory=list)
    criteria: list[InitialFilterCriteria] = field(default_factory=list)
    skipped: list[SkippedCriteria] = field(default_factory=list)


@dataclass(slots=True)
class ImsSubscription:
    private_id: str
    service_profiles: list[ServiceProfile] = field(default_factory=list)


def from_xml(data: bytes) -> ImsSubscription:
    """Reads a profile; the order of elements does not matter. Raises `XmlError` when no identity can be read."""
    root = root_of(data, NO_NAMESPACE, "IMSSubscription")
    private_id = text_of(_child(root, "PrivateID"))
    if not private_id:
        raise XmlError("IMSSubscription has no PrivateID")
    profiles = [_profile(element) for element in _children(root, "ServiceProfile")]
    if not profiles:
        raise XmlError("IMSSubscription has no ServiceProfile")
    return ImsSubscription(private_id, profiles)


def _children(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for found, child in children(element, NO_NAMESPACE) if found == name]


def _child(element: etree._Element, name: str) -> etree._Element | None:
    return next(iter(_children(element, name)), None)


def _extension_text(element: etree._Element, *names: str) -> str | None:
    """The text of the first of `names` at any depth of the (nested) Extension elements."""
    for extension in _children(element, "Extension"):
        for found in extension.iter(*names):
            return text_of(found)
    return None


def _profile(element: etree._Element) -> ServiceProfile:
    profile = ServiceProfile([_public_identity(child) for child in _children(element, "PublicIdentity")])
    if not profile.public_identities:
        raise XmlError(f"{place(element)} has no PublicIdentity")
    for index, child in enumerate(_children(element, "InitialFilterCriteria")):
        try:
            profile.criteria.append(_criteria(child))
        except XmlError as error:
            profile.skipped.append(SkippedCriteria(index, text_of(_child(child, "Priority")), str(error)))
    profile.criteria.sort(key=lambda criterion: criterion.priority)
    return profile


def _public_identity(element: etree._Element) -> PublicIdentity:
    identity = text_of(_child(element, "Identity"))
    if not identity:
        raise XmlError(f"{place(element)} has no Identity")
    return PublicIdentity(
        identity=identity,
        barred=_flag(element, "BarringIndication"),
        identity_type=non_negative(_extension_text(element, "IdentityType")) or 0,
        display_name=_extension_text(element, "DisplayName"),
        wildcard=_extension_text(element, "WildcardedPSI", "WildcardedIMPU"),
        alias_group=_extension_text(element, "AliasIdentityGroupID"),
    )


def _flag(element: etree._Element, name: str, default: bool = False) -> bool:
    child = _child(element, name)
    if child is None:
        return default
    value = boolean(text_of(child))
    if value is None:
        raise XmlError(f"{place(child)}: {text_of(child)!r} is none of true, false, 1, 0")
    return value


def _number(element: etree._Element, allowed: range | None = None) -> int:
    value = non_negative(text_of(element))
    if value is None or (allowed is not None and value not in allowed):
        limits = f"from {allowed.start} to {allowed.stop - 1}" if allowed else "of 0 or more"
        raise XmlError(f"{place(element)}: {text_of(element)!r} is not a number {limits}")
    return value


def _criteria(element: etree._Element) -> InitialFilterCriteria:
    priority, server = _child(element, "Priority"), _child(element, "ApplicationServer")
    if priority is None:
        raise XmlError(f"{place(element)} has no Priority")
    if server is None:
        raise XmlError(f"{place(element)} has no ApplicationServer")
    trigger_point, part = _child(element, "TriggerPoint"), _child(element, "ProfilePartIndicator")
    return InitialFilterCriteria(
        priority=_number(priority),
        trigger_point=None if trigger_point is None else _trigger_point(trigger_point),
        application_server=_application_server(server),
        profile_part=None if part is None else _number(part, range(2)),
    )


def _application_server(element: etree._Element) -> ApplicationServer:
    name = text_of(_child(element, "ServerName"))
    if not name:
        raise XmlError(f"{place(element)} has no ServerName")
    handling, info = _child(element, "DefaultHandling"), _child(element, "ServiceInfo")
    return ApplicationServer(
        server_name=name,
        default_handling=0 if handling is None else _number(handling, range(2)),
        service_info=None if info is None else info.text or "",
        include_register_request=_extension_text(element, "IncludeRegisterRequest") is not None,
        include_register_response=_extension_text(element, "IncludeRegisterResponse") is not None,
    )


def _trigger_point(element: etree._Element) -> TriggerPoint:
    if _child(element, "ConditionTypeCNF") is None:
        raise XmlError(f"{place(element)} has no ConditionTypeCNF")
    triggers = tuple(_trigger(child) for child in _children(element, "SPT"))
    if not triggers:
        raise XmlError(f"{place(element)} has no SPT")
    return TriggerPoint(_flag(element, "ConditionTypeCNF"), triggers)


def _trigger(element: etree._Element) -> ServicePointTrigger:
    groups = tuple(_number(child) for child in _children(element, "Group"))
    if not groups:
        raise XmlError(f"{place(element)} has no Group")
    inside = list(children(element, NO_NAMESPACE))
    unknown = [name for name, _ in inside if name not in _IN_A_TRIGGER]
    if unknown:
        # What it was to ask for is not known, so it cannot be left out of the condition either.
        raise XmlError(f"{place(element)}: {', '.join(unknown)} is no condition, one of {', '.join(_CONDITIONS)} is")
    conditions = [child for name, child in inside if name in _CONDITIONS]
    if len(conditions) != 1:
        raise XmlError(f"{place(element)} has {len(conditions)} conditions, one of {', '.join(_CONDITIONS)} is needed")
    return ServicePointTrigger(
        condition=_condition(conditions[0]),
        groups=groups,
        negated=_flag(element, "ConditionNegated"),
        registration_types=frozenset(
            _number(child, range(3))
            for extension in _children(element, "Extension")
            for child in extension.iter("RegistrationType")
        ),
    )


def _condition(element: etree._Element) -> Condition:
    name = str(element.tag)
    if name == "SessionCase":
        return SessionCaseCondition(_number(element, range(5)))
    if name in ("SIPHeader", "SessionDescription"):
        key, content = _child(element, "Header" if name == "SIPHeader" else "Line"), _child(element, "Content")
        if not text_of(key):
            raise XmlError(f"{place(element)} names no {'Header' if name == 'SIPHeader' else 'Line'}")
        pattern = None if content is None else content.text or ""
        kind = SipHeaderCondition if name == "SIPHeader" else SessionDescriptionCondition
        return kind(text_of(key), pattern)
    if not text_of(element):
        raise XmlError(f"{place(element)} is empty")
    return RequestUriCondition(text_of(element)) if name == "RequestURI" else MethodCondition(text_of(element))
