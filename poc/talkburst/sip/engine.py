"""The SIP engine: bytes and a clock reading in, bytes to send out. No socket, no sleep, no clock of its own.

Five methods carry it: `receive`, `send_request` and `respond`, `handle_timer`, `next_deadline`, `take`. A shell calls
`receive` for each datagram and `handle_timer` at `next_deadline`, then performs what `take` returns.

What a transaction user raises out of a callback passes through to the shell, after the request was answered 500: it is
an error of ours. What a peer sends raises nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from talkburst.sip.agenda import Agenda
from talkburst.sip.flow import Address, Flow, Listener, bracketed
from talkburst.sip.headers import HeaderError, Via
from talkburst.sip.inbound import Inbound
from talkburst.sip.message import Request, Response
from talkburst.sip.next_hop import Hosts, Target, deciding_uri, target_of
from talkburst.sip.timers import Timers
from talkburst.sip.transaction.client import ClientTransaction, Failure, ResponseHandler, cancel_of
from talkburst.sip.transaction.key import ClientKey, ServerKey, client_key
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.transaction.user import TransactionUser
from talkburst.sip.uri import Uri, UriError

__all__ = [
    "Action",
    "ClientTransaction",
    "Engine",
    "Failure",
    "Resolve",
    "ResponseHandler",
    "Send",
    "ServerTransaction",
    "TransactionUser",
]


class Send(NamedTuple):
    """Send `data`, which is `message`, from `flow.local` to `flow.remote`."""

    flow: Flow
    data: bytes
    message: Request | Response


class Resolve(NamedTuple):
    """Find the addresses of a name and tell them to `Engine.resolved`; an empty list when it has none."""

    token: int
    host: str
    port: int | None
    transport: str


Action = Send | Resolve


class Route(NamedTuple):
    """The listener a request leaves from, and the flow or the target it leaves for; neither when it has no way."""

    source: Listener
    flow: Flow | None = None
    target: Target | None = None


Routed = Callable[[Flow | None, float], None]  # told the flow of a request, or None when its next hop has no address


class Engine:
    """Transactions, the listeners they send from and the user they serve.

    `token` makes unguessable strings for branches and tags (RFC 3261 19.3). `hosts` maps `name` or `name:port` to
    `host:port[;transport=tcp]` and is asked before any resolver. `software` stands in the Server header of answers the
    engine gives itself.
    """

    def __init__(
        self,
        user: TransactionUser | None,
        *,
        timers: Timers | None = None,
        token: Callable[[], str],
        hosts: Mapping[str, str] | None = None,
        software: str = "",
    ) -> None:
        self.user = user
        self.timers = timers if timers is not None else Timers()
        self.token = token
        self.hosts = Hosts(hosts or {})
        self.software = software
        self.agenda = Agenda()
        self.counters: Counter[str] = Counter()
        self.clients: dict[ClientKey, ClientTransaction] = {}
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self._by_remote: dict[tuple[str, Address], dict[ClientKey, ClientTransaction]] = {}
        self._listeners: dict[tuple[str, str], Listener] = {}
        self._own_addresses: set[Address] = set()
        self._actions: list[Action] = []
        self._resolving: dict[int, tuple[Target, Listener, Routed]] = {}
        self._resolve_number = 0
        self._inbound = Inbound(self)

    # Listeners

    def add_listener(self, listener: Listener) -> None:
        host, port = listener.advertised
        self._listeners[listener.name, listener.transport] = listener
        self._own_addresses.add((host.lower(), port))

    def listener(self, name: str | None = None, transport: str | None = None) -> Listener:
        """The listener of that name and transport, by default the first one; KeyError when there is none."""
        for listener in self._listeners.values():
            if name in (None, listener.name) and transport in (None, listener.transport):
                return listener
        raise KeyError(f"no listener {name or ''} {transport or ''}".rstrip())

    def listeners(self) -> Iterable[Listener]:
        return self._listeners.values()

    def is_own_address(self, host: str, port: int) -> bool:
        """Whether one of our listeners advertises this host (in lower case, without brackets) and port."""
        return (host, port) in self._own_addresses

    # The five methods

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One datagram, or one framed message of a stream, came in on `flow`."""
        self._inbound.receive(data, flow, now)

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
    ) -> ClientTransaction:
        """Send `request` in a new client transaction (RFC 3261 17.1); the copy sent is `.request` of what is returned.

        It goes to `flow`, else `next_hop`, else its first Route, else its Request-URI, from the listener of that name
        (default: the first one). The copy gets a Via with a fresh branch and `rport`, and Max-Forwards when it has
        none. `handler` is never called before this method returns. With `timeout` (seconds) it gets Failure.TIMEOUT
        when no final response came by then; the transaction itself runs on and absorbs what comes late.
        """
        route = self._plan(request, listener, next_hop, flow)
        sent = self._prepare(request, route.source)
        transaction = ClientTransaction(self, sent, route.source.reliable, handler)
        self.clients[transaction.key] = transaction
        if timeout is not None:
            transaction.expect_by(now + timeout)
        self._depart(route, partial(self._start, transaction), now)
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

    def resolved(self, token: int, addresses: Iterable[Address], now: float) -> None:
        """The answer to a Resolve; no addresses means the name has none, and Failure.TRANSPORT."""
        target, listener, routed = self._resolving.pop(token)
        ours_is_v6 = ":" in listener.host
        for host, port in addresses:
            if (":" in host) == ours_is_v6:
                routed(_flow_to(listener, target._replace(host=host, port=port)), now)
                return
        routed(None, now)

    def transport_failed(self, flow: Flow, now: float, message: Request | Response | None = None) -> None:
        """The transport refuses what is sent to `flow.remote` (ICMP, a closed connection).

        Every client transaction to that address fails, or with `message` only the one that sent it.
        """
        self.counters["transport_failed"] += 1
        affected = self._by_remote.get((flow.transport, flow.remote), {})
        if isinstance(message, Request):
            key = client_key(message)
            affected = {key: affected[key]} if key in affected else {}
        elif message is not None:
            return
        with ExitStack() as all_of_them:  # also when a handler raises
            for transaction in affected.values():
                all_of_them.callback(transaction.fail, now)

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
        route = self._plan(request, listener, next_hop, flow)
        sent = self._prepare(request, route.source)

        def routed(flow: Flow | None, now: float) -> None:
            if flow is None:
                self.counters["unroutable"] += 1
            else:
                self.transmit(flow, sent.to_bytes(), sent)

        self._depart(route, routed, now)

    # Routing

    def _plan(self, request: Request, name: str | None, next_hop: Uri | None, flow: Flow | None) -> Route:
        if flow is not None:
            return Route(self.listener(name or flow.listener, flow.transport), flow=flow)
        default = self.listener(name)
        try:
            target = target_of(next_hop if next_hop is not None else deciding_uri(request), self.hosts)
        except (HeaderError, UriError):
            target = None
        source = None if target is None else self._listeners.get((default.name, target.transport))
        return Route(default) if source is None else Route(source, target=target)

    def _prepare(self, request: Request, source: Listener) -> Request:
        sent = request.copy()
        host, port = source.advertised
        branch = "z9hG4bK" + self.token()
        sent.prepend("Via", Via(source.transport, bracketed(host), port, {"branch": branch, "rport": None}))
        if sent.get("Max-Forwards") is None:
            sent.set("Max-Forwards", 70)
        return sent

    def _depart(self, route: Route, routed: Routed, now: float) -> None:
        """Tell `routed` the flow: at once, or when its name is resolved."""
        source, flow, target = route
        if flow is not None:
            routed(flow, now)
        elif target is None:
            # Not at once: the caller has not got hold of its transaction yet.
            self.agenda.schedule(now, partial(routed, None))
        elif target.is_literal:
            routed(_flow_to(source, target), now)
        else:
            self._resolve_number += 1
            self._resolving[self._resolve_number] = (target, source, routed)
            self._actions.append(Resolve(self._resolve_number, target.host, target.port, target.transport))

    def _start(self, transaction: ClientTransaction, flow: Flow | None, now: float) -> None:
        if transaction.terminated:
            return
        if flow is None:
            self.counters["unroutable"] += 1
            transaction.fail(now)
        else:
            transaction.start(flow, now)

    # What the transactions ask for

    def transmit(self, flow: Flow, data: bytes, message: Request | Response) -> None:
        self._actions.append(Send(flow, data, message))

    def client_started(self, transaction: ClientTransaction) -> None:
        assert transaction.flow is not None
        remote = (transaction.flow.transport, transaction.flow.remote)
        self._by_remote.setdefault(remote, {})[transaction.key] = transaction

    def client_ended(self, transaction: ClientTransaction) -> None:
        self.clients.pop(transaction.key, None)
        if transaction.flow is None:
            return
        remote = (transaction.flow.transport, transaction.flow.remote)
        peers = self._by_remote.get(remote)
        if peers is not None:
            peers.pop(transaction.key, None)
            if not peers:
                del self._by_remote[remote]

    def send_cancel(self, transaction: ClientTransaction, now: float) -> None:
        """A CANCEL is a transaction of its own, with the branch of its INVITE (RFC 3261 9.1)."""
        assert transaction.flow is not None
        request = cancel_of(transaction.request)
        cancel = ClientTransaction(self, request, transaction.reliable, lambda outcome, now: None)
        self.clients[cancel.key] = cancel
        cancel.start(transaction.flow, now)

    def server_ended(self, transaction: ServerTransaction) -> None:
        self.servers.pop(transaction.key, None)

    def pass_ack(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        self._inbound.pass_ack(ack, transaction.flow, now)


def _flow_to(listener: Listener, target: Target) -> Flow:
    assert target.port is not None
    return Flow(listener.transport, (listener.host, listener.port), (target.host, target.port), listener=listener.name)
