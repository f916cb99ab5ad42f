"""The shell around a SIP engine: sockets feed it, one timer wakes it, what it wants done is done here."""

from __future__ import annotations

import asyncio
import math
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping

from talkburst.daemon.address import Listen, show_host_port
from talkburst.daemon.log import Log
from talkburst.net.clock import Clock
from talkburst.net.commit_gate import CommitGate, Unit
from talkburst.net.connections import Connections
from talkburst.net.datagrams import Datagrams
from talkburst.net.intake import Intake, QueueLimits
from talkburst.net.listen import WILDCARDS, ListenError, is_dual_stack, open_socket, show
from talkburst.net.locator import Locator
from talkburst.net.lookups import Lookups
from talkburst.net.message_trace import MessageTrace
from talkburst.net.resolver import Resolver
from talkburst.net.tcp import TcpConnection, TcpLimits
from talkburst.net.tls import Tls
from talkburst.sip.actions import Action, Connect, LimitSilence, Resolve, Send
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Address, Flow, Listener
from talkburst.sip.journal import Journal
from talkburst.sip.locating import Located
from talkburst.sip.message import Request, Response
from talkburst.sip.transaction.client import Failure, Outcome
from talkburst.sip.transaction.key import client_key
from talkburst.store.state import StateStore

_REASONS = {Failure.TRANSPORT: "unreachable", Failure.TIMEOUT: "no answer"}


class SipNode:
    """An engine with sockets.

    An exception out of a transaction user is logged here and goes no further: the engine has answered the request
    500, and every other transaction goes on.

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
        self._clock = clock
        self._trace = trace
        self._log = Log("sip")
        self._bound: list[tuple[Listener, socket.socket]] = []  # nothing is read from these yet
        self._intake = Intake(self, queue or QueueLimits(), self._log)
        self._lookups = Lookups(self, Locator(self.resolver, engine.hosts), self._log)
        self._datagrams = Datagrams(self, trace, self._log)
        self._connections = Connections(self, limits or TcpLimits(), self._log, tls)
        self._tls = tls
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = math.inf
        self._pumping = False
        self._closed = False
        self._journal = journal
        self._on_lost = on_lost
        self._gate: CommitGate | None = None
        if journal is not None and store is not None:
            self._gate = CommitGate(journal, store, self._perform_all, self._on_not_stored, self.pump)

    def now(self) -> float:
        """The time for every call into the engine."""
        return self._clock.now()

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
        for listener, _ in self._bound:
            if listener.transport == "UDP":
                await self._datagrams.show(listener, self.resolver)
        bound, self._bound = self._bound, []
        for listener, opened in bound:
            if listener.transport == "UDP":
                self._datagrams.listen(listener, opened)
        for listener, opened in bound:
            if listener.transport == "TLS" and not self._can_be_called_over_tls:
                self._bound.append((listener, opened))  # the port stays ours, but nobody can call us there
            elif listener.reliable:
                await self._connections.listen(listener, opened)

    @property
    def _can_be_called_over_tls(self) -> bool:
        return self._tls is not None and self._tls.accepting is not None

    def pump(self, now: float | None = None) -> None:
        """Do what the engine wants done; to be called after anything that was started from outside it."""
        if self._pumping or self._closed:
            return
        self._pumping = True
        try:
            if self._gate is None:
                while actions := self.engine.take():
                    self._perform_all(actions)
            else:
                self._gate.add(self.engine.take())
                while self._gate.advance():
                    self._gate.add(self.engine.take())
        finally:
            self._pumping = False
        self._arm()
        self._intake.awake()

    async def close(self) -> None:
        """Close sockets and connections and forget the timer; what the engine still wanted is sent first."""
        self.pump()
        if self._gate is not None and not self._closed:
            await self._gate.drain()
        self._closed = True
        if self._wake is not None:
            self._wake.cancel()
        await self._lookups.close()
        await self.resolver.close()
        for _, bound in self._bound:
            bound.close()
        self._datagrams.close()
        await self._connections.close()
        self._intake.close()

    def guarded(self, cause: str, remote: Address | None, call: Callable[[], None]) -> None:
        """Run the engine on one event. What a transaction user raises is contained."""
        self._contained(cause, remote, call)
        if self._gate is not None:
            self._gate.add(self.engine.take())

    def _contained(self, cause: str, remote: Address | None, call: Callable[[], None]) -> None:
        """What `call` raises is one line in the log, its traceback is shown at debug."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - one request that is handled wrongly must not end the daemon
            self._report(cause, remote, error)

    def _report(self, cause: str, remote: Address | None, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        self._log.error(
            "internal error",
            cause=cause,
            remote=None if remote is None else show_host_port(*remote),
            error=f"{type(error).__name__}: {error}",
            at=f"{where.filename}:{where.lineno}",
        )
        self._log.debug("traceback", text="".join(traceback.format_exception(error)))

    def traced(self, data: bytes, connection: TcpConnection, outbound: bool, at: float) -> None:
        self._trace.message(data, connection.local, connection.remote, outbound, "sip", connection.speaks, at)

    # In

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """A message came."""
        intake = self._intake
        if now > intake.late_at:
            intake.came_late()
        if intake.behind:
            intake.take(data, flow, now)
        else:
            self.serve(data, flow, now)

    def serve(self, data: bytes, flow: Flow, now: float, *, overloaded: bool = False) -> None:
        """As `guarded` for a message, without a closure for each of them."""
        try:
            if overloaded:
                self.engine.receive_overloaded(data, flow, now)
            else:
                self.engine.receive(data, flow, now)
        except Exception as error:  # noqa: BLE001 - one request that is handled wrongly must not end the daemon
            self._report("message", flow.remote, error)
        if self._gate is not None:
            self._gate.add(self.engine.take())

    def batch_read(self, name: str, full: bool) -> None:
        """What the UDP socket of that listener held was read, or a full batch of it."""
        intake = self._intake
        if full or name in intake.full:  # else there was room: nothing is looked up for a datagram that comes alone
            if lost := self._datagrams.lost(name):
                self.engine.counters["datagrams_lost"] += lost
                intake.some_were_lost()
            if full:
                intake.batch_was_full(name, self.now())
            else:
                intake.read_empty(name)
        self.pump()

    def drained(self, connection: TcpConnection, size: int) -> None:
        """A part of a stream was read."""
        if self._intake.behind:
            self._intake.hold(connection, size)
        self.pump()

    def perform(self, send: Send) -> None:
        self._perform_all((send,))

    def commit_behind(self) -> tuple[float, int]:
        return (0.0, 0) if self._gate is None else self._gate.behind()

    def read_ahead(self, wanted: bool) -> None:
        self._datagrams.read_ahead(wanted)

    def transport_failed(self, flow: Flow, message: Request | Response | None = None) -> None:
        now = self.now()
        self.guarded("transport failure", flow.remote, lambda: self.engine.transport_failed(flow, now, message))

    def _on_time(self) -> None:
        self._wake, self._wake_at = None, math.inf
        self.guarded("timer", None, lambda: self.engine.handle_timer(self.now()))
        self.pump()

    # Out

    def _perform_all(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Send) and not action.flow.connection:
                self._datagrams.send(action)
            else:
                self._perform(action)

    def _on_not_stored(self, units: list[Unit], error: Exception) -> None:
        """Nothing of `units` is on disk: undo it in memory, and take back what was promised with it."""
        self._log.error("state not stored, what it was for is answered 500", reason=str(error))
        assert self._journal is not None
        self._contained("state not stored", None, lambda: self._on_lost(self.now()))
        self._journal.take()
        promised = {id(send.data): send for unit in units if unit.changes for send in _promises(unit)}
        self.engine.withdraw(promised.values())
        for unit in units:
            self._perform_all(action for action in unit.actions if self._stands(action, promised))

    def _stands(self, action: Action, promised: Mapping[int, Send]) -> bool:
        """Whether something that waited in vain is still to be done: no promise, and no request that was abandoned."""
        if not isinstance(action, Send):
            return True
        message = action.message
        if isinstance(message, Response):
            return id(action.data) not in promised
        return message.method == "ACK" or client_key(message) in self.engine.clients

    def _perform(self, action: Action) -> None:
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

    def _arm(self) -> None:
        """One timer handle: moved when the next deadline is earlier, else left to fire and look again."""
        deadline = self.engine.next_deadline()
        if deadline is None or deadline >= self._wake_at:
            return
        if self._wake is not None:
            self._wake.cancel()
        # Rounded up to the millisecond uvloop counts in, so that the deadline has come when the handle fires.
        delay = math.ceil(max(0.0, deadline - self.now()) * 1000) / 1000
        self._wake = asyncio.get_running_loop().call_later(delay, self._on_time)
        self._wake_at = deadline


def _promises(unit: Unit) -> Iterator[Send]:
    """The 2xx of a unit."""
    for action in unit.actions:
        if isinstance(action, Send) and isinstance(action.message, Response) and 200 <= action.message.status < 300:
            yield action
