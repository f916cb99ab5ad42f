"""NOTIFY requests: sending the state of a subscription, its end, and what the answers mean (RFC 6665 4.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from talkburst.sip.backoff import retry_after
from talkburst.sip.engine import Engine
from talkburst.sip.event_package import Ending, NotifierSubscription, Package
from talkburst.sip.flow import Flow
from talkburst.sip.kept_subscriptions import KeptSubscriptions
from talkburst.sip.living_subscriptions import LivingSubscriptions
from talkburst.sip.message import Response
from talkburst.sip.notify_outcomes import ends_subscription, may_pass, reason_of
from talkburst.sip.throttle import Throttle
from talkburst.sip.transaction.client import Failure

Decide = Callable[[str, Mapping[str, object]], None]
Way = Callable[[NotifierSubscription], Flow | None]
"""The flow that leads to the Contact of a subscriber, where one is known."""

# How often the last NOTIFY of a subscription is tried, which no expiry ends: about a minute.
MOST_LAST_ATTEMPTS: Final = 8


class Notifications:
    """Sends the NOTIFYs of all subscriptions, one at a time for each; `throttle` holds back those of changes."""

    def __init__(
        self,
        engine: Engine,
        packages: Mapping[str, Package],
        living: LivingSubscriptions,
        kept: KeptSubscriptions,
        decide: Decide,
        way: Way,
    ) -> None:
        self._engine = engine
        self._packages = packages
        self._living = living
        self._kept = kept
        self._decide = decide
        self._way = way
        self.throttle = Throttle[NotifierSubscription](engine.agenda, self.send)

    def end(self, subscription: NotifierSubscription, reason: str, now: float, retry_after: int | None = None) -> None:
        """No request finds the subscription any more; what is left of it is its last NOTIFY."""
        self.forget(subscription)
        subscription.ending = Ending(reason, retry_after, self._document(subscription, now))
        self._decide("subscription ends", {**subscription.facts(), "reason": reason})
        self.send(subscription, now)

    def forget(self, subscription: NotifierSubscription) -> None:
        """It is told nothing any more, but for its end."""
        subscription.not_due()
        if subscription.expiry is not None:
            subscription.expiry.cancel()
        self.throttle.satisfied(subscription)
        self._living.remove(subscription)
        self._kept.end(subscription)

    def _document(self, subscription: NotifierSubscription, now: float) -> bytes | None:
        body = self._packages[subscription.package].state(subscription, now)
        if body is not None:
            subscription.version += 1
        return body

    def send(self, subscription: NotifierSubscription, now: float) -> None:
        """Sends the present state, or the end; while a NOTIFY is unanswered, remembers that another one is due."""
        self.throttle.satisfied(subscription)
        subscription.not_due()
        subscription.held = subscription.unanswered
        if subscription.held:
            self.save(subscription)
            return
        subscription.unanswered = True
        ending = subscription.ending
        body = self._document(subscription, now) if ending is None else ending.body
        request = subscription.notify(body, self._packages[subscription.package].media_type, now)
        self.save(subscription)
        subscription.transaction = self._engine.send_request(
            request,
            partial(self._answered, subscription),
            now,
            listener=self._listener_of(subscription),
            next_hop=subscription.dialog.next_hop,
            flow=self._flow_of(subscription),
        )

    def _flow_of(self, subscription: NotifierSubscription) -> Flow | None:
        """The connection of its SUBSCRIBE, else the way that is known to its Contact; else that is tried itself."""
        flow = subscription.flow
        if flow is not None and self._engine.is_open(flow):
            return flow
        way = None if subscription.dialog.route_set else self._way(subscription)
        return way if way is not None and self._engine.is_usable(way) else None

    def _listener_of(self, subscription: NotifierSubscription) -> str | None:
        """The listener that its SUBSCRIBE came in on; the first one when that is gone since a restart."""
        for listener in self._engine.listeners():
            if listener.name == subscription.listener:
                return listener.name
        return None

    def _answered(self, subscription: NotifierSubscription, outcome: Response | Failure, now: float) -> None:
        """RFC 6665 4.2.2: which answers end the subscription. A transport error counts as 503 (RFC 3261 8.1.3.1)."""
        if isinstance(outcome, Response) and outcome.status < 200:
            return
        subscription.unanswered = False
        subscription.transaction = None
        if isinstance(outcome, Response) and outcome.status < 300:
            if subscription.confirmed != subscription.data:
                subscription.confirmed = dict(subscription.data)
            subscription.backoff.reset()
        else:
            subscription.data = dict(subscription.confirmed)
        if ends_subscription(outcome):
            self._decide("subscription removed, NOTIFY failed", {**subscription.facts(), "why": reason_of(outcome)})
            subscription.held = False
            self.forget(subscription)
            self._kept.drop(subscription)
        elif subscription.held:
            self.send(subscription, now)
        elif may_pass(outcome) and (subscription.ending is None or subscription.backoff.failures < MOST_LAST_ATTEMPTS):
            self._try_again(subscription, outcome, now)
        elif subscription.ending is not None:
            self._kept.drop(subscription)
        else:
            self.save(subscription)

    def _try_again(self, subscription: NotifierSubscription, outcome: Response | Failure, now: float) -> None:
        """The subscriber could not be reached, and is owed the state of the moment when it can be."""
        delay = subscription.backoff.next(retry_after(outcome) if isinstance(outcome, Response) else None)
        facts = {**subscription.facts(), "why": reason_of(outcome), "seconds": delay}
        self._decide("NOTIFY failed, trying again", facts)
        subscription.due = True
        subscription.again = self._engine.agenda.schedule(now + delay, partial(self.resume, subscription))
        self.save(subscription)

    def resume(self, subscription: NotifierSubscription, now: float) -> None:
        """Sends what is owed, if it still is."""
        if subscription.due:
            self.send(subscription, now)

    def save(self, subscription: NotifierSubscription) -> None:
        """Writes it as it is now."""
        self._kept.save(subscription, self.throttle.waits(subscription))
