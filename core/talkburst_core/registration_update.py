"""What a REGISTER asks for: its Contact, Expires and Path header fields, read and judged before anything is changed.

RFC 3261 10.2 and 10.3 steps 6 and 7, RFC 3327 (Path), RFC 5626 6 (reg-id), RFC 5630 5.2 (SIPS). Durations are seconds.
"""

import re
from dataclasses import dataclass
from typing import Final

from talkburst.sip import NameAddr, Request, SipUri
from talkburst.sip.flow import Flow
from talkburst.sip.headers import parse_name_addr
from talkburst.sip.sips import is_sips
from talkburst.sip.translated import is_translated
from talkburst_core.refusal import Refusal

DEFAULT_EXPIRES: Final = 3600
_LARGEST: Final = 2**32 - 1
_NUMBER: Final = re.compile(r"[0-9]+")
# RFC 5626 10: c-p-reg = "reg-id" EQUAL 1*DIGIT, from 1 to 2**31 - 1
_REG_ID: Final = re.compile(r"0*([1-9][0-9]{0,9})")
_LARGEST_REG_ID: Final = 2**31 - 1
OUTBOUND: Final = "outbound"
# qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
_QVALUE: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
# Every contact is one more request for each that the user gets, and one more line in each 200 to REGISTER.
MOST_CONTACTS: Final = 32


@dataclass(slots=True, frozen=True)
class Limits:
    """How long a registration may last, in seconds; shorter is 423, longer is shortened."""

    shortest: int = 60
    longest: int = 3600


class Wish:
    """One contact that a REGISTER asks for, with the lifetime that is granted; 0 removes."""

    __slots__ = ("contact", "expires", "q", "translated")

    def __init__(self, contact: NameAddr, q: str | None, expires: int) -> None:
        self.contact: Final = contact
        self.q: Final = q
        self.expires: Final = expires
        self.translated = False  # it is behind a NAT, at an address of its own network


class Update:
    """What one REGISTER asks for. `wildcard`: remove everything (`Contact: *`)."""

    __slots__ = ("call_id", "cseq", "direct", "flow", "outbound", "path", "private_id", "wildcard", "wishes")

    def __init__(self, private_id: str, call_id: str, cseq: int, path: tuple[str, ...], flow: Flow) -> None:
        self.private_id: Final = private_id
        self.call_id: Final = call_id
        self.cseq: Final = cseq
        self.path: Final = path
        self.flow: Final = flow
        self.wishes: list[Wish] = []
        self.wildcard = False
        # It is about the binding of one flow, and the device announced that it keeps flows alive (RFC 5626 4.2.1).
        self.outbound = False
        # No proxy stands in between.
        self.direct = False

    @property
    def fetch(self) -> bool:
        """Nothing but a question for the current bindings (RFC 3261 10.2.3)."""
        return not self.wishes and not self.wildcard

    @property
    def expires(self) -> int:
        """The longest lifetime that is granted; 0 when it only removes."""
        longest = 0
        for wish in self.wishes:
            longest = max(longest, wish.expires)
        return longest


def update_of(request: Request, private_id: str, flow: Flow, limits: Limits) -> Update | Refusal:
    """Reads Contact, Expires and Path of a REGISTER (RFC 3261 10.3 steps 6 and 7). Raises `HeaderError`."""
    firsts = request.first_values()
    path = tuple(request.values("Path")) if "path" in firsts else ()
    for value in path:
        if not isinstance(parse_name_addr(value).uri, SipUri):
            return Refusal(400, f"Path {value} is not a SIP URI")
    update = Update(private_id, request.call_id, request.cseq.number, path, flow)
    default = _seconds(firsts.get("expires"))
    if ("*" in firsts.get("contact", "") or "contact" in request.repeated()) and request.contact_is_wildcard:
        update.wildcard = True
        if default != 0 or len(request.values("Contact")) > 1:
            return Refusal(400, "Contact * stands alone and needs Expires 0")
        return update
    contacts = request.contacts
    if len(contacts) > MOST_CONTACTS:
        return Refusal(403, f"A user has at most {MOST_CONTACTS} contacts")
    flows, outbound = _has_flows(request), _announces_outbound(request)
    if outbound and not flows:
        return Refusal(439)
    for contact in contacts:
        if (problem := _problem(contact, request, flow)) is not None:
            return Refusal(400, problem)
        wanted = _seconds(contact.params["expires"]) if "expires" in contact.params else default
        if 0 < wanted < min(DEFAULT_EXPIRES, limits.shortest):
            return Refusal(423, "Interval Too Brief", (("Min-Expires", limits.shortest),))
        wish = _wish(contact, min(wanted, limits.longest), flows)
        wish.translated = is_translated(contact.uri, request, flow)
        update.wishes.append(wish)
    update.outbound = outbound and _has_reg_id([wish.contact for wish in update.wishes])
    update.direct = len(request.vias) < 2
    if len(contacts) > 1:
        made = [wish.contact for wish in update.wishes if wish.expires]
        if len(made) > 1 and _has_reg_id(made):
            return Refusal(400, "Contact with reg-id is registered alone")
    return update


def _has_reg_id(contacts: list[NameAddr]) -> bool:
    return any("reg-id" in contact.params for contact in contacts)


def _problem(contact: NameAddr, request: Request, flow: Flow) -> str | None:
    """Why a contact cannot be bound."""
    if not isinstance(contact.uri, SipUri):
        return f"Contact {contact.uri} is not a SIP URI"
    if is_sips(contact.uri) and (problem := _insecure(request, flow)) is not None:
        return problem
    params = contact.params
    if "q" in params and not _is_qvalue(params["q"]):
        return "q of a Contact is a number from 0 to 1"
    if "reg-id" in params and not _is_reg_id(params["reg-id"]):
        return f"reg-id of a Contact is a number from 1 to {_LARGEST_REG_ID}"
    return None


def _is_qvalue(text: str | None) -> bool:
    return text is not None and bool(_QVALUE.fullmatch(text))


def _is_reg_id(text: str | None) -> bool:
    found = None if text is None else _REG_ID.fullmatch(text)
    return found is not None and int(found[1]) <= _LARGEST_REG_ID


def _insecure(request: Request, flow: Flow) -> str | None:
    """What is in the way of a SIPS contact: a part of the REGISTER that is not (RFC 5630 5.2), or the way it came."""
    if not is_sips(request.parsed_uri):
        return "Contact is SIPS and Request-URI is not"
    if not all(is_sips(contact.uri) for contact in request.contacts):
        return "one Contact is SIPS and another is not"
    if not all(is_sips(parse_name_addr(value).uri) for value in request.values("Path")):
        return "Contact is SIPS and Path is not"
    if flow.transport != "TLS":
        return "Contact is SIPS and the REGISTER did not come over TLS"
    return None


def _has_flows(request: Request) -> bool:
    """Whether the flow that a REGISTER came over leads back to the device: it came from there, or the first proxy keeps
    one. Else reg-id is to be ignored (RFC 5626 6).

    "The first URI" of a Path is that of the first proxy, the last one written: each puts its own before the others
    (RFC 3327 5.2).
    """
    if len(request.vias) < 2:
        return True
    path = request.values("Path")
    first = parse_name_addr(path[-1]).uri if path else None
    return isinstance(first, SipUri) and "ob" in first.params


def _announces_outbound(request: Request) -> bool:
    """Whether the device has a contact for one flow, and wants to be told that it was bound as such."""
    if not _has_reg_id(request.contacts):
        return False
    return any(tag.lower() == OUTBOUND for name in ("Supported", "Require") for tag in request.values(name))


def _wish(contact: NameAddr, expires: int, flows: bool) -> Wish:
    params = contact.params
    if not ("expires" in params or "q" in params or "reg-id" in params):
        return Wish(contact, None, expires)
    dropped = {"expires", "q"}
    if not flows or "+sip.instance" not in params:
        dropped.add("reg-id")
    kept = {name: value for name, value in params.items() if name not in dropped}
    if "reg-id" in kept:  # two spellings of one number are one flow
        kept["reg-id"] = (kept["reg-id"] or "").lstrip("0")
    return Wish(NameAddr(contact.display, contact.uri, kept), params.get("q"), expires)


def _seconds(text: str | None) -> int:
    """RFC 3261 10.2: what is no number counts as 3600; numbers from 2**32 on count as 2**32 - 1."""
    if text is None:
        return DEFAULT_EXPIRES
    if len(text) < 10 and text.isascii() and text.isdigit():
        return int(text)
    if not _NUMBER.fullmatch(text.strip()):
        return DEFAULT_EXPIRES
    digits = text.strip().lstrip("0") or "0"
    return _LARGEST if len(digits) > 10 else min(int(digits), _LARGEST)
