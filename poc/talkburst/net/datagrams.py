"""The UDP sockets of a node: what comes in by them, what leaves."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from talkburst.daemon.address import show_host_port
from talkburst.daemon.log import Log
from talkburst.net.listen import WILDCARDS
from talkburst.net.message_trace import MessageTrace
from talkburst.net.resolver import Resolver
from talkburst.net.udp import DRAIN, READ_AHEAD, DatagramUser
from talkburst.net.wildcard_udp import make_udp_socket
from talkburst.sip.actions import Send
from talkburst.sip.flow import Address, Flow, Listener, is_literal
from talkburst.sip.stun import answer, is_stun

if TYPE_CHECKING:
    from talkburst.net.shell import Shell

MOST_FLOWS: Final = 4096  # ways of datagrams that are remembered


class Datagrams:
    """Every UDP port under the name of its listener."""

    def __init__(self, shell: Shell, trace: MessageTrace, log: Log) -> None:
        self._shell = shell
        self._trace = trace
        self._log = log
        self.ports: dict[str, Port] = {}

    def listen(self, listener: Listener, opened: socket.socket, shown: Address) -> None:
        """Read from `opened`; `shown` is how the trace shows this end."""
        self.ports[listener.name] = Port(self._shell, listener, opened, self._trace, shown)

    def close(self) -> None:
        for port in self.ports.values():
            port.udp.close()
        self.ports.clear()

    def read_ahead(self, wanted: bool) -> None:
        for port in self.ports.values():
            port.udp.batch = READ_AHEAD if wanted else DRAIN

    def send(self, send: Send) -> None:
        flow = send.flow
        port = self.ports.get(flow.listener)
        if port is None:
            self._shell.transport_failed(flow, send.message)
            return
        try:
            port.send(send.data, flow)
        except OSError as error:
            self._log.warning("datagram not sent", remote=show_host_port(*flow.remote), reason=error.strerror)
            self._shell.transport_failed(flow, send.message)


class Port(DatagramUser):
    """One UDP socket between its listener and the engine."""

    def __init__(
        self, shell: Shell, listener: Listener, opened: socket.socket, trace: MessageTrace, shown: Address
    ) -> None:
        self._shell = shell
        self._listener = listener
        self._trace = trace if trace.looked_at else None
        self._shown = shown
        self._flows: dict[tuple[Address, str], Flow] = {}
        self.udp = make_udp_socket(opened, self)

    def send(self, data: bytes, flow: Flow) -> None:
        """Raises OSError when it can never be sent."""
        if self._trace is not None:
            self._trace.message(data, self._shown, flow.remote, True, "sip", "UDP", self._shell.now())
        self.udp.send(data, flow.remote, flow.local[0])

    def on_datagram(self, data: bytes, remote: Address, local: str) -> None:
        if data[:1] < b"@" and is_stun(data):
            self._answer_stun(data, remote, local)
            return
        now = self._shell.now()
        if self._trace is not None and data.strip(b"\r\n\0"):
            self._trace.message(data, self._shown, remote, False, "sip", "UDP", now)
        self._shell.receive(data, self._flow(remote, local), now)

    def on_drained(self, full: bool) -> None:
        """A full batch of it was read, or all there was."""
        name, intake = self._listener.name, self._shell.intake
        if full or name in intake.full:  # else there was room: nothing is looked up for a datagram that comes alone
            if lost := self.udp.lost():
                self._shell.engine.counters["datagrams_lost"] += lost
                intake.some_were_lost()
            if full:
                intake.batch_was_full(name, self._shell.now())
            else:
                intake.read_empty(name)
        self._shell.pump()

    def on_unreachable(self, remote: Address) -> None:
        self._shell.transport_failed(self._flow(remote, ""))

    def _answer_stun(self, data: bytes, remote: Address, local: str) -> None:
        """A keep-alive (RFC 5626 8): answered whatever else waits, from where it came to, and in no trace."""
        told = answer(data, remote)
        self._shell.engine.counters["stun_dropped" if told is None else "stun_answered"] += 1
        if told is not None:
            with suppress(OSError):  # who does not hear the answer asks again
                self.udp.send(told, remote, local)

    def _flow(self, remote: Address, local: str) -> Flow:
        """One object for each way that something came lately: transactions and bindings keep it."""
        flow = self._flows.get((remote, local))
        if flow is None:
            if len(self._flows) >= MOST_FLOWS:
                self._flows.clear()
            listener = self._listener
            flow = Flow("UDP", (local or listener.host, listener.port), remote, listener=listener.name)
            self._flows[remote, local] = flow
        return flow


async def shown_end(listener: Listener, resolver: Resolver) -> Address:
    """How the trace, in which there are no names, shows this end: a wildcard by the address that it advertises."""
    if listener.host not in WILDCARDS:
        return listener.host, listener.port
    host, port = listener.advertised
    if not is_literal(host):
        found = await resolver.addresses(host, (6,) if ":" in listener.host else (4,))
        host = found[0] if found else listener.host  # peers may know the name all the same
    return host, port
