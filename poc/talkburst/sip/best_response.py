"""The best of the outcomes of a request that was forwarded (RFC 3261 16.7 step 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .message import Response
from .transaction.client import Failure, Outcome

# RFC 3261 16.7 step 6: these let the client try again and succeed, so they come first in their class.
PREFERRED: Final = (401, 407, 415, 420, 484)
SILENT: Final = (408, 487)  # nobody said anything; whatever somebody said tells more


def best_of(outcomes: Sequence[Outcome], is_invite: bool) -> Outcome:
    """The outcome to report when none is a success: any 6xx, else the lowest class (RFC 3261 16.7 step 6)."""
    return min(outcomes, key=lambda outcome: _rank(outcome, is_invite), default=Failure.TIMEOUT)


def _rank(outcome: Outcome, is_invite: bool) -> tuple[int, int, int]:
    if isinstance(outcome, Response):
        status = outcome.status
    elif outcome is Failure.TRANSPORT:
        status = 503
    else:
        # Silence counts as 408 for INVITE; for others any answer is better (RFC 4320 4.2).
        status = 408 if is_invite else 599
    if status >= 600:
        return 0, 0, 0
    if not isinstance(outcome, Response) or status in SILENT:
        return 1, status // 100, len(PREFERRED) + 1
    return 1, status // 100, PREFERRED.index(status) if status in PREFERRED else len(PREFERRED)
