"""The subscriber: asks to be told, and takes the NOTIFYs (RFC 6665 4.1).

    Subscriber(engine, uas, *, packages=())           packages: names of what NOTIFYs may be about
    subscriber.on_notify(transaction, request, now)   for Uas.serve("NOTIFY", ...)

    SubscribeRequests(event, target, from_, to, contact, accept, headers=(), route=())
    Subscription(requester, requests, *, subscriber, expires, on_notify, on_end, on_accept=None, on_change=None,
                 listener=None, next_hop=None)
    subscription.start(now), refresh(now), stop(now)
    subscription.to_row(), resume(row, at), abandon(now)
    subscription.state, .dialog, .expires_at, .last_failure

    on_notify(request, subscription_state, now)       each NOTIFY taken, already answered 200; also the last one
    on_end(reason, retry_after, now)                  once; nothing comes after it
    on_accept(response, now)                          each 2xx to a SUBSCRIBE
    on_change()                                       `to_row` gives another row than before

A Subscription is one dialog: one that has ended is not started again, the application makes a new one when it thinks
fit. `reason` is the notifier's own ("deactivated", "probation", "timeout", ... or "" when it gave none), or says what
went wrong on this side: NO_NOTIFY, EXPIRED, UNREACHABLE, or the status of the answer that ended it ("403", "481").

One that was kept as a row goes on after a restart, in the same dialog (`resume`).

It refreshes itself as `backoff.renewal` says; Timer N runs for every SUBSCRIBE.
"""

from __future__ import annotations

from collections.abc import Iterable

from talkburst.sip.engine import Engine
from talkburst.sip.message import Request
from talkburst.sip.subscribe_outcomes import EXPIRED, NO_NOTIFY, UNREACHABLE
from talkburst.sip.subscribe_requests import SubscribeRequests
from talkburst.sip.subscription import Subscription
from talkburst.sip.subscription_states import State
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uas import Uas

__all__ = ["EXPIRED", "NO_NOTIFY", "UNREACHABLE", "State", "SubscribeRequests", "Subscriber", "Subscription"]


class Subscriber:
    """Finds the subscription a NOTIFY belongs to. RFC 6665 4.1.3 and 4.4.1."""

    def __init__(self, engine: Engine, uas: Uas, *, packages: Iterable[str] = ()) -> None:
        self.agenda = engine.agenda
        self.timers = engine.timers
        self.token = uas.token
        self.uas = uas
        self._packages = set(packages)
        self._subscriptions: dict[tuple[str, str], Subscription] = {}  # by Call-ID and our tag

    @property
    def subscriptions(self) -> list[Subscription]:
        """Those that live, the oldest first."""
        return list(self._subscriptions.values())

    def add(self, subscription: Subscription) -> None:
        """From now on its NOTIFYs are taken, and its package is no foreign one any more."""
        self._packages.add(subscription.package)
        self._subscriptions[subscription.call_id, subscription.local_tag] = subscription

    def remove(self, subscription: Subscription) -> None:
        self._subscriptions.pop((subscription.call_id, subscription.local_tag), None)

    def on_notify(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Hands a NOTIFY to its subscription. The notifier's tag is free: the first NOTIFY makes the dialog.

        489 for a package nobody here subscribes to, 481 for a subscription that is not, or not any more.
        """
        event = request.event
        if event is None or event.package not in self._packages:
            allowed = ", ".join(self.uas.allow_events)
            self.uas.reply(transaction, 489, now, headers=[("Allow-Events", allowed)] if allowed else ())
            return
        subscription = self._subscriptions.get((request.call_id, request.to.tag or ""))
        if subscription is None or (event.package, event.id) != (subscription.package, subscription.event_id):
            self.uas.reply(transaction, 481, now, "Subscription does not exist")
            return
        subscription.on_notify(transaction, request, now)
