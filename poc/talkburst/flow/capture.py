"""Frames in, messages out: each message of the flow once, with its transaction, however often it was seen."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from talkburst.flow.discovery import Discovery
from talkburst.flow.http_traffic import HttpSighting, HttpTraffic
from talkburst.flow.message import Facts, ObservedMessage, Sighting, Transaction, TransactionKey, read_facts
from talkburst.flow.registration import contact_of, host_and_port, identities
from talkburst.flow.roles import HOP_ENDS, Hop, Role, Roles, hop_between, role_of_node
from talkburst.obs.frame import Endpoint, Frame
from talkburst.sip import HeaderError, Malformed, Request, Response, is_keepalive, parse_message

# Messages whose ends could not be told yet. More than this of unknown traffic is somebody else's.
UNCLEAR_LIMIT = 2000


class MessageKey(NamedTuple):
    """What makes two frames the same message."""

    sender: Role
    receiver: Role
    status: int | None
    transaction: TransactionKey
    to_tag: str


class Kind(NamedTuple):
    """Requests that are looked for together."""

    sender: Role
    receiver: Role
    method: str
    event: str = ""


# What requests are found by: an address-of-record, or an address of the client.
Mark = str | Endpoint


def marks_of(request: ObservedMessage) -> set[Mark]:
    """The identities in a request, and the addresses that it says it comes from."""
    facts = request.facts
    marks: set[Mark] = {facts.from_aor, facts.to_aor, facts.uri_aor, *identities(request, "P-Asserted-Identity")}
    marks.add(request.source)
    if facts.vias:
        marks.add(facts.vias[-1][:2])
    contact = contact_of(request)
    place = host_and_port(contact) if contact is not None else None
    return marks | {place} if place is not None else marks


def _time(message: ObservedMessage) -> float:
    return message.time


class Capture:
    """Everything seen so far.

    `reporting` are the roles that reported by themselves (HEP), `hops` those of which anything at all was seen,
    `unreadable` counts frames that are no SIP or too broken to be told apart, `first_unreadable` is one, and why.
    """

    def __init__(self, named: Roles) -> None:
        self.discovery = Discovery(named)
        self.http = HttpTraffic(self.discovery)
        self.started: float | None = None
        self.last: float | None = None
        self.reporting: set[Role] = set()
        self.hops: set[Hop] = set()
        self.unreadable = 0
        self.first_unreadable: tuple[Frame, str] | None = None
        self._messages: dict[MessageKey, ObservedMessage] = {}
        self._transactions: dict[tuple[Hop, TransactionKey], Transaction] = {}
        self._by_call_id: dict[str, list[ObservedMessage]] = {}
        self._by_kind: dict[Kind, list[ObservedMessage]] = {}
        self._by_mark: dict[tuple[Kind, Mark], list[ObservedMessage]] = {}
        self._unclear: deque[tuple[Frame, Request | Response, Facts]] = deque(maxlen=UNCLEAR_LIMIT)

    def add(self, frame: Frame) -> list[ObservedMessage | HttpSighting]:
        """Take one frame in; what it brought to light for the first time, in the order of the frames."""
        self.started = frame.time if self.started is None else min(self.started, frame.time)
        self.last = frame.time if self.last is None else max(self.last, frame.time)
        role = role_of_node(frame.node)
        if role is not None and frame.outbound is not None:
            self.reporting.add(role)
        generation = self.discovery.generation
        news = self._add_http(frame) if frame.protocol == "http" else self._add_sip(frame)
        return self._try_unclear_again() + news if self.discovery.generation != generation else news

    def messages(self, call_id: str) -> list[ObservedMessage]:
        """All messages of a Call-ID, in the order of time."""
        return sorted(self._by_call_id.get(call_id, ()), key=_time)

    def requests(self, kind: Kind, marks: Iterable[Mark] | None = None) -> list[ObservedMessage]:
        """The requests of a kind that bear one of these marks (without `marks`: all), in the order of time."""
        if marks is None:
            return sorted(self._by_kind.get(kind, ()), key=_time)
        found = {id(message): message for mark in marks for message in self._by_mark.get((kind, mark), ())}
        return sorted(found.values(), key=_time)

    def transaction(self, hop: Hop, call_id: str, cseq: int, method: str) -> Transaction | None:
        """The last transaction on a hop with these. A proxy keeps all three, so this finds the copy on the next hop."""
        wanted = (call_id, cseq, method)
        found = None
        for message in self.messages(call_id):
            facts = message.facts
            if (facts.call_id, facts.cseq, facts.method) == wanted and hop_between(
                message.sender, message.receiver
            ) == hop:
                found = message.transaction
        return found

    def is_captured(self, hop: Hop, expected: frozenset[Role]) -> bool:
        """Whether the capture would show what passes on this hop. `expected` are roles known to report all of it."""
        ends = set(HOP_ENDS[hop])
        # A role that reports its SIP need not report its HTTP.
        tells = expected if hop == "S-X" else expected | self.reporting
        return hop in self.hops or bool(ends & tells)

    def _add_http(self, frame: Frame) -> list[ObservedMessage | HttpSighting]:
        sighting = self.http.add(frame)
        if sighting is None:
            return []
        hop = hop_between(sighting.sender, sighting.receiver)
        if hop is not None:
            self.hops.add(hop)
        return [sighting] if sighting.first else []

    def _add_sip(self, frame: Frame) -> list[ObservedMessage | HttpSighting]:
        if is_keepalive(frame.payload):
            return []
        sip = parse_message(frame.payload)
        if isinstance(sip, Malformed):
            return self._pass_over(frame, sip.text)
        try:
            facts = read_facts(sip)
        except HeaderError as error:
            return self._pass_over(frame, str(error))
        return self._place(frame, sip, facts)

    def _pass_over(self, frame: Frame, why: str) -> list[ObservedMessage | HttpSighting]:
        self.unreadable += 1
        self.first_unreadable = self.first_unreadable or (frame, why)
        return []

    def _try_unclear_again(self) -> list[ObservedMessage | HttpSighting]:
        found: list[ObservedMessage | HttpSighting] = []
        generation = -1
        while self._unclear and self.discovery.generation != generation:
            generation = self.discovery.generation
            waiting = list(self._unclear)
            self._unclear.clear()
            for frame, sip, facts in waiting:
                found += self._place(frame, sip, facts)
        return found

    def _place(self, frame: Frame, sip: Request | Response, facts: Facts) -> list[ObservedMessage | HttpSighting]:
        ends = self.discovery.ends(frame, facts)
        if ends is None:
            self._unclear.append((frame, sip, facts))
            return []
        hop = hop_between(*ends)
        if hop is None:
            return []
        self.hops.add(hop)
        key = MessageKey(*ends, facts.status, facts.transaction, facts.to_tag)
        node = role_of_node(frame.node)
        sighting = Sighting(frame.time, node, frame.outbound if node is not None else None)
        known = self._messages.get(key)
        if known is not None:
            known.seen_again(sighting, frame.payload, sip, facts)
            return []
        message = self._new_message(frame, sip, facts, key, hop)
        message.sightings.append(sighting)
        return [message]

    def _new_message(
        self, frame: Frame, sip: Request | Response, facts: Facts, key: MessageKey, hop: Hop
    ) -> ObservedMessage:
        transaction = self._transactions.setdefault((hop, facts.transaction), Transaction())
        message = ObservedMessage(
            sip=sip,
            facts=facts,
            sender=key.sender,
            receiver=key.receiver,
            source=frame.source,
            destination=frame.destination,
            transport=frame.transport,
            time=frame.time,
            payload=frame.payload,
            transaction=transaction,
        )
        self._messages[key] = message
        self._by_call_id.setdefault(facts.call_id, []).append(message)
        if facts.status is None:
            transaction.request = transaction.request or message
            kind = Kind(key.sender, key.receiver, facts.method, facts.event)
            self._by_kind.setdefault(kind, []).append(message)
            for mark in marks_of(message):
                self._by_mark.setdefault((kind, mark), []).append(message)
        else:
            transaction.responses.append(message)
        return message
