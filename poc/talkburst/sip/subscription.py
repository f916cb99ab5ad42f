"""One subscription, as its subscriber sees it (RFC 6665 4.1.2). See `talkburst.sip.subscriber` for how to use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from talkburst.sip.asked_duration import AskedDuration, stated_seconds
from talkburst.sip.backoff import Backoff, renewal, retry_after
from talkburst.sip.dialog import Dialog
from talkburst.sip.headers import HeaderError, SubscriptionState, parse_event
from talkburst.sip.journal import Row, flag, integer, mapping, optional_number
from talkburst.sip.message import Request, Response
from talkburst.sip.requester import Attempt, Requester
from talkburst.sip.subscribe_outcomes import EXPIRED, NO_NOTIFY, ends_subscription, reason_of
from talkburst.sip.subscribe_requests import SubscribeRequests
from talkburst.sip.subscription_alarms import SubscriptionAlarms
from talkburst.sip.subscription_states import TRANSITIONS, Happening, State
from talkburst.sip.timers import Timer
from talkburst.sip.transaction.client import Failure
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uri import Uri

if TYPE_CHECKING:
    from talkburst.sip.subscriber import Subscriber

CLOCK_SLACK: Final = 2.0  # seconds; a NOTIFY rounds what is left down to a second, and travels


class Subscription:
    """A SUBSCRIBE, the dialog its first NOTIFY makes, and the refreshes that keep it.

    `expires` is the seconds that are asked for (0 fetches once). `next_hop` is for SUBSCRIBEs without a dialog.
    `last_failure` is the last outcome of a SUBSCRIBE that was not 2xx.
    """

    def __init__(
        self,
        requester: Requester,
        requests: SubscribeRequests,
        *,
        subscriber: Subscriber,
        expires: int,
        on_notify: Callable[[Request, SubscriptionState, float], None],
        on_end: Callable[[str, float | None, float], None],
        on_accept: Callable[[Response, float], None] | None = None,
        on_change: Callable[[], None] | None = None,
        listener: str | None = None,
        next_hop: Uri | None = None,
    ) -> None:
        self._requester = requester
        self._requests = requests
        self._subscriber = subscriber
        self._duration = AskedDuration(expires)
        self._on_notify = on_notify
        self._on_end = on_end
        self._on_accept = on_accept
        self._on_change = on_change
        self._listener = listener
        self._next_hop = next_hop
        self._cseq = 0
        self._asked = expires  # what the SUBSCRIBE under way, or the last one, asks for
        self._unanswered = False  # a SUBSCRIBE is under way
        self._notified = False  # a NOTIFY came after it was sent
        self._refresh_wanted = False
        self._stop_wanted = False
        self._backoff = Backoff()
        self._alarms = SubscriptionAlarms(subscriber.agenda)
        self._attempt: Attempt | None = None
        event = parse_event(requests.event)
        self.package, self.event_id = event.package, event.id
        self.call_id = subscriber.token()
        self.local_tag = subscriber.token()
        self.state = State.INIT
        self.dialog: Dialog | None = None
        self.expires_at: float | None = None
        self.last_failure: Response | Failure | None = None

    def start(self, now: float) -> None:
        """Sends the first SUBSCRIBE. Once only: RuntimeError after that."""
        if self.state is not State.INIT:
            raise RuntimeError("a subscription is started once; make a new one")
        self._move(Happening.SUBSCRIBED)
        self._subscriber.add(self)
        self._subscribe(now, self._duration.seconds)

    def refresh(self, now: float) -> None:
        """Sends SUBSCRIBE in the dialog, after the answer when one is under way; before the first NOTIFY, nothing."""
        if self.state in (State.PENDING, State.ACTIVE):
            self._refresh_wanted = True
            self._continue(now)

    def stop(self, now: float) -> None:
        """Unsubscribes: Expires 0 as soon as there is a dialog; `on_end` follows with or without the last NOTIFY."""
        if self.state is State.INIT:
            self._move(Happening.OVER)
        self._stop_wanted = True
        self._continue(now)

    # Rows

    def to_row(self) -> Row | None:
        """What `resume` goes on with. None before the first NOTIFY: there is no dialog to go on in."""
        if self.dialog is None or self.state is State.TERMINATED:
            return None
        return {
            "dialog": self.dialog.to_row(),
            "pending": self.state is State.PENDING,
            "stopping": self._stop_wanted,
            "expires": self._duration.seconds,
            "expires_at": self.expires_at,
        }

    def resume(self, row: Row, at: float) -> None:
        """Goes on with a subscription from before a restart, in place of `start`; `row` is what `to_row` gave.

        Refreshes it at `at` (seconds since 1970): what the notifier told in the meantime is not known. One that has
        expired ends with EXPIRED at the next run of the agenda.
        """
        dialog = Dialog.from_row(mapping(row, "dialog"))
        self.dialog, self.call_id, self.local_tag = dialog, dialog.call_id, dialog.local_tag
        self._duration = AskedDuration(integer(row, "expires"))
        self._asked = self._duration.seconds
        self._stop_wanted = flag(row, "stopping")
        self.expires_at = optional_number(row, "expires_at")
        self._move(Happening.SUBSCRIBED)
        self._move(Happening.PENDING if flag(row, "pending") else Happening.ACTIVE)
        self._subscriber.add(self)
        if self.expires_at is not None:
            self._alarms.set("expiry", self.expires_at, self._expired)
        self._alarms.set("refresh", at, self.refresh)

    def abandon(self, now: float) -> None:
        """Is no more, without a word to anybody: neither to the notifier nor by `on_end`."""
        self._bury()
        if self._attempt is not None:
            self._attempt.abandon(now)

    def _changed(self) -> None:
        if self._on_change is not None:
            self._on_change()

    # SUBSCRIBE

    def _continue(self, now: float) -> None:
        """Sends what is wanted next, one SUBSCRIBE at a time."""
        if self._unanswered or self.dialog is None or self.state is State.TERMINATED:
            return
        if self._stop_wanted:
            if self._asked != 0:
                self._subscribe(now, 0)
        elif self._refresh_wanted:
            self._subscribe(now, self._duration.seconds)

    def _subscribe(self, now: float, expires: int) -> None:
        if self.dialog is None:
            request = self._requests.initial(self.call_id, self.local_tag, self._next_cseq(), expires)
        else:
            request = self._requests.refresh(self.dialog, expires)
        self._asked = expires
        self._unanswered, self._notified, self._refresh_wanted = True, False, False
        self._alarms.stop("refresh")
        self._alarms.set("N", now + self._subscriber.timers.duration(Timer.N), self._no_notify)
        self._attempt = self._requester.send(
            request,
            self._on_outcome,
            now,
            listener=self._listener,
            next_hop=self._next_hop if self.dialog is None else self.dialog.next_hop,
            next_cseq=self._next_cseq,
        )
        self._changed()

    def _next_cseq(self) -> int:
        if self.dialog is not None:
            number = self.dialog.next_cseq()
            self._changed()
            return number
        self._cseq += 1
        return self._cseq

    def _on_outcome(self, outcome: Response | Failure, now: float) -> None:
        if self.state is State.TERMINATED:
            return
        self._unanswered, self._attempt = False, None
        if isinstance(outcome, Response) and outcome.status < 300:
            self._accepted(outcome, now)
        else:
            self.last_failure = outcome
            self._failed(outcome, now)
        self._continue(now)

    def _accepted(self, response: Response, now: float) -> None:
        """A 2xx, also the 202 of old notifiers (RFC 6665 8.3.1). It does not make the dialog, nor is it enough."""
        self._backoff.reset()
        self._duration.accepted()
        if response.status == 204:  # RFC 5839 7.2: no NOTIFY will come
            self._alarms.stop("N")
        try:
            if self.dialog is not None and response.to.tag == self.dialog.remote_tag:
                self.dialog.refresh_target(response)
        except HeaderError:
            pass  # the target stays what it was
        granted = stated_seconds(response, "Expires")
        granted = self._asked if granted is None else min(granted, self._asked)
        if granted > 0:
            at = now + granted
            # The NOTIFY overtook the 200: what it says is not lengthened.
            self._expire_at(min(at, self.expires_at) if self._notified and self.expires_at else at, now)
        self._changed()
        if self._on_accept is not None:
            self._on_accept(response, now)

    def _failed(self, outcome: Response | Failure, now: float) -> None:
        delay = retry_after(outcome) if isinstance(outcome, Response) else None
        if isinstance(outcome, Response) and self._asked > 0 and self._duration.prolong(outcome):
            self._subscribe(now, self._duration.seconds)
        elif self.state is State.NOTIFY_WAIT or self._asked == 0 or ends_subscription(outcome, self._notified):
            self._end(reason_of(outcome), delay, now)
        else:
            # RFC 6665 4.1.2.2: what was granted last still counts, and there is no NOTIFY to wait for.
            self._alarms.stop("N")
            self._alarms.set("refresh", now + self._backoff.next(delay), self.refresh)

    # NOTIFY

    def on_notify(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A NOTIFY that has our Call-ID, tag and Event. HeaderError when what it says cannot be read."""
        if self.dialog is not None and self.dialog.remote_tag != (request.from_.tag or ""):
            # A second dialog from one SUBSCRIBE; event packages allow a single one (RFC 6665 5.4.9).
            self._subscriber.uas.reply(transaction, 481, now, "Subscription does not exist")
            return
        told = request.subscription_state
        if told is None:
            raise HeaderError("Subscription-State is missing")
        expires = told.expires
        terminated = told.state.lower() == "terminated"
        if not self._requests.accepts(request):
            self._subscriber.uas.reply(transaction, 415, now, headers=[("Accept", self._requests.accept)])
            return
        creates = self.dialog is None
        if self.dialog is None:
            if not terminated:
                self.dialog = Dialog.as_uas(request, self.local_tag)
                self.dialog.local_cseq = self._cseq
        elif self.dialog.accepts(request):
            self.dialog.refresh_target(request)
        else:
            self._subscriber.uas.reply(transaction, 500, now, "CSeq is lower than one before")
            return
        headers: list[tuple[str, object]] = [("Contact", self._requests.contact)]
        if creates:
            headers += [("Record-Route", value) for value in request.get_all("Record-Route")]
        self._subscriber.uas.reply(transaction, 200, now, headers=headers)
        self._take(request, told, expires, now)

    def _take(self, request: Request, told: SubscriptionState, expires: int | None, now: float) -> None:
        self._notified = True
        state = told.state.lower()
        if state == "terminated":
            self._on_notify(request, told, now)
            self._end(told.reason or "", told.retry_after, now)
            return
        if self._asked > 0:  # else it is the last NOTIFY that we wait for
            self._alarms.stop("N")
        self._move(Happening.PENDING if state == "pending" else Happening.ACTIVE)
        if expires is not None and self._asked > 0:
            at = now + min(expires, self._asked)
            if self.expires_at is None or self._unanswered or at < self.expires_at - CLOCK_SLACK:
                self._expire_at(at, now)
        self._changed()
        self._on_notify(request, told, now)
        self._continue(now)

    # Time

    def _expire_at(self, at: float, now: float) -> None:
        self.expires_at = at
        self._alarms.set("expiry", at, self._expired)
        self._alarms.set("refresh", now + renewal(at - now), self.refresh)

    def _no_notify(self, now: float) -> None:
        self._end(NO_NOTIFY, None, now)

    def _expired(self, now: float) -> None:
        self._end(EXPIRED, None, now)

    def _move(self, happening: Happening) -> None:
        self.state = TRANSITIONS[self.state, happening]

    def _end(self, reason: str, delay: float | None, now: float) -> None:
        if self.state is not State.TERMINATED:
            self._bury()
            self._on_end(reason, delay, now)

    def _bury(self) -> None:
        self._move(Happening.OVER)
        self._alarms.stop_all()
        self._subscriber.remove(self)
