"""What the outcome of a NOTIFY means to its subscription (RFC 6665 4.2.2)."""

from __future__ import annotations

from typing import Final

from talkburst.sip.backoff import retry_after
from talkburst.sip.message import Response
from talkburst.sip.transaction.client import Failure

# Answers to a NOTIFY that end the subscription (RFC 6665 4.2.2). 408 is Timer F told by somebody else (RFC 5057 5.1).
# 401, 407, 500 and 503 do not end it.
ENDING_STATUSES: Final = frozenset({404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})

# Answers that may be another next time: a proxy or subscriber that is overloaded or starting, a device that has lost
# its connection (RFC 5626 5.3.1) and makes a new one. So is any with Retry-After.
PASSING_STATUSES: Final = frozenset({430, 500, 502, 503, 504})


def ends_subscription(outcome: Response | Failure) -> bool:
    """Whether it removes the subscription. A transport error counts as 503 (RFC 3261 8.1.3.1)."""
    return outcome.status in ENDING_STATUSES if isinstance(outcome, Response) else outcome is Failure.TIMEOUT


def may_pass(outcome: Response | Failure) -> bool:
    """Whether the same NOTIFY may be taken later."""
    if not isinstance(outcome, Response):
        return True
    return outcome.status in PASSING_STATUSES or (outcome.status >= 300 and retry_after(outcome) is not None)


def reason_of(outcome: Response | Failure) -> str:
    """Why a NOTIFY did not get through, in one word for the log."""
    if isinstance(outcome, Response):
        return str(outcome.status)
    return "no answer" if outcome is Failure.TIMEOUT else "unreachable"
