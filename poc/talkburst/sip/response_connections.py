"""The way of a response whose connection is gone (RFC 3261 18.2.2, RFC 3263 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from talkburst.sip.actions import Send
from talkburst.sip.connections import Routed
from talkburst.sip.domain_identity import identity_of
from talkburst.sip.flow import Address, Flow, Listener, default_port, unbracketed
from talkburst.sip.headers import HeaderError, Via
from talkburst.sip.message import Response
from talkburst.sip.next_hop import Target
from talkburst.sip.outbound import Lookup, Outbound
from talkburst.sip.parser import parse_message

if TYPE_CHECKING:
    from talkburst.sip.engine import Engine


class ResponseConnections:
    """Finds connections for what is owed on one that is closed."""

    __slots__ = ("_engine", "_outbound")

    def __init__(self, engine: Engine, outbound: Outbound) -> None:
        self._engine = engine
        self._outbound = outbound

    def send(self, flow: Flow, data: bytes, response: Response) -> None:
        """The connection a request came on is gone: its response opens one to where it came from, and to the port in
        the Via (RFC 3261 18.2.2); where that fails, to whom the Via names (RFC 3263 5).

        DEVIATION(RFC 3261 18.2.2): the last only for whom `Engine.believes`. Anybody else would have us connect to
        whatever he likes, behind our firewall too, and say there what he wrote.
        """
        engine, sent = self._engine, parse_message(data)  # of a repeated response only the bytes are left
        assert isinstance(sent, Response)
        try:
            via = sent.via
        except HeaderError:
            engine.counters["unroutable"] += 1  # a Via that cannot be read names no other way than the connection
            return
        source, believed = engine.listener(flow.listener, flow.transport), engine.believes(flow)
        # `received`, where there is one, is where it came from
        remote, domain = (flow.remote[0], via.port or default_port(flow.transport)), identity_of(via.host)
        open_already = self._outbound.connections.find(source, remote, domain)
        if open_already is not None:
            engine.act(Send(open_already, data, response))
            return

        def located(flow: Flow | None, now: float) -> None:
            if flow is None:
                engine.counters["unroutable"] += 1
            else:
                engine.transmit(flow, data, response)

        def routed(flow: Flow | None, now: float) -> None:
            if flow is not None:
                engine.transmit(flow, data, response)
            elif believed:
                self._find_sent_by(via, source, remote, located, now)
            else:
                located(None, now)

        self._outbound.connections.expect(source, remote, routed, domain)

    def _find_sent_by(self, via: Via, source: Listener, tried: Address, routed: Routed, now: float) -> None:
        """RFC 3263 5: by the sent-by of a Via, over the transport that the request came by."""
        host = unbracketed(via.host).lower()
        target = self._engine.hosts.find(host, via.port) or Target(host, via.port, source.transport)
        if not target.is_literal:
            self._outbound.resolve(target._replace(transport=source.transport), Lookup(source, host, None, routed))
            return
        address = (target.host, target.port or default_port(source.transport))
        leaves = self._engine.sides.leaving(source, source.transport, target.host)
        if leaves is None or address == tried:
            routed(None, now)
        else:
            self._outbound.connections.reach(leaves, address, routed, now, domain=host)
