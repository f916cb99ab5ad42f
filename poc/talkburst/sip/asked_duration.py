"""The duration that a client asks for, and what it makes of an answer 423: Interval Too Brief."""

from __future__ import annotations

from talkburst.sip.headers.grammar import MAX_DELTA_SECONDS, HeaderError, parse_delta_seconds
from talkburst.sip.message import Response

# Answers 423 in a row that are followed at once; a peer that wants more each time would have us ask for ever.
MOST_PROLONGATIONS = 3


class AskedDuration:
    """Seconds for Expires. They grow to what Min-Expires demands (RFC 3261 10.2.8, RFC 3903 5, RFC 6665 4.1.2.1)."""

    __slots__ = ("_prolongations", "seconds")

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self._prolongations = 0

    def prolong(self, response: Response) -> bool:
        """Whether a 423 names a longer duration than the one it is about; that one is asked for then."""
        minimum = stated_seconds(response, "Min-Expires") if response.status == 423 else None
        if minimum is None or not self.seconds < minimum < MAX_DELTA_SECONDS:
            return False
        if self._prolongations == MOST_PROLONGATIONS:
            return False
        self._prolongations += 1
        self.seconds = minimum
        return True

    def accepted(self) -> None:
        """It was long enough: the next 423 is a first one again."""
        self._prolongations = 0


def stated_seconds(response: Response, name: str) -> int | None:
    """What Expires or Min-Expires says; None where there is nothing that can be read."""
    value = response.get(name)
    try:
        return None if value is None else parse_delta_seconds(value)
    except HeaderError:
        return None
