"""The tables against the figures of RFC 3261 17 and RFC 6026, and against themselves."""

import pytest

from talkburst.sip.timers import Timer
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

# Who goes where: state, event, next state, actions. "-" stays unlisted: ignored.
FIGURES = {
    INVITE_CLIENT: """
        CALLING    A               CALLING    RESEND
        CALLING    B               TERMINATED REPORT_TIMEOUT
        CALLING    PROVISIONAL     PROCEEDING DELIVER
        CALLING    SUCCESS         ACCEPTED   DELIVER
        CALLING    REJECTION       COMPLETED  SEND_ACK DELIVER
        CALLING    TRANSPORT_ERROR TERMINATED REPORT_TRANSPORT
        PROCEEDING PROVISIONAL     PROCEEDING DELIVER
        PROCEEDING SUCCESS         ACCEPTED   DELIVER
        PROCEEDING REJECTION       COMPLETED  SEND_ACK DELIVER
        PROCEEDING TRANSPORT_ERROR -
        PROCEEDING B               TERMINATED REPORT_TIMEOUT
        COMPLETED  PROVISIONAL     -
        COMPLETED  SUCCESS         -
        COMPLETED  REJECTION       COMPLETED  SEND_ACK
        COMPLETED  TRANSPORT_ERROR TERMINATED
        COMPLETED  D               TERMINATED
        ACCEPTED   PROVISIONAL     -
        ACCEPTED   SUCCESS         ACCEPTED   DELIVER
        ACCEPTED   REJECTION       -
        ACCEPTED   TRANSPORT_ERROR -
        ACCEPTED   M               TERMINATED
    """,
    NON_INVITE_CLIENT: """
        TRYING     E               TRYING     RESEND
        TRYING     F               TERMINATED REPORT_TIMEOUT
        TRYING     PROVISIONAL     PROCEEDING DELIVER
        TRYING     SUCCESS         COMPLETED  DELIVER
        TRYING     REJECTION       COMPLETED  DELIVER
        TRYING     TRANSPORT_ERROR TERMINATED REPORT_TRANSPORT
        PROCEEDING E               PROCEEDING RESEND
        PROCEEDING F               TERMINATED REPORT_TIMEOUT
        PROCEEDING PROVISIONAL     PROCEEDING DELIVER
        PROCEEDING SUCCESS         COMPLETED  DELIVER
        PROCEEDING REJECTION       COMPLETED  DELIVER
        PROCEEDING TRANSPORT_ERROR TERMINATED REPORT_TRANSPORT
        COMPLETED  PROVISIONAL     -
        COMPLETED  SUCCESS         -
        COMPLETED  REJECTION       -
        COMPLETED  TRANSPORT_ERROR -
        COMPLETED  K               TERMINATED
    """,
    INVITE_SERVER: """
        PROCEEDING INVITE_TRYING   PROCEEDING SEND_TRYING
        PROCEEDING REQUEST         PROCEEDING RESEND
        PROCEEDING ACK             -
        PROCEEDING PROVISIONAL     PROCEEDING SEND
        PROCEEDING SUCCESS         ACCEPTED   SEND
        PROCEEDING REJECTION       COMPLETED  SEND
        PROCEEDING TRANSPORT_ERROR -
        COMPLETED  G               COMPLETED  RESEND
        COMPLETED  H               TERMINATED REPORT_TIMEOUT
        COMPLETED  REQUEST         COMPLETED  RESEND
        COMPLETED  ACK             CONFIRMED
        COMPLETED  PROVISIONAL     -
        COMPLETED  SUCCESS         -
        COMPLETED  REJECTION       -
        COMPLETED  TRANSPORT_ERROR -
        ACCEPTED   REQUEST         -
        ACCEPTED   ACK             ACCEPTED   PASS_ACK
        ACCEPTED   PROVISIONAL     -
        ACCEPTED   SUCCESS         ACCEPTED   SEND
        ACCEPTED   REJECTION       -
        ACCEPTED   TRANSPORT_ERROR -
        ACCEPTED   L               TERMINATED
        CONFIRMED  REQUEST         -
        CONFIRMED  ACK             -
        CONFIRMED  PROVISIONAL     -
        CONFIRMED  SUCCESS         -
        CONFIRMED  REJECTION       -
        CONFIRMED  TRANSPORT_ERROR -
        CONFIRMED  I               TERMINATED
    """,
    NON_INVITE_SERVER: """
        TRYING     TRYING          PROCEEDING SEND_TRYING
        TRYING     ABANDON         TERMINATED REPORT_TIMEOUT
        TRYING     REQUEST         -
        TRYING     PROVISIONAL     PROCEEDING SEND
        TRYING     SUCCESS         COMPLETED  SEND
        TRYING     REJECTION       COMPLETED  SEND
        TRYING     TRANSPORT_ERROR -
        PROCEEDING ABANDON         TERMINATED REPORT_TIMEOUT
        PROCEEDING REQUEST         PROCEEDING RESEND
        PROCEEDING PROVISIONAL     PROCEEDING SEND
        PROCEEDING SUCCESS         COMPLETED  SEND
        PROCEEDING REJECTION       COMPLETED  SEND
        PROCEEDING TRANSPORT_ERROR -
        COMPLETED  J               TERMINATED
        COMPLETED  REQUEST         COMPLETED  RESEND
        COMPLETED  PROVISIONAL     -
        COMPLETED  SUCCESS         -
        COMPLETED  REJECTION       -
        COMPLETED  TRANSPORT_ERROR -
    """,
}
ROWS = [
    pytest.param(machine, *line.split(maxsplit=2), id=f"{machine.name}: {' '.join(line.split()[:2])}")
    for machine, figure in FIGURES.items()
    for line in figure.strip().splitlines()
]


def event_named(name: str) -> Signal | Timer:
    return Signal[name] if name in Signal.__members__ else Timer[name]


@pytest.mark.parametrize(("machine", "state", "event", "expected"), ROWS)
def test_each_transition_is_that_of_the_figure(machine: Machine, state: str, event: str, expected: str) -> None:
    transition = machine.step(State[state], event_named(event))
    if expected == "-":
        assert transition is None
    else:
        assert transition is not None
        target, actions = transition
        assert [target.name, *(action.name for action in actions)] == expected.split()


@pytest.mark.parametrize("machine", FIGURES, ids=lambda machine: machine.name)
def test_the_tables_hold_no_row_that_no_figure_has(machine: Machine) -> None:
    rows = map(str.split, FIGURES[machine].strip().splitlines())
    listed = {(State[state], event_named(event)) for state, event, *_ in rows}
    assert {(state, event) for state, row in machine.table.items() for event in row} <= listed


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
