"""A change of a registration, and what it means to application servers by the criteria of its user.

TS 24.229 5.4.1.7: a REGISTER is evaluated as an originating request of a registered user.
"""

from typing import Final

from talkburst.sip import Request, Response
from talkburst_core.filter_criteria import Criterion, Evaluation, RegistrationType, SessionCase, Subject
from talkburst_core.profile import Identity, Profile, Subscriber


class RegistrationEvent:
    """A change of a registration. `request` and `response` are the user's REGISTER and its 200, None for the clock.

    `identity` is the one that To named, `expires` the seconds that the 200 granted. `charging` is P-Charging-Vector.
    """

    __slots__ = ("charging", "expires", "identity", "kind", "request", "response", "subscriber")

    def __init__(
        self,
        subscriber: Subscriber,
        kind: RegistrationType,
        identity: Identity | None = None,
        expires: int = 0,
        request: Request | None = None,
        response: Response | None = None,
        charging: str = "",
    ) -> None:
        self.subscriber: Final = subscriber
        self.kind: Final = kind
        self.identity: Final = identity
        self.expires: Final = expires
        self.request: Final = request
        self.response: Final = response
        self.charging: Final = charging


class Order:
    """A REGISTER to send: to which server, for which criterion, about which identity."""

    __slots__ = ("criterion", "reason", "to")

    def __init__(self, criterion: Criterion, to: str, reason: str) -> None:
        self.criterion: Final = criterion
        self.to: Final = to
        self.reason: Final = reason


def evaluations(event: RegistrationEvent) -> list[tuple[Profile, Evaluation]]:
    """The criteria against the user's own REGISTER, as an originating one (TS 29.228 annex C)."""
    if event.request is None:
        return []
    subject = Subject(event.request, SessionCase.ORIGINATING, True, event.kind)
    return [(profile, criterion.evaluate(subject)) for profile, criterion in event.subscriber.criteria()]


def why_nobody(event: RegistrationEvent) -> str | None:
    """What no evaluation can tell."""
    if not event.subscriber.has_criteria:
        return "the profile has no criteria"
    if not event.subscriber.unbarred:
        return "every identity of the user is barred"
    return "no server was told of the registration" if event.request is None else None


def facts_of(event: RegistrationEvent) -> dict[str, object]:
    call_id = event.request.call_id if event.request is not None else None
    return {"user": event.subscriber.key, "kind": event.kind.words, "call_id": call_id}


def addressee(profile: Profile, event: RegistrationEvent) -> Identity | None:
    """Whom the REGISTER is about: the registered identity where it may be named, else the first that may.

    TS 24.229 5.4.1.7: never a barred identity, and if it can be one of the service profile of the criterion.
    """
    identity = event.identity
    if identity is not None and not identity.barred and identity in profile.identities:
        return identity
    unbarred = [each for each in profile.identities if not each.barred]
    return next(iter(unbarred or event.subscriber.unbarred), None)
