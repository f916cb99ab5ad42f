"""Runs one transaction machine: keeps its state and its timers, and asks a subclass to perform the actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from talkburst.sip.agenda import Alarm
from talkburst.sip.message import Request, Response
from talkburst.sip.timers import UNRELIABLE_ONLY, Timer
from talkburst.sip.transaction.states import Action, Event, Machine, State

if TYPE_CHECKING:
    from talkburst.sip.transaction.layer import TransactionLayer

TERMINATED: Final = State.TERMINATED


class RunningTimer(Alarm):
    """A timer of a transaction. Those of one transaction, never more than three, lead one to the next."""

    __slots__ = ("another", "timer", "transaction")

    def __init__(self, at: float, timer: Timer, transaction: Transaction, another: RunningTimer | None) -> None:
        Alarm.__init__(self, at)
        self.timer = timer
        self.transaction: Transaction | None = transaction
        self.another = another

    def cancel(self) -> None:
        self.pending = False
        self.transaction = self.another = None

    def ring(self, now: float) -> None:
        transaction = self.transaction
        if transaction is not None:
            transaction.fire(self, now)


class Transaction:
    """State, timers and the way from an event to the actions of its transition."""

    __slots__ = ("_interval", "_layer", "_timers", "machine", "reliable", "request", "state")

    def __init__(self, layer: TransactionLayer, machine: Machine, request: Request, reliable: bool) -> None:
        self._layer = layer
        self._timers: RunningTimer | None = None
        self._interval = layer.timers.t1
        self.machine = machine
        self.request = request
        self.reliable = reliable
        self.state = machine.initial

    @property
    def terminated(self) -> bool:
        return self.state is TERMINATED

    def handle(self, event: Event, now: float, message: Request | Response | None = None) -> None:
        """Take the transition for `event`; the state is the new one before any action runs, so actions may re-enter."""
        previous = self.state
        transition = self.machine.step(previous, event)
        if transition is None:
            return
        self.state, actions = transition
        if self.state is not previous:
            self._enter(now)
        elif event in UNRELIABLE_ONLY:
            self._repeat(event, now)
        for action in actions:
            self._perform(action, now, message)

    def _enter(self, now: float) -> None:
        """Stop the timers the state does not have, start those it has and that do not run yet."""
        wanted = self.machine.timers[self.state]
        if self._timers is not None:
            self._stop_all_but(wanted)
        for timer in wanted:
            if self._timers is None or not self.runs(timer):
                duration = self._layer.durations(self.reliable).get(timer)
                if duration is not None:
                    self._start(timer, now, duration)
        if self.state is TERMINATED:
            self._forgotten()

    def runs(self, timer: Timer) -> bool:
        each = self._timers
        while each is not None:
            if each.timer is timer:
                return True
            each = each.another
        return False

    def _stop_all_but(self, wanted: tuple[Timer, ...]) -> None:
        each, self._timers = self._timers, None
        while each is not None:
            following = each.another
            if each.timer in wanted:
                each.another, self._timers = self._timers, each
            else:
                each.cancel()
            each = following

    def _repeat(self, event: Event, now: float) -> None:
        """Start a retransmission timer again: A doubles; E and G double up to T2; E is T2 in Proceeding."""
        timers = self._layer.timers
        self._interval *= 2
        if event is Timer.E and self.state is State.PROCEEDING:
            self._interval = timers.t2
        elif event is not Timer.A:
            self._interval = min(self._interval, timers.t2)
        assert isinstance(event, Timer)
        self._start(event, now, self._interval)

    def _start(self, timer: Timer, now: float, duration: float) -> None:
        self._timers = RunningTimer(now + duration, timer, self, self._timers)
        self._layer.agenda.wait(self._timers, duration)

    def fire(self, due: RunningTimer, now: float) -> None:
        """A timer is due, and runs no more."""
        each = self._timers
        if each is due:
            self._timers = due.another
        while each is not None and each is not due:
            if each.another is due:
                each.another = due.another
            each = each.another
        due.cancel()
        self.handle(due.timer, now)

    def _forgotten(self) -> None:
        """The owner drops the transaction the instant it is terminated (RFC 3261 17.1.1.2)."""
        raise NotImplementedError

    def _perform(self, action: Action, now: float, message: Request | Response | None) -> None:
        raise NotImplementedError
