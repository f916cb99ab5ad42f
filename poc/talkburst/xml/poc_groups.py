"""PoC groups: application/vnd.oma.poc.groups+xml of the application usage org.openmobilealliance.poc-groups."""

from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from talkburst.xml.common_policy import NAMESPACE as COMMON_POLICY
from talkburst.xml.common_policy import Rule, ruleset
from talkburst.xml.document import (
    XmlError,
    boolean,
    non_negative,
    place,
    qualified,
    required,
    root_of,
    strict_children,
    text_of,
)
from talkburst.xml.resource_lists import Entry, External, item_of, unique_among_siblings

NAMESPACE: Final = "urn:oma:xml:poc:list-service"
MEDIA_TYPE: Final = "application/vnd.oma.poc.groups+xml"

IS_LIST_MEMBER: Final = f"{{{NAMESPACE}}}is-list-member"

_ELEMENTS: Final = ("display-name", "list", "invite-members", "max-participant-count")
_ACTIONS: Final = (
    "allow-conference-state",
    "allow-invite-users-dynamically",
    "join-handling",
    "allow-initiate-conference",
    "allow-anonymity",
    "is-key-participant",
)
_RULE_ID: Final = f"group/list-service[{{}}]/cp:ruleset/cp:rule[{{}}]/@id?xmlns(cp={COMMON_POLICY})"
# join-handling was an enumeration before 2006; clients of that time still write it.
_JOIN_HANDLING: Final = {"allow": True, "block": False}


@dataclass(slots=True)
class ListService:
    """One group. `invite_members`: true for a pre-arranged group, false for a chat group; None when not said."""

    uri: str
    display_name: str | None = None
    entries: list[Entry] = field(default_factory=list)
    externals: list[External] = field(default_factory=list)
    invite_members: bool | None = None
    max_participant_count: int | None = None
    rules: list[Rule] = field(default_factory=list)

    def action(self, rule: Rule, name: str) -> bool:
        """Whether a rule of this group grants an action such as join-handling; what it does not say is refused."""
        return _truth(name, rule.actions.get(qualified(NAMESPACE, name), "false")) or False


def from_xml(data: bytes) -> list[ListService]:
    """The groups of a document, held to the schema. Raises `XmlError`."""
    root = root_of(data, NAMESPACE, "group")
    services: list[ListService] = []
    uris: set[str] = set()
    for position, (_, element) in enumerate(strict_children(root, NAMESPACE, ("list-service",), ("list-service",)), 1):
        service = _list_service(element, position)
        if service.uri in uris:
            text = f"{place(element)}: uri {service.uri!r} is there twice"
            raise XmlError(text, "uniqueness-failure", uri_field(position))
        uris.add(service.uri)
        services.append(service)
    return services


def uri_field(position: int) -> str:
    """The node selector of the uri of the list-service at that position (from 1)."""
    return f"group/list-service[{position}]/@uri"


def _list_service(element: etree._Element, position: int) -> ListService:
    service = ListService(required(element, "uri"))
    for name, child in strict_children(element, NAMESPACE, _ELEMENTS):
        if name == "display-name":
            service.display_name = text_of(child)
        elif name == "list":
            _read_list(service, child)
        elif name == "invite-members":
            service.invite_members = boolean(text_of(child))
            if service.invite_members is None:
                raise XmlError(f"{place(child)}: {text_of(child)[:40]!r} is none of true, false, 1, 0")
        else:
            service.max_participant_count = non_negative(text_of(child))
            if service.max_participant_count is None:
                raise XmlError(f"{place(child)}: {text_of(child)[:40]!r} is not a number of 0 or more")
    rulesets = list(element.iterchildren(qualified(COMMON_POLICY, "ruleset")))
    if len(rulesets) > 1:
        raise XmlError(f"{place(rulesets[1])}: a second ruleset")
    if rulesets:
        service.rules = ruleset(rulesets[0], _RULE_ID.format(position, "{}"))
        _check_actions(rulesets[0], service.rules)
    return service


def _read_list(service: ListService, element: etree._Element) -> None:
    children = strict_children(element, NAMESPACE, ("entry", "external"), ("entry", "external"))
    unique_among_siblings(children)
    for name, child in children:
        item = item_of(name, child, NAMESPACE)
        if isinstance(item, Entry):
            service.entries.append(item)
        elif isinstance(item, External):
            service.externals.append(item)


def _check_actions(element: etree._Element, rules: list[Rule]) -> None:
    for rule in rules:
        for name in _ACTIONS:
            value = rule.actions.get(qualified(NAMESPACE, name))
            if value is not None and _truth(name, value) is None:
                raise XmlError(f"{place(element)}: rule {rule.id!r}: {name} {value[:40]!r} is no boolean")


def _truth(name: str, value: str) -> bool | None:
    return _JOIN_HANDLING.get(value, boolean(value)) if name == "join-handling" else boolean(value)
