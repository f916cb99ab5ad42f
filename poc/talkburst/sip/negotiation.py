"""What a SUBSCRIBE or PUBLISH asks for and what it is given: a duration and a media type, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

NEVER_TOO_BRIEF = 3600  # seconds; RFC 6665 4.2.1.1 and RFC 3261 10.3: from an hour upward there is no 423


class Refusal(NamedTuple):
    """An answer other than 200; `reason` None is the standard phrase."""

    status: int
    reason: str | None = None
    headers: tuple[tuple[str, object], ...] = ()


def granted(asked: int | None, default: int, minimum: int, maximum: int) -> int | None:
    """Seconds that are granted, None when it has to be 423 (RFC 6665 4.2.1.1).

    Shortened to `maximum`, never lengthened; 0 (fetch, end) stays 0.
    """
    if asked is None:
        return min(default, maximum)
    if 0 < asked < NEVER_TOO_BRIEF and asked < minimum:
        return None
    return min(asked, maximum)


def acceptable(media_type: str, accept: Sequence[str] | None) -> bool:
    """Whether a peer with these Accept values takes `media_type`; None, no Accept at all, is the package's default.

    An Accept without any value takes nothing (RFC 3261 20.1). Of two ranges the more specific one decides, as in HTTP.
    """
    if accept is None:
        return True
    best, quality = -1, 0.0
    family = media_type.partition("/")[0]
    ranks = {"*/*": 0, f"{family}/*": 1, media_type: 2}
    for value in accept:
        media_range, _, params = value.partition(";")
        rank = ranks.get(media_range.strip().lower(), -1)
        if rank > best:
            best, quality = rank, _quality(params)
    return quality > 0


def _quality(params: str) -> float:
    """RFC 3261 20.1, `q`: 1 when it is absent or cannot be read."""
    for param in params.split(";"):
        name, _, value = param.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0
