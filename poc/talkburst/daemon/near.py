"""The known word that somebody may have meant."""

import difflib
from collections.abc import Iterable


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` when something known is close, else empty."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
