"""How long to wait before something that failed is tried again, and when something that lapses is renewed."""

from __future__ import annotations

import re

from talkburst.sip.headers import parse_delta_seconds
from talkburst.sip.message import Response

FIRST_DELAY = 0.5  # seconds; whoever is only a moment late is met almost at once
LONGEST_DELAY = 120.0  # seconds
LONGEST_ASKED = 3600.0  # seconds; what a peer asks for beyond that is an error of its own, or worse

# RFC 3261 25.1 Retry-After: delta-seconds, a comment, parameters.
_RETRY_AFTER = re.compile(r"[ \t]*([0-9]+)[ \t]*(?=[(;]|$)")


class Backoff:
    """Delays that double with each failure, as RFC 5626 4.5 doubles them, up to a longest one.

    RFC 5626 begins at 30 s, which is meant for a network of many clients. Here the first delays are short, so that
    daemons that depend on one another may be started in any order.
    """

    __slots__ = ("_failures", "first", "longest")

    def __init__(self, first: float = FIRST_DELAY, longest: float = LONGEST_DELAY) -> None:
        self.first = first
        self.longest = longest
        self._failures = 0

    @property
    def failures(self) -> int:
        """How many there were in a row."""
        return self._failures

    def next(self, at_least: float | None = None) -> float:
        """Seconds to wait after one more failure.

        `at_least` is what the peer asked for, with Retry-After or in Subscription-State. No peer can silence us for
        longer than `LONGEST_ASKED`.
        """
        delay = min(self.first * 2.0 ** min(self._failures, 32), self.longest)
        self._failures += 1
        return delay if at_least is None else max(delay, min(at_least, LONGEST_ASKED))

    def reset(self) -> None:
        """It worked: the next failure is a first one again."""
        self._failures = 0


def retry_after(response: Response) -> float | None:
    """The seconds of a Retry-After header; None when there is none to be read (RFC 3261 20.33)."""
    found = _RETRY_AFTER.match(response.get("Retry-After") or "")
    return float(parse_delta_seconds(found[1])) if found else None


def renewal(granted: float) -> float:
    """Seconds after which something granted for `granted` seconds is renewed.

    600 s before the end when more than 1200 s were granted, else at half time: what TS 24.229 lays down for
    registrations and for subscriptions to the reg event, and what does for the rest.
    """
    return granted - 600 if granted > 1200 else granted / 2
