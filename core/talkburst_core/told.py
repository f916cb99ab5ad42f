"""What one application server knows of one user's registration, as it is kept and stored (TS 24.229 5.4.1.7)."""

from dataclasses import dataclass, field

from talkburst.sip import Request
from talkburst.sip.agenda import Alarm
from talkburst.sip.backoff import Backoff
from talkburst.sip.engine import ClientTransaction
from talkburst.sip.journal import Row, integer, number, text
from talkburst_core.filter_criteria import Criterion, RegistrationType, SessionCase, Subject
from talkburst_core.profile import Subscriber, Subscribers
from talkburst_core.rows import request_from, request_text


@dataclass(slots=True)
class Told:
    """One application server and what it knows of one user."""

    criterion: Criterion
    to: str
    call_id: str
    request: Request
    """The user's REGISTER that matched."""
    cseq: int = 0
    transaction: ClientTransaction | None = None
    """The REGISTER that is under way."""
    sent: Request | None = None
    """The one that was sent last, until the server has answered it."""
    waiting: Request | None = None
    ends_at: float = 0.0
    """Until when the server takes the user for registered, unless it is told the end; seconds since the epoch."""
    backoff: Backoff = field(default_factory=Backoff)
    again: Alarm | None = None
    """When a server that failed is told once more."""

    @property
    def unanswered(self) -> bool:
        """Whether the server still has to answer, or failed and is to be told again."""
        return self.waiting is not None or self.sent is not None

    def to_row(self, user: str, server: str) -> Row:
        owed = self.waiting or self.sent
        return {
            "user": user,
            "server": server,
            "to": self.to,
            "call_id": self.call_id,
            "request": request_text(self.request),
            "cseq": self.cseq,
            "ends_at": self.ends_at,
            "owed": None if owed is None else request_text(owed),
        }


def told_from(row: Row, subscribers: Subscribers) -> tuple[Subscriber, Told] | None:
    """The user and what a server knows of it; None where the profile has no such user or server any more."""
    subscriber = subscribers.by_identity(text(row, "user"))
    if subscriber is None or subscriber.key != text(row, "user"):
        return None
    request = request_from(row, "request")
    criterion = _criterion_for(subscriber, text(row, "server"), request)
    if criterion is None:
        return None
    told = Told(
        criterion,
        text(row, "to"),
        text(row, "call_id"),
        request,
        cseq=integer(row, "cseq"),
        ends_at=number(row, "ends_at"),
        sent=None if row.get("owed") is None else request_from(row, "owed"),
    )
    return subscriber, told


def _criterion_for(subscriber: Subscriber, server: str, request: Request) -> Criterion | None:
    """By which criterion of the profile as it is now a server was told: one that matches, else one that names it."""
    named = [criterion for _, criterion in subscriber.criteria() if criterion.server.server_name == server]
    subject = Subject(request, SessionCase.ORIGINATING, True, RegistrationType.RE_REGISTRATION)
    matching = (criterion for criterion in named if criterion.evaluate(subject).matched)
    return next(matching, next(iter(named), None))
