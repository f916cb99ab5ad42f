"""The way of a request to its next hop: listener, address, transport, connection (RFC 3261 8.1.2 and 18.1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from talkburst.sip.actions import Resolve, Send
from talkburst.sip.connections import Connections, Routed
from talkburst.sip.flow import Address, Flow, Listener, bracketed, default_port, unbracketed
from talkburst.sip.headers import HeaderError, Via
from talkburst.sip.message import Request, Response
from talkburst.sip.next_hop import Target, deciding_uri, target_of
from talkburst.sip.parser import parse_message
from talkburst.sip.transaction.client import ClientTransaction
from talkburst.sip.transaction.key import client_key
from talkburst.sip.uri import Uri, UriError

if TYPE_CHECKING:
    from talkburst.sip.engine import Engine

BRANCH = "z9hG4bK"  # the magic cookie (RFC 3261 8.1.1.7)
MARK = "-"  # begins what a proxy has to say in a branch, if anything
LARGEST_DATAGRAM = 1300  # bytes of a request that may go by UDP when the path MTU is unknown (RFC 3261 18.1.1)
TCP_PATIENCE = 1.0  # seconds a connection may take to come up when UDP will do as well
UDP_AFTER_REFUSAL = 60.0  # seconds a peer that did not take TCP gets large requests by UDP


class Route(NamedTuple):
    """The listener a request leaves from, and the flow or the target it leaves for; neither when it has no way."""

    source: Listener
    flow: Flow | None = None
    target: Target | None = None


class Outbound:
    """The sending half of an engine."""

    __slots__ = ("_engine", "_refused", "_resolve_number", "_resolving", "connections")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.connections = Connections(engine.agenda, engine.act)
        self._refused: dict[Address, float] = {}  # peer that did not take TCP -> until when that counts
        self._resolving: dict[int, tuple[Target, Listener, Request, Routed]] = {}
        self._resolve_number = 0

    def plan(self, request: Request, name: str | None, next_hop: Uri | None, flow: Flow | None) -> Route:
        """Where a request goes, before any name is resolved. KeyError when there is no listener of that name.

        With a SIPS Request-URI it has a way over TLS or none, whatever its Route says (RFC 3261 8.1.2).
        """
        engine, secure = self._engine, request.uri[:5].lower() == "sips:"
        if flow is not None:
            source = engine.listener(name or flow.listener, flow.transport)
            return Route(source) if secure and flow.transport != "TLS" else Route(source, flow=flow)
        default = engine.listener(name)
        usual = engine.usual if engine.sibling(default, engine.usual) is not None else default.transport
        try:
            uri = next_hop if next_hop is not None else deciding_uri(request)
            target = target_of(uri, engine.hosts, usual, secure=secure)
        except (HeaderError, UriError):
            target = None
        sibling = None if target is None else engine.sibling(default, target.transport)
        return Route(default) if sibling is None else Route(sibling, target=target)

    def prepare(self, request: Request, source: Listener, mark: str = "") -> Request:
        """The copy that is sent: with a Via of `source`, a fresh branch that ends in `mark`, and Max-Forwards."""
        sent = request.copy()
        host, port = source.advertised
        branch = BRANCH + self._engine.token() + mark
        sent.prepend("Via", Via(source.transport, bracketed(host), port, {"branch": branch, "rport": None}))
        if sent.get("Max-Forwards") is None:
            sent.set("Max-Forwards", 70)
        return sent

    def depart(self, route: Route, sent: Request, routed: Routed, now: float) -> None:
        """Tell `routed` the flow: at once, or when the name is resolved and the connection is up."""
        source, flow, target = route
        if target is not None:
            if target.is_literal:
                assert target.port is not None
                self._depart_to(source, (target.host, target.port), sent, routed, now, target.domain)
            else:
                self._resolve_number += 1
                self._resolving[self._resolve_number] = (target, source, sent, routed)
                self._engine.act(Resolve(self._resolve_number, target.host, target.port, target.transport))
        elif flow is not None and (not flow.connection or self.connections.is_open(flow)):
            routed(flow, now)
        else:
            # Not at once: the caller has not got hold of its transaction yet.
            self._engine.agenda.schedule(now, partial(routed, None))

    def resolved(self, token: int, addresses: Iterable[Address], now: float) -> None:
        """A name is resolved: the first address of the listener's own family counts."""
        target, source, sent, routed = self._resolving.pop(token)
        ours_is_v6 = ":" in source.host
        for host, port in addresses:
            if (":" in host) == ours_is_v6:
                self._depart_to(source, (host, port), sent, routed, now, target.domain)
                return
        routed(None, now)

    def send_again(self, flow: Flow, data: bytes, response: Response) -> None:
        """The connection a request came on is gone: its response opens one to where the Via says (RFC 3261 18.2.2)."""
        engine, sent = self._engine, parse_message(data)  # of a repeated response only the bytes are left
        assert isinstance(sent, Response)
        try:
            via = sent.via
        except HeaderError:
            engine.counters["unroutable"] += 1  # a Via that cannot be read names no other way than the connection
            return
        source = engine.listener(flow.listener, flow.transport)
        # `received`, where there is one, is where it came from
        remote, domain = (flow.remote[0], via.port or default_port(flow.transport)), unbracketed(via.host).lower()
        open_already = self.connections.find(source, remote, domain)
        if open_already is not None:
            engine.act(Send(open_already, data, response))
            return

        def routed(flow: Flow | None, now: float) -> None:
            if flow is None:
                engine.counters["unroutable"] += 1
            else:
                engine.transmit(flow, data, response)

        self.connections.expect(source, remote, routed, domain)

    def give_up(self, transaction: ClientTransaction, now: float) -> None:
        """The way a request went is closed: the transaction fails, unless UDP will do and nothing came back yet."""
        flow = transaction.alternative
        if flow is None or transaction.state is not transaction.machine.initial:
            transaction.fail(now)
            return
        self._remember_refusal(flow.remote, now)
        source = self._engine.listener(flow.listener, flow.transport)
        _, separator, mark = (transaction.request.via.branch or "").partition(MARK)
        _rewrite_via(transaction.request, source, BRANCH + self._engine.token() + separator + mark)
        transaction.start_over(flow, now)
        self._engine.clients[transaction.key] = transaction

    def _depart_to(
        self, source: Listener, remote: Address, sent: Request, routed: Routed, now: float, domain: str
    ) -> None:
        if source.reliable:
            self.connections.reach(source, remote, routed, now, domain=domain)
            return
        stream = self._engine.sibling(source, "TCP")
        if stream is None or len(sent.to_bytes()) <= LARGEST_DATAGRAM or self._takes_no_tcp(stream, remote, now):
            routed(_flow_to(source, remote), now)
            return

        def switched(flow: Flow | None, now: float) -> None:
            if flow is None:
                self._remember_refusal(remote, now)
                routed(_flow_to(source, remote), now)
            else:
                _rewrite_via(sent, stream)
                routed(flow, now)
                transaction = self._engine.clients.get(client_key(sent))  # an ACK of a 2xx has none
                if transaction is not None:
                    transaction.alternative = _flow_to(source, remote)

        self.connections.reach(stream, remote, switched, now, patience=TCP_PATIENCE)

    def _takes_no_tcp(self, stream: Listener, remote: Address, now: float) -> bool:
        return self._refused.get(remote, now) > now and self.connections.find(stream, remote) is None

    def _remember_refusal(self, remote: Address, now: float) -> None:
        self._engine.counters["large_by_udp"] += 1
        for peer in [peer for peer, until in self._refused.items() if until <= now]:
            del self._refused[peer]
        self._refused[remote] = now + UDP_AFTER_REFUSAL


def _flow_to(source: Listener, remote: Address) -> Flow:
    return Flow(source.transport, (source.host, source.port), remote, listener=source.name)


def _rewrite_via(sent: Request, source: Listener, branch: str | None = None) -> None:
    """Name the transport a request goes by after all (RFC 3261 18.1.1), with a new branch if it was sent before."""
    host, port = source.advertised
    params = dict(sent.via.params)
    if branch is not None:
        params["branch"] = branch
    sent.replace_first("Via", Via(source.transport, bracketed(host), port, params))
