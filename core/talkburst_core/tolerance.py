"""Faults of clients that the core reads over: each has a name, is counted, and can be switched off."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args

Fault = Literal["bare-username", "short-nonce-count", "qop-without-count"]
FAULTS: Final[frozenset[Fault]] = frozenset(get_args(Fault))

# What each is, against which clause.
MEANING: Final[Mapping[Fault, str]] = {
    "bare-username": "username without a domain, the realm stands for it (TS 23.003 13.3)",
    "short-nonce-count": "nonce count of fewer than 8 digits (RFC 7616 3.4)",
    "qop-without-count": "qop without nonce count and cnonce, hashed as if there were none (RFC 2617 3.2.2)",
}


class Tolerance:
    """Which faults are tolerated. Every time one is, `counters` has it under `tolerated_NAME` and `decide` is told."""

    def __init__(
        self,
        faults: frozenset[Fault] = FAULTS,
        counters: Counter[str] | None = None,
        decide: Callable[[str, Mapping[str, object]], None] = lambda what, facts: None,
    ) -> None:
        self._faults = faults
        self._counters = Counter() if counters is None else counters
        self._decide = decide

    def tolerates(self, fault: Fault, facts: Mapping[str, object]) -> bool:
        """Whether to read over it, once in a message; `facts` say whose it is."""
        if fault not in self._faults:
            return False
        self._counters[f"tolerated_{fault}"] += 1
        self._decide(f"tolerated {fault}: {MEANING[fault]}", facts)
        return True
