"""The SIP engine: bytes and a clock reading in, bytes to send out. No socket, no sleep, no clock of its own.

Five methods carry it: `receive`, `send_request` and `respond`, `handle_timer`, `next_deadline`, `take`. A shell calls
`receive` for each datagram and `handle_timer` at `next_deadline`, then performs what `take` returns. For connections it
reports besides: `accepted`, `connected`, `transport_failed`.

What a transaction user raises out of a callback passes through to the shell, after the request was answered 500: it is
an error of ours. What a peer sends raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial

from talkburst.sip.actions import Action, Connect, Disconnect, Resolve, Send
from talkburst.sip.flow import Address, Flow, Listener
from talkburst.sip.inbound import Inbound
from talkburst.sip.listeners import Listeners
from talkburst.sip.locating import MOST_TARGETS, Located
from talkburst.sip.message import Request, Response
from talkburst.sip.message_limits import MessageLimits
from talkburst.sip.next_hop import Hosts
from talkburst.sip.outbound import Outbound
from talkburst.sip.parser import Malformed
from talkburst.sip.response_connections import ResponseConnections
from talkburst.sip.timers import Timers
from talkburst.sip.transaction.client import ClientTransaction, Failure, Outcome, ResponseHandler
from talkburst.sip.transaction.key import key_of_branch
from talkburst.sip.transaction.layer import TransactionLayer
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.transaction.user import TransactionUser
from talkburst.sip.uri import Uri

__all__ = [
    "Action",
    "ClientTransaction",
    "Connect",
    "Disconnect",
    "Engine",
    "Failure",
    "Resolve",
    "ResponseHandler",
    "Send",
    "ServerTransaction",
    "TransactionUser",
]


# Server transactions at one time: what 12,500 requests a second leave behind in 32 s, in half a gigabyte. Beyond it new
# requests are told 503, and nothing is kept of them.
MOST_TRANSACTIONS = 400_000
RETRY_AFTER = 10  # seconds, at most, that they are to wait until they ask again


class Engine(TransactionLayer):
    """Transactions, the listeners they send from and the user they serve.

    `token` makes unguessable strings for branches and tags (RFC 3261 19.3). `hosts` maps `name` or `name:port` to
    `host:port[;transport=tcp]` and is asked before any resolver. `software` stands in the Server header of answers the
    engine gives itself. `usual` is the transport where neither a URI nor `hosts` names one. `on_lost(flow, now)` is
    told of every connection of ours that was open and is closed, after the transactions on it have failed.
    `on_next_target(failed, outcome, request)` is told when a request goes to another target than the one that failed.
    `believes(flow)`: whether who sends on that flow may name another place for answers that cannot be sent to where he
    is.
    """

    def __init__(
        self,
        user: TransactionUser | None,
        *,
        timers: Timers | None = None,
        token: Callable[[], str],
        hosts: Mapping[str, str] | None = None,
        software: str = "",
        usual: str = "UDP",
    ) -> None:
        TransactionLayer.__init__(self, timers, token)
        self.user = user
        self.usual = usual
        self.on_lost: Callable[[Flow, float], None] = lambda flow, now: None
        self.believes: Callable[[Flow], bool] = lambda flow: True
        self.on_next_target: Callable[[Located, Outcome, Request], None] = lambda failed, outcome, request: None
        self.hosts = Hosts(hosts or {})
        self.software = software
        self.most_transactions = MOST_TRANSACTIONS
        self.message_limits = MessageLimits()
        self.retry_after = RETRY_AFTER
        self.sides = Listeners()
        self._actions: list[Action] = []
        self._inbound = Inbound(self)
        self._outbound = Outbound(self)
        self._way_back = ResponseConnections(self, self._outbound)

    # Listeners

    def add_listener(self, listener: Listener) -> None:
        self.sides.add(listener)

    def listener(self, name: str | None = None, transport: str | None = None) -> Listener:
        """The listener of that name and transport, by default the first one; KeyError when there is none."""
        return self.sides.find(name, transport)

    def sibling(self, listener: Listener, transport: str) -> Listener | None:
        """The listener of the same name that speaks `transport`."""
        return self.sides.sibling(listener, transport)

    def listeners(self) -> Iterable[Listener]:
        return self.sides.every()

    def is_own_address(self, host: str, port: int) -> bool:
        """Whether one of our listeners advertises this host and port."""
        return self.sides.is_own_address(host, port)

    def source(
        self, request: Request, *, listener: str | None = None, next_hop: Uri | None = None, flow: Flow | None = None
    ) -> Listener:
        """The listener `send_request` would send this from, which its Contact or Record-Route has to name.

        A request over 1300 bytes may leave by TCP all the same; its peer is reached again by what is named here.
        """
        return self._outbound.plan(request, listener, next_hop, flow).source

    def is_open(self, flow: Flow) -> bool:
        """Whether this very connection is open; never for UDP, nor for a flow of an engine before this one."""
        return self._outbound.connections.is_open(flow)

    def is_usable(self, flow: Flow) -> bool:
        """Whether something can be sent on a flow: over UDP always, else while that connection is open."""
        return not flow.connection or self.is_open(flow)

    def limit_silence(self, flow: Flow, seconds: float | None) -> None:
        """Have a connection closed on which for so long neither a message nor a keep-alive comes (RFC 5626 5.4).

        None: no sooner than any other. Nothing for UDP, nor for a connection that is not open.
        """
        self._outbound.connections.limit_silence(flow, seconds)

    # The five methods

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One datagram, or one framed message of a stream, came in on `flow`."""
        self._inbound.receive(data, flow, now)

    def receive_overloaded(self, data: bytes, flow: Flow, now: float) -> None:
        """As `receive` for a shell that cannot keep up: a request that would begin something is answered 503."""
        self._inbound.receive_overloaded(data, flow, now)

    def send_request(
        self,
        request: Request,
        handler: ResponseHandler,
        now: float,
        *,
        listener: str | None = None,
        next_hop: Uri | None = None,
        flow: Flow | None = None,
        timeout: float | None = None,
        mark: str = "",
        patience: float | None = None,
        attempts: int = MOST_TARGETS,
    ) -> ClientTransaction:
        """Send `request` in a new client transaction (RFC 3261 17.1); the copy sent is `.request` of what is returned.

        It goes to `flow`, else `next_hop`, else its first Route, else its Request-URI, from the listener of that name
        (default: the first one). The copy gets a Via with a fresh branch and `rport`, and Max-Forwards when it has
        none. `handler` is never called before this method returns. With `timeout` (seconds) it gets Failure.TIMEOUT
        when no final response came by then; the transaction itself runs on and absorbs what comes late. The branch ends
        in `mark` (RFC 5393 4.2.1), which begins with "-".

        Over 1300 bytes and bound for UDP, it goes by TCP instead where a listener of the same name has it, and by UDP
        all the same when the peer takes no TCP (RFC 3261 18.1.1). A `flow` is never exchanged for another one.

        A name that stands for several targets is tried at one after the other until one does not fail, each with a new
        branch, at no more than `attempts` of them; `handler` is told how the last one ended (RFC 3263 4.3). Silence is
        a failure after Timer B or F; where there are only `patience` seconds for all of them, or `timeout`, each has
        its share.
        """
        if self.handled is not None:
            self.handled.await_user(now)  # its timers go before those of what it leads to
        route = self._outbound.plan(request, listener, next_hop, flow)
        branch = self._outbound.fresh_branch(mark)
        sent, key = self._outbound.prepare(request, route.source, branch), key_of_branch(branch, request.cseq.method)
        transaction = ClientTransaction(self, key, sent, route.source.reliable, handler)
        self.clients[key] = transaction
        if timeout is not None:
            transaction.expect_by(now + timeout)
        at_once = self._outbound.at_once(route, sent)
        if at_once is not None:
            transaction.start(at_once, now)
        else:
            started = partial(self.start, transaction, key)
            given = timeout if patience is None else patience
            self._outbound.depart(route, sent, started, now, patience=given, attempts=attempts)
        return transaction

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> bool:
        """Send a provisional or final response the way RFC 3581 sends it.

        False, and a counter that says why, when RFC 4320 forbids it (`withheld_408`, `withheld_provisional`) or a final
        one has been sent (`late_answer`).
        """
        return transaction.respond(response, now)

    def handle_timer(self, now: float) -> None:
        """Perform everything that is due at `now`."""
        self.agenda.run(now)

    def next_deadline(self) -> float | None:
        """When `handle_timer` must be called next, None when nothing is awaited."""
        return self.agenda.next_deadline()

    def take(self) -> list[Action]:
        """What the shell has to do since it asked last, in order."""
        actions, self._actions = self._actions, []
        return actions

    # What the shell reports besides

    def resolved(self, token: int, targets: Iterable[Located], now: float) -> None:
        """The answer to a Resolve, the target to try first in front; none means Failure.TRANSPORT."""
        self._outbound.resolved(token, targets, now)

    def accepted(self, listener: Listener, remote: Address, proved: frozenset[str] = frozenset()) -> Flow:
        """A peer opened a connection to `listener`; the flow everything that concerns it is called by.

        `proved`: the domains that its certificate proves it to be, if it has shown one.
        """
        return self._outbound.connections.accepted(listener, remote, proved)

    def connected(self, flow: Flow, now: float, proved: frozenset[str] = frozenset()) -> None:
        """The connection a Connect asked for is up. `proved`: the domains in the certificate of its other end."""
        self._outbound.connections.connected(flow, now, proved)

    def receive_broken(self, malformed: Malformed, flow: Flow) -> None:
        """A stream cannot be cut into messages any further: what broke it is answered if it can be.

        The shell closes the connection after the answer.
        """
        self._inbound.receive_broken(malformed, flow)

    def transport_failed(self, flow: Flow, now: float, message: Request | Response | None = None) -> None:
        """The transport refuses what is sent to `flow.remote` (ICMP), or the connection of `flow` is closed.

        Every client transaction on that way fails, or with `message` only the one that sent it.
        """
        connections = self._outbound.connections
        ours = connections.is_ours(flow)
        lost = bool(flow.connection) and message is None and connections.lost(flow, now)
        self._failed(flow, now, message, lost, ours)

    def half_closed(self, flow: Flow, now: float) -> None:
        """The peer sends no more on the connection of `flow`, which is lost with that but for the answers it is owed.

        `transport_failed` follows when it is closed.
        """
        ours = self._outbound.connections.is_ours(flow)
        if self._outbound.connections.half_closed(flow, now):
            self._failed(flow, now, None, True, ours)

    def _failed(self, flow: Flow, now: float, message: Request | Response | None, lost: bool, ours: bool) -> None:
        self.counters["connection_closed" if lost else "transport_failed"] += 1
        with ExitStack() as all_of_them:  # also when a handler raises
            for transaction in self._ways.affected(flow, message):
                all_of_them.callback(self._outbound.give_up, transaction, now)
        if lost and ours:
            self.on_lost(flow, now)

    def withdraw(self, promises: Iterable[Send]) -> None:
        """Answer 500 in place of final responses that were not sent after all: what they say is not so.

        Retransmissions of their requests get the 500 as well; over a connection there are none, and the transaction has
        ended with the response. A response to INVITE stays: none is our own.
        """
        self._inbound.withdraw(promises)

    # Requests without a transaction

    def send_stateless(
        self,
        request: Request,
        now: float,
        *,
        listener: str | None = None,
        next_hop: Uri | None = None,
        flow: Flow | None = None,
    ) -> None:
        """Send a request once and forget it: the ACK of a 2xx (RFC 3261 13.2.2.4). Routed as by `send_request`."""
        route = self._outbound.plan(request, listener, next_hop, flow)
        sent = self._outbound.prepare(request, route.source, self._outbound.fresh_branch())

        def routed(flow: Flow | None, now: float) -> None:
            if flow is None:
                self.counters["unroutable"] += 1
            else:
                self.transmit(flow, sent.to_bytes(), sent)

        self._outbound.depart(route, sent, routed, now)

    # What the transactions ask for

    def act(self, action: Action) -> None:
        """Have the shell do something."""
        self._actions.append(action)

    def transmit(self, flow: Flow, data: bytes, message: Request | Response) -> None:
        if not flow.connection:
            self._actions.append(Send(flow, data, message))
        elif isinstance(message, Response):
            if self._outbound.connections.takes_answers(flow):
                self._actions.append(Send(flow, data, message))
            else:
                self._way_back.send(flow, data, message)
        elif self._outbound.connections.is_open(flow):
            self._actions.append(Send(flow, data, message))
        else:
            self.counters["unroutable"] += 1  # an ACK or a CANCEL follows its INVITE and no other way

    def try_next(self, transaction: ClientTransaction, outcome: Outcome, now: float) -> bool:
        return self._outbound.try_next(transaction, outcome, now)

    def pass_ack(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        self._inbound.pass_ack(ack, transaction.flow, now)
