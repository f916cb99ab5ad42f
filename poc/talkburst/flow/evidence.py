"""What the finders and the rows of the steps look at: one flow in its capture, and what has been found of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from talkburst.flow.capture import Capture, Mark
from talkburst.flow.contact_in_reginfo import tagged_addresses
from talkburst.flow.flows import Flow, Flows
from talkburst.flow.message import ObservedMessage
from talkburst.flow.registration import identities
from talkburst.flow.roles import Hop, Role
from talkburst.xml.reginfo import Reginfo

# After these the client or the server tries again; the last attempt is the one that is judged. 500 and 504 are what a
# core says for a server that is not up yet.
RETRIED = frozenset({401, 407, 412, 423, 500, 503, 504})


@dataclass(slots=True, frozen=True)
class Hints:
    """What the caller knows and the capture does not tell.

    `reporting`: roles that report all their SIP and HTTP, even if nothing came of them yet. `passwords`: by user name,
    so that the response in step 3 can be checked. `publishes`: False when the client is known to keep another client's
    settings. `nothing_published`: the server is known to have started empty, so that step 20 has to be empty unless the
    capture has a publication. `started`: since when the client of step 1 is waited for (seconds since the epoch).
    """

    reporting: frozenset[Role] = frozenset()
    passwords: Mapping[str, str] = field(default_factory=dict)
    publishes: bool | None = None
    nothing_published: bool = False
    started: float | None = None


@dataclass(slots=True)
class Found:
    """What was found for a step.

    `why` tells why nothing was, where there is more to say than that nothing came. `faults` break the row, `notes` do
    not. `time` and `line` stand in for a step that is no single SIP message; `cause_time` is when its cause came, where
    that is not when the step came that is its cause. `is_final` is False for a fault that another attempt may still
    mend.
    """

    message: ObservedMessage | None = None
    why: str = ""
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    time: float | None = None
    line: str | None = None
    is_final: bool = True
    cause_time: float | None = None

    @property
    def came(self) -> bool:
        return self.message is not None or self.time is not None


@dataclass(slots=True)
class Evidence:
    """One flow. `found` fills as the steps are looked for, in their order."""

    capture: Capture
    flows: Flows
    flow: Flow
    hints: Hints
    found: dict[int, Found] = field(default_factory=dict)
    unchallenged: bool = False
    """The core accepted the REGISTER of step 1 without a challenge: there is no step 2 and 3 to wait for."""

    def message(self, step: int) -> ObservedMessage | None:
        """The message of a step, None when it was not found (or not looked for yet)."""
        found = self.found.get(step)
        return found.message if found is not None else None

    def at(self, time: float) -> str:
        """A time as the reader of ladder and report sees it: seconds since the first frame."""
        return f"{time - (self.capture.started or 0.0):.3f}"

    def reports(self, role: Role) -> bool:
        """Whether a role tells by itself what it sends and receives."""
        if role == "client":
            return self.flow.client_reports
        return role in self.capture.reporting or role in self.hints.reporting

    def arrived(self, message: ObservedMessage) -> bool:
        """Whether a message came to its receiver. Only where both ends report can it be known that it did not."""
        if not (self.reports(message.sender) and self.reports(message.receiver)):
            return True
        return any(sighting.sent is not True for sighting in message.sightings)

    @property
    def registered(self) -> ObservedMessage | None:
        """The REGISTER that counts: that of step 3, or of step 1 where the core never challenged."""
        return self.message(3) or self.message(1)

    @property
    def associated(self) -> list[str]:
        """The identities of P-Associated-URI in step 4, in its order."""
        answer = self.message(4)
        return identities(answer, "P-Associated-URI") if answer is not None else []

    @property
    def is_barred(self) -> bool:
        """Whether the registered identity is a temporary one that is barred: the core does not list it (no ISIM)."""
        return bool(self.associated) and self.flow.registered_identity not in self.associated

    @property
    def user(self) -> set[str]:
        """Every identity of the user that is known."""
        return {*self.flow.identities, *self.addresses(9), *self.addresses(14)}

    @property
    def marks(self) -> set[Mark]:
        """What requests of this flow's client are found by."""
        return {*self.flow.identities, *self.flow.endpoints}

    def addresses(self, step: int) -> list[str]:
        """The PoC Addresses that the document of step 9 or 14 tells of."""
        message = self.message(step)
        document = message.reginfo() if message is not None else None
        return tagged_addresses(document, self.flow) if isinstance(document, Reginfo) else []

    def is_captured(self, hop: Hop) -> bool:
        """Whether the capture would show what passes on a hop."""
        return self.capture.is_captured(hop, self.hints.reporting)
