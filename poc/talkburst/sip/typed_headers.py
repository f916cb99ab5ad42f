"""The header fields that the stack reads itself, as typed values. RFC 3261 20, RFC 6665 8.4.

A header becomes a typed value when it is first asked for, and the value is cached until that header is changed. Typed
values are for reading: a change to one reaches the message by `set`, `replace_first` or `prepend`.
"""

from collections.abc import Iterable

from talkburst.sip.header_fields import HeaderFields
from talkburst.sip.headers.content_type import ContentType, parse_content_type
from talkburst.sip.headers.cseq import CSeq, parse_cseq
from talkburst.sip.headers.event import Event, SubscriptionState, parse_event, parse_subscription_state
from talkburst.sip.headers.grammar import HeaderError, parse_delta_seconds, parse_number, split_commas
from talkburst.sip.headers.name_addr import NameAddr, parse_name_addr
from talkburst.sip.headers.via import Via, parse_via


class TypedHeaders(HeaderFields):
    """HeaderError when a header is broken, and when a mandatory one is missing."""

    __slots__ = ("_addresses", "_typed", "_vias")

    def __init__(self, headers: Iterable[tuple[str, object]] = ()) -> None:
        super().__init__(headers)
        self._typed: dict[str, object] = {}
        self._addresses: dict[str, list[NameAddr]] = {}
        self._vias: list[Via] | None = None

    def _forget(self, key: str) -> None:
        self._typed.pop(key, None)
        self._addresses.pop(key, None)
        if key == "via":
            self._vias = None
            self._typed.pop("top via", None)

    def _mandatory(self, key: str) -> str:
        value = self.get(key)
        if value is None:
            raise HeaderError(f"no {key} header")
        return value

    @property
    def from_(self) -> NameAddr:
        """The From header."""
        value = self._typed.get("from")
        if not isinstance(value, NameAddr):
            value = self._typed["from"] = parse_name_addr(self._mandatory("from"))
        return value

    @property
    def to(self) -> NameAddr:
        """The To header."""
        value = self._typed.get("to")
        if not isinstance(value, NameAddr):
            value = self._typed["to"] = parse_name_addr(self._mandatory("to"))
        return value

    @property
    def call_id(self) -> str:
        """The Call-ID; compared byte by byte (RFC 3261 20.8)."""
        return self._mandatory("call-id")

    @property
    def cseq(self) -> CSeq:
        """The CSeq header."""
        value = self._typed.get("cseq")
        if not isinstance(value, CSeq):
            value = self._typed["cseq"] = parse_cseq(self._mandatory("cseq"))
        return value

    @property
    def via(self) -> Via:
        """The top Via; the ones below it are not looked at."""
        value = self._typed.get("top via")
        if not isinstance(value, Via):
            elements = split_commas(self._mandatory("via"))
            value = self._typed["top via"] = parse_via(elements[0] if elements else "")
        return value

    @property
    def vias(self) -> list[Via]:
        """All Via elements, the top one first."""
        if self._vias is None:
            self._vias = [parse_via(element) for element in self.values("via")]
        return self._vias

    def _name_addrs(self, key: str) -> list[NameAddr]:
        cached = self._addresses.get(key)
        if cached is None:
            cached = [parse_name_addr(element) for element in self.values(key) if element != "*"]
            self._addresses[key] = cached
        return cached

    @property
    def contacts(self) -> list[NameAddr]:
        """All Contact elements but the wildcard."""
        return self._name_addrs("contact")

    @property
    def contact_is_wildcard(self) -> bool:
        """True when one of the Contact elements is ``*``; a right request has no other beside it."""
        return any(line.key == "contact" and "*" in split_commas(line.value) for line in self._lines)

    @property
    def routes(self) -> list[NameAddr]:
        """All Route elements, the next hop first."""
        return self._name_addrs("route")

    @property
    def record_routes(self) -> list[NameAddr]:
        """All Record-Route elements in the order received."""
        return self._name_addrs("record-route")

    @property
    def event(self) -> Event | None:
        """The Event header."""
        value = self._typed.get("event")
        if not isinstance(value, Event):
            text = self.get("event")
            if text is None:
                return None
            value = self._typed["event"] = parse_event(text)
        return value

    @property
    def subscription_state(self) -> SubscriptionState | None:
        """The Subscription-State header."""
        value = self._typed.get("subscription-state")
        if not isinstance(value, SubscriptionState):
            text = self.get("subscription-state")
            if text is None:
                return None
            value = self._typed["subscription-state"] = parse_subscription_state(text)
        return value

    @property
    def expires(self) -> int | None:
        """The Expires header in seconds."""
        text = self.get("expires")
        return None if text is None else parse_delta_seconds(text)

    @property
    def max_forwards(self) -> int | None:
        """The Max-Forwards header, 0 to 255 (RFC 3261 20.22)."""
        text = self.get("max-forwards")
        return None if text is None else parse_number(text, 255)

    @property
    def content_type(self) -> ContentType | None:
        """The Content-Type header."""
        value = self._typed.get("content-type")
        if not isinstance(value, ContentType):
            text = self.get("content-type")
            if text is None:
                return None
            value = self._typed["content-type"] = parse_content_type(text)
        return value
