"""The header fields that the stack reads itself, as typed values. RFC 3261 20, RFC 6665 8.4.

A header becomes a typed value when it is first asked for, and the value is cached until that header is changed. Typed
values are for reading: a change to one reaches the message by `set`, `replace_first` or `prepend`.
"""

from collections.abc import Iterable
from typing import Final

from talkburst.sip.header_fields import NOTHING_REPEATED, HeaderFields, header_line
from talkburst.sip.headers.content_type import ContentType, parse_content_type
from talkburst.sip.headers.cseq import CSeq, parse_cseq
from talkburst.sip.headers.event import Event, SubscriptionState, parse_event, parse_subscription_state
from talkburst.sip.headers.grammar import HeaderError, parse_delta_seconds, parse_number, split_commas
from talkburst.sip.headers.name_addr import NameAddr, parse_name_addr
from talkburst.sip.headers.names import header_key
from talkburst.sip.headers.via import Via, parse_via


class TypedHeaders(HeaderFields):
    """HeaderError when a header is broken, and when a mandatory one is missing."""

    __slots__ = (
        "_contacts",
        "_content_type",
        "_cseq",
        "_event",
        "_expires",
        "_from",
        "_max_forwards",
        "_record_routes",
        "_routes",
        "_subscription_state",
        "_to",
        "_via",
        "_vias",
    )

    def __init__(self, headers: Iterable[tuple[str, object]] = ()) -> None:
        self._keys = []
        self._lines = []
        self._firsts = None
        self._repeated = NOTHING_REPEATED
        for name, value in headers:
            self._keys.append(header_key(name))
            self._lines.append(header_line(name, value))
        self._contacts: list[NameAddr] | None = None
        self._content_type: ContentType | None = None
        self._cseq: CSeq | None = None
        self._event: Event | None = None
        self._expires: int | None = None
        self._from: NameAddr | None = None
        self._max_forwards: int | None = None
        self._record_routes: list[NameAddr] | None = None
        self._routes: list[NameAddr] | None = None
        self._subscription_state: SubscriptionState | None = None
        self._to: NameAddr | None = None
        self._via: Via | None = None
        self._vias: list[Via] | None = None

    def _forget(self, key: str) -> None:
        if key == "via":
            self._via = self._vias = None
        elif key in _READ_AS:
            setattr(self, _READ_AS[key], None)

    def read(self, ends: bool) -> None:
        """Reads what every element looks at, with `ends` also what user agents do. What is read stays read.

        HeaderError when one is broken, or a mandatory one is missing; then the others are read when they are asked for.
        """
        firsts = self.first_values()
        if not firsts.get("call-id"):
            raise HeaderError("no call-id header")
        if self._vias is None:
            self._vias = self._read_vias(firsts.get("via", ""))
        if self._from is None:
            self._from = parse_name_addr(firsts.get("from", ""))
        if self._to is None:
            self._to = parse_name_addr(firsts.get("to", ""))
        if self._cseq is None:
            self._cseq = parse_cseq(firsts.get("cseq", ""))
        if self._max_forwards is None and (text := firsts.get("max-forwards")) is not None:
            self._max_forwards = parse_number(text, 255)
        if "route" in firsts and self._routes is None:
            self._routes = self._name_addrs("route")
        if "record-route" in firsts and self._record_routes is None:
            self._record_routes = self._name_addrs("record-route")
        if ends:
            if "contact" in firsts and self._contacts is None:
                self._contacts = self._name_addrs("contact")
            if self._event is None and (text := firsts.get("event")) is not None:
                self._event = parse_event(text)
            if self._subscription_state is None and (text := firsts.get("subscription-state")) is not None:
                self._subscription_state = parse_subscription_state(text)
            if self._content_type is None and (text := firsts.get("content-type")) is not None:
                self._content_type = parse_content_type(text)

    def _mandatory(self, key: str) -> str:
        value = self.first_values().get(key)
        if value is None:
            raise HeaderError(f"no {key} header")
        return value

    @property
    def from_(self) -> NameAddr:
        """The From header."""
        value = self._from
        if value is None:
            value = self._from = parse_name_addr(self._mandatory("from"))
        return value

    @property
    def to(self) -> NameAddr:
        """The To header."""
        value = self._to
        if value is None:
            value = self._to = parse_name_addr(self._mandatory("to"))
        return value

    @property
    def call_id(self) -> str:
        """The Call-ID; compared byte by byte (RFC 3261 20.8)."""
        value = self.first_values().get("call-id")
        return self._mandatory("call-id") if value is None else value

    @property
    def cseq(self) -> CSeq:
        """The CSeq header."""
        value = self._cseq
        if value is None:
            value = self._cseq = parse_cseq(self._mandatory("cseq"))
        return value

    @property
    def via(self) -> Via:
        """The top Via; the ones below it are not looked at."""
        value = self._via
        if value is None:
            elements = split_commas(self._mandatory("via"))
            value = self._via = parse_via(elements[0] if elements else "")
        return value

    @property
    def vias(self) -> list[Via]:
        """All Via elements, the top one first."""
        value = self._vias
        if value is None:
            first = self.first_values().get("via")
            value = self._vias = self._read_vias(first) if first else [parse_via(each) for each in self.values("via")]
        return value

    def stamp_via(self, received: str, rport: str | None) -> Via:
        """Writes where the message came from into the top Via, and `rport` unless it is None; gives that Via back.

        What stood there is replaced; `received` goes to the end. Nobody else has seen the Via of a message that just
        came in, so this one value is changed in its place.
        """
        via = self.via
        if "received" in via.params:
            del via.params["received"]
        if rport is not None:
            via.params["rport"] = rport
        via.params["received"] = received
        self._put_first("via", str(via))
        return via

    def _read_vias(self, first: str) -> list[Via]:
        elements = self._elements_of("via", first)
        if self._via is None:
            self._via = parse_via(elements[0])
        return [self._via, *[parse_via(element) for element in elements[1:]]]

    def _elements_of(self, key: str, first: str) -> list[str]:
        """The elements of all fields of that name, the first of which holds `first`."""
        lines = self._repeated.get(key)
        if lines is None:
            return split_commas(first) if "," in first else [first]
        return [each for line in lines for each in (split_commas(line) if "," in line or not line else (line,))]

    def _name_addrs(self, key: str) -> list[NameAddr]:
        first = self.first_values().get(key)
        if not first and key not in self._repeated:
            return []
        return [parse_name_addr(element) for element in self._elements_of(key, first or "") if element != "*"]

    @property
    def contacts(self) -> list[NameAddr]:
        """All Contact elements but the wildcard."""
        value = self._contacts
        if value is None:
            value = self._contacts = self._name_addrs("contact")
        return value

    @property
    def contact_is_wildcard(self) -> bool:
        """True when one of the Contact elements is ``*``; a right request has no other beside it."""
        return "*" in self.values("contact")

    @property
    def routes(self) -> list[NameAddr]:
        """All Route elements, the next hop first."""
        value = self._routes
        if value is None:
            value = self._routes = self._name_addrs("route")
        return value

    @property
    def record_routes(self) -> list[NameAddr]:
        """All Record-Route elements in the order received."""
        value = self._record_routes
        if value is None:
            value = self._record_routes = self._name_addrs("record-route")
        return value

    @property
    def event(self) -> Event | None:
        """The Event header."""
        if self._event is None:
            text = self.first_values().get("event")
            self._event = None if text is None else parse_event(text)
        return self._event

    @property
    def subscription_state(self) -> SubscriptionState | None:
        """The Subscription-State header."""
        if self._subscription_state is None:
            text = self.first_values().get("subscription-state")
            self._subscription_state = None if text is None else parse_subscription_state(text)
        return self._subscription_state

    @property
    def expires(self) -> int | None:
        """The Expires header in seconds."""
        if self._expires is None:
            text = self.first_values().get("expires")
            self._expires = None if text is None else parse_delta_seconds(text)
        return self._expires

    @property
    def max_forwards(self) -> int | None:
        """The Max-Forwards header, 0 to 255 (RFC 3261 20.22)."""
        if self._max_forwards is None:
            text = self.first_values().get("max-forwards")
            self._max_forwards = None if text is None else parse_number(text, 255)
        return self._max_forwards

    @property
    def content_type(self) -> ContentType | None:
        """The Content-Type header."""
        if self._content_type is None:
            text = self.first_values().get("content-type")
            self._content_type = None if text is None else parse_content_type(text)
        return self._content_type


# Which attribute holds what was read of a header, but for Via, which has two.
_READ_AS: Final = {
    "contact": "_contacts",
    "content-type": "_content_type",
    "cseq": "_cseq",
    "event": "_event",
    "expires": "_expires",
    "from": "_from",
    "max-forwards": "_max_forwards",
    "record-route": "_record_routes",
    "route": "_routes",
    "subscription-state": "_subscription_state",
    "to": "_to",
}
