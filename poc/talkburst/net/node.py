"""A SIP engine on the event loop: its listeners, and what it wants done but to send datagrams."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping

from talkburst.daemon.address import Listen, show_host_port
from talkburst.daemon.log import Log
from talkburst.net.clock import Clock
from talkburst.net.commit_gate import CommitGate, Unit
from talkburst.net.connections import Connections
from talkburst.net.datagrams import shown_end
from talkburst.net.intake import QueueLimits
from talkburst.net.listen import WILDCARDS, ListenError, is_dual_stack, open_socket, show
from talkburst.net.locator import Locator
from talkburst.net.lookups import Lookups
from talkburst.net.message_trace import MessageTrace
from talkburst.net.resolver import Resolver
from talkburst.net.shell import Shell
from talkburst.net.tcp_limits import TcpLimits
from talkburst.net.tls import Tls
from talkburst.sip.actions import Action, Connect, LimitSilence, Resolve, Send
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.journal import Journal
from talkburst.sip.locating import Located
from talkburst.sip.message import Request, Response
from talkburst.sip.transaction.client import Failure, Outcome
from talkburst.sip.transaction.key import client_key
from talkburst.store.state import StateStore

_REASONS = {Failure.TRANSPORT: "unreachable", Failure.TIMEOUT: "no answer"}


class SipNode:
    """An engine with sockets.

    With a journal and a store, what the engine wants done because of an event that left changes in the journal waits,
    and with it all that comes after, until those changes are stored. When they cannot be, `on_lost(now)` is called and
    has to make the memory what the store holds, which includes to abandon the requests of its own that are under way;
    then each 2xx that waited for the changes becomes 500, and the rest goes its way. What `on_lost` leaves in the
    journal is dropped.

    `keeps(flow)`: a connection over which somebody is registered is not closed because nothing comes.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        trace: MessageTrace,
        limits: TcpLimits | None = None,
        *,
        queue: QueueLimits | None = None,
        journal: Journal | None = None,
        store: StateStore | None = None,
        on_lost: Callable[[float], None] = lambda now: None,
        keeps: Callable[[Flow], bool] = lambda flow: False,
        tls: Tls | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.engine = engine
        self.keeps = keeps
        self.resolver = resolver or Resolver()
        engine.on_next_target = self._on_next_target
        self._log = Log("sip")
        self._bound: list[tuple[Listener, socket.socket]] = []  # nothing is read from these yet
        self._shell = Shell(engine, clock, trace, self._log, queue or QueueLimits(), self._perform)
        self._lookups = Lookups(self._shell, Locator(self.resolver, engine.hosts), self._log)
        self._connections = Connections(
            self._shell, limits or TcpLimits(), trace, self._log, lambda flow: self.keeps(flow), tls
        )
        self._tls = tls
        self._journal = journal
        self._on_lost = on_lost
        if journal is not None and store is not None:
            shell = self._shell
            shell.gate = CommitGate(journal, store, shell.perform_all, self._on_not_stored, shell.pump)

    def now(self) -> float:
        """The time for every call into the engine."""
        return self._shell.now()

    def pump(self, now: float | None = None) -> None:
        """Do what the engine wants done; to be called after anything that was started from outside it."""
        self._shell.pump()

    async def listen(
        self, name: str, address: Listen, advertise: tuple[str, int] | None = None, *, begin: bool = True
    ) -> Listener:
        """Open a socket and tell the engine; raises ListenError.

        `advertise` is what stands in Via and Contact: by default the address itself, and port 0 is the port bound.
        Without `begin` nothing is read from the socket until `begin` is called: an engine that answers on one listener
        and asks on another needs both.
        """
        if address.transport == "tls" and self._tls is None:
            raise ListenError(0, f"cannot listen on {show(address)}: TLS needs a certificate")
        opened = await open_socket(address, held=address.transport == "tls" and not self._can_be_called_over_tls)
        host, port = opened.getsockname()[:2]
        if host in WILDCARDS and advertise is None:
            opened.close()
            raise ListenError(
                0, f"cannot listen on {show(address)}: peers must be told one address to answer to; advertise one"
            )
        advertised = (host, port) if advertise is None else (advertise[0], advertise[1] or port)
        transport = address.transport.upper() or ("TCP" if opened.type == socket.SOCK_STREAM else "UDP")
        listener = Listener(name, transport, host, port, advertised, is_dual_stack(opened))
        self.engine.add_listener(listener)
        self._bound.append((listener, opened))
        if begin:
            await self.begin()
        return listener

    async def begin(self) -> None:
        """Read from every socket that was opened."""
        udp = [listener for listener, _ in self._bound if listener.transport == "UDP"]
        shown = {listener.name: await shown_end(listener, self.resolver) for listener in udp}
        bound, self._bound = self._bound, []
        for listener, opened in bound:
            if listener.transport == "UDP":
                self._shell.datagrams.listen(listener, opened, shown[listener.name])
        for listener, opened in bound:
            if listener.transport == "TLS" and not self._can_be_called_over_tls:
                self._bound.append((listener, opened))  # the port stays ours, but nobody can call us there
            elif listener.reliable:
                await self._connections.listen(listener, opened)

    @property
    def _can_be_called_over_tls(self) -> bool:
        return self._tls is not None and self._tls.accepting is not None

    async def close(self) -> None:
        """Close sockets and connections and forget the timer; what the engine still wanted is sent first."""
        shell = self._shell
        shell.pump()
        if shell.gate is not None and not shell.closed:
            await shell.gate.drain()
        shell.close()
        await self._lookups.close()
        await self.resolver.close()
        for _, bound in self._bound:
            bound.close()
        shell.datagrams.close()
        await self._connections.close()
        shell.intake.close()

    def _on_not_stored(self, units: list[Unit], error: Exception) -> None:
        """Nothing of `units` is on disk: undo it in memory, and take back what was promised with it."""
        self._log.error("state not stored, what it was for is answered 500", reason=str(error))
        assert self._journal is not None
        self._shell.contained("state not stored", None, lambda: self._on_lost(self.now()))
        self._journal.take()
        promised = {id(send.data): send for unit in units if unit.changes for send in _promises(unit)}
        self.engine.withdraw(promised.values())
        for unit in units:
            self._shell.perform_all([action for action in unit.actions if self._stands(action, promised)])

    def _stands(self, action: Action, promised: Mapping[int, Send]) -> bool:
        """Whether something that waited in vain is still to be done: no promise, and no request that was abandoned."""
        if not isinstance(action, Send):
            return True
        message = action.message
        if isinstance(message, Response):
            return id(action.data) not in promised
        return message.method == "ACK" or client_key(message) in self.engine.clients

    def _perform(self, action: Action) -> None:
        """What is no datagram to be sent."""
        if isinstance(action, Send):
            self._connections.send(action)
        elif isinstance(action, Resolve):
            self._lookups.begin(action)
        elif isinstance(action, Connect):
            self._connections.connect(action.flow, action.domain)
        elif isinstance(action, LimitSilence):
            self._connections.limit_silence(action.flow, action.seconds)
        else:
            self._connections.disconnect(action.flow)

    def _on_next_target(self, failed: Located, outcome: Outcome, request: Request) -> None:
        reason = f"{outcome.status} {outcome.reason}" if isinstance(outcome, Response) else _REASONS[outcome]
        self._log.warning(
            "target failed, the next one is asked",
            method=request.method,
            target=f"{failed.transport.lower()}:{show_host_port(*failed.address)}",
            reason=reason,
            call_id=request.call_id,
        )


def _promises(unit: Unit) -> Iterator[Send]:
    """The 2xx of a unit."""
    for action in unit.actions:
        if isinstance(action, Send) and isinstance(action.message, Response) and 200 <= action.message.status < 300:
            yield action
