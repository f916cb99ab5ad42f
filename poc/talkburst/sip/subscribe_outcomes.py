"""What the outcome of a SUBSCRIBE means to its subscription (RFC 6665 4.1.2.1 and 4.1.2.2)."""

from __future__ import annotations

from typing import Final

from talkburst.sip.message import Response
from talkburst.sip.transaction.client import Failure

NO_NOTIFY: Final = "no NOTIFY"  # Timer N
EXPIRED: Final = "expired"  # every refresh failed, and the time is over
UNREACHABLE: Final = "unreachable"  # the transport failed before there was a subscription

# Answers to a refresh that end the subscription; any other failure leaves it alive until it expires (RFC 6665 4.1.2.2).
ENDING_STATUSES: Final = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})


def ends_subscription(outcome: Response | Failure, notified: bool) -> bool:
    """Whether the failure of a refresh ends it; `notified`: a NOTIFY came after the refresh was sent."""
    if isinstance(outcome, Response):
        return outcome.status in ENDING_STATUSES
    # Timer F and Timer N are equally long: without an answer and without a NOTIFY, Timer N counts.
    return outcome is Failure.TIMEOUT and not notified


def reason_of(outcome: Response | Failure) -> str:
    """Why a subscription ended, in one word for its owner."""
    if isinstance(outcome, Response):
        return str(outcome.status)
    return NO_NOTIFY if outcome is Failure.TIMEOUT else UNREACHABLE
