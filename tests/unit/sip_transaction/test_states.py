"""The tables of the machines against themselves; `test_figures.py` has them against the RFCs."""

import pytest

from talkburst.sip.message import Response
from talkburst.sip.timers import Timer
from talkburst.sip.transaction.client import signal_of
from talkburst.sip.transaction.states import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Machine,
    Signal,
    State,
    UnexpectedEventError,
)

CLIENTS = (INVITE_CLIENT, NON_INVITE_CLIENT)
SERVERS = (INVITE_SERVER, NON_INVITE_SERVER)
CLIENT_SIGNALS = {Signal.PROVISIONAL, Signal.SUCCESS, Signal.REJECTION, Signal.TRANSPORT_ERROR}
SERVER_SIGNALS = {*CLIENT_SIGNALS, Signal.REQUEST}


@pytest.mark.parametrize("machine", [*CLIENTS, *SERVERS], ids=lambda machine: machine.name)
def test_every_state_takes_or_ignores_every_signal_and_its_own_timers(machine: Machine) -> None:
    signals = CLIENT_SIGNALS if machine in CLIENTS else SERVER_SIGNALS
    if machine is INVITE_SERVER:
        signals = signals | {Signal.ACK}
    for state in machine.table:
        for event in (*signals, *machine.timers[state]):
            machine.step(state, event)
        assert not machine.table[state].keys() & machine.ignored[state], "taken or ignored, not both"


@pytest.mark.parametrize("machine", [*CLIENTS, *SERVERS], ids=lambda machine: machine.name)
def test_a_timer_that_a_state_does_not_have_is_an_error(machine: Machine) -> None:
    with pytest.raises(UnexpectedEventError, match=machine.name):
        machine.step(machine.initial, Timer.K)


def test_a_terminated_transaction_ignores_whatever_comes() -> None:
    for machine in (*CLIENTS, *SERVERS):
        for signal in Signal:
            assert machine.step(State.TERMINATED, signal) is None


@pytest.mark.parametrize(
    ("status", "signal"),
    [
        (100, Signal.PROVISIONAL),
        (199, Signal.PROVISIONAL),
        (200, Signal.SUCCESS),
        (299, Signal.SUCCESS),
        (300, Signal.REJECTION),
        (401, Signal.REJECTION),
        (699, Signal.REJECTION),
    ],
)
def test_the_class_of_a_status_is_the_event(status: int, signal: Signal) -> None:
    assert signal_of(Response(status)) is signal
