"""Registration information: application/reginfo+xml (RFC 3680 section 5)."""

from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from talkburst.xml.document import (
    XML_NAMESPACE,
    XmlError,
    character_data,
    children,
    non_negative,
    note,
    place,
    qualified,
    required,
    root_of,
    text_of,
    written,
    written_document,
)

NAMESPACE: Final = "urn:ietf:params:xml:ns:reginfo"
MEDIA_TYPE: Final = "application/reginfo+xml"

_REGISTRATION_STATES = frozenset({"init", "active", "terminated"})
_CONTACT_STATES = frozenset({"active", "terminated"})


@dataclass(slots=True)
class Contact:
    """One contact of an address-of-record (RFC 3680 5.1).

    `unknown_params` are Contact header parameters that RFC 3261 does not define: the name as received, the value with
    its quotes, None for a flag. Times are seconds.
    """

    uri: str
    id: str
    state: str = "active"
    event: str = "registered"
    expires: int | None = None
    duration_registered: int | None = None
    q: str | None = None
    callid: str | None = None
    cseq: int | None = None
    display_name: str | None = None
    retry_after: int | None = None
    unknown_params: dict[str, str | None] = field(default_factory=dict)

    def param(self, name: str) -> str | None:
        """The value of an unknown parameter without its quotes; "" for a flag, None when it is not there."""
        wanted = _bare(name)
        for key, value in self.unknown_params.items():
            if _bare(key) == wanted:
                return _unquoted(value or "")
        return None


@dataclass(slots=True)
class Registration:
    """One address-of-record and its contacts; `state` is init, active or terminated."""

    aor: str
    id: str
    state: str
    contacts: list[Contact] = field(default_factory=list)


@dataclass(slots=True)
class Reginfo:
    """One document: `version` counts the documents of one subscription, `state` is full or partial.

    `tolerated` names what a peer left out and was filled in when reading, the first of it when there is much.
    """

    version: int
    state: str
    registrations: list[Registration] = field(default_factory=list)
    tolerated: list[str] = field(default_factory=list, compare=False)


def has_tag(contact: Contact, tag: str) -> bool:
    """Whether a contact says that it has a boolean feature tag (RFC 3840 9): no value or TRUE, while FALSE is off.

    Some cores drop the leading "+" of the name in reginfo; both spellings are taken.
    """
    value = contact.param(tag)
    if value is None:
        return False
    return value == "" or any(item.strip().upper() in ("TRUE", "!FALSE") for item in value.split(","))


def _bare(name: str) -> str:
    return name.removeprefix("+").lower()


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


def to_xml(reginfo: Reginfo) -> bytes:
    """The document, elements in the order of the schema (RFC 3680 5.4)."""
    registrations = "".join(map(_registration_text, reginfo.registrations))
    attributes = {"xmlns": NAMESPACE, "version": reginfo.version, "state": reginfo.state}
    return written_document(written("reginfo", registrations or None, attributes))


def _registration_text(registration: Registration) -> str:
    contacts = "".join(map(_contact_text, registration.contacts))
    attributes = {"aor": registration.aor, "id": registration.id, "state": registration.state}
    return written("registration", contacts or None, attributes)


def _contact_text(contact: Contact) -> str:
    content = written("uri", character_data(contact.uri), {})
    if contact.display_name is not None:
        content += written("display-name", character_data(contact.display_name), {})
    for name, value in contact.unknown_params.items():
        content += written("unknown-param", None if value is None else character_data(value), {"name": name})
    attributes = {
        "id": contact.id,
        "state": contact.state,
        "event": contact.event,
        "expires": contact.expires,
        "retry-after": contact.retry_after,
        "duration-registered": contact.duration_registered,
        "q": contact.q,
        "callid": contact.callid,
        "cseq": contact.cseq,
    }
    return written("contact", content, attributes)


def from_xml(data: bytes) -> Reginfo:
    """Reads a document; elements and attributes of other namespaces are ignored, the order does not matter.

    A missing id is replaced by the URI it stands for and a missing event by "registered" (named in `tolerated`); every
    other missing or wrong required value raises `XmlError`.
    """
    root = root_of(data, NAMESPACE, "reginfo")
    version = non_negative(required(root, "version"))
    # RFC 3680 5.1: the version has to fit 32 bits.
    if version is None or version >= 1 << 32:
        raise XmlError(f"reginfo: version {root.get('version')!r} is not a number below 2**32")
    state = required(root, "state")
    if state not in ("full", "partial"):
        raise XmlError(f"reginfo: state {state!r} is neither full nor partial")
    reginfo = Reginfo(version, state)
    for name, element in children(root, NAMESPACE):
        if name == "registration":
            reginfo.registrations.append(_registration(element, reginfo.tolerated))
    return reginfo


def _registration(element: etree._Element, tolerated: list[str]) -> Registration:
    aor = required(element, "aor").strip()
    state = required(element, "state")
    if state not in _REGISTRATION_STATES:
        raise XmlError(f"{place(element)}: state {state!r} is none of init, active, terminated")
    registration = Registration(aor, _id_or(element, aor, tolerated), state)
    for name, child in children(element, NAMESPACE):
        if name == "contact":
            registration.contacts.append(_contact(child, tolerated))
    return registration


def _contact(element: etree._Element, tolerated: list[str]) -> Contact:
    uri, display_name = "", None
    params: dict[str, str | None] = {}
    for name, child in children(element, NAMESPACE):
        if name == "uri":
            uri = text_of(child)
        elif name == "display-name":
            display_name = child.text or ""
        elif name == "unknown-param":
            params[required(child, "name").strip()] = text_of(child) or None
    if not uri:
        raise XmlError(f"{place(element)} has no uri")
    state = required(element, "state")
    if state not in _CONTACT_STATES:
        raise XmlError(f"{place(element)}: state {state!r} is neither active nor terminated")
    event = element.get("event")
    if event is None:
        note(tolerated, "contact-without-event", element)
        event = "registered"
    return Contact(
        uri=uri,
        id=_id_or(element, uri, tolerated),
        state=state,
        event=event,
        expires=non_negative(element.get("expires")),
        duration_registered=non_negative(element.get("duration-registered")),
        q=element.get("q"),
        callid=element.get("callid"),
        cseq=non_negative(element.get("cseq")),
        display_name=display_name,
        retry_after=non_negative(element.get("retry-after")),
        unknown_params=params,
    )


def _id_or(element: etree._Element, instead: str, tolerated: list[str]) -> str:
    found = element.get("id") or element.get(qualified(XML_NAMESPACE, "id"))
    if found:
        return found
    note(tolerated, "without-id", element)
    return instead


class ReginfoTable:
    """What a subscriber knows of one subscription, built from its documents (RFC 3680 5.2).

    Contacts and registrations that terminated are not kept; they are in the document that told of it.
    """

    def __init__(self) -> None:
        self.version: int | None = None
        self.discarded = 0
        """Documents that came too late."""
        self._registrations: dict[str, Registration] = {}

    @property
    def registrations(self) -> list[Registration]:
        return list(self._registrations.values())

    def apply(self, document: Reginfo) -> bool:
        """Takes one document in; True when a refresh is needed because something before it was missed.

        RFC 3680 5.2 leaves an equal version open. One with full state is taken: some cores send version 0 for ever.
        """
        full = document.state == "full"
        if self.version is not None and document.version - self.version < (0 if full else 1):
            self.discarded += 1
            return False
        follows = self.version is not None and document.version == self.version + 1
        self.version = document.version
        if full:
            self._registrations.clear()
        for registration in document.registrations:
            self._merge(registration)
        return not full and not follows

    def addresses_with(self, tag: str) -> list[str]:
        """The addresses-of-record that are active and have an active contact with this feature tag."""
        return [
            registration.aor
            for registration in self._registrations.values()
            if registration.state == "active" and any(has_tag(contact, tag) for contact in registration.contacts)
        ]

    def _merge(self, news: Registration) -> None:
        known = self._registrations.get(news.id)
        contacts = {contact.id: contact for contact in known.contacts} if known else {}
        for contact in news.contacts:
            if contact.state == "active":
                contacts[contact.id] = contact
            else:
                contacts.pop(contact.id, None)
        if news.state == "terminated":
            self._registrations.pop(news.id, None)
        else:
            self._registrations[news.id] = Registration(news.aor, news.id, news.state, list(contacts.values()))
