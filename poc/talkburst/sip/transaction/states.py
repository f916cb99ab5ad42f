"""The four transaction machines as data.

RFC 3261 17.1.1 (figure 5), 17.1.2 (figure 6), 17.2.1 (figure 7) and 17.2.2 (figure 8), with the Accepted state of
RFC 6026 7 and 8 and the late 100 of RFC 4320 4.1.

Facts the tables rest on:

- A timer belongs to states. Entering a state starts those of its timers that do not run yet and stops the timers the
  new state does not have; so no table starts or stops one. Timer E and F run through Trying and Proceeding; B ends
  with Calling.
- A retransmission timer is started again by the RESEND that answers it.
- What a state does not list in its row must stand in its set of ignored events; anything else is an error of ours.
- DEVIATION(RFC 3261 17.1.1.2): a transport failure after the final response ends the transaction without telling the
  user, who was promised one outcome and has it.
- DEVIATION(RFC 3261 17.2.4): a transport failure under a server transaction leaves it where it is, for every method,
  as RFC 6026 has it for INVITE. A retransmitted request then finds the stored answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from talkburst.sip.timers import Timer


class State(Enum):
    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    ACCEPTED = auto()  # RFC 6026
    CONFIRMED = auto()
    TERMINATED = auto()

    __hash__ = object.__hash__  # as of Timer


class Signal(Enum):
    """What happens to a transaction, apart from its timers."""

    PROVISIONAL = auto()  # client: 1xx received; server: the user sends 1xx
    SUCCESS = auto()  # 2xx
    REJECTION = auto()  # 3xx to 6xx
    REQUEST = auto()  # server: the request was received again
    ACK = auto()  # INVITE server: an ACK that matches
    TRANSPORT_ERROR = auto()

    __hash__ = object.__hash__


class Action(Enum):
    """What a transition asks for. `send` is the first time, `resend` the same bytes again."""

    DELIVER = auto()  # client: hand the response to the user
    SEND_ACK = auto()  # INVITE client: acknowledge the 3xx-6xx
    RESEND = auto()  # the request (client) or the last response (server)
    REPORT_TIMEOUT = auto()
    REPORT_TRANSPORT = auto()
    SEND = auto()  # server: the response the user gave
    SEND_TRYING = auto()  # server: a 100 of our own
    PASS_ACK = auto()  # INVITE server: the ACK of a 2xx belongs to the user


Event = Signal | Timer
Transition = tuple[State, tuple[Action, ...]]


class UnexpectedEventError(Exception):
    """A state was given an event that can only come from an error of ours."""


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    name: str
    initial: State
    table: dict[State, dict[Event, Transition]]
    ignored: dict[State, frozenset[Event]]
    timers: dict[State, tuple[Timer, ...]]  # what runs in a state

    def step(self, state: State, event: Event) -> Transition | None:
        """The transition for `event`, None when the state ignores it; UnexpectedEventError otherwise."""
        transition = self.table[state].get(event)
        if transition is None and event not in self.ignored[state]:
            raise UnexpectedEventError(f"{self.name} in {state.name} has no transition for {event}")
        return transition


S, T, A, X = Signal, Timer, Action, State
ENDED: Transition = (X.TERMINATED, ())

INVITE_CLIENT = Machine(
    name="INVITE client transaction",
    initial=X.CALLING,
    timers={X.CALLING: (T.A, T.B), X.PROCEEDING: (), X.COMPLETED: (T.D,), X.ACCEPTED: (T.M,), X.TERMINATED: ()},
    table={
        X.CALLING: {
            T.A: (X.CALLING, (A.RESEND,)),
            T.B: (X.TERMINATED, (A.REPORT_TIMEOUT,)),
            S.PROVISIONAL: (X.PROCEEDING, (A.DELIVER,)),
            S.SUCCESS: (X.ACCEPTED, (A.DELIVER,)),
            S.REJECTION: (X.COMPLETED, (A.SEND_ACK, A.DELIVER)),
            S.TRANSPORT_ERROR: (X.TERMINATED, (A.REPORT_TRANSPORT,)),
        },
        X.PROCEEDING: {
            S.PROVISIONAL: (X.PROCEEDING, (A.DELIVER,)),
            S.SUCCESS: (X.ACCEPTED, (A.DELIVER,)),
            S.REJECTION: (X.COMPLETED, (A.SEND_ACK, A.DELIVER)),
            T.B: (X.TERMINATED, (A.REPORT_TIMEOUT,)),  # 64*T1 after a CANCEL, see ClientTransaction.cancel
        },
        X.COMPLETED: {
            S.REJECTION: (X.COMPLETED, (A.SEND_ACK,)),
            S.TRANSPORT_ERROR: ENDED,
            T.D: ENDED,
        },
        X.ACCEPTED: {
            S.SUCCESS: (X.ACCEPTED, (A.DELIVER,)),
            T.M: ENDED,
        },
        X.TERMINATED: {},
    },
    ignored={
        X.CALLING: frozenset(),
        X.PROCEEDING: frozenset({S.TRANSPORT_ERROR}),  # the INVITE arrived, nothing is being sent
        X.COMPLETED: frozenset({S.PROVISIONAL, S.SUCCESS}),
        X.ACCEPTED: frozenset({S.PROVISIONAL, S.REJECTION, S.TRANSPORT_ERROR}),
        X.TERMINATED: frozenset(S),
    },
)

NON_INVITE_CLIENT = Machine(
    name="non-INVITE client transaction",
    initial=X.TRYING,
    timers={X.TRYING: (T.E, T.F), X.PROCEEDING: (T.E, T.F), X.COMPLETED: (T.K,), X.TERMINATED: ()},
    table={
        X.TRYING: {
            T.E: (X.TRYING, (A.RESEND,)),
            T.F: (X.TERMINATED, (A.REPORT_TIMEOUT,)),
            S.PROVISIONAL: (X.PROCEEDING, (A.DELIVER,)),
            S.SUCCESS: (X.COMPLETED, (A.DELIVER,)),
            S.REJECTION: (X.COMPLETED, (A.DELIVER,)),
            S.TRANSPORT_ERROR: (X.TERMINATED, (A.REPORT_TRANSPORT,)),
        },
        X.PROCEEDING: {
            T.E: (X.PROCEEDING, (A.RESEND,)),
            T.F: (X.TERMINATED, (A.REPORT_TIMEOUT,)),
            S.PROVISIONAL: (X.PROCEEDING, (A.DELIVER,)),
            S.SUCCESS: (X.COMPLETED, (A.DELIVER,)),
            S.REJECTION: (X.COMPLETED, (A.DELIVER,)),
            S.TRANSPORT_ERROR: (X.TERMINATED, (A.REPORT_TRANSPORT,)),
        },
        X.COMPLETED: {
            T.K: ENDED,
        },
        X.TERMINATED: {},
    },
    ignored={
        X.TRYING: frozenset(),
        X.PROCEEDING: frozenset(),
        X.COMPLETED: frozenset({S.PROVISIONAL, S.SUCCESS, S.REJECTION, S.TRANSPORT_ERROR}),
        X.TERMINATED: frozenset(S),
    },
)

INVITE_SERVER = Machine(
    name="INVITE server transaction",
    initial=X.PROCEEDING,
    timers={
        X.PROCEEDING: (T.INVITE_TRYING,),
        X.COMPLETED: (T.G, T.H),
        X.ACCEPTED: (T.L,),
        X.CONFIRMED: (T.I,),
        X.TERMINATED: (),
    },
    table={
        X.PROCEEDING: {
            T.INVITE_TRYING: (X.PROCEEDING, (A.SEND_TRYING,)),
            S.REQUEST: (X.PROCEEDING, (A.RESEND,)),
            S.PROVISIONAL: (X.PROCEEDING, (A.SEND,)),
            S.SUCCESS: (X.ACCEPTED, (A.SEND,)),
            S.REJECTION: (X.COMPLETED, (A.SEND,)),
        },
        X.COMPLETED: {
            T.G: (X.COMPLETED, (A.RESEND,)),
            T.H: (X.TERMINATED, (A.REPORT_TIMEOUT,)),
            S.REQUEST: (X.COMPLETED, (A.RESEND,)),
            S.ACK: (X.CONFIRMED, ()),
        },
        X.ACCEPTED: {
            T.L: ENDED,
            S.SUCCESS: (X.ACCEPTED, (A.SEND,)),  # the user retransmits its 2xx (RFC 3261 13.3.1.4)
            S.ACK: (X.ACCEPTED, (A.PASS_ACK,)),
        },
        X.CONFIRMED: {
            T.I: ENDED,
        },
        X.TERMINATED: {},
    },
    ignored={
        X.PROCEEDING: frozenset({S.ACK, S.TRANSPORT_ERROR}),
        X.COMPLETED: frozenset({S.PROVISIONAL, S.SUCCESS, S.REJECTION, S.TRANSPORT_ERROR}),
        X.ACCEPTED: frozenset({S.REQUEST, S.PROVISIONAL, S.REJECTION, S.TRANSPORT_ERROR}),
        X.CONFIRMED: frozenset(S),
        X.TERMINATED: frozenset(S),
    },
)

NON_INVITE_SERVER = Machine(
    name="non-INVITE server transaction",
    initial=X.TRYING,
    timers={
        X.TRYING: (T.TRYING, T.ABANDON),
        X.PROCEEDING: (T.ABANDON,),
        X.COMPLETED: (T.J,),
        X.TERMINATED: (),
    },
    table={
        X.TRYING: {
            T.TRYING: (X.PROCEEDING, (A.SEND_TRYING,)),
            T.ABANDON: (X.TERMINATED, (A.REPORT_TIMEOUT,)),
            S.PROVISIONAL: (X.PROCEEDING, (A.SEND,)),
            S.SUCCESS: (X.COMPLETED, (A.SEND,)),
            S.REJECTION: (X.COMPLETED, (A.SEND,)),
        },
        X.PROCEEDING: {
            T.ABANDON: (X.TERMINATED, (A.REPORT_TIMEOUT,)),
            S.REQUEST: (X.PROCEEDING, (A.RESEND,)),
            S.PROVISIONAL: (X.PROCEEDING, (A.SEND,)),
            S.SUCCESS: (X.COMPLETED, (A.SEND,)),
            S.REJECTION: (X.COMPLETED, (A.SEND,)),
        },
        X.COMPLETED: {
            T.J: ENDED,
            S.REQUEST: (X.COMPLETED, (A.RESEND,)),
        },
        X.TERMINATED: {},
    },
    ignored={
        X.TRYING: frozenset({S.REQUEST, S.TRANSPORT_ERROR}),  # nothing to repeat yet (RFC 3261 17.2.2)
        X.PROCEEDING: frozenset({S.TRANSPORT_ERROR}),
        X.COMPLETED: frozenset({S.PROVISIONAL, S.SUCCESS, S.REJECTION, S.TRANSPORT_ERROR}),
        X.TERMINATED: frozenset(S),
    },
)
