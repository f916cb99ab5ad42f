"""Server transactions (RFC 3261 17.2, RFC 6026 7.1, RFC 4320 4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.methods import KNOWN_METHODS
from talkburst.sip.stateless import fixed_tag
from talkburst.sip.transaction.client import signal_of
from talkburst.sip.transaction.key import ServerKey
from talkburst.sip.transaction.machine import Transaction
from talkburst.sip.transaction.states import INVITE_SERVER, NON_INVITE_SERVER, Action, Signal, State

if TYPE_CHECKING:
    from talkburst.sip.transaction.layer import TransactionLayer


class ServerTransaction(Transaction):
    """One received request and the responses that are sent to it.

    `request` has `received` and `rport` in its top Via; once a final response went out to anything but a 2xx of INVITE,
    only its method is left. `flow` is the way the request came, `reply_flow` the way its
    responses go (RFC 3581 4).
    """

    __slots__ = (
        "_data",
        "_response",
        "_to_tag",
        "cancel_reason",
        "final_sent",
        "flow",
        "key",
        "received_at",
        "reply_flow",
    )

    def __init__(
        self, layer: TransactionLayer, key: ServerKey, request: Request, flow: Flow, reply_flow: Flow, now: float
    ) -> None:
        machine = INVITE_SERVER if request.method == "INVITE" else NON_INVITE_SERVER
        super().__init__(layer, machine, request, flow.reliable)
        self._response: Response | None = None  # the last one sent
        self._data = b""
        self._to_tag: str | None = None
        self.key = key
        self.flow = flow
        self.reply_flow = reply_flow
        self.received_at = now
        self.final_sent = False
        self.cancel_reason = ""  # the Reason of the CANCEL that came for it (RFC 3326)

    def await_user(self, now: float) -> None:
        """The user has the request and has not answered it with a final response: its timers run.

        Nearly every request is answered before this, and none of them is started for it.
        """
        if self.state is self.machine.initial:
            self._enter(now)

    @property
    def listener(self) -> str:
        """Name of the listener the request came in on."""
        return self.flow.listener

    @property
    def to_tag(self) -> str:
        """The tag for the To of every response to this request (RFC 3261 8.2.6.2), fresh at the first asking.

        The request's own tag when it has one, or the one of a response that was sent already.
        """
        if self._to_tag is None:
            sent = self._response.to.tag if self._response is not None else None
            self._to_tag = self.request.to.tag or sent or self._layer.token()
        return self._to_tag

    @to_tag.setter
    def to_tag(self, tag: str) -> None:
        """The request belongs to a dialog that is there already."""
        self._to_tag = tag

    @property
    def data(self) -> bytes:
        """The last response sent, as it was sent; the same object in each transmission."""
        return self._data

    def respond(self, response: Response, now: float) -> bool:
        """Send a response of the user. False when it may not be sent or comes too late; the counters say why."""
        reason = self._forbidden(response, now)
        if reason is None and (self.final_sent or self.terminated) and not self._repeats_success(response):
            reason = "late_answer"
        if reason is not None:
            self._layer.counters[reason] += 1
            return False
        self.final_sent = self.final_sent or response.status >= 200
        self.handle(signal_of(response), now, response)
        if self.final_sent and self.state is not State.ACCEPTED:
            self._shrink(response)
        return True

    def replace(self, response: Response) -> None:
        """Send `response` in place of the final one, which has not left; retransmissions get it from now on."""
        self._send(response)
        self._shrink(response)

    def refuse(
        self, status: int, now: float, reason: str | None = None, headers: Iterable[tuple[str, object]] = ()
    ) -> None:
        """Answer somebody who has not proved anything with a final response that is no success (RFC 3261 26.3.2.4).

        An INVITE with a forged source must not have its refusal repeated to the victim until an ACK comes: it is sent
        once and the request forgotten. A retransmitted INVITE is a new one then, and gets the same response.
        """
        request = self.request
        if request.method != "INVITE" or self.state is not self.machine.initial:
            self.respond(response_to(request, status, reason, to_tag=self.to_tag, headers=headers), now)
            return
        self.final_sent = True
        self._send(response_to(request, status, reason, to_tag=fixed_tag(request), headers=headers))
        self.state = State.TERMINATED
        self._enter(now)

    def _shrink(self, response: Response) -> None:
        """Lets the messages go: for as long as Timer J or H runs there is nothing to do but to repeat `_data`."""
        self._to_tag = self.to_tag
        self.request = _forgotten_request(self.request.method)
        self._response = _forgotten_response(response.status)

    def _repeats_success(self, response: Response) -> bool:
        """The user retransmits its 2xx to INVITE until the ACK comes (RFC 3261 13.3.1.4)."""
        return self.state is State.ACCEPTED and 200 <= response.status < 300

    def _forbidden(self, response: Response, now: float) -> str | None:
        """What RFC 4320 4.1 and 4.2 forbid for a request that is no INVITE, as the name of its counter."""
        if self.request.method == "INVITE":
            return None
        if response.status == 408:
            return "withheld_408"
        if response.status >= 200:
            return None
        early = not self.reliable and now < self.received_at + self._layer.timers.late_trying()
        return "withheld_provisional" if response.status != 100 or early else None

    def _perform(self, action: Action, now: float, message: Request | Response | None) -> None:
        match action:
            case Action.SEND:
                assert isinstance(message, Response)
                self._send(message)
            case Action.SEND_TRYING:
                if self._response is None:
                    self._send(trying(self.request))
            case Action.RESEND:
                if self._response is not None:
                    self._layer.counters["response_retransmitted"] += 1
                    self._layer.transmit(self.reply_flow, self._data, self._response)
            case Action.PASS_ACK:
                assert isinstance(message, Request)
                self._layer.pass_ack(self, message, now)
            case Action.REPORT_TIMEOUT:
                # Timer H: no ACK came. ABANDON: no answer came from the user. Neither has anybody left to tell.
                self._layer.counters["unacknowledged" if self.final_sent else "abandoned"] += 1
            case _:
                raise AssertionError(f"{action} is not an action of {self.machine.name}")

    def _send(self, response: Response) -> None:
        self._response = response
        self._data = response.to_bytes()
        self._layer.transmit(self.reply_flow, self._data, response)

    def on_request(self, now: float) -> None:
        """The request was received once more."""
        self.handle(Signal.REQUEST, now)

    def on_ack(self, ack: Request, now: float) -> None:
        self.handle(Signal.ACK, now, ack)

    def _forgotten(self) -> None:
        self._layer.server_ended(self)


_requests: dict[str, Request] = {}
_responses: dict[int, Response] = {}


def _forgotten_request(method: str) -> Request:
    """What is left of a request that was answered, one for all of its method."""
    if method not in KNOWN_METHODS:
        return Request(method, "")
    if method not in _requests:
        _requests[method] = Request(method, "")
    return _requests[method]


def _forgotten_response(status: int) -> Response:
    """What is left of a response that is repeated, one for all of its status."""
    if status not in _responses:
        _responses[status] = Response(status)
    return _responses[status]


def trying(request: Request) -> Response:
    """A 100: no To tag, the Timestamp of the request (RFC 3261 8.2.6)."""
    timestamp = request.get("Timestamp")
    return response_to(request, 100, headers=[] if timestamp is None else [("Timestamp", timestamp)])
