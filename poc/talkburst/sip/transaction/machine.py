"""Runs one transaction machine: keeps its state and its timers, and asks a subclass to perform the actions."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Protocol

from talkburst.sip.agenda import Agenda, Alarm
from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response
from talkburst.sip.timers import UNRELIABLE_ONLY, Timer, Timers
from talkburst.sip.transaction.states import Action, Event, Machine, State


class TransactionLayer(Protocol):
    """What a transaction needs from the engine that owns it."""

    agenda: Agenda
    timers: Timers
    counters: Counter[str]

    def transmit(self, flow: Flow, data: bytes, message: Request | Response) -> None: ...


class Transaction:
    """State, timers and the way from an event to the actions of its transition."""

    __slots__ = ("_alarms", "_interval", "_layer", "machine", "reliable", "request", "state")

    def __init__(self, layer: TransactionLayer, machine: Machine, request: Request, reliable: bool) -> None:
        self._layer = layer
        self._alarms: dict[Timer, Alarm] = {}
        self._interval = layer.timers.t1
        self.machine = machine
        self.request = request
        self.reliable = reliable
        self.state = machine.initial

    @property
    def terminated(self) -> bool:
        return self.state is State.TERMINATED

    def handle(self, event: Event, now: float, message: Request | Response | None = None) -> None:
        """Take the transition for `event`; the state is the new one before any action runs, so actions may re-enter."""
        transition = self.machine.step(self.state, event)
        if transition is None:
            return
        previous, (self.state, actions) = self.state, transition
        if self.state is not previous:
            self._enter(now)
        elif event in UNRELIABLE_ONLY:
            self._repeat(event, now)
        for action in actions:
            self._perform(action, now, message)

    def _enter(self, now: float) -> None:
        """Stop the timers the state does not have, start those it has and that do not run yet."""
        wanted, alarms = self.machine.timers[self.state], self._alarms
        if alarms:
            for timer in [timer for timer in alarms if timer not in wanted]:
                alarms.pop(timer).cancel()
        for timer in wanted:
            if timer not in alarms and self._layer.timers.runs(timer, self.reliable):
                self._start(timer, now + self._layer.timers.duration(timer, self.reliable))
        if self.state is State.TERMINATED:
            self._forgotten()

    def _repeat(self, event: Event, now: float) -> None:
        """Start a retransmission timer again: A doubles; E and G double up to T2; E is T2 in Proceeding."""
        timers = self._layer.timers
        self._interval *= 2
        if event is Timer.E and self.state is State.PROCEEDING:
            self._interval = timers.t2
        elif event is not Timer.A:
            self._interval = min(self._interval, timers.t2)
        assert isinstance(event, Timer)
        self._start(event, now + self._interval)

    def _start(self, timer: Timer, at: float) -> None:
        self._alarms[timer] = self._layer.agenda.schedule(at, partial(self._fire, timer))

    def _fire(self, timer: Timer, now: float) -> None:
        self._alarms.pop(timer, None)
        self.handle(timer, now)

    def _forgotten(self) -> None:
        """The owner drops the transaction the instant it is terminated (RFC 3261 17.1.1.2)."""
        raise NotImplementedError

    def _perform(self, action: Action, now: float, message: Request | Response | None) -> None:
        raise NotImplementedError
