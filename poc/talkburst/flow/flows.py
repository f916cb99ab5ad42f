"""Flows: one for each registration of a client, and which of them a message belongs to.

A flow is opened by a REGISTER of a client with a Call-ID of its own; a refresh opens none, Expires 0 closes it. What
the core and the server do about a user goes to the newest flow of that user.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from talkburst.flow.capture import Capture, Kind
from talkburst.flow.message import ObservedMessage
from talkburst.flow.registration import (
    contact_of,
    credentials,
    host_and_port,
    identities,
    instance_of,
    is_removal,
    is_wildcard,
    nonces,
    same_place,
)
from talkburst.obs.frame import Endpoint
from talkburst.sip import NameAddr


@dataclass(slots=True, eq=False)
class Flow:
    """One client's registration and what identifies it. `opened`, `closed` are times; None: it is still open.

    Where the hop between client and core is not captured there is no REGISTER of the client: `registers` is empty and
    the user is known from what the core tells the server.
    """

    opened: float
    registered_identity: str
    contact: NameAddr | None = None
    call_ids: list[str] = field(default_factory=list)
    registers: list[ObservedMessage] = field(default_factory=list)
    identities: set[str] = field(default_factory=set)
    endpoints: set[Endpoint] = field(default_factory=set)
    closed: float | None = None

    @property
    def instance(self) -> str:
        return instance_of(self.contact)

    @property
    def client_reports(self) -> bool:
        """Whether this flow's client tells by itself what it sends and receives."""
        return any(sighting.node == "client" for register in self.registers for sighting in register.sightings)

    @property
    def accepted(self) -> bool:
        """Whether a REGISTER of this flow was answered 2xx."""
        finals = (register.transaction.final for register in self.registers)
        return any(final is not None and (final.status or 0) < 300 for final in finals)

    def asked_by(self, time: float) -> bool:
        """Whether step 3 came before `time`; where the core never challenged, whether the client had asked at all."""
        asking = [register for register in self.registers if credentials(register)] or self.registers
        return not asking or asking[0].time <= time

    def open_at(self, time: float) -> bool:
        return self.opened <= time and (self.closed is None or time <= self.closed)


class Flows:
    """All flows of a capture, in the order in which they were opened."""

    def __init__(self, capture: Capture) -> None:
        self.all: list[Flow] = []
        self._capture = capture
        self._of_identity: dict[str, list[Flow]] = defaultdict(list)
        self._of_endpoint: dict[Endpoint, list[Flow]] = defaultdict(list)

    def add(self, message: ObservedMessage) -> None:
        """Take a message between client and core into account; what is no REGISTER opens and closes nothing."""
        if message.method != "REGISTER" or {message.sender, message.receiver} != {"client", "core"}:
            return
        if message.status is None:
            self._add_register(message)
            # Where several report, an answer may be told before its request.
            for response in message.transaction.responses:
                self.add(response)
        elif 200 <= message.status < 300:
            self._add_acceptance(message)

    def of_user(self, identities: Iterable[str]) -> list[Flow]:
        """The flows that have one of these identities."""
        found = {id(flow): flow for identity in identities for flow in self._of_identity.get(identity, ())}
        return sorted(found.values(), key=lambda flow: flow.opened)

    def of_message(self, message: ObservedMessage) -> list[Flow]:
        """The flows that a message may be part of."""
        facts = message.facts
        found = self.of_user({facts.from_aor, facts.to_aor, facts.uri_aor})
        return found or [flow for flow in self.all if message.call_id in flow.call_ids]

    def owner_of_client_request(self, request: ObservedMessage) -> Flow | None:
        """The flow of the client that sent this: the newest that fits its contact, its address, its user.

        Several users may share an address (a proxy, a load generator), and one user may have several clients.
        """
        facts = request.facts
        users = self.of_user({facts.from_aor, facts.to_aor, facts.uri_aor})
        others = [flow for end in self._ends(request) for flow in self._of_endpoint.get(end, ()) if flow not in users]
        fitting = [flow for flow in [*users, *others] if flow.opened <= request.time]
        opened = [flow for flow in fitting if flow.open_at(request.time)]
        return max(
            opened or fitting,
            key=lambda flow: (self._fit(flow, request), flow in users, flow.opened),
            default=None,
        )

    def owner_of_user_event(self, users: Iterable[str], time: float) -> Flow | None:
        """The newest flow of a user whose step 3 came before `time`."""
        flows = [flow for flow in self.of_user(users) if flow.opened <= time]
        asked = [flow for flow in flows if flow.asked_by(time)]
        return max(asked or flows, key=lambda flow: flow.opened, default=None)

    def without_registers(self) -> "Flows":
        """The flows as the hops behind the core show them, for a capture that has nothing between client and core."""
        found = Flows(self._capture)
        requests = self._capture.requests
        sources = (
            [register for register in requests(Kind("core", "server", "REGISTER")) if not is_removal(register)],
            requests(Kind("server", "core", "SUBSCRIBE", "reg")),
            requests(Kind("core", "server", "SUBSCRIBE", "poc-settings")),
        )
        for source in sources:
            for request in source:
                if not found.all or source is sources[0]:
                    found._open_for_user(request.facts.to_aor, request.time)
        for exchange in self._capture.http.exchanges:
            if exchange.sender == "server" and exchange.target and exchange.target.user and not any(map(len, sources)):
                found._open_for_user(exchange.target.user, exchange.time)
        return found

    def _open_for_user(self, identity: str, time: float) -> None:
        if identity not in self._of_identity:
            flow = Flow(opened=time, registered_identity=identity)
            self.all.append(flow)
            self._identify(flow, [identity])

    def _add_register(self, register: ObservedMessage) -> None:
        flow = self._flow_of(register)
        if flow is None:
            if is_removal(register) or not register.contacts:
                return
            flow = Flow(register.time, register.facts.to_aor, contact_of(register))
            self.all.append(flow)
            self._identify(flow, [register.facts.to_aor])
        if register.call_id not in flow.call_ids:
            flow.call_ids.append(register.call_id)
        flow.opened = min(flow.opened, register.time)
        flow.registers.append(register)
        flow.registers.sort(key=lambda message: message.time)
        for end in self._ends(register):
            if end not in flow.endpoints:
                flow.endpoints.add(end)
                self._of_endpoint[end].append(flow)

    def _flow_of(self, register: ObservedMessage) -> Flow | None:
        contact = contact_of(register)
        for flow in reversed(self._of_identity.get(register.facts.to_aor, [])):
            if flow.closed is not None and register.time > flow.closed:
                continue
            same = contact is None or same_place(contact, flow.contact)
            if register.call_id in flow.call_ids and same:
                return flow
            if same and not flow.accepted and self._answers_challenge_of(flow, register):
                return flow
        return None

    def _answers_challenge_of(self, flow: Flow, register: ObservedMessage) -> bool:
        """Whether the credentials use a nonce that was given to this flow: some clients change the Call-ID for it."""
        answer = credentials(register)
        if answer is None:
            return False
        finals = (earlier.transaction.final for earlier in flow.registers)
        return any(answer.params.get("nonce") in nonces(final) for final in finals if final is not None)

    def _add_acceptance(self, response: ObservedMessage) -> None:
        register = response.transaction.request
        for flow in list(self._of_identity.get(response.facts.to_aor, [])):
            if register is not None and register in flow.registers:
                self._identify(flow, identities(response, "P-Associated-URI"))
            if register is not None and is_removal(register) and self._removes(register, flow):
                flow.closed = flow.closed or response.time

    def _removes(self, register: ObservedMessage, flow: Flow) -> bool:
        if flow.opened > register.time or flow.closed is not None:
            return False
        gone = any(same_place(contact, flow.contact) for contact in register.contacts)
        return gone or (is_wildcard(register) and register.call_id in flow.call_ids)

    def _identify(self, flow: Flow, identities: Iterable[str]) -> None:
        for identity in identities:
            if identity not in flow.identities:
                flow.identities.add(identity)
                self._of_identity[identity].append(flow)

    def _fit(self, flow: Flow, request: ObservedMessage) -> int:
        contact = contact_of(request)
        if contact is not None and instance_of(contact) and flow.instance:
            return 3 if instance_of(contact) == flow.instance else 0
        if contact is not None and flow.contact is not None and host_and_port(contact) == host_and_port(flow.contact):
            return 2
        return int(any(end in flow.endpoints for end in self._ends(request)))

    def _ends(self, request: ObservedMessage) -> list[Endpoint]:
        """Where a request of a client says that it comes from: Contact, bottom Via, source."""
        ends = [request.source]
        if request.facts.vias:
            ends.append(request.facts.vias[-1][:2])
        contact = contact_of(request)
        place = host_and_port(contact) if contact is not None else None
        return [*ends, place] if place is not None else ends
