"""Authorisation rules: the common policy of RFC 4745, with the conditions that OMA XDM added."""

import re
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from talkburst.xml.document import (
    XmlError,
    in_order,
    local_name,
    namespace_of,
    place,
    required,
    strict_children,
    text_of,
)

NAMESPACE: Final = "urn:ietf:params:xml:ns:common-policy"
OMA_NAMESPACE: Final = "urn:oma:xml:xdm:common-policy"

_PARTS: Final = ("conditions", "actions", "transformations")
_CONDITIONS: Final = ("identity", "sphere", "validity")
_OMA_CONDITIONS: Final = ("external-list", "anonymous-request", "other-identity")
# XML Schema part 2, 3.2.7: xs:dateTime.
_DATE_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(slots=True)
class Many:
    """Every authenticated identity (of `domain`, if there is one) but the exceptions."""

    domain: str | None = None
    except_domains: list[str] = field(default_factory=list)
    except_ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Identity:
    """Matches when one of `ones` or `many` does (RFC 4745 7.1)."""

    ones: list[str] = field(default_factory=list)
    many: list[Many] = field(default_factory=list)


@dataclass(slots=True)
class ExternalList:
    """Matches members of the URI lists at these XCAP URIs."""

    anchors: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Validity:
    """Pairs of xs:dateTime as written."""

    intervals: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Sphere:
    value: str


@dataclass(slots=True)
class NamedCondition:
    """A condition that is only a name, or one that is not known here and so is false (RFC 4745 10.1).

    `name` is spelled {namespace}name.
    """

    name: str


OTHER_IDENTITY: Final = NamedCondition(f"{{{OMA_NAMESPACE}}}other-identity")
ANONYMOUS_REQUEST: Final = NamedCondition(f"{{{OMA_NAMESPACE}}}anonymous-request")

Condition = Identity | ExternalList | Validity | Sphere | NamedCondition


@dataclass(slots=True)
class Rule:
    """All `conditions` have to match. `actions`: {namespace}name to text."""

    id: str
    conditions: list[Condition] = field(default_factory=list)
    actions: dict[str, str] = field(default_factory=dict)


def ruleset(element: etree._Element, id_selector: str = "ruleset/rule[{}]/@id") -> list[Rule]:
    """The rules of a ruleset element, held to the schema of RFC 4745. Raises `XmlError`.

    `id_selector` is the node selector of the id of the rule whose position goes into the braces.
    """
    rules: list[Rule] = []
    ids: set[str] = set()
    for position, (_, child) in enumerate(strict_children(element, NAMESPACE, ("rule",), ("rule",)), 1):
        rule = _rule(child)
        if rule.id in ids:
            text = f"{place(child)}: rule id {rule.id!r} is there twice"
            raise XmlError(text, "uniqueness-failure", id_selector.format(position))
        ids.add(rule.id)
        rules.append(rule)
    return rules


def _rule(element: etree._Element) -> Rule:
    parts = strict_children(element, NAMESPACE, _PARTS)
    in_order(element, [name for name, _ in parts], _PARTS)
    rule = Rule(required(element, "id"))
    for name, child in parts:
        if name == "conditions":
            rule.conditions = _conditions(child)
        elif name == "actions":
            strict_children(child, NAMESPACE, ())
            rule.actions = {str(action.tag): text_of(action) for action in child}
    return rule


def _conditions(element: etree._Element) -> list[Condition]:
    strict_children(element, NAMESPACE, _CONDITIONS, _CONDITIONS)
    found: list[Condition] = []
    exclusive = 0
    for child in element:
        name, namespace = local_name(child), namespace_of(child)
        oma = namespace == OMA_NAMESPACE and name in _OMA_CONDITIONS
        exclusive += oma or (namespace == NAMESPACE and name == "identity")
        if namespace == NAMESPACE:
            found.append(_condition(name, child))
        elif oma and name == "external-list":
            found.append(_external_list(child))
        else:
            found.append(NamedCondition(str(child.tag)))
    if exclusive > 1:
        text = "at most one of identity, external-list, other-identity and anonymous-request can stand in a rule"
        raise XmlError(f"{place(element)}: {text}", "constraint-failure")
    return found


def _condition(name: str, element: etree._Element) -> Condition:
    if name == "identity":
        return _identity(element)
    if name == "sphere":
        return Sphere(required(element, "value"))
    children = strict_children(element, NAMESPACE, ("from", "until"), ("from", "until"))
    times = [text_of(child) for _, child in children]
    if not children or [child for child, _ in children] != ["from", "until"] * (len(children) // 2):
        raise XmlError(f"{place(element)} needs pairs of from and until")
    for time, (_, child) in zip(times, children, strict=True):
        if not _DATE_TIME.fullmatch(time):
            raise XmlError(f"{place(child)}: {time[:40]!r} is no date and time such as 2025-11-22T12:00:00Z")
    return Validity(list(zip(times[::2], times[1::2], strict=True)))


def _identity(element: etree._Element) -> Identity:
    identity = Identity()
    for name, child in strict_children(element, NAMESPACE, ("one", "many"), ("one", "many")):
        if name == "one":
            identity.ones.append(required(child, "id"))
            continue
        many = Many(child.get("domain"))
        for _, exception in strict_children(child, NAMESPACE, ("except",), ("except",)):
            domain, excepted = exception.get("domain"), exception.get("id")
            if (domain is None) == (excepted is None):
                raise XmlError(f"{place(exception)} needs either domain or id")
            if domain is not None:
                many.except_domains.append(domain)
            else:
                many.except_ids.append(excepted or "")
        identity.many.append(many)
    return identity


def _external_list(element: etree._Element) -> ExternalList:
    entries = strict_children(element, OMA_NAMESPACE, ("entry",), ("entry",))
    return ExternalList([required(child, "anc") for _, child in entries])
