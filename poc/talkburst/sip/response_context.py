"""The response context of a proxied request: its branches, and which of their answers goes upstream (RFC 3261 16.7).

RFC 4320 keeps provisional responses and late answers of non-INVITE requests back; every 2xx to INVITE passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from .agenda import Alarm
from .best_response import best_of
from .engine import Engine
from .flow import Flow
from .message import REASONS, Request, Response, response_to
from .privacy import hides_identity
from .timers import Timer
from .transaction.client import ClientTransaction, Failure, Outcome
from .transaction.server import ServerTransaction
from .transaction.states import State
from .uri import Uri

FailureHandler = Callable[[Outcome, float], bool]
"""Told what a forwarded request failed with, before that goes upstream. True: taken over, the proxy sends nothing."""


class Outgoing(NamedTuple):
    """A request as it leaves, by which listener, where to, and which header fields its responses may not bring.

    Those in `private` only where the response asks for privacy.

    `flow` is an open connection that it takes instead of the way to `next_hop`; `instead` is another way to the same
    device, for when the first one has failed (RFC 5626 7).
    """

    request: Request
    listener: str
    next_hop: Uri
    distrusted: Sequence[str] = ()
    flow: Flow | None = None
    instead: Outgoing | None = None
    private: Sequence[str] = ()


# How often one request is sent, counting each machine that a name stands for and each further flow of a device: as many
# as RFC 5393 5.3.3.1 has at one time, so that contacts which fail in turn multiply no more than those that do not.
MOST_ATTEMPTS: Final = 60
ELSEWHERE: Final = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326 3.1: no missed call, then
CHALLENGES: Final = ("WWW-Authenticate", "Proxy-Authenticate")


class ResponseContext:
    """One server transaction and the client transactions it was forwarded to."""

    def __init__(
        self,
        engine: Engine,
        transaction: ServerTransaction,
        on_failure: FailureHandler | None,
        on_accepted: Callable[[ResponseContext, Response, float], None],
        on_ended: Callable[[ResponseContext], None],
    ) -> None:
        self.engine = engine
        self.transaction = transaction
        self.request = transaction.request = transaction.request.head()  # the body is on its way
        self.answered = False  # a final response went upstream, or somebody took the matter over
        self._cancelled = False
        self._on_failure = on_failure
        self._on_accepted = on_accepted
        self._on_ended = on_ended
        self._branches: list[_Branch] = []
        self._liveness: Alarm | None = None
        self._starting = True
        self.patience: float | None = None
        self.attempts = MOST_ATTEMPTS  # at each of the ways

    @property
    def goes_on(self) -> bool:
        """Whether anything may still be tried: nobody has answered for good, and the caller has not given up."""
        refused = any(isinstance(each.outcome, Response) and each.outcome.status >= 600 for each in self._branches)
        return not (self.answered or self._cancelled or refused)

    @property
    def is_invite(self) -> bool:
        return self.request.method == "INVITE"

    def start(self, outgoing: Sequence[Outgoing], now: float, timeout: float | None, mark: str) -> None:
        """Sends every request at once, with `mark` in its branch.

        `timeout`: seconds within which any response at all has to come.
        """
        if timeout is not None:
            self._liveness = self.engine.agenda.schedule(now + timeout, self._no_sign_of_life)
            self.patience = timeout
        elif not self.is_invite:
            # Whoever asked waits for Timer F: a next target has to answer by then (RFC 4321 1.1).
            self.patience = self.engine.timers.duration(Timer.F) / 2
        ways = sum(1 + _others(each) for each in outgoing)
        self.attempts = max(1, MOST_ATTEMPTS // ways)
        self._branches = [_Branch(self, each.distrusted, each.private) for each in outgoing]
        for branch, each in zip(self._branches, outgoing, strict=True):
            branch.start(each, now, mark)
        self._starting = False
        self.conclude(now)

    def cancel(self, now: float, reason: str = "") -> None:
        """Whoever asked asks no more: cancels what is pending, and nothing else is tried (RFC 3261 16.10).

        What the branches then answer decides. `reason` is handed on to them (RFC 3326 2).
        """
        self._cancelled = True
        self._cancel_pending(now, reason)
        self.conclude(now)

    def _cancel_pending(self, now: float, reason: str = "") -> None:
        for branch in self._branches:
            branch.cancel(now, reason)

    def on_response(self, response: Response, now: float) -> None:
        """RFC 3261 16.7 steps 4, 5 and 10 for one response of one branch."""
        self._stop_liveness()
        if response.status < 200:
            if response.status > 100 and self.is_invite and not self.answered:
                self._send(response, now)
            return
        if response.status < 300:
            self._succeed(response, now)
        elif response.status >= 600:
            self._cancel_pending(now, reason_of(response.status))
        self.conclude(now)

    def conclude(self, now: float) -> None:
        """Answers with the best there is once every branch has ended (RFC 3261 16.7 step 6)."""
        outcomes = [branch.outcome for branch in self._branches if branch.outcome is not None]
        if self._starting or len(outcomes) < len(self._branches):
            return
        self._stop_liveness()
        if not self.answered:
            self._fail(best_of(outcomes, self.is_invite), now)
        self._on_ended(self)

    def _succeed(self, response: Response, now: float) -> None:
        """Every 2xx to INVITE goes upstream, of other requests only one that comes in time (RFC 4320 4.2)."""
        if self.answered and not self.is_invite:
            self.engine.counters["late_response"] += 1
            return
        self.answered = True
        self._send(response, now)
        self._on_accepted(self, response, now)
        self._cancel_pending(now, ELSEWHERE)

    def _fail(self, outcome: Outcome, now: float) -> None:
        self.answered = True
        on_failure, self._on_failure = self._on_failure, None
        if self._cancelled and isinstance(outcome, Failure):
            self._respond(487, now)
            return
        if on_failure is not None and not self._cancelled and on_failure(outcome, now):
            return
        if isinstance(outcome, Response) and outcome.status != 503:
            self._send(outcome, now)
        elif outcome is Failure.TIMEOUT:
            # RFC 4320 4.2: nobody says 408 to anything but INVITE; the client has its own timer.
            if self.is_invite:
                self._respond(408, now)
        else:
            # RFC 3261 16.7 step 6 and 16.9: 503 says that we are overloaded, and it is not us.
            self._respond(500, now, None if isinstance(outcome, Response) else "Next Hop Unreachable")

    def _respond(self, status: int, now: float, reason: str | None = None) -> None:
        response = response_to(self.request, status, reason, to_tag=self.transaction.to_tag)
        self.engine.respond(self.transaction, response, now)

    def _send(self, response: Response, now: float) -> None:
        """RFC 3261 16.7 steps 3, 7 and 9."""
        response = response.copy()
        response.remove_first("Via")
        if response.status in (401, 407):
            for other in self._branches:
                other.add_challenges(response)
        self.engine.respond(self.transaction, response, now)

    def _no_sign_of_life(self, now: float) -> None:
        """Nobody answered in time. The client transactions go on by themselves; what they still bring is too late."""
        self._liveness = None
        if not self.answered:
            self._fail(Failure.TIMEOUT, now)
            self._cancel_pending(now)
            self.conclude(now)

    def _stop_liveness(self) -> None:
        if self._liveness is not None:
            self._liveness.cancel()
            self._liveness = None


class _Branch:
    """One forwarded request. RFC 3261 16.6 steps 10 and 11, 16.8."""

    __slots__ = ("_context", "_distrusted", "_instead", "_mark", "_private", "_timer_c", "client", "outcome")

    def __init__(self, context: ResponseContext, distrusted: Sequence[str], private: Sequence[str]) -> None:
        self._context = context
        self._distrusted = distrusted
        self._private = private
        self._instead: Outgoing | None = None
        self._mark = ""
        self._timer_c: Alarm | None = None
        self.client: ClientTransaction | None = None
        self.outcome: Outcome | None = None

    def start(self, outgoing: Outgoing, now: float, mark: str) -> None:
        if self._context.is_invite:
            self._restart_timer_c(now)
        request, listener, next_hop, _, flow, self._instead, _ = outgoing
        self._mark = mark
        self.client = self._context.engine.send_request(
            request,
            self._on_outcome,
            now,
            listener=listener,
            next_hop=next_hop,
            flow=flow,
            mark=mark,
            patience=self._context.patience,
            attempts=self._context.attempts,
        )

    def cancel(self, now: float, reason: str = "") -> None:
        """Sends CANCEL as soon as it may be; what has not left yet (a name or a connection is waited for) stays."""
        client = self.client
        if self.outcome is not None or client is None or not self._context.is_invite:
            return
        if client.flow is None:
            client.abandon(now)
            self._end(Failure.TIMEOUT)
        else:
            client.cancel(now, reason)

    def _end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._stop_timer_c()

    def add_challenges(self, response: Response) -> None:
        """RFC 3261 16.7 step 7: a 401 or 407 carries the challenges of every branch."""
        own = self.outcome
        if isinstance(own, Response) and own.status in (401, 407):
            for name in CHALLENGES:
                present = response.get_all(name)
                for value in own.get_all(name):
                    if value not in present:
                        response.add(name, value)

    def _on_outcome(self, outcome: Outcome, now: float) -> None:
        if isinstance(outcome, Response):
            outcome = self._trusted(outcome)
        if isinstance(outcome, Response) and outcome.status < 200:
            if outcome.status > 100 and self._context.is_invite:
                self._restart_timer_c(now)
        elif self._instead is not None and self._context.goes_on and _leads_nowhere(outcome):
            self.start(self._instead, now, self._mark)
            return
        else:
            self._end(outcome)
        if isinstance(outcome, Response):
            self._context.on_response(outcome, now)
        else:
            self._context.conclude(now)

    def _trusted(self, response: Response) -> Response:
        names = [name for name in self._distrusted if response.get(name) is not None]
        if self._private and hides_identity(response):
            names += [name for name in self._private if name not in names and response.get(name) is not None]
        if names:
            response = response.copy()
            for name in names:
                response.remove(name)
        return response

    def _restart_timer_c(self, now: float) -> None:
        self._stop_timer_c()
        engine = self._context.engine
        self._timer_c = engine.agenda.schedule(now + engine.timers.duration(Timer.C), self._on_timer_c)

    def _on_timer_c(self, now: float) -> None:
        """RFC 3261 16.8: CANCEL where anything came back, else as if it had been 408."""
        assert self.client is not None
        silent = self.client.state is State.CALLING
        self.cancel(now)
        if silent:
            self._end(Failure.TIMEOUT)
            self._context.conclude(now)

    def _stop_timer_c(self) -> None:
        if self._timer_c is not None:
            self._timer_c.cancel()
            self._timer_c = None


def _others(outgoing: Outgoing) -> int:
    """How many other ways there are to the same device."""
    number, way = 0, outgoing.instead
    while way is not None:
        number, way = number + 1, way.instead
    return number


def _leads_nowhere(outcome: Outcome) -> bool:
    """Whether the way to a device has failed, and not the device (RFC 5626 7)."""
    return outcome is Failure.TRANSPORT or (isinstance(outcome, Response) and outcome.status == 430)


def reason_of(status: int) -> str:
    """Why a branch is cancelled (RFC 3326 2): of the answer of another one."""
    return f'SIP;cause={status};text="{REASONS.get(status, "Global Failure")}"'
