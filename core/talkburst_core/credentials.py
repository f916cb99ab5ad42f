"""Who may register with which password: a TOML file beside the profiles.

["alice@ims.example"]
password = "alice"
algorithms = ["MD5"]        # in the order in which they are offered; may be left out
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ALGORITHMS: Final = ("MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess")
DEFAULT_ALGORITHMS: Final = ("MD5",)


class CredentialsError(ValueError):
    """A credentials file that cannot be used; the text names the place and what would be right."""


@dataclass(slots=True, frozen=True)
class Credentials:
    """The secret of one private id, and the digest algorithms that it is challenged with."""

    password: str = field(repr=False)
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS

    def offers(self, algorithm: str) -> bool:
        """Whether an algorithm is one of these; case does not count (RFC 7616 3.4, a token of RFC 3261 25.1)."""
        return algorithm in self.algorithms or algorithm.upper() in {each.upper() for each in self.algorithms}


def load(name: str, text: str) -> dict[str, Credentials]:
    """Credentials by private id. Raises `CredentialsError`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CredentialsError(f"{name}: not TOML: {error}") from None
    return {private_id: _credentials(f"{name}: {private_id}", table) for private_id, table in tables.items()}


def _credentials(place: str, table: object) -> Credentials:
    if not isinstance(table, Mapping):
        raise CredentialsError(f'{place}: a table is needed here: ["{place.rpartition(": ")[2]}"]')
    for key in table:
        if key not in ("password", "algorithms"):
            close = difflib.get_close_matches(str(key), ("password", "algorithms"), 1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise CredentialsError(f"{place}: no such key as {key!r}{hint}")
    password, algorithms = table.get("password"), table.get("algorithms", list(DEFAULT_ALGORITHMS))
    if not isinstance(password, str) or not password:
        raise CredentialsError(f"{place}: password is missing, a text is needed")
    if not isinstance(algorithms, list) or not algorithms:
        raise CredentialsError(f'{place}: algorithms has to be a list such as ["SHA-256", "MD5"]')
    for algorithm in algorithms:
        if algorithm not in ALGORITHMS:
            raise CredentialsError(f"{place}: no such algorithm as {algorithm!r}, it is one of {', '.join(ALGORITHMS)}")
    return Credentials(password, tuple(algorithms))
