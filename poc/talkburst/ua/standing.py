"""A subscription that is made again whenever it ends, for as long as the client is registered."""

from collections.abc import Callable
from typing import Final

from talkburst.sip.agenda import Agenda, Alarm
from talkburst.sip.backoff import Backoff
from talkburst.sip.headers import SubscriptionState
from talkburst.sip.message import Request
from talkburst.sip.subscriber import Subscription
from talkburst.ua.decision import Decide

# RFC 6665 4.1.3: reasons after which a subscriber does not come back by itself.
_FINAL_REASONS: Final = frozenset({"rejected", "noresource", "invariant"})
# Answers that may be another next time, beside all 5xx: the notifier is not up yet, or lost the subscription.
_PASSING_STATUSES: Final = frozenset({"404", "408", "480", "481", "600"})


def comes_back(reason: str) -> bool:
    """Whether it makes sense to subscribe again after this end."""
    if reason.isdecimal():
        return reason in _PASSING_STATUSES or reason.startswith("5")
    return reason not in _FINAL_REASONS


class StandingSubscription:
    """Keeps asking.

    `make(on_notify, on_end)` builds one subscription. `on_notify(request, first, now)` is told of each NOTIFY that is
    not pending; `first` marks the first active one of a subscription. `on_lost(reason, was_active, now)` follows every
    end that nobody here wanted.
    """

    def __init__(
        self,
        name: str,
        agenda: Agenda,
        make: Callable[
            [Callable[[Request, SubscriptionState, float], None], Callable[[str, float | None, float], None]],
            Subscription,
        ],
        *,
        on_notify: Callable[[Request, bool, float], None],
        on_lost: Callable[[str, bool, float], None],
        decide: Decide,
    ) -> None:
        self.name = name
        self._agenda = agenda
        self._make = make
        self._on_notify = on_notify
        self._on_lost = on_lost
        self._decide = decide
        self._backoff = Backoff()
        self._subscription: Subscription | None = None
        self._retry: Alarm | None = None
        self._first = True
        self._stopped: Callable[[float], None] | None = None
        self._stopping = False

    @property
    def state(self) -> str:
        """For a human: none, waiting, or the state of RFC 6665 4.1.2."""
        if self._subscription is None:
            return "waiting" if self._retry is not None else "none"
        return self._subscription.state.name.lower()

    @property
    def call_id(self) -> str | None:
        return None if self._subscription is None else self._subscription.call_id

    def ensure(self, now: float) -> None:
        """Subscribe, unless there is a subscription already or the next attempt has its time."""
        if self._subscription is None and self._retry is None and not self._stopping:
            self._start(now)

    def stop(self, now: float, stopped: Callable[[float], None]) -> None:
        """Unsubscribe. `stopped(now)` is called once, when it is over."""
        self._stopping = True
        self._cancel_retry()
        if self._subscription is None:
            stopped(now)
        else:
            self._stopped = stopped
            self._subscription.stop(now)

    def refresh(self, now: float) -> None:
        """Ask for the present state."""
        if self._subscription is not None:
            self._subscription.refresh(now)

    def _start(self, now: float) -> None:
        self._cancel_retry()
        self._first = True
        self._subscription = self._make(self._told, self._ended)
        self._subscription.start(now)

    def _told(self, request: Request, told: SubscriptionState, now: float) -> None:
        if told.state == "pending":
            return
        first = self._first and told.state != "terminated"
        if first:
            self._first = False
            self._backoff.reset()
        self._on_notify(request, first, now)

    def _ended(self, reason: str, retry_after: float | None, now: float) -> None:
        assert self._subscription is not None
        was_active, call_id = not self._first, self._subscription.call_id
        self._subscription = None
        if self._stopping:
            stopped, self._stopped = self._stopped, None
            if stopped is not None:
                stopped(now)
            return
        facts: dict[str, object] = {"event": self.name, "why": reason or "no reason given", "call_id": call_id}
        if comes_back(reason):
            delay = self._backoff.next(retry_after)
            self._retry = self._agenda.schedule(now + delay, self._start)
            self._decide("subscription ended, trying again", {**facts, "seconds": delay})
        else:
            self._decide("subscription refused", facts)
        self._on_lost(reason, was_active, now)

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
