"""Texts that were read lately and what they are, for those that come again and again: URIs, routes, event packages.

What is remembered depends on its text alone and is never changed, so it does not matter whose message it came in.
Who sends ever other texts costs us the reading, not the memory: what is full is begun anew.
"""

from typing import Final, TypeVar

MOST: Final = 4096  # texts of each kind
LONGEST: Final = 128  # characters

T = TypeVar("T")


def remember(kind: dict[str, T], text: str, value: T) -> T:
    """Keeps `value` for the next time that `text` is met, and gives it back."""
    if len(text) <= LONGEST:
        if len(kind) >= MOST:
            kind.clear()
        kind[text] = value
    return value
