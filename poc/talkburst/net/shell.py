"""What stands around an engine: one event after the other goes in, what the engine wants done is done, one timer wakes
it."""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import Callable

from talkburst.daemon.address import show_host_port
from talkburst.daemon.log import Log
from talkburst.net.clock import Clock
from talkburst.net.commit_gate import CommitGate
from talkburst.net.datagrams import Datagrams
from talkburst.net.intake import Intake, QueueLimits
from talkburst.net.message_trace import MessageTrace
from talkburst.sip.actions import Action, Send
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Address, Flow
from talkburst.sip.message import Request, Response


class Shell:
    """Every event of an engine, and every action. `otherwise` performs what is no datagram to be sent.

    An exception out of a transaction user is logged here and goes no further: the engine has answered the request
    500, and every other transaction goes on.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        trace: MessageTrace,
        log: Log,
        queue: QueueLimits,
        otherwise: Callable[[Action], None],
    ) -> None:
        self.engine = engine
        self.intake = Intake(self, queue, log)
        self.datagrams = Datagrams(self, trace, log)
        self.gate: CommitGate | None = None
        self.closed = False
        self._clock = clock
        self._log = log
        self._otherwise = otherwise
        self._wake: asyncio.TimerHandle | None = None
        self._wake_at = math.inf
        self._pumping = False

    def now(self) -> float:
        """The time for every call into the engine."""
        return self._clock.now()

    # In

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """A message came."""
        intake = self.intake
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
        if self.gate is not None:
            self.gate.add(self.engine.take())

    def transport_failed(self, flow: Flow, message: Request | Response | None = None) -> None:
        now = self.now()
        self.guarded("transport failure", flow.remote, lambda: self.engine.transport_failed(flow, now, message))

    def guarded(self, cause: str, remote: Address | None, call: Callable[[], None]) -> None:
        """Run the engine on one event. What a transaction user raises is contained."""
        self.contained(cause, remote, call)
        if self.gate is not None:
            self.gate.add(self.engine.take())

    def contained(self, cause: str, remote: Address | None, call: Callable[[], None]) -> None:
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

    def _on_time(self) -> None:
        self._wake, self._wake_at = None, math.inf
        self.guarded("timer", None, lambda: self.engine.handle_timer(self.now()))
        self.pump()

    # Out

    def pump(self) -> None:
        """Do what the engine wants done; to be called after anything that was started from outside it."""
        if self._pumping or self.closed:
            return
        self._pumping = True
        try:
            if self.gate is None:
                while actions := self.engine.take():
                    self.perform_all(actions)
            else:
                self.gate.add(self.engine.take())
                while self.gate.advance():
                    self.gate.add(self.engine.take())
        finally:
            self._pumping = False
        self._arm()
        self.intake.awake()

    def perform(self, action: Action) -> None:
        if isinstance(action, Send) and not action.flow.connection:
            self.datagrams.send(action)
        else:
            self._otherwise(action)

    def perform_all(self, actions: list[Action]) -> None:
        for action in actions:
            self.perform(action)

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

    def close(self) -> None:
        """Take in and do nothing more, and forget the timer."""
        self.closed = True
        if self._wake is not None:
            self._wake.cancel()

    # Whether it keeps up

    def commit_behind(self) -> tuple[float, int]:
        return (0.0, 0) if self.gate is None else self.gate.behind()

    def read_ahead(self, wanted: bool) -> None:
        self.datagrams.read_ahead(wanted)
