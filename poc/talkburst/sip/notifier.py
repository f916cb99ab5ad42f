"""The notifier: takes SUBSCRIBE requests and tells the subscribers what changes (RFC 6665 4.2).

    Notifier(engine, uas, packages, token, *, notify_first=False, contact=None, decide=...)
    notifier.on_subscribe(transaction, request, now)          for Uas.serve("SUBSCRIBE", ...)
    notifier.changed(package, resource, now)                  the state of `resource` is another one now
    notifier.owe(package, resource)                           `changed` will follow
    notifier.terminate(package, resource, reason, now, retry_after=None, only=None)
    notifier.move(package, old, new)                          two resources turned out to be one
    notifier.subscriptions                                    all that live
    notifier.watching(package, resource)                      those of one resource
    notifier.restore(rows, now, resume_at=None)               the subscriptions become those that were stored

`package` is an event package's name. What may be watched and what the document says is the package's business
(`Package`). Every NOTIFY carries the full state of the moment it is built. Only one is under way for a subscription;
what falls due meanwhile is told by one more when the answer has come.

The 200 leaves before its NOTIFY, the other way round with `notify_first`: subscribers have to take both orders.
`contact(listener)` gives the URI for Contact; by default sip:HOST:PORT of the listener the SUBSCRIBE came in on.
`owns(subscription, request)` says whether a SUBSCRIBE in the dialog is the subscriber's; by default its asserted
identity, if it has one, has to be the same.

Of the states of RFC 6665 4.2.1, figure 2, two remain: the package permits or refuses at once, so that nothing waits
or is pending. A subscription is active, and terminated from the moment that it has an `ending`.

With a journal each subscription is a row of the table "subscriptions" from its SUBSCRIBE to the answer to its last
NOTIFY, written before anything leaves that it has to remember: CSeq, version, that a NOTIFY is owed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial

from talkburst.sip.engine import Engine
from talkburst.sip.event_package import NotifierSubscription, Package
from talkburst.sip.flow import Listener
from talkburst.sip.journal import Journal, Rows
from talkburst.sip.kept_subscriptions import TABLE, KeptSubscriptions
from talkburst.sip.living_subscriptions import LivingSubscriptions
from talkburst.sip.message import Request
from talkburst.sip.negotiation import Refusal
from talkburst.sip.notifications import Decide, Notifications, Way
from talkburst.sip.subscription_establishment import (
    Owns,
    SubscriptionEstablishment,
    contact_uri,
    is_of_subscriber,
    subscriber_of,
    success_headers,
)
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uas import Uas

__all__ = ["TABLE", "Notifier", "NotifierSubscription", "Package", "contact_uri", "is_of_subscriber", "subscriber_of"]


class Notifier:
    """RFC 6665 4.2 for any number of event packages."""

    def __init__(
        self,
        engine: Engine,
        uas: Uas,
        packages: Iterable[Package],
        token: Callable[[], str],
        *,
        notify_first: bool = False,
        contact: Callable[[Listener], str] | None = None,
        decide: Decide = lambda what, facts: None,
        journal: Journal | None = None,
        owns: Owns = is_of_subscriber,
        way: Way = lambda subscription: None,
    ) -> None:
        self._engine = engine
        self._uas = uas
        self._packages = {package.name: package for package in packages}
        self._notify_first = notify_first
        self._decide = decide
        self._kept = KeptSubscriptions(journal)
        self._living = LivingSubscriptions()
        self._establishment = SubscriptionEstablishment(
            engine, self._packages, self._living, self._kept, contact or contact_uri, token, owns
        )
        self._notifications = Notifications(engine, self._packages, self._living, self._kept, decide, way)

    @property
    def subscriptions(self) -> list[NotifierSubscription]:
        """Those that live, the oldest first."""
        return list(self._living)

    def watching(self, package: str, resource: str) -> list[NotifierSubscription]:
        """The subscriptions to one resource, the oldest first."""
        return self._living.watching(package, resource)

    def on_subscribe(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Takes or refuses one SUBSCRIBE; a taken one is answered with 200 and with a NOTIFY. RFC 6665 4.2.1."""
        outcome = self._establishment.judge(transaction, request, now)
        if isinstance(outcome, Refusal):
            facts = {"status": outcome.status, "why": outcome.reason, "event": request.get("Event")}
            self._decide("SUBSCRIBE refused", {**facts, "call_id": request.call_id})
            self._uas.reply(transaction, outcome.status, now, outcome.reason, outcome.headers)
            return
        subscription, expires = outcome
        self._accept(subscription, expires, now)
        headers = success_headers(subscription, request, expires)
        if self._notify_first:
            self._answer_by_notify(subscription, expires, now)
        if self._notify_first and subscription.transaction is not None:
            # One that outgrows a datagram may have to wait for its connection.
            subscription.transaction.once_departed(
                lambda later: self._uas.reply(transaction, 200, later, headers=headers), now
            )
        else:
            self._uas.reply(transaction, 200, now, headers=headers)
        if not self._notify_first:
            self._answer_by_notify(subscription, expires, now)
        self._notifications.save(subscription)

    def changed(self, package: str, resource: str, now: float) -> None:
        """Tells the subscribers of `resource` its new state, now or when the package's rate allows."""
        groups: dict[Hashable, list[NotifierSubscription]] = {}
        for subscription in self.watching(package, resource):
            if subscription.expires_at <= now:
                continue  # its end is due at this moment, and is told with the new state
            key: Hashable = (package, self._packages[package].throttle_key(subscription))
            groups.setdefault(key, []).append(subscription)
        throttle = self._notifications.throttle
        for group, subscriptions in groups.items():
            throttle.change(group, subscriptions, self._packages[package].notify_interval, now)
            for subscription in filter(throttle.waits, subscriptions):
                self._notifications.save(subscription)

    def owe(self, package: str, resource: str) -> None:
        """What `changed` will tell in a moment is owed from now on, should the process end before it does."""
        for subscription in self.watching(package, resource):
            subscription.due = True
            self._notifications.save(subscription)

    def terminate(
        self,
        package: str,
        resource: str,
        reason: str,
        now: float,
        retry_after: int | None = None,
        only: Callable[[NotifierSubscription], bool] | None = None,
    ) -> None:
        """Ends the subscriptions to `resource` with a last NOTIFY; reasons are those of RFC 6665 4.1.3."""
        for subscription in self.watching(package, resource):
            if only is None or only(subscription):
                self._notifications.end(subscription, reason, now, retry_after)

    def move(self, package: str, old: str, new: str) -> None:
        """Who watched `old` watches `new` from now on: two resources turned out to be one. Nobody is told of it."""
        for subscription in self._living.move(package, old, new):
            self._notifications.save(subscription)

    def restore(self, rows: Rows, now: float, resume_at: float | None = None) -> None:
        """Makes the subscriptions what `rows` say, whatever they are now. Sends nothing before `resume_at` (or now).

        At that moment whoever is owed a NOTIFY gets it, and what has expired ends: without `resume_at` in the order in
        which it expired, also with regard to other roles' alarms. Raises RowError or HeaderError.
        """
        restored = [NotifierSubscription.from_row(key, row) for key, row in rows.items()]
        for subscription in self._kept:
            self._abandon(subscription, now)
        self._living.clear()
        restored = [subscription for subscription in restored if subscription.package in self._packages]
        self._kept.replace(restored)
        for subscription in restored:
            self._take_back(subscription, now, resume_at)

    def _abandon(self, subscription: NotifierSubscription, now: float) -> None:
        if subscription.expiry is not None:
            subscription.expiry.cancel()
        if subscription.transaction is not None:
            subscription.transaction.abandon(now)
        self._notifications.throttle.satisfied(subscription)
        subscription.not_due()

    def _take_back(self, subscription: NotifierSubscription, now: float, resume_at: float | None) -> None:
        if subscription.ending is None:
            # Nobody is granted more than that; it was stored by a clock that was ahead of this one.
            longest = self._packages[subscription.package].max_expires
            subscription.expires_at = min(subscription.expires_at, (resume_at or now) + longest)
            self._enter(subscription, max(subscription.expires_at, resume_at or 0.0))
        if subscription.due:
            self._engine.agenda.schedule(
                now if resume_at is None else resume_at, partial(self._notifications.resume, subscription)
            )

    # Taking a SUBSCRIBE

    def _accept(self, subscription: NotifierSubscription, expires: int, now: float) -> None:
        self._kept.add(subscription)
        subscription.expires_at = now + expires
        if expires > 0:
            self._enter(subscription, subscription.expires_at)
        self._decide("SUBSCRIBE accepted", {**subscription.facts(), "expires": expires})

    def _enter(self, subscription: NotifierSubscription, end_at: float) -> None:
        if subscription.expiry is not None:
            subscription.expiry.cancel()
        self._living.enter(subscription)
        subscription.expiry = self._engine.agenda.schedule(end_at, partial(self._expire, subscription))

    def _answer_by_notify(self, subscription: NotifierSubscription, expires: int, now: float) -> None:
        """RFC 6665 4.2.1.2: due after every accepted SUBSCRIBE, also a refresh, a fetch and the end of it all."""
        if expires > 0:
            self._notifications.send(subscription, now)
        else:
            self._notifications.end(subscription, "timeout", now)

    def _expire(self, subscription: NotifierSubscription, now: float) -> None:
        self._notifications.end(subscription, "timeout", now)
