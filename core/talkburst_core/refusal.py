"""Why a request is not granted, as data."""

from typing import Final


class Refusal:
    """What a request is answered with instead: status, reason phrase (None: the standard one) and headers."""

    __slots__ = ("headers", "reason", "status")

    def __init__(self, status: int, reason: str | None = None, headers: tuple[tuple[str, object], ...] = ()) -> None:
        self.status: Final = status
        self.reason: Final = reason
        self.headers: Final = headers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refusal) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        return f"Refusal{self._parts()!r}"

    def _parts(self) -> tuple[int, str | None, tuple[tuple[str, object], ...]]:
        return self.status, self.reason, self.headers
