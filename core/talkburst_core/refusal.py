"""Why a request is not granted, as data."""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Refusal:
    """What a request is answered with instead: status, reason phrase (None: the standard one) and headers."""

    status: int
    reason: str | None = None
    headers: tuple[tuple[str, object], ...] = ()
