"""The way of one request for one user, from one application server to the next (TS 24.229 5.4.3.2 and 5.4.3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from talkburst.sip import Request
from talkburst.sip.engine import ServerTransaction
from talkburst_core.filter_criteria import Criterion, SessionCase
from talkburst_core.profile import Identity, Subscriber, Subscribers

_RETURNED: Final = "odi-"


@dataclass(slots=True)
class Leg:
    """The way of one request for one user: as whose, in which session case, and which criteria are still to come."""

    transaction: ServerTransaction
    request: Request
    subscriber: Subscriber
    identity: Identity
    case: SessionCase
    position: int = 0
    unmatched: list[str] = field(default_factory=list)

    @property
    def criteria(self) -> Sequence[Criterion]:
        return self.subscriber.profile_of(self.identity).criteria

    @property
    def originating(self) -> bool:
        return self.case in (SessionCase.ORIGINATING, SessionCase.ORIGINATING_UNREGISTERED)

    @property
    def mark(self) -> str:
        """Names the leg (TS 24.229 5.4.3.2: original dialog identifier) without having to remember it."""
        return f"{_RETURNED}{int(self.case)}-{self.position}-{self.identity.aor.encode().hex()}"


def leg_of(mark: str, transaction: ServerTransaction, request: Request, subscribers: Subscribers) -> Leg | None:
    """The leg that a mark names, to go on with `request`; None for any other text."""
    parts = mark.removeprefix(_RETURNED).split("-")
    if not mark.startswith(_RETURNED) or len(parts) != 3:
        return None
    try:
        case, position, aor = SessionCase(int(parts[0])), int(parts[1]), bytes.fromhex(parts[2]).decode()
    except ValueError:
        return None
    subscriber = subscribers.by_identity(aor)
    identity = subscriber.identity(aor) if subscriber else None
    if subscriber is None or identity is None or position < 0:
        return None
    return Leg(transaction, request, subscriber, identity, case, position)
