"""What is wrong with a message that could be parsed. RFC 3261 8.1.1, 8.2, 16.3 and 20; cases of RFC 4475.

`defects` looks at what every element has to look at before it acts. What depends on more than the message (whether a
method, a domain or an extension is served) is for the role that knows; so is what a registrar looks at after it has
authenticated who asks (RFC 3261 10.3).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from talkburst.sip.headers.grammar import HeaderError
from talkburst.sip.message import SIP_VERSION, Message, Request, Response
from talkburst.sip.methods import KNOWN_METHODS
from talkburst.sip.sips import contradiction
from talkburst.sip.uri import OtherUri, SipUri, UriError

Role = Literal["uas", "proxy", "uac"]


@dataclass(slots=True, frozen=True)
class Defect:
    """One fault of a peer: the clause it is against, what it is, the status that says so."""

    clause: str
    text: str
    status: int


# Without these no element can act, RFC 3261 8.1.1. Max-Forwards is not among them: RFC 2543 had none (RFC 4475 3.4.1).
MANDATORY: Final = ("via", "from", "to", "call-id", "cseq")

# Headers that may stand only once, RFC 3261 7.3.1 and RFC 4475 3.3.8.
SINGLE: Final = (
    "from",
    "to",
    "call-id",
    "cseq",
    "max-forwards",
    "content-length",
    "content-type",
    "expires",
    "event",
    "subscription-state",
    "sip-if-match",
    "min-expires",
)

_SINGLE: Final = frozenset(SINGLE)

# What a role reads by the time it acts. Anything else stays unread, so an odd Date or Warning hurts nobody.
_READ_BY_ALL: Final[dict[str, Callable[[Message], object]]] = {
    "via": lambda message: message.vias,
    "from": lambda message: message.from_,
    "to": lambda message: message.to,
    "cseq": lambda message: message.cseq,
    "max-forwards": lambda message: message.max_forwards,
    "route": lambda message: message.routes,
    "record-route": lambda message: message.record_routes,
}
_READ_BY_ENDS: Final = _READ_BY_ALL | {
    "contact": lambda message: message.contacts,
    "event": lambda message: message.event,
    "subscription-state": lambda message: message.subscription_state,
    "content-type": lambda message: message.content_type,
}


def defects(message: Request | Response, role: Role) -> list[Defect]:
    """The faults of a message as `role` has to see them, the one that decides the answer first.

    A proxy does not read what is meant for the ends. An unknown scheme in the Request-URI is left to a UAS, which
    has to look at the method before (RFC 3261 8.2). A response with any defect is to be dropped, whatever the status.
    """
    try:
        if _is_right(message, role):
            return []
    except (HeaderError, UriError):
        pass
    found: list[Defect] = []
    if message.version != SIP_VERSION:
        found.append(Defect("RFC 3261 7.1", f"{message.version[:24]} is not spoken here", 505))
    found += _missing_or_repeated(message)
    found += _unreadable(message, _READ_BY_ALL if role == "proxy" else _READ_BY_ENDS)
    if isinstance(message, Request):
        found += _branch(message)
        found += _sequence(message)
        found += _request_uri(message, role)
        found += _schemes(message)
    return found


def _is_right(message: Request | Response, role: Role) -> bool:
    """Whether all that is looked at below is as it should be, which most messages are and which is soon seen.

    What is read stays read: a right message is read no second time. False and an error only mean a closer look.
    """
    if message.version != SIP_VERSION or message.repeats_one_of(_SINGLE):
        return False
    message.read(role != "proxy")
    if not isinstance(message, Request):
        return True
    branch = message.via.branch
    cookie_alone = branch is not None and len(branch) == 7 and branch.lower() == "z9hg4bk"
    uri = message.parsed_uri
    if isinstance(uri, SipUri):
        routable = uri.headers is None and (uri.scheme == "sip" or not contradiction(message))
    else:
        routable = role != "proxy" or not isinstance(uri, OtherUri)
    return not cookie_alone and message.cseq.method == message.method and routable


def _missing_or_repeated(message: Message) -> list[Defect]:
    repeated = message.repeated()
    found = [Defect("RFC 3261 8.1.1", f"{key} is missing", 400) for key in MANDATORY if not message.get(key)]
    found += [Defect("RFC 3261 7.3.1", f"{key} comes more than once", 400) for key in SINGLE if key in repeated]
    return found


def _unreadable(message: Message, readers: dict[str, Callable[[Message], object]]) -> list[Defect]:
    found: list[Defect] = []
    keys = message.keys()
    for key, read in readers.items():
        if key in keys:
            try:
                read(message)
            except HeaderError as error:
                found.append(Defect("RFC 3261 25.1", f"{key}: {error}", 400))
    return found


def _branch(request: Request) -> list[Defect]:
    """The cookie alone identifies no transaction, RFC 4475 3.2.1."""
    try:
        branch = request.via.branch
    except HeaderError:
        return []
    if branch is None or branch.lower() != "z9hg4bk":
        return []
    return [Defect("RFC 3261 8.1.1.7", "the branch of the top via is nothing but the magic cookie", 400)]


def _sequence(request: Request) -> list[Defect]:
    try:
        method = request.cseq.method
    except HeaderError:
        return []
    if method == request.method:
        return []
    # RFC 4475 3.1.2.18: what a method is that nobody knows, CSeq does not tell.
    status = 400 if request.method in KNOWN_METHODS else 501
    return [Defect("RFC 3261 8.1.1.5", f"cseq is of {method[:24]}, the request is {request.method[:24]}", status)]


def _schemes(request: Request) -> list[Defect]:
    try:
        why = contradiction(request)
    except HeaderError:
        return []
    return [Defect("RFC 5630 5.1.2 and 5.3", why, 400)] if why else []


def _request_uri(request: Request, role: Role) -> list[Defect]:
    try:
        uri = request.parsed_uri
    except UriError as error:
        return [Defect("RFC 3261 25.1", f"Request-URI: {error}", 400)]
    if isinstance(uri, SipUri) and uri.headers is not None:
        return [Defect("RFC 3261 19.1.1", "headers in the Request-URI", 400)]
    if isinstance(uri, OtherUri) and role == "proxy":
        return [Defect("RFC 3261 16.3", f"scheme {uri.scheme[:24]} in the Request-URI", 416)]
    return []
