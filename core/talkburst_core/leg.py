"""The way of one request for one user, from one application server to the next (TS 24.229 5.4.3.2 and 5.4.3.3)."""

import hmac
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from talkburst.sip import Request
from talkburst.sip.engine import ServerTransaction
from talkburst_core.filter_criteria import Criterion, SessionCase
from talkburst_core.profile import Identity, Subscriber, Subscribers

_RETURNED: Final = "odi-"
_PURPOSE: Final = b"leg"  # nonces are signed with the same key


class Leg:
    """The way of one request for one user: as whose, in which session case, and which criteria are still to come."""

    __slots__ = ("case", "identity", "position", "request", "subscriber", "transaction", "unmatched")

    def __init__(
        self,
        transaction: ServerTransaction,
        request: Request,
        subscriber: Subscriber,
        identity: Identity,
        case: SessionCase,
        position: int = 0,
    ) -> None:
        self.transaction: Final = transaction
        self.request = request
        self.subscriber: Final = subscriber
        self.identity: Final = identity
        self.case: Final = case
        self.position = position
        self.unmatched: list[str] = []

    @property
    def criteria(self) -> Sequence[Criterion]:
        return self.subscriber.profile_of(self.identity).criteria

    @property
    def originating(self) -> bool:
        return self.case in (SessionCase.ORIGINATING, SessionCase.ORIGINATING_UNREGISTERED)


class Marks:
    """Names legs in the Route entries by which application servers bring requests back, and remembers none of them.

    TS 24.229 5.4.3.4: the original dialog identifier, which outlives the Call-ID. It is signed: a client may write a
    Route through a server that returns to us, and must not choose whose criteria and contacts hold, or which are over.
    """

    def __init__(self, key: bytes, subscribers: Subscribers) -> None:
        self._key = key
        self._subscribers = subscribers

    def use_key(self, key: bytes) -> None:
        """Sign with another key from now on; what was signed before is unknown."""
        self._key = key

    def of(self, leg: Leg) -> str:
        what = f"{int(leg.case)}-{leg.position}-{leg.identity.aor.encode().hex()}"
        return f"{_RETURNED}{what}-{self._signature(what)}"

    def leg(self, mark: str, transaction: ServerTransaction, request: Request) -> Leg | None:
        """The leg that a mark of ours names, to go on with `request`; None for any other text."""
        what, _, signature = mark.removeprefix(_RETURNED).rpartition("-")
        parts = what.split("-")
        if not (mark.startswith(_RETURNED) and mark.isascii() and len(parts) == 3):
            return None
        if not hmac.compare_digest(signature, self._signature(what)):
            return None
        case, position, aor = SessionCase(int(parts[0])), int(parts[1]), bytes.fromhex(parts[2]).decode()
        subscriber = self._subscribers.by_identity(aor)
        identity = subscriber.identity(aor) if subscriber else None
        if subscriber is None or identity is None:  # not any more
            return None
        return Leg(transaction, request, subscriber, identity, case, position)

    def _signature(self, what: str) -> str:
        return blake2b(
            what.encode(), digest_size=16, key=self._key[: blake2b.MAX_KEY_SIZE], person=_PURPOSE
        ).hexdigest()
