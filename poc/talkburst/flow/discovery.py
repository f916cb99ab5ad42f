"""Who sent a message and to whom: roles by name, by the reporter, by known addresses, by what the message is.

A frame that a role reported itself is certain at that end. Everything else is found out from the traffic: the core
answers REGISTER, the PoC server receives the one whose From is not the user's, a TCP connection belongs to the role
whose listener stands in the top Via of the requests that come over it.
"""

from talkburst.flow.message import Facts, TransactionKey
from talkburst.flow.roles import Role, Roles, endpoint, role_of_node
from talkburst.obs.frame import Endpoint, Frame

Ends = tuple[Role, Role]


def ends_by_structure(facts: Facts, sender: Role | None, receiver: Role | None) -> Ends | None:
    """The ends of a request of this flow as its method, event, identities and Vias tell them, None if they do not.

    `sender` and `receiver` are what is known already: through a back-to-back agent the number of Vias says nothing.
    """
    own = facts.from_aor == facts.to_aor
    single = len(facts.vias) <= 1
    match facts.method, facts.event:
        case "REGISTER", _:
            if not own or receiver == "server" or (sender == "core" and single):
                return ("core", "server")
            return ("client" if single else "core", "core")
        case "SUBSCRIBE", "reg":
            return ("client" if own else "server", "core")
        case "NOTIFY", "reg":
            return ("core", "client" if own else "server")
        case "SUBSCRIBE" | "PUBLISH", "poc-settings":
            onward = sender == "core" or receiver == "server" or (receiver is None and sender is None and not single)
            return ("core", "server") if onward else ("client", "core")
        case "NOTIFY", "poc-settings":
            onward = sender == "core" or receiver == "client" or (receiver is None and sender is None and not single)
            return ("core", "client") if onward else ("server", "core")
    return None


class Discovery:
    """What is known of addresses so far. `generation` grows with it, so that what was unclear can be tried again."""

    def __init__(self, named: Roles) -> None:
        self.generation = 0
        self._named = named
        self._known: dict[Endpoint, Role] = {}
        self._requests: dict[TransactionKey, Ends] = {}

    def role(self, end: Endpoint) -> Role | None:
        """The role of an address, as named or as learnt."""
        return self._named.of(end) or self._known.get(endpoint(*end))

    def ends(self, frame: Frame, facts: Facts) -> Ends | None:
        """Sender and receiver of a SIP message, None while they cannot be told."""
        local = role_of_node(frame.node)
        if local is not None and frame.outbound is not None:
            ends = self._reported(local, frame, facts, frame.outbound)
        else:
            ends = self._captured(frame, facts)
        if ends is not None and facts.status is None and facts.transaction not in self._requests:
            self._requests[facts.transaction] = ends
            self.generation += 1
        return ends

    def only_role_at(self, host: str) -> Role | None:
        """The role of a host at which one role alone is known; on a shared loopback address this tells nothing."""
        roles = {role for (known, _), role in self._known.items() if known == endpoint(host, 0)[0]}
        return roles.pop() if len(roles) == 1 else None

    def learn(self, end: Endpoint, role: Role, *, certain: bool = False) -> None:
        """Remember the role of an address. What is known stays, unless the new word is certain."""
        end = endpoint(*end)
        if self._known.get(end) != role and (certain or end not in self._known):
            self._known[end] = role
            self.generation += 1

    def _reported(self, node: Role, frame: Frame, facts: Facts, outbound: bool) -> Ends | None:
        mine, other = (frame.source, frame.destination) if outbound else (frame.destination, frame.source)
        local = self._named.of(mine) or node
        self.learn(mine, local, certain=True)
        remote = self._named.of(other) or self._remote(local, other, facts, outbound)
        if remote is None:
            return None
        return (local, remote) if outbound else (remote, local)

    def _remote(self, local: Role, other: Endpoint, facts: Facts, outbound: bool) -> Role | None:
        """The far end. A relay may stand in between, so its address comes last."""
        if local != "core":
            return "core"
        ends = self._requests.get(facts.transaction)
        if ends is None and facts.status is None:
            ends = ends_by_structure(facts, local if outbound else None, None if outbound else local)
        if ends is not None and local in ends:
            return ends[1] if ends[0] == local else ends[0]
        return self.role(other)

    def _captured(self, frame: Frame, facts: Facts) -> Ends | None:
        sender, receiver = self.role(frame.source), self.role(frame.destination)
        if facts.status is None and facts.vias and (sender is None or frame.transport == "TCP"):
            sender = self._named.of(frame.source) or self.role(facts.vias[0][:2]) or sender
        told = self._requests.get(facts.transaction)
        if told is not None and facts.status is not None:
            told = (told[1], told[0])
        if told is None and facts.status is None:
            told = ends_by_structure(facts, sender, receiver)
        if told is not None:
            sender, receiver = sender or told[0], receiver or told[1]
        if sender is None or receiver is None:
            return None
        self.learn(frame.source, sender, certain=frame.transport == "TCP" and facts.status is None)
        self.learn(frame.destination, receiver)
        if facts.status is None and facts.vias:
            self.learn(facts.vias[0][:2], sender)
        return sender, receiver
