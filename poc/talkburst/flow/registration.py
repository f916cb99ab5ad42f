"""What REGISTER says: the contact and its feature tag, expiry, credentials, challenges, identities."""

from collections.abc import Iterable

from talkburst.flow.message import DEFAULT_PORT, ObservedMessage, address_of_record
from talkburst.flow.roles import endpoint
from talkburst.obs.frame import Endpoint
from talkburst.sip import AuthHeader, HeaderError, NameAddr, SipUri, UriError, parse_auth, parse_name_addrs, parse_uri

TAG = "+g.poc.talkburst"


def contact_of(message: ObservedMessage) -> NameAddr | None:
    """The first contact, None without one."""
    return next(iter(message.contacts), None)


def instance_of(contact: NameAddr | None) -> str:
    """The instance id of a contact without its quotes, "" without one (RFC 5626 4.1)."""
    value = contact.params.get("+sip.instance") if contact is not None else None
    return (value or "").strip('"').strip("<>")


def same_place(one: NameAddr | None, other: NameAddr | None) -> bool:
    """Whether two contacts are one client's: the same instance, else user, host and port. UDP or TCP is no matter."""
    if one is None or other is None:
        return False
    if instance_of(one) and instance_of(other):
        return instance_of(one) == instance_of(other)
    return place_of_uri(str(one.uri)) == place_of_uri(str(other.uri))


def host_and_port(contact: NameAddr) -> Endpoint | None:
    """Where a contact is reached, None where it is no SIP URI."""
    return place_of_uri(str(contact.uri))[1]


def is_removal(register: ObservedMessage) -> bool:
    """Whether a REGISTER takes its bindings away: every contact, or all of them at once, with Expires 0."""
    contacts = register.contacts
    lifetimes = [contact.params.get("expires") for contact in contacts]
    if contacts and all(lifetime is not None for lifetime in lifetimes):
        return all(lifetime == "0" for lifetime in lifetimes)
    return register.expires == 0


def is_wildcard(register: ObservedMessage) -> bool:
    """Whether a REGISTER speaks of all contacts, `Contact: *`."""
    try:
        return register.sip.contact_is_wildcard
    except HeaderError:
        return False


def auth_headers(message: ObservedMessage, name: str) -> list[AuthHeader]:
    """The readable Digest values of an authentication header."""
    found = []
    for text in message.sip.get_all(name):
        try:
            header = parse_auth(text)
        except HeaderError:
            continue
        if header.scheme.lower() == "digest":
            found.append(header)
    return found


def credentials(message: ObservedMessage) -> AuthHeader | None:
    """The credentials of a request that answer a challenge. An empty nonce or response answers none (IMS, 24.229)."""
    for header in auth_headers(message, "Authorization"):
        if header.params.get("nonce") and header.params.get("response"):
            return header
    return None


def nonces(response: ObservedMessage) -> list[str]:
    """The nonces of a 401."""
    return [header.params.get("nonce", "") for header in auth_headers(response, "WWW-Authenticate")]


def name_addrs(message: ObservedMessage, name: str) -> list[NameAddr]:
    """The values of an address header, none where it cannot be read."""
    found: list[NameAddr] = []
    for text in message.sip.get_all(name):
        try:
            found += parse_name_addrs(text)
        except HeaderError:
            continue
    return found


def identities(message: ObservedMessage, name: str) -> list[str]:
    """The addresses-of-record in an address header, in their order."""
    return [address_of_record(str(value.uri)) for value in name_addrs(message, name)]


def tag_fault(contacts: Iterable[NameAddr]) -> str:
    """What is wrong with the feature tag in these contacts, "" when one of them has it on (RFC 3840 9)."""
    contacts = list(contacts)
    if not contacts:
        return "there is no Contact that could be read"
    for contact in contacts:
        if TAG in contact.params and _is_on(contact.params[TAG]):
            return ""
    for contact in contacts:
        if TAG in contact.params:
            return f"Contact says {TAG}={contact.params[TAG]}, which is off"
        if isinstance(contact.uri, SipUri) and TAG in contact.uri.params:
            return f"{TAG} stands inside the angle brackets of Contact, where it belongs to the URI"
    has = ", ".join(name for contact in contacts for name in contact.params) or "no parameters"
    return f"Contact has no {TAG} (it has {has})"


def _is_on(value: str | None) -> bool:
    words = (value or "").strip('"').split(",")
    return words == [""] or any(word.strip().upper() in ("TRUE", "!FALSE") for word in words)


def place_of_uri(uri: str) -> tuple[str, Endpoint | None]:
    """User, host and port of a contact URI, by which two spellings of it are compared."""
    try:
        parsed = parse_uri(uri.strip())
    except UriError:
        return uri.strip(), None
    if not isinstance(parsed, SipUri):
        return str(parsed), None
    return parsed.user or "", endpoint(parsed.host, parsed.port or DEFAULT_PORT)
