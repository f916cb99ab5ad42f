"""The states of a subscription at its subscriber (RFC 6665 4.1.2, figure 1), as a table.

Where the table says more than the figure: a NOTIFY may take an active subscription back to pending, and one is over
whenever its owner wants it to be. Where it says less: after Retry-After the owner makes a new subscription, so there is
no way from TERMINATED to INIT. Nothing moves a subscription that is terminated, since what comes for it later finds
none. What is not in the table is an error of ours.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    """RFC 6665 4.1.2, figure 1."""

    INIT = auto()
    NOTIFY_WAIT = auto()
    PENDING = auto()
    ACTIVE = auto()
    TERMINATED = auto()


class Happening(Enum):
    """What moves a subscription from state to state."""

    SUBSCRIBED = auto()  # the first SUBSCRIBE was sent
    PENDING = auto()  # NOTIFY, Subscription-State: pending
    ACTIVE = auto()  # NOTIFY, active or an extension that says no more than that it lives (RFC 6665 8.4)
    OVER = auto()  # NOTIFY with terminated, a failure, Timer N, or the time is over


TRANSITIONS: Final = {
    (State.INIT, Happening.SUBSCRIBED): State.NOTIFY_WAIT,
    (State.INIT, Happening.OVER): State.TERMINATED,
    (State.NOTIFY_WAIT, Happening.PENDING): State.PENDING,
    (State.NOTIFY_WAIT, Happening.ACTIVE): State.ACTIVE,
    (State.NOTIFY_WAIT, Happening.OVER): State.TERMINATED,
    (State.PENDING, Happening.PENDING): State.PENDING,
    (State.PENDING, Happening.ACTIVE): State.ACTIVE,
    (State.PENDING, Happening.OVER): State.TERMINATED,
    (State.ACTIVE, Happening.PENDING): State.PENDING,
    (State.ACTIVE, Happening.ACTIVE): State.ACTIVE,
    (State.ACTIVE, Happening.OVER): State.TERMINATED,
}
