"""The event publication agent: keeps one piece of event state published (RFC 3903 sections 4 and 5).

    Publisher(requester, agenda, token, package="poc-settings", media_type=..., target="sip:alice@ims.example", ...)
    publisher.publish(body, now)      make this the published state; the last call wins
    publisher.resume(body, now)       this is published under the entity-tag from before a restart: keep it so
    publisher.remove(now, done)       withdraw it; done(now) is called once, also when the compositor does not answer
    publisher.etag, .published, .state

One PUBLISH is on its way at a time (RFC 3903 4); what is asked for meanwhile is sent after its answer, and only the
last of it. Nothing has to be done for the refreshes, nor when the compositor lost the state (412) or wants a longer
duration (423).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial

from talkburst.sip.agenda import Agenda, Alarm
from talkburst.sip.asked_duration import AskedDuration, stated_seconds
from talkburst.sip.backoff import Backoff, renewal, retry_after
from talkburst.sip.dialog import with_tag
from talkburst.sip.headers import NameAddr
from talkburst.sip.message import Request, Response
from talkburst.sip.publication_steps import STEPS, Operation, Step, answer_of
from talkburst.sip.requester import Requester
from talkburst.sip.transaction.client import Failure


class State(Enum):
    IDLE = "nothing published"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    WAITING = "waiting to try again"
    REMOVING = "removing"


class Publisher:
    """RFC 3903 4.1. `expires` is what is asked for, in seconds; the compositor may shorten it.

    `headers` and `route` go into every request; `route` may be replaced at any time. `etag` is one kept from before a
    restart: the first publication then modifies that state. `on_stored(etag, now)` follows every success,
    `on_failed(outcome, delay, now)` every failure, with the seconds until the next attempt or None when there is none.
    """

    def __init__(
        self,
        requester: Requester,
        agenda: Agenda,
        token: Callable[[], str],
        *,
        package: str,
        media_type: str,
        target: str,
        identity: NameAddr,
        expires: int = 3600,
        headers: Iterable[tuple[str, object]] = (),
        route: Iterable[str] = (),
        etag: str | None = None,
        on_stored: Callable[[str, float], None],
        on_failed: Callable[[Response | Failure, float | None, float], None],
    ) -> None:
        self._requester = requester
        self._agenda = agenda
        self._token = token
        self._package = package
        self._media_type = media_type
        self._target = target
        self._identity = identity
        self._asked = AskedDuration(expires)
        self._headers = tuple(headers)
        self.route = list(route)
        self._on_stored = on_stored
        self._on_failed = on_failed
        self._backoff = Backoff()
        self._body: bytes | None = None  # what ought to be published; None after `remove`
        self._stored: bytes | None = None  # what the compositor has, as far as we know
        self._refused: bytes | None = None  # what it would not take
        self._done: Callable[[float], None] | None = None
        self._busy: Operation | None = None
        self._alarm: Alarm | None = None
        self._retry_at: float | None = None
        self.etag = etag
        self.expires_at: float | None = None

    @property
    def state(self) -> State:
        if self._busy is Operation.REMOVE or self._done is not None:
            return State.REMOVING
        if self._busy is not None:
            return State.PUBLISHING
        if self._retry_at is not None:
            return State.WAITING
        return State.PUBLISHED if self.expires_at is not None else State.IDLE

    @property
    def wanting(self) -> bool:
        """Whether the compositor has neither taken nor refused what ought to be published."""
        return self._body is not None and self._body not in (self._stored, self._refused)

    def publish(self, body: bytes, now: float) -> None:
        """Publish `body`, at once or after the answer that is awaited. The same body again is published again."""
        self._body, self._stored, self._refused = body, None, None
        self._backoff.reset()
        self._advance(now)

    def resume(self, body: bytes, now: float) -> None:
        """Keep published what `etag` names, which is `body`: a refresh, so that it does not become the latest state.

        A compositor that does not know the tag any more is given the body again.
        """
        self._body = body
        self._stored, self._refused = None if self.etag is None else body, None
        self._backoff.reset()
        if self.etag is not None and self._busy is None:
            self._send(Operation.REFRESH, now)
        else:
            self._advance(now)

    def remove(self, now: float, done: Callable[[float], None]) -> None:
        """Withdraw what is published. `done` is called at once when there is nothing to withdraw."""
        self._body, self._stored, self._refused, self._done = None, None, None, done
        self._advance(now)

    def _advance(self, now: float) -> None:
        """Send what is wanted next, unless an answer is awaited: RFC 3903 4 allows one request at a time."""
        if self._busy is not None:
            return
        if self._body is None:
            if self.etag is None:
                self._cancel()
                self._gone(now)
            else:
                self._send(Operation.REMOVE, now)
        elif self.wanting:
            self._send(Operation.INITIAL if self.etag is None else Operation.MODIFY, now)

    def _send(self, operation: Operation, now: float) -> None:
        self._cancel()
        self._busy = operation
        body = self._body if operation in (Operation.INITIAL, Operation.MODIFY) else None
        expires = 0 if operation is Operation.REMOVE else self._asked.seconds
        request = Request("PUBLISH", self._target, [("Route", route) for route in self.route])
        request.add("From", with_tag(self._identity, self._token()))
        request.add("To", self._identity)
        request.add("Call-ID", self._token())
        request.add("CSeq", "1 PUBLISH")
        request.add("Event", self._package)
        request.add("Expires", expires)
        if self.etag is not None:
            request.add("SIP-If-Match", self.etag)
        for name, value in self._headers:
            request.add(name, value)
        if body is not None:
            request.set_body(body, self._media_type)
        self._requester.send(request, partial(self._answered, operation, body), now)

    def _answered(self, operation: Operation, body: bytes | None, outcome: Response | Failure, now: float) -> None:
        if isinstance(outcome, Response) and outcome.status < 200:
            return
        self._busy = None
        step = STEPS[operation][answer_of(outcome)]
        if step is Step.KEEP and isinstance(outcome, Response):
            self._keep(outcome, body, now)
        elif step is Step.RESTART:
            self.etag = self._stored = self.expires_at = None
            self._on_failed(outcome, 0.0, now)
        elif step is Step.PROLONG and isinstance(outcome, Response) and self._asked.prolong(outcome):
            self._stored = None
        elif step is Step.RETRY:
            self._retry(operation, outcome, now)
            return
        elif step is Step.GONE:
            self.etag = self.expires_at = None
            self._gone(now)
            if self._body is None:
                return
        else:
            self._give_up(body, outcome, now)
        self._advance(now)

    def _keep(self, response: Response, body: bytes | None, now: float) -> None:
        self._backoff.reset()
        self._asked.accepted()
        # RFC 3903 6 demands both headers. Without a tag the next publication is an initial one, which every ESC takes.
        self.etag = (response.get("SIP-ETag") or "").strip() or None
        granted = min(stated_seconds(response, "Expires") or self._asked.seconds, self._asked.seconds)
        self.expires_at = now + granted
        if body is not None and body == self._body:
            self._stored = body
        if self._body is not None and self._body == self._stored:
            self._arm(now + renewal(granted), self._refresh)
        self._on_stored(self.etag or "", now)

    def _retry(self, operation: Operation, outcome: Response | Failure, now: float) -> None:
        if self._body is None:  # told to remove it while this was on its way
            self._advance(now)
            return
        delay = self._backoff.next(retry_after(outcome) if isinstance(outcome, Response) else None)
        self._on_failed(outcome, delay, now)
        self._retry_at = now + delay
        again = self._refresh if operation is Operation.REFRESH else self._advance
        self._arm(self._retry_at, again)

    def _give_up(self, body: bytes | None, outcome: Response | Failure, now: float) -> None:
        # The entity-tag stays: what it names lives on until it expires, and `remove` can still withdraw it.
        # What was asked for meanwhile is another matter: after a refresh `_stored` tells it apart.
        self._refused = self._stored if body is None else body
        if self.expires_at is not None:
            self._arm(self.expires_at, self._lapsed)
        self._on_failed(outcome, None, now)

    def _lapsed(self, now: float) -> None:
        self._cancel()
        self.etag = self.expires_at = None

    def _gone(self, now: float) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(now)

    def _refresh(self, now: float) -> None:
        if self.etag is None:
            self._stored = None
            self._advance(now)
        else:
            self._send(Operation.REFRESH, now)

    def _arm(self, at: float, call: Callable[[float], None]) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._agenda.schedule(at, call)

    def _cancel(self) -> None:
        self._retry_at = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
