"""The states of a registration at its client (RFC 3261 10.2), as a table. RFC 3261 has no figure of them.

What is neither in the table nor among what is ignored is an error of ours.
"""

from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where the registration stands."""

    IDLE = "not registered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting to try again"
    LEAVING = "leaving"
    LEFT = "left"
    REFUSED = "refused"


class Happening(Enum):
    """What moves it."""

    DUE = auto()  # start, refresh, another attempt
    ACCEPTED = auto()  # 2xx
    UNAVAILABLE = auto()  # no answer, or one that another attempt may change
    REFUSED = auto()  # an answer that stays the same however often one asks
    LEAVE = auto()


TRANSITIONS: Final = {
    (State.IDLE, Happening.DUE): State.REGISTERING,
    (State.IDLE, Happening.LEAVE): State.LEFT,
    (State.REGISTERING, Happening.ACCEPTED): State.REGISTERED,
    (State.REGISTERING, Happening.UNAVAILABLE): State.WAITING,
    (State.REGISTERING, Happening.REFUSED): State.REFUSED,
    (State.REGISTERED, Happening.DUE): State.REGISTERING,
    (State.REGISTERED, Happening.LEAVE): State.LEAVING,
    (State.WAITING, Happening.DUE): State.REGISTERING,
    (State.WAITING, Happening.LEAVE): State.LEAVING,
    (State.LEAVING, Happening.ACCEPTED): State.LEFT,
    (State.LEAVING, Happening.UNAVAILABLE): State.LEFT,
    (State.LEAVING, Happening.REFUSED): State.LEFT,
    (State.REFUSED, Happening.LEAVE): State.LEFT,
    (State.LEFT, Happening.LEAVE): State.LEFT,
}
# REGISTERING, LEAVE: the answer is waited for, RFC 3261 10.2 allows no second REGISTER before it.
# Nothing but LEAVE moves a registration that is over, or that is waited for.
IGNORED: Final = frozenset(
    {
        (State.REGISTERING, Happening.LEAVE),
        (State.REGISTERING, Happening.DUE),
        (State.LEAVING, Happening.LEAVE),
        (State.LEAVING, Happening.DUE),
        (State.LEFT, Happening.DUE),
        (State.REFUSED, Happening.DUE),
    }
)
