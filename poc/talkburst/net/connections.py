"""The TCP connections of a node: accepted, opened, written to and closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from talkburst.daemon.address import show_host_port
from talkburst.daemon.log import Log
from talkburst.net.handshakes import Handshakes, call
from talkburst.net.listen import WAITING_CONNECTIONS, WILDCARDS
from talkburst.net.message_trace import MessageTrace
from talkburst.net.room import Room
from talkburst.net.seldom import Seldom
from talkburst.net.shell import Shell
from talkburst.net.tcp import TcpConnection
from talkburst.net.tcp_limits import DEAF, IDLE, REKEYING, SILENT, UNFINISHED, TcpLimits
from talkburst.net.tls import Tls
from talkburst.net.tls_stream import TlsStream
from talkburst.sip.actions import Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Response
from talkburst.sip.parser import Malformed

COUNTED = {
    IDLE: "connections_idle",
    SILENT: "connections_silent",
    UNFINISHED: "connections_unfinished",
    DEAF: "connections_not_read",
    REKEYING: "connections_rekeying",
}


class Connections:
    """Every connection under the number the engine gave it.

    `keeps(flow)`: one over which somebody is registered is not closed because nothing comes.
    """

    def __init__(
        self,
        shell: Shell,
        limits: TcpLimits,
        trace: MessageTrace,
        log: Log,
        keeps: Callable[[Flow], bool],
        tls: Tls | None = None,
    ) -> None:
        self._shell = shell
        self._limits = limits
        self._trace = trace if trace.looked_at else None
        self._keeps = keeps
        self._log = log
        self._tls = tls
        self._handshakes = Handshakes(limits, log, shell.engine.counters)
        self._broken = Seldom(log, "broken stream")
        self._room = Room(limits, self.keeps, shell.engine.counters, log)
        self._servers: list[asyncio.Server] = []
        self._listeners: dict[tuple[str, str], Listener] = {}  # by name and transport
        self._attempts: dict[int, asyncio.Task[None]] = {}
        self._open: dict[int, TcpConnection] = {}
        self._sockets: set[TcpConnection] = set()  # also of those that only wait for their last bytes to leave
        self._stopping = False
        self._all_closed = asyncio.Event()

    async def listen(self, listener: Listener, bound: socket.socket) -> None:
        """Accept what connects to `bound`."""
        self._listeners[listener.name, listener.transport] = listener
        server = await asyncio.get_running_loop().create_server(
            lambda: self._accepted_by(listener), sock=bound, backlog=WAITING_CONNECTIONS
        )
        self._servers.append(server)

    def _accepted_by(self, listener: Listener) -> asyncio.Protocol:
        connection = TcpConnection(self, self._limits, listener.name)
        if listener.transport != "TLS":
            return connection
        assert self._tls is not None
        assert self._tls.accepting is not None
        return TlsStream(self._handshakes, connection, self._tls.accepting)

    def send(self, send: Send) -> None:
        """Write a message. A connection that is gone has told the engine so, or does now."""
        connection, message = self._open.get(send.flow.connection), send.message
        if connection is not None and connection.half_closed and not isinstance(message, Response):
            connection = None  # nobody would answer it
        at = 0.0 if self._trace is None else self._shell.now()
        if connection is not None and connection.write(send.data):
            self._traced(send.data, connection, True, at)
            if isinstance(message, Response) and message.status >= 200:
                connection.answered(send)
            return
        if connection is None:
            self._failed(send.flow)
        if isinstance(message, Response) and not self._stopping:
            self._send_elsewhere(send)

    def _send_elsewhere(self, send: Send) -> None:
        """A response whose connection closed before its turn came: nobody repeats the request (RFC 3261 18.2.2)."""
        shell, flow, message = self._shell, send.flow, send.message
        shell.guarded("late response", flow.remote, lambda: shell.engine.transmit(flow, send.data, message))
        shell.pump()

    def connect(self, flow: Flow, domain: str = "") -> None:
        """Open the connection of `flow`, over TLS to whoever proves to be `domain`."""
        attempt = asyncio.get_running_loop().create_task(self._connect(flow, domain))
        self._attempts[flow.connection] = attempt
        attempt.add_done_callback(lambda _: self._attempts.pop(flow.connection, None))

    def disconnect(self, flow: Flow) -> None:
        """Nobody wants this connection any more."""
        connection = self._open.get(flow.connection)
        attempt = self._attempts.get(flow.connection)
        if connection is not None:
            connection.finish("not wanted any more")
        elif attempt is not None:
            attempt.cancel()

    def limit_silence(self, flow: Flow, seconds: float | None) -> None:
        """Close this connection when nothing has come for so long."""
        connection = self._open.get(flow.connection)
        if connection is not None:
            connection.limit_silence(seconds)

    async def close(self) -> None:
        """Accept and open no more; what is written leaves first, unless a peer takes longer than the limit."""
        self._stopping = True
        for server in self._servers:
            server.close()
        attempts = list(self._attempts.values())
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
        self._handshakes.stop()
        self._all_closed.clear()
        for connection in list(self._sockets):
            connection.finish("stopped")
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * self._limits.close):
                if self._sockets:
                    await self._all_closed.wait()
                for server in self._servers:
                    await server.wait_closed()

    async def _connect(self, flow: Flow, domain: str) -> None:
        own, _ = flow.local
        local = None if own in WILDCARDS else (own, 0)
        connection = TcpConnection(self, self._limits, flow.listener, flow)
        try:
            async with asyncio.timeout(self._limits.connect):
                if flow.transport != "TLS":
                    loop = asyncio.get_running_loop()
                    await loop.create_connection(lambda: connection, *flow.remote, local_addr=local)
                else:
                    assert self._tls is not None
                    await call(connection, self._tls.calling, domain, flow.remote, local)
        except OSError as error:  # TimeoutError is one
            reason = error.strerror or str(error) or "no answer in time"
            self._log.warning(
                "not connected", remote=show_host_port(*flow.remote), domain=domain or None, reason=reason
            )
            self._failed(flow)

    def _failed(self, flow: Flow) -> None:
        if self._stopping:
            return
        shell = self._shell
        shell.guarded("transport failure", flow.remote, lambda: shell.engine.transport_failed(flow, shell.now()))
        shell.pump()

    def _traced(self, data: bytes, connection: TcpConnection, outbound: bool, at: float) -> None:
        if self._trace is not None:
            self._trace.message(data, connection.local, connection.remote, outbound, "sip", connection.speaks, at)

    # What the connections tell

    def on_open(self, connection: TcpConnection) -> bool:
        if self._stopping or (connection.flow is None and not self._room.take(connection)):
            return False
        self._sockets.add(connection)
        if connection.flow is None:
            listener = self._listeners[connection.listener, connection.speaks]
            flow = self._shell.engine.accepted(listener, connection.remote, connection.proved)
            connection.flow, connection.accepted = flow, True
            self._open[flow.connection] = connection
        else:
            flow = connection.flow
            self._open[flow.connection] = connection
            shell = self._shell
            shell.guarded(
                "connection", flow.remote, lambda: shell.engine.connected(flow, shell.now(), connection.proved)
            )
            shell.pump()
        return True

    def on_message(self, connection: TcpConnection, data: bytes) -> None:
        flow, shell, now = connection.flow, self._shell, self._shell.now()
        assert flow is not None
        self._traced(data, connection, False, now)
        shell.receive(data, flow, now)

    def on_broken(self, connection: TcpConnection, fault: Malformed) -> None:
        flow, shell = connection.flow, self._shell
        assert flow is not None
        self._broken.warn(connection.heard, remote=show_host_port(*flow.remote), reason=fault.text)
        shell.guarded("message", flow.remote, lambda: shell.engine.receive_broken(fault, flow))
        shell.pump()
        connection.finish(fault.text)

    def on_drained(self, connection: TcpConnection, size: int) -> None:
        """A part of a stream was read."""
        if self._shell.intake.behind:
            self._shell.intake.hold(connection, size)
        self._shell.pump()

    def keeps(self, connection: TcpConnection) -> bool:
        return connection.flow is not None and self._keeps(connection.flow)

    def on_half_closed(self, connection: TcpConnection) -> None:
        flow, shell = connection.flow, self._shell
        assert flow is not None
        shell.guarded("connection", flow.remote, lambda: shell.engine.half_closed(flow, shell.now()))
        shell.pump()

    def on_closing(self, connection: TcpConnection, reason: str) -> None:
        flow = connection.flow
        assert flow is not None
        self._log.debug("connection closed", remote=show_host_port(*flow.remote), reason=reason)
        if reason in COUNTED:
            self._shell.engine.counters[COUNTED[reason]] += 1
        self._open.pop(flow.connection, None)
        self._failed(flow)
        for send in connection.uncertain if not self._stopping else ():
            self._send_elsewhere(send)

    def on_closed(self, connection: TcpConnection) -> None:
        if connection not in self._sockets:
            if connection.flow is not None:  # one of ours that was gone before it could be looked at
                self._failed(connection.flow)
            return
        self._sockets.remove(connection)
        if connection.accepted:
            self._room.give_back(connection)
        if not self._sockets:
            self._all_closed.set()
