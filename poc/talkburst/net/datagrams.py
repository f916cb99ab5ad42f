"""The UDP sockets of a node: what comes in by them, what leaves."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from typing import Protocol

from talkburst.daemon.address import show_host_port
from talkburst.daemon.log import Log
from talkburst.net.listen import WILDCARDS
from talkburst.net.message_trace import MessageTrace
from talkburst.net.resolver import Resolver
from talkburst.net.udp import DRAIN, READ_AHEAD, UdpSocket
from talkburst.net.wildcard_udp import make_udp_socket
from talkburst.sip.actions import Send
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Address, Flow, Listener, is_literal
from talkburst.sip.message import Request, Response
from talkburst.sip.stun import answer, is_stun

MOST_FLOWS = 4096  # ways of datagrams that are remembered


class Shell(Protocol):
    """What the sockets need of their node."""

    engine: Engine

    def now(self) -> float: ...
    def receive(self, data: bytes, flow: Flow, now: float) -> None: ...
    def batch_read(self, name: str, full: bool) -> None: ...
    def transport_failed(self, flow: Flow, message: Request | Response | None = None) -> None: ...


class Datagrams:
    """Every UDP socket under the name of its listener."""

    def __init__(self, shell: Shell, trace: MessageTrace, log: Log) -> None:
        self._shell = shell
        self._trace = trace
        self._log = log
        self._sockets: dict[str, UdpSocket] = {}
        self._shown: dict[str, Address] = {}  # how the trace shows that end
        self._flows: dict[tuple[str, Address, str], Flow] = {}

    async def show(self, listener: Listener, resolver: Resolver) -> None:
        """Find out how the trace shows a listener; before `listen`."""
        self._shown[listener.name] = await _shown(listener, resolver)

    def listen(self, listener: Listener, opened: socket.socket) -> None:
        """Read from `opened`."""
        self._sockets[listener.name] = make_udp_socket(
            opened,
            partial(self._on_datagram, listener),
            partial(self._shell.batch_read, listener.name),
            partial(self._on_unreachable, listener),
        )

    def close(self) -> None:
        for opened in self._sockets.values():
            opened.close()
        self._sockets.clear()

    def read_ahead(self, wanted: bool) -> None:
        for opened in self._sockets.values():
            opened.batch = READ_AHEAD if wanted else DRAIN

    def lost(self, name: str) -> int:
        """How many datagrams for that listener found no room in the kernel since this was asked last."""
        opened = self._sockets.get(name)
        return 0 if opened is None else opened.lost()

    def send(self, send: Send) -> None:
        flow = send.flow
        opened = self._sockets.get(flow.listener)
        if opened is None:
            self._shell.transport_failed(flow, send.message)
            return
        self._trace.message(send.data, self._shown[flow.listener], flow.remote, True, "sip", "UDP", self._shell.now())
        try:
            opened.send(send.data, flow.remote, flow.local[0])
        except OSError as error:
            self._log.warning("datagram not sent", remote=show_host_port(*flow.remote), reason=error.strerror)
            self._shell.transport_failed(flow, send.message)

    def _on_datagram(self, listener: Listener, data: bytes, remote: Address, local: str) -> None:
        if data[:1] < b"@" and is_stun(data):
            self._answer_stun(listener, data, remote, local)
            return
        now = self._shell.now()
        if data.strip(b"\r\n\0"):
            self._trace.message(data, self._shown[listener.name], remote, False, "sip", "UDP", now)
        self._shell.receive(data, self._flow(listener, remote, local), now)

    def _answer_stun(self, listener: Listener, data: bytes, remote: Address, local: str) -> None:
        """A keep-alive (RFC 5626 8): answered whatever else waits, from where it came to, and in no trace."""
        told = answer(data, remote)
        self._shell.engine.counters["stun_dropped" if told is None else "stun_answered"] += 1
        if told is not None:
            with suppress(OSError):  # who does not hear the answer asks again
                self._sockets[listener.name].send(told, remote, local)

    def _on_unreachable(self, listener: Listener, remote: Address) -> None:
        self._shell.transport_failed(self._flow(listener, remote))

    def _flow(self, listener: Listener, remote: Address, local: str = "") -> Flow:
        """One object for each way that something came lately: transactions and bindings keep it."""
        way = listener.name, remote, local
        flow = self._flows.get(way)
        if flow is None:
            if len(self._flows) >= MOST_FLOWS:
                self._flows.clear()
            flow = Flow("UDP", (local or listener.host, listener.port), remote, listener=listener.name)
            self._flows[way] = flow
        return flow


async def _shown(listener: Listener, resolver: Resolver) -> Address:
    """How the trace, in which there are no names, shows this end: a wildcard by the address that it advertises."""
    if listener.host not in WILDCARDS:
        return listener.host, listener.port
    host, port = listener.advertised
    if not is_literal(host):
        found = await resolver.addresses(host, (6,) if ":" in listener.host else (4,))
        host = found[0] if found else listener.host  # peers may know the name all the same
    return host, port
