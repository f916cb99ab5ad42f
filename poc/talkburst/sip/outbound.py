"""The way of a request to its next hop: listener, address, transport, connection (RFC 3261 8.1.2 and 18.1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from talkburst.sip.actions import Resolve
from talkburst.sip.connections import Connections, Routed
from talkburst.sip.failover import LONGEST, Avoided, Failover
from talkburst.sip.flow import Address, Flow, Listener, bracketed
from talkburst.sip.headers import HeaderError, Via
from talkburst.sip.locating import MOST_TARGETS, Located, Wanted
from talkburst.sip.message import Request
from talkburst.sip.next_hop import Target, deciding_uri, target_of
from talkburst.sip.sips import is_sips, names_sips
from talkburst.sip.transaction.client import ClientTransaction, Failure, Outcome
from talkburst.sip.transaction.key import ClientKey, client_key
from talkburst.sip.uri import Uri, UriError

if TYPE_CHECKING:
    from talkburst.sip.engine import Engine

BRANCH = "z9hG4bK"  # the magic cookie (RFC 3261 8.1.1.7)
MARK = "-"  # begins what a proxy has to say in a branch, if anything
LARGEST_DATAGRAM = 1300  # bytes of a request that may go by UDP when the path MTU is unknown (RFC 3261 18.1.1)
TCP_PATIENCE = 1.0  # seconds a connection may take to come up when UDP will do as well
UDP_AFTER_REFUSAL = 60.0  # seconds a peer that did not take TCP gets large requests by UDP


class Route:
    """The listener a request leaves from, and the flow or the target it leaves for; neither when it has no way."""

    __slots__ = ("flow", "source", "target")

    def __init__(self, source: Listener, flow: Flow | None = None, target: Target | None = None) -> None:
        self.source = source
        self.flow = flow
        self.target = target


class Lookup(NamedTuple):
    """What waits for a name: a request, or None for a response. By `until` one of the targets must have shown life.

    `attempts`: how many of them may be asked.
    """

    source: Listener
    domain: str
    sent: Request | None
    routed: Routed
    until: float | None = None
    attempts: int = MOST_TARGETS


class Outbound:
    """The sending half of an engine."""

    __slots__ = ("_engine", "_refused", "_resolve_number", "_resolving", "avoided", "connections")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.connections = Connections(engine.agenda, engine.act)
        self._refused: dict[Address, float] = {}  # peer that did not take TCP -> until when that counts
        self.avoided = Avoided()
        self._resolving: dict[int, Lookup] = {}
        self._resolve_number = 0

    def plan(self, request: Request, name: str | None, next_hop: Uri | None, flow: Flow | None) -> Route:
        """Where a request goes, before any name is resolved. KeyError when there is no listener of that name.

        With a SIPS Request-URI or `next_hop` it has a way over TLS or none, whatever its Route says (RFC 3261 8.1.2).
        """
        engine, secure = self._engine, names_sips(request.uri) or (next_hop is not None and is_sips(next_hop))
        if flow is not None:
            source = engine.listener(name or flow.listener, flow.transport)
            return Route(source) if secure and flow.transport != "TLS" else Route(source, flow=flow)
        default = engine.listener(name)
        usual = engine.usual if engine.sides.sibling(default, engine.usual) is not None else default.transport
        try:
            uri = next_hop if next_hop is not None else deciding_uri(request)
            target = target_of(uri, engine.hosts, usual, secure=secure)
        except (HeaderError, UriError):
            target = None
        if target is None:
            return Route(default)
        transport = "TLS" if target.secure else target.transport or usual
        leaves = engine.sides.sibling(default, transport)
        if target.is_literal and (leaves is None or not leaves.reaches(target.host)):
            leaves = engine.sides.leaving(default, transport, target.host) or leaves
        return Route(default) if leaves is None else Route(leaves, target=target)

    def prepare(self, request: Request, source: Listener, branch: str) -> Request:
        """The copy that is sent: with a Via of `source` and this branch, and Max-Forwards."""
        endless = request.get("Max-Forwards") is None
        sent = request.copy()
        sent.prepend("Via", f"SIP/2.0/{source.transport} {source.sent_by};branch={branch};rport")
        if endless:
            sent.set("Max-Forwards", 70)
        return sent

    def fresh_branch(self, mark: str = "") -> str:
        """One that ends in `mark`."""
        return BRANCH + self._engine.token() + mark

    def at_once(self, route: Route, sent: Request) -> Flow | None:
        """The flow of a request that has neither a name nor a connection to wait for; None for any other."""
        source, flow, target = route.source, route.flow, route.target
        if target is None:
            return flow if flow is not None and (not flow.connection or self.connections.is_open(flow)) else None
        if source.reliable or not target.is_literal or not self._fits(source, sent):
            return None
        assert target.port is not None
        return _flow_to(source, (target.host, target.port))

    def _fits(self, source: Listener, sent: Request) -> bool:
        """Whether a request may go by UDP (RFC 3261 18.1.1), for its size or for want of TCP."""
        return self._engine.sides.sibling(source, "TCP") is None or len(sent.to_bytes()) <= LARGEST_DATAGRAM

    def depart(
        self,
        route: Route,
        sent: Request,
        routed: Routed,
        now: float,
        *,
        patience: float | None = None,
        attempts: int = MOST_TARGETS,
    ) -> None:
        """Tell `routed` the flow: at once, or when the name is resolved and the connection is up."""
        source, target = route.source, route.target
        flow = self.at_once(route, sent)
        if flow is not None:
            routed(flow, now)
        elif target is not None:
            if target.is_literal:
                assert target.port is not None
                self._depart_to(source, (target.host, target.port), sent, routed, now, target.domain)
            else:
                until = None if patience is None else now + patience
                self.resolve(target, Lookup(source, target.domain, sent, routed, until, attempts))
        else:
            # Not at once: the caller has not got hold of its transaction yet.
            self._engine.agenda.schedule(now, partial(routed, None))

    def resolve(self, target: Target, lookup: Lookup) -> None:
        self._resolve_number += 1
        self._resolving[self._resolve_number] = lookup
        transports, families = self._engine.sides.abilities(lookup.source)
        if target.secure:
            transports = ("TLS",)
        wanted = Wanted(target.host, target.port, target.transport, transports, families)
        self._engine.act(Resolve(self._resolve_number, wanted))

    def resolved(self, token: int, targets: Iterable[Located], now: float) -> None:
        """A name is resolved: the first target for which there is a listener, then the next ones."""
        lookup, leaving = self._resolving.pop(token), self._engine.sides.leaving
        reachable = [each for each in targets if leaving(lookup.source, each.transport, each.address[0]) is not None]
        if not reachable:
            lookup.routed(None, now)
            return
        tried = self.avoided.last(reachable, now)[: lookup.attempts]
        share = None if lookup.until is None else max(0.0, lookup.until - now) / len(tried)
        until = now + LONGEST * self._engine.timers.t1 if lookup.until is None else lookup.until
        self._go_on(Failover(tried, lookup.domain, until, share), lookup, now)

    # One target after the other (RFC 3263 4.3)

    def _go_on(self, failover: Failover, lookup: Lookup, now: float) -> None:
        """Begin with the next target, and with the one after it where no connection can be had."""
        engine, target, sent = self._engine, failover.next(), lookup.sent
        if target is None or now > failover.until:
            lookup.routed(None, now)
            return
        leaves = engine.sides.leaving(lookup.source, target.transport, target.address[0])
        assert leaves is not None

        def arrived(flow: Flow | None, now: float) -> None:
            if flow is None:
                self.avoided.add(target, Failure.TRANSPORT, now)
                if sent is not None and failover.untried:
                    self._tell_next(target, Failure.TRANSPORT, sent)
                self._go_on(failover, lookup, now)
                return
            transaction = None if sent is None else engine.clients.get(client_key(sent))  # an ACK of a 2xx has none
            if transaction is not None:
                transaction.failover = failover
                self._expect_life(failover, transaction, now)
            lookup.routed(flow, now)

        if sent is None:
            self.connections.reach(leaves, target.address, arrived, now, domain=lookup.domain)
            return
        via = sent.via
        if (via.transport, via.sent_by) != (leaves.transport, leaves.sent_by):
            _rewrite_via(sent, leaves)
        self._depart_to(leaves, target.address, sent, arrived, now, lookup.domain)

    def _expect_life(self, failover: Failover, transaction: ClientTransaction, now: float) -> None:
        """Where there is little time for all targets, one that is silent leaves some of it to the others."""
        if failover.share is not None and failover.untried:
            give_up = partial(self._no_sign_of_life, transaction, transaction.key)
            self._engine.agenda.schedule(now + failover.share, give_up)

    def _no_sign_of_life(self, transaction: ClientTransaction, key: ClientKey, now: float) -> None:
        if transaction.key == key and not transaction.terminated and transaction.state is transaction.machine.initial:
            self.try_next(transaction, Failure.TIMEOUT, now)

    def try_next(self, transaction: ClientTransaction, outcome: Outcome, now: float) -> bool:
        """Send a request that failed to its next target, with a new branch. False when this failure is its outcome."""
        failover = transaction.failover
        if failover is None or not failover.is_failure(outcome):
            return False
        self.avoided.add(failover.current, outcome, now)
        if not failover.goes_on(outcome, now) or not transaction.wanted:
            return False
        engine, sent = self._engine, transaction.request.copy()
        self._tell_next(failover.current, outcome, sent)
        assert transaction.flow is not None
        source = engine.listener(transaction.flow.listener, transaction.flow.transport)
        _rewrite_via(sent, source, self._other_branch(sent))
        remains = transaction.start_over(sent, now)
        engine.clients[transaction.key] = transaction
        if remains is not None:
            engine.clients[remains.key] = remains
        started = partial(engine.start, transaction, transaction.key)
        self._go_on(failover, Lookup(source, failover.domain, sent, started), now)
        return True

    def _tell_next(self, failed: Located, outcome: Outcome, request: Request) -> None:
        self._engine.counters["next_target"] += 1
        self._engine.on_next_target(failed, outcome, request)

    # A large request by UDP after all

    def give_up(self, transaction: ClientTransaction, now: float) -> None:
        """The way a request went is closed: the transaction fails, unless UDP will do and nothing came back yet."""
        flow = transaction.alternative
        if flow is None or transaction.state is not transaction.machine.initial:
            transaction.fail(now)
            return
        self._remember_refusal(flow.remote, now)
        source, sent = self._engine.listener(flow.listener, flow.transport), transaction.request.copy()
        _rewrite_via(sent, source, self._other_branch(sent))
        transaction.start_over(sent, now)
        self._engine.clients[transaction.key] = transaction
        transaction.start(flow, now)

    def _other_branch(self, request: Request) -> str:
        """A branch for a request that was sent before; what it is marked with stays."""
        _, separator, mark = (request.via.branch or "").partition(MARK)
        return BRANCH + self._engine.token() + separator + mark

    def _depart_to(
        self, source: Listener, remote: Address, sent: Request, routed: Routed, now: float, domain: str
    ) -> None:
        if source.reliable:
            self.connections.reach(source, remote, routed, now, domain=domain)
            return
        stream = self._engine.sides.sibling(source, "TCP")
        if stream is None or self._fits(source, sent) or self._takes_no_tcp(stream, remote, now):
            routed(_flow_to(source, remote), now)
            return

        def switched(flow: Flow | None, now: float) -> None:
            if flow is None:
                self._remember_refusal(remote, now)
                routed(_flow_to(source, remote), now)
            else:
                _rewrite_via(sent, stream)
                transaction = self._engine.clients.get(client_key(sent))  # an ACK of a 2xx has none
                if transaction is not None:
                    transaction.alternative = _flow_to(source, remote)
                routed(flow, now)

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
