"""The next target when one fails (RFC 3263 4.3), and which ones to leave aside for a while."""

from __future__ import annotations

from collections.abc import Iterable

from talkburst.sip.backoff import LONGEST_ASKED, retry_after
from talkburst.sip.locating import Located
from talkburst.sip.message import Response
from talkburst.sip.transaction.client import Outcome

LONGEST = 128  # times T1 until the last target is begun with: when the second one in a row has said nothing
AVOIDED_FOR = 60.0  # seconds that a target counts as failed, unless its 503 says another time
MOST_AVOIDED = 1024


class Failover:
    """What is left to try for one request. `untried` are its further targets, the next one last.

    `domain` is whom each of them has to prove to be over TLS: what was asked for (RFC 3263 4.1, RFC 5922 7.3).
    """

    __slots__ = ("current", "domain", "heard", "share", "until", "untried")

    def __init__(self, targets: Iterable[Located], domain: str, until: float, share: float | None) -> None:
        self.domain = domain
        self.untried = list(targets)[::-1]
        self.current = self.untried[-1]
        self.until = until  # after that no further target is begun with
        self.share = share  # seconds in which each target has to show life while others are left
        self.heard = False  # the current one has: silence after that is no reason to ask another one

    def next(self) -> Located | None:
        if not self.untried:
            return None
        self.current, self.heard = self.untried.pop(), False
        return self.current

    def goes_on(self, outcome: Outcome, now: float) -> bool:
        """Whether this end of a transaction leads to a further target, if there is one."""
        return bool(self.untried) and now < self.until and self.is_failure(outcome)

    def is_failure(self, outcome: Outcome) -> bool:
        """RFC 3263 4.3: a 503, a failed transport, or silence without any response, provisional ones included."""
        if isinstance(outcome, Response):
            return outcome.status == 503
        return not self.heard


class Avoided:
    """Targets that failed lately. They are tried after all others, but they are tried."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[Located, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def add(self, target: Located, outcome: Outcome, now: float) -> None:
        """Remember a failure. A 503 may say for how long (RFC 3261 21.5.4), within an hour."""
        asked = retry_after(outcome) if isinstance(outcome, Response) else None
        self._until.pop(target, None)
        self._until[target] = now + (AVOIDED_FOR if asked is None else min(asked, LONGEST_ASKED))
        if len(self._until) > MOST_AVOIDED:
            del self._until[next(iter(self._until))]

    def last(self, targets: Iterable[Located], now: float) -> list[Located]:
        """The same targets, those that failed lately behind the others."""
        if not self._until:
            return list(targets)
        return sorted(targets, key=lambda target: self._until.get(target, now) > now)
