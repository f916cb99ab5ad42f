"""The user's PoC settings as this client sees and publishes them (RFC 4354, RFC 3903)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from talkburst.sip.headers import NameAddr, SubscriptionState
from talkburst.sip.message import Request, Response
from talkburst.sip.publisher import Publisher
from talkburst.sip.subscriber import Subscription
from talkburst.sip.transaction.client import Failure
from talkburst.ua.account import ACCEPT_CONTACT
from talkburst.ua.endpoint import Endpoint
from talkburst.ua.farewell import Done
from talkburst.ua.standing import StandingSubscription
from talkburst.xml.document import XmlError
from talkburst.xml.poc_settings import MEDIA_TYPE, AnswerMode, Entity, PocSettings, from_xml, to_xml

PACKAGE: Final = "poc-settings"
EXPIRES: Final = 3600  # RFC 4354 5.4

NO_PUBLICATION: Final = 412  # RFC 3903 6
NOT_REGISTERED: Final = 480  # RFC 3261 21.4.18

OnConflict = Literal["override", "keep"]


@dataclass(slots=True)
class Wishes:
    """What the user wants: own settings, whether to publish them, and what another client's settings mean for that."""

    answer_mode: AnswerMode = "automatic"
    barring: bool = False
    publish: bool = True
    on_conflict: OnConflict = "override"

    def become(self, other: "Wishes") -> None:
        """Whoever holds these wishes has those from now on."""
        self.answer_mode, self.barring = other.answer_mode, other.barring
        self.publish, self.on_conflict = other.publish, other.on_conflict


class Fate(Enum):
    """What became of a change that the user made."""

    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    PENDING = "pending"
    REFUSED = "refused"


OnFate = Callable[[Fate, str], None]
"""What became of it, and why it is not published, for a human."""


class SettingsSession:
    """Settings under one PoC Address: a subscription that shows everybody's, and the publication of our own.

    `etag` names a publication from before a restart; `on_etag` is told each new one, None when it is withdrawn.
    `on_published` follows when the server has what is wanted.
    `on_unregistered(now)` follows each answer that says that the home network has no registration of the user.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        identity: NameAddr,
        wishes: Wishes,
        *,
        etag: str | None = None,
        on_etag: Callable[[str | None], None] = lambda etag: None,
        on_published: Callable[[], None] = lambda: None,
        on_unregistered: Callable[[float], None] = lambda now: None,
    ) -> None:
        self.identity = identity
        self.entities: list[Entity] | None = None
        """What the server told last, None before that."""
        self._endpoint = endpoint
        self._wishes = wishes
        self._changes: list[OnFate] = []
        self._on_etag = on_etag
        self._on_published = on_published
        self._on_unregistered = on_unregistered
        self._decide = endpoint.decide
        self._subscription = StandingSubscription(
            PACKAGE,
            endpoint.engine.agenda,
            self._subscribe,
            on_notify=self._on_notify,
            on_lost=self._on_lost,
            decide=endpoint.decide,
        )
        self._publisher = Publisher(
            endpoint.requester,
            endpoint.engine.agenda,
            endpoint.engine.token,
            package=PACKAGE,
            media_type=MEDIA_TYPE,
            target=str(identity.uri),
            identity=identity,
            expires=EXPIRES,
            headers=[("Accept-Contact", ACCEPT_CONTACT), *endpoint.headers(identity)],
            route=endpoint.routes(),
            etag=etag,
            on_stored=self._on_stored,
            on_failed=self._on_failed,
        )

    @property
    def entity_id(self) -> str:
        """RFC 4354 6: unique for each agent of the user. The instance id lets the server tie it to our contact."""
        return self._endpoint.account.instance

    def ensure(self, now: float) -> None:
        """Subscribe, if that is not under way; the registration may have brought another way to the server."""
        self._publisher.route = self._endpoint.routes()
        self._subscription.ensure(now)

    def change(self, now: float, on_fate: OnFate | None = None) -> None:
        """The wishes have changed: publish them, or as soon as the server has shown what others published.

        `on_fate` is called once, with the next thing that happens to them.
        """
        if on_fate is not None:
            self._changes.append(on_fate)
        if not self._wishes.publish:
            self.withdraw(now, lambda later: self._tell(Fate.WITHDRAWN, ""))
        elif self.entities is not None:
            self._publish(now)

    def restore(self, now: float) -> None:
        """The server refused a change, and the wishes are what they were: keep those published."""
        if self._wishes.publish and self.entities is not None:
            self._publisher.resume(self._document, now)

    def withdraw(self, now: float, done: Done) -> None:
        """Remove the publication."""

        def withdrawn(later: float) -> None:
            self._on_etag(None)
            done(later)

        self._publisher.remove(now, withdrawn)

    def stop(self, now: float, done: Done) -> None:
        """Unsubscribe."""
        self._subscription.stop(now, done)

    def show(self) -> dict[str, object]:
        """For a human."""
        return {
            "subscription": self._subscription.state,
            "publication": self._publisher.state.value,
            "etag": self._publisher.etag,
            "entities": None if self.entities is None else [_shown(entity) for entity in self.entities],
        }

    def lacks(self) -> str:
        """What is still to be done, for a human; empty when nothing is."""
        if self.entities is None:
            return f"settings not told yet; subscription: {self._subscription.state}"
        keeps = self._wishes.on_conflict == "keep" and any(entity.id != self.entity_id for entity in self.entities)
        if self._publisher.expires_at is not None or keeps or not self._wishes.publish:
            return ""
        return f"settings: {self._publisher.state.value}"

    def _subscribe(
        self,
        on_notify: Callable[[Request, SubscriptionState, float], None],
        on_end: Callable[[str, float | None, float], None],
    ) -> Subscription:
        return self._endpoint.subscription(
            PACKAGE,
            self.identity,
            accept=MEDIA_TYPE,
            expires=EXPIRES,
            on_notify=on_notify,
            on_end=on_end,
            headers=[("Accept-Contact", ACCEPT_CONTACT)],
        )

    # What the server tells

    def _on_lost(self, reason: str, was_active: bool, now: float) -> None:
        if reason == str(NOT_REGISTERED):
            self._on_unregistered(now)

    def _on_notify(self, request: Request, first: bool, now: float) -> None:
        # RFC 4354 5.8: without a body nothing has changed; a document without an entity says that nothing is published.
        if request.body:
            try:
                self.entities = from_xml(request.body).entities
            except XmlError as error:
                self._decide("settings not understood", {"why": str(error), "call_id": request.call_id})
            else:
                self._decide("settings told", {"entities": [_brief(each) for each in self.entities]})
        if first:
            self.entities = self.entities or []
            self._agree(self.entities, now)

    def _agree(self, entities: list[Entity], now: float) -> None:
        """The first document of a subscription: is there anything to publish?"""
        own = next((entity for entity in entities if entity.id == self.entity_id), None)
        others = [entity for entity in entities if entity.id != self.entity_id]
        if not self._wishes.publish:
            self._decide("not publishing: it is switched off", {})
        elif self._publisher.expires_at is not None:
            if own is None:  # published before, and the server does not have it any more
                self._publish(now)
        elif others and self._wishes.on_conflict == "keep" and own == self._entity and self._publisher.etag is not None:
            # Published before a restart, and the others' settings have been taken note of then.
            self._decide("keeping what was published before the restart", {"etag": self._publisher.etag})
            self._publisher.resume(self._document, now)
        elif others and self._wishes.on_conflict == "keep":
            self._decide("not publishing: keeping another client's settings", {"entities": [*map(_brief, others)]})
        else:
            if others:
                self._decide("publishing over another client's settings", {"entities": [*map(_brief, others)]})
            self._publish(now)

    def _publish(self, now: float) -> None:
        self._publisher.publish(self._document, now)

    @property
    def _entity(self) -> Entity:
        """Our own settings as the wishes have them."""
        return Entity(self.entity_id, barring=self._wishes.barring, answer_mode=self._wishes.answer_mode)

    @property
    def _document(self) -> bytes:
        return to_xml(PocSettings([self._entity]))

    def _on_stored(self, etag: str, now: float) -> None:
        wishes = self._wishes
        self._decide("settings published", {"barring": wishes.barring, "answer_mode": wishes.answer_mode, "etag": etag})
        self._on_etag(etag)
        if not self._publisher.wanting:
            self._on_published()
            self._tell(Fate.PUBLISHED, "")

    def _on_failed(self, outcome: Response | Failure, delay: float | None, now: float) -> None:
        why = _words(outcome)
        what = "settings not published" if delay is None else "settings not published, trying again"
        self._decide(what, {"why": why, "seconds": delay})
        if delay:
            self._tell(Fate.PENDING, f"{why}; trying again")
        elif delay is None and not self._publisher.wanting:
            self._tell(Fate.REFUSED, why)
        status = outcome.status if isinstance(outcome, Response) else None
        if status == NO_PUBLICATION:
            # A server that lost what we published may have lost our subscription with it.
            self._subscription.refresh(now)
        elif status == NOT_REGISTERED:
            self._on_unregistered(now)

    def _tell(self, fate: Fate, why: str) -> None:
        changes, self._changes = self._changes, []
        for on_fate in changes:
            on_fate(fate, why)


def _words(outcome: Response | Failure) -> str:
    if isinstance(outcome, Response):
        return f"{outcome.status} {outcome.reason}"
    return "no answer" if outcome is Failure.TIMEOUT else "the core cannot be reached"


def _brief(entity: Entity) -> str:
    barring = {True: "barred", False: "open", None: "?"}[entity.barring]
    return f"{entity.id}:{entity.answer_mode or '?'}:{barring}"


def _shown(entity: Entity) -> dict[str, object]:
    return {
        "id": entity.id,
        "answer_mode": entity.answer_mode,
        "barring": entity.barring,
        "alert_barring": entity.alert_barring,
        "simultaneous_sessions": entity.simultaneous_sessions,
    }
