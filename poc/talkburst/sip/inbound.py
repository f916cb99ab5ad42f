"""What becomes of a message that comes in: to its transaction, to the user, or answered on the spot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from talkburst.sip.actions import Send
from talkburst.sip.first_look import ENDING
from talkburst.sip.flow import Flow, default_port
from talkburst.sip.headers import HeaderError, Via, parse_via
from talkburst.sip.message import REASONS, Request, Response, response_to
from talkburst.sip.parser import Malformed, is_keepalive, malformed, parse_message
from talkburst.sip.response_routing import record_source, reply_flow
from talkburst.sip.stateless import COPIED, fixed_tag, retry_after
from talkburst.sip.transaction.key import client_key, invite_key, server_key
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.transaction.states import State
from talkburst.sip.uri import UriError

if TYPE_CHECKING:
    from talkburst.sip.engine import Engine

MATCHED_BY = ("Via", "CSeq")  # what tells a client which request a response is to (RFC 3261 17.1.3)


class Inbound:
    """The receiving half of an engine."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        if is_keepalive(data):
            self._engine.counters["keepalive"] += 1
            return
        message = parse_message(data)
        if isinstance(message, Malformed):
            self.receive_broken(message, flow)
        elif excess := self._engine.message_limits.excess(message, data):
            self._engine.counters["too_large"] += 1
            self.receive_broken(malformed(message, excess, 513, "RFC 3261 21.5.7"), flow)
        elif isinstance(message, Request):
            self._on_request(message, flow, now)
        else:
            self._on_response(message, now)

    # Responses

    def _on_response(self, response: Response, now: float) -> None:
        """To its client transaction; a response that is not ours is dropped (RFC 3261 18.1.2, RFC 6026 8.9)."""
        engine = self._engine
        try:
            via, key = response.via, client_key(response)
            response.from_, response.to, response.call_id  # noqa: B018 - every handler reads them
        except HeaderError:
            engine.counters["malformed"] += 1
            return
        transaction = engine.clients.get(key)
        if not engine.is_own_address(via.host, via.port or default_port(via.transport)):
            engine.counters["foreign_response"] += 1
        elif transaction is None or transaction.flow is None:
            engine.counters["stray_response"] += 1
        elif not _is_on_the_way(response, transaction.request):
            engine.counters["foreign_response"] += 1
        else:
            transaction.on_response(response, now)

    # Requests

    def _on_request(self, request: Request, flow: Flow, now: float) -> None:
        engine = self._engine
        try:
            key = server_key(request)
            request.from_, request.to, request.call_id  # noqa: B018 - every answer copies them
        except HeaderError as error:
            engine.counters["malformed"] += 1
            self._answer_stateless(request, flow, 400, str(error))
            return
        via = record_source(request, flow)
        transaction = engine.servers.get(key)
        if request.method == "ACK":
            self._on_ack(transaction, request, flow, now)
        elif transaction is not None:
            engine.counters["retransmission"] += 1
            transaction.on_request(now)
        elif len(engine.servers) >= engine.most_transactions:
            self._refuse(request, flow)
        else:
            transaction = ServerTransaction(engine, key, request, flow, reply_flow(via, flow), now)
            engine.servers[key] = transaction
            if request.method == "CANCEL":
                self._on_cancel(transaction, now)
            else:
                engine.handled = transaction
                try:
                    self._hand_over(transaction, now)
                finally:
                    engine.handled = None
            transaction.await_user(now)

    def _on_ack(self, transaction: ServerTransaction | None, ack: Request, flow: Flow, now: float) -> None:
        """The ACK of a 3xx-6xx ends with its transaction, any other is the user's (RFC 3261 17.2.3)."""
        if transaction is not None:
            transaction.on_ack(ack, now)
        elif ack.to.tag != fixed_tag(ack):  # else of a response that nobody kept (RFC 3261 8.2.7)
            self.pass_ack(ack, flow, now)

    def pass_ack(self, ack: Request, flow: Flow, now: float) -> None:
        """Hand an ACK to the user; nothing answers one with a broken header."""
        if self._engine.user is None:
            return
        try:
            self._engine.user.on_ack(ack, flow, now)
        except (HeaderError, UriError):
            self._engine.counters["malformed"] += 1

    def _on_cancel(self, cancel: ServerTransaction, now: float) -> None:
        """Answer a CANCEL, then tell the user (RFC 3261 9.2)."""
        engine = self._engine
        invite = engine.servers.get(invite_key(cancel.key))
        if invite is None:
            cancel.respond(self._answer(cancel.request, 481, to_tag=cancel.to_tag), now)
            return
        invite.cancel_reason = ", ".join(cancel.request.get_all("Reason"))
        cancel.respond(self._answer(cancel.request, 200, to_tag=invite.to_tag), now)
        if invite.state is State.PROCEEDING and engine.user is not None:
            self._hand_over(invite, now, cancelled=True)

    def _hand_over(self, transaction: ServerTransaction, now: float, *, cancelled: bool = False) -> None:
        """Give a new request, or the CANCEL of one, to the user; what it raises leaves no request unanswered."""
        user = self._engine.user
        if user is None:
            transaction.refuse(501, now, headers=self._own_headers())
            return
        try:
            if cancelled:
                user.on_cancel(transaction, now)
            else:
                user.on_request(transaction, transaction.request, now)
        except (HeaderError, UriError) as error:
            self._engine.counters["malformed"] += 1
            if not transaction.final_sent:
                transaction.refuse(400, now, _one_line(f"Bad Request: {error}"), self._own_headers())
        except Exception:
            self._engine.counters["user_error"] += 1
            if not transaction.final_sent:
                transaction.respond(self._answer(transaction.request, 500, to_tag=transaction.to_tag), now)
            raise

    def withdraw(self, promises: Iterable[Send]) -> None:
        """Answer 500 in place of final responses that have not left, wherever they are kept."""
        transactions = {id(each.data): each for each in self._engine.servers.values() if each.final_sent}
        for each in promises:
            promise = each.message
            if not isinstance(promise, Response) or promise.cseq.method == "INVITE":
                continue
            self._engine.counters["withdrawn"] += 1
            transaction, failure = transactions.get(id(each.data)), self._failure(promise)
            if transaction is not None:
                transaction.replace(failure)
            else:
                self._engine.transmit(each.flow, failure.to_bytes(), failure)

    def _failure(self, promise: Response) -> Response:
        """A 500 in place of another response to the same request."""
        headers: list[tuple[str, object]] = [(name, each) for name in COPIED for each in promise.get_all(name)]
        if self._engine.software:
            headers.append(("Server", self._engine.software))
        return Response(500, REASONS[500], headers)

    # Messages that cannot have a transaction

    def receive_broken(self, malformed: Malformed, flow: Flow) -> None:
        """Answer what is broken with its status if enough of it could be read, else drop it (RFC 3261 16.3 item 1)."""
        self._engine.counters["malformed"] += 1
        if malformed.request is not None:
            self._answer_stateless(malformed.request, flow, malformed.status, malformed.text)

    def receive_overloaded(self, data: bytes, flow: Flow, now: float) -> None:
        """Take a message only when it belongs to what has begun already."""
        message = parse_message(data)
        if isinstance(message, Request) and not is_keepalive(data):
            try:
                new = not message.to.tag and server_key(message) not in self._engine.servers
            except HeaderError:
                new = False
            if new and message.method not in ENDING:
                self._refuse(message, flow)
                return
        self.receive(data, flow, now)

    def _refuse(self, request: Request, flow: Flow) -> None:
        """We are overloaded (RFC 3261 21.5.4)."""
        self._engine.counters["overload"] += 1
        after = retry_after(fixed_tag(request), self._engine.retry_after)
        self._answer_stateless(request, flow, 503, "too many requests at once", [("Retry-After", after)])

    def _answer_stateless(
        self, request: Request, flow: Flow, status: int, text: str, headers: Iterable[tuple[str, object]] = ()
    ) -> None:
        """Answer without a transaction (RFC 3261 8.2.7): all but an ACK, and what nobody could match to a request."""
        if request.method == "ACK" or any(request.get(name) is None for name in MATCHED_BY):
            return
        destination = _way_back(request, flow)
        answer = self._answer(request, status, f"{REASONS.get(status, 'Bad Request')}: {text}", fixed_tag(request))
        for name, value in headers:
            answer.add(name, value)
        self._engine.transmit(destination, answer.to_bytes(), answer)

    def _answer(self, request: Request, status: int, reason: str | None = None, to_tag: str | None = None) -> Response:
        reason = None if reason is None else _one_line(reason)
        return response_to(request, status, reason, to_tag=to_tag, headers=self._own_headers())

    def _own_headers(self) -> list[tuple[str, object]]:
        """What every answer of the engine's own says."""
        return [("Server", self._engine.software)] if self._engine.software else []


def _is_on_the_way(response: Response, request: Request) -> bool:
    """Whether the Vias below ours are those that the request had.

    One too many is not meant for us (RFC 3261 8.1.3.3), and another one would lead a forwarded response to wherever
    its sender likes (RFC 4475 3.3.10).
    """
    if _has_one_via(response) and request.keys().count("via") == 1:  # which is ours
        return True
    below, ours = response.values("Via")[1:], request.values("Via")[1:]
    if below == ours:
        return True
    try:
        return [_hop(parse_via(text)) for text in below] == [_hop(parse_via(text)) for text in ours]
    except HeaderError:
        return False


def _has_one_via(response: Response) -> bool:
    return "via" not in response.repeated() and "," not in response.first_values().get("via", "")


def _hop(via: Via) -> tuple[str, str, str]:
    return via.transport, via.sent_by, (via.branch or "").lower()


def _way_back(request: Request, flow: Flow) -> Flow:
    """Where an answer goes; a Via that cannot be read names no place, so to where the request came from."""
    try:
        return reply_flow(record_source(request, flow), flow)
    except HeaderError:
        return flow


def _one_line(text: str) -> str:
    """A reason phrase of printable text; what a peer wrote may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in text)[:200]
