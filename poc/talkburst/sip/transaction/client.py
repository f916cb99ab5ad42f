"""Client transactions (RFC 3261 17.1, RFC 6026 8.4)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

from talkburst.sip.agenda import Alarm
from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response
from talkburst.sip.timers import Timer
from talkburst.sip.transaction.key import ClientKey, client_key
from talkburst.sip.transaction.machine import Transaction
from talkburst.sip.transaction.states import INVITE_CLIENT, NON_INVITE_CLIENT, Action, Signal, State

if TYPE_CHECKING:
    from talkburst.sip.failover import Failover
    from talkburst.sip.transaction.layer import TransactionLayer


class Failure(Enum):
    """How a client transaction ends when no final response came."""

    TIMEOUT = auto()
    TRANSPORT = auto()


Outcome = Response | Failure
ResponseHandler = Callable[[Outcome, float], None]


class ClientTransaction(Transaction):
    """One request and the responses to it.

    The handler is called for every provisional response and then once more: with the final response, or with the
    Failure that stands for it. Only a 2xx to INVITE may follow again (retransmitted, or of another branch of a fork).
    """

    __slots__ = (
        "_cancel_wanted",
        "_cancelled",
        "_data",
        "_departed",
        "_handler",
        "_liveness",
        "alternative",
        "failover",
        "flow",
        "key",
    )

    def __init__(
        self, layer: TransactionLayer, key: ClientKey, request: Request, reliable: bool, handler: ResponseHandler
    ) -> None:
        machine = INVITE_CLIENT if request.method == "INVITE" else NON_INVITE_CLIENT
        super().__init__(layer, machine, request, reliable)
        self._handler: ResponseHandler | None = handler
        self._liveness: Alarm | None = None
        self._cancel_wanted: str | None = None  # the reason of a CANCEL that may not be sent yet
        self._cancelled = False
        self._data = b""
        self._departed: Callable[[float], None] | None = None
        self.key = key
        self.flow: Flow | None = None  # None until the next hop has an address
        self.alternative: Flow | None = None  # by UDP, when the request went by TCP for its size alone
        self.failover: Failover | None = None  # when its next hop is a name, and that stands for several targets

    def expect_by(self, at: float) -> None:
        """Tell the handler Failure.TIMEOUT at `at` if no final response came; the machine itself runs on (Timer F)."""
        self._liveness = self._layer.agenda.schedule(at, self._give_up)

    def once_departed(self, call: Callable[[float], None], now: float) -> None:
        """Call back when the request has left, or can not: at once, unless its next hop or connection is waited for."""
        if self.flow is not None or self.terminated:
            call(now)
        else:
            self._departed = call

    def _tell_departed(self, now: float) -> None:
        call, self._departed = self._departed, None
        if call is not None:
            call(now)

    def start(self, flow: Flow, now: float) -> None:
        """Send the request for the first time."""
        self.flow = flow
        self.reliable = flow.reliable  # a large request may go by TCP after all
        self._data = self.request.to_bytes()
        self._layer.client_started(self)
        self._layer.transmit(flow, self._data, self.request)
        if self.reliable:
            self._data = b""  # it is not sent again
        if self.request.body and self.alternative is None and (self.failover is None or not self.failover.untried):
            self.request = self.request.head()  # nor put into words again
        self._enter(now)
        self._tell_departed(now)

    def start_over(self, request: Request, now: float) -> ClientTransaction | None:
        """Become the transaction of another `request`, which has a branch of its own, and wait for its `start`.

        Nobody is told. What is left of an INVITE that was refused is a transaction that acknowledges the refusal as
        often as it comes (RFC 3261 17.1.1.2).
        """
        remains = self._remains(now) if self.state is State.COMPLETED and self.request.method == "INVITE" else None
        self._layer.client_ended(self)
        self._stop_all_but(())
        self._interval = self._layer.timers.t1
        self.state = self.machine.initial
        self.alternative, self.flow, self.request = None, None, request
        self.key = client_key(request)
        return remains

    def _remains(self, now: float) -> ClientTransaction:
        request = self.request.head()
        remains = ClientTransaction(self._layer, self.key, request, self.reliable, lambda outcome, now: None)
        remains.flow, remains.state = self.flow, self.state
        remains._enter(now)
        return remains

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for the outcome, and has not cancelled."""
        return self._handler is not None and not self._cancelled

    def fail(self, now: float) -> None:
        """The transport cannot bring the request to its next hop (RFC 3261 17.1.4)."""
        self.handle(Signal.TRANSPORT_ERROR, now)
        if self.terminated:
            self._tell_departed(now)

    def abandon(self, now: float) -> None:
        """Ends at once, without another transmission and without a word to the handler: whoever asked is no more."""
        self._forget_liveness()
        self._handler = None
        if not self.terminated:
            self.state = State.TERMINATED
            self._enter(now)

    def on_response(self, response: Response, now: float) -> None:
        self.handle(signal_of(response), now, response)

    def cancel(self, now: float, reason: str = "") -> None:
        """Send CANCEL for an INVITE, as soon as a provisional response allows it (RFC 3261 9.1).

        `reason` is the value of its Reason header, if it shall have one (RFC 3326).

        Too late (a final response came) is no error. Without a final response 64*T1 after the CANCEL the INVITE counts
        as timed out. ValueError for another method than INVITE.
        """
        if self.request.method != "INVITE":
            raise ValueError(f"{self.request.method} cannot be cancelled (RFC 3261 9.1)")
        self._cancelled = True
        if self.state is State.CALLING:
            self._cancel_wanted = reason
        elif self.state is State.PROCEEDING and not self.runs(Timer.B):
            self._start(Timer.B, now, self._layer.timers.duration(Timer.B))
            self._layer.send_cancel(self, now, reason)

    def _perform(self, action: Action, now: float, message: Request | Response | None) -> None:
        match action:
            case Action.DELIVER:
                assert isinstance(message, Response)
                self._deliver(message, now)
            case Action.RESEND:
                self._layer.counters["request_retransmitted"] += 1
                self._transmit(self._data, self.request)
            case Action.SEND_ACK:
                assert isinstance(message, Response)
                ack = ack_of(self.request, message)
                self._transmit(ack.to_bytes(), ack)
            case Action.REPORT_TIMEOUT:
                self._finish(Failure.TIMEOUT, now)
            case Action.REPORT_TRANSPORT:
                self._finish(Failure.TRANSPORT, now)
            case _:
                raise AssertionError(f"{action} is not an action of {self.machine.name}")

    def _transmit(self, data: bytes, message: Request) -> None:
        if self.flow is not None:
            self._layer.transmit(self.flow, data, message)

    def _deliver(self, response: Response, now: float) -> None:
        if response.status < 200:
            if self.failover is not None:
                self.failover.heard = True
            if self._cancel_wanted is not None:
                reason, self._cancel_wanted = self._cancel_wanted, None
                self.cancel(now, reason)
            if self._handler is not None:
                self._handler(response, now)
        elif self.state is State.ACCEPTED and self._handler is not None:
            self._forget_liveness()
            self._handler(response, now)
        else:
            self._finish(response, now)

    def _finish(self, outcome: Outcome, now: float) -> None:
        if self.failover is not None and self._layer.try_next(self, outcome, now):
            return
        self._forget_liveness()
        handler, self._handler = self._handler, None
        if handler is not None:
            handler(outcome, now)
        elif isinstance(outcome, Response):
            self._layer.counters["late_response"] += 1

    def _give_up(self, now: float) -> None:
        self._finish(Failure.TIMEOUT, now)

    def _forget_liveness(self) -> None:
        if self._liveness is not None:
            self._liveness.cancel()
            self._liveness = None

    def _forgotten(self) -> None:
        self._layer.client_ended(self)


def signal_of(response: Response) -> Signal:
    """The event a response is to a machine."""
    if response.status < 200:
        return Signal.PROVISIONAL
    return Signal.SUCCESS if response.status < 300 else Signal.REJECTION


def ack_of(invite: Request, response: Response) -> Request:
    """The ACK of a 3xx-6xx: it goes where the INVITE went, with its branch (RFC 3261 17.1.1.3)."""
    return _companion(invite, "ACK", response.get("To") or "")


def cancel_of(invite: Request, reason: str = "") -> Request:
    """The CANCEL of an INVITE that was sent (RFC 3261 9.1), with its Reason (RFC 3326 2)."""
    cancel = _companion(invite, "CANCEL", invite.get("To") or "")
    if reason:
        cancel.add("Reason", reason)
    return cancel


def _companion(invite: Request, method: str, to: str) -> Request:
    headers: list[tuple[str, object]] = [
        ("Via", invite.via),
        ("Max-Forwards", 70),
        *(("Route", value) for value in invite.get_all("Route")),
        ("From", invite.get("From") or ""),
        ("To", to),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{invite.cseq.number} {method}"),
    ]
    return Request(method, invite.uri, headers)
