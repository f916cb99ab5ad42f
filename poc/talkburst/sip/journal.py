"""What has to outlive the process, as plain data: rows of named tables, and the journal of their changes.

    Journal().put(table, key, row)     the row is so from now on
    journal.delete(table, key)         there is no such row any more
    journal.take() -> list[Change]     what has changed since it was asked last, the last change of each row only

Whoever keeps state writes itself here whenever it changes; the shell stores what `take` returns before anything leaves
that rests on it. Nothing here stores, waits or fails.

A row is JSON. It is written once and not changed afterwards: what is put is a copy of the state, not the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Row: TypeAlias = Mapping[str, Json]
Rows: TypeAlias = Mapping[str, Row]
"""The rows of one table by their keys."""


class Change(NamedTuple):
    """`row` is what stands under the key now, None when nothing does."""

    table: str
    key: str
    row: Row | None


class Journal:
    """Changes that nobody has stored yet, in the order in which their rows were first touched."""

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: dict[tuple[str, str], Change] = {}

    def put(self, table: str, key: str, row: Row) -> None:
        self._changes[table, key] = Change(table, key, row)

    def delete(self, table: str, key: str) -> None:
        self._changes[table, key] = Change(table, key, None)

    def take(self) -> list[Change]:
        if not self._changes:
            return []
        changes, self._changes = list(self._changes.values()), {}
        return changes


class RowError(ValueError):
    """A row that cannot be read: it was not written by this version of the program."""


def text(row: Row, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise RowError(f"{name} is {value!r} and no text")
    return value


def optional_text(row: Row, name: str) -> str | None:
    return None if row.get(name) is None else text(row, name)


def integer(row: Row, name: str) -> int:
    value = row.get(name)
    if not isinstance(value, int):
        raise RowError(f"{name} is {value!r} and no whole number")
    return value


def optional_integer(row: Row, name: str) -> int | None:
    return None if row.get(name) is None else integer(row, name)


def number(row: Row, name: str) -> float:
    value = row.get(name)
    if not isinstance(value, int | float):
        raise RowError(f"{name} is {value!r} and no number")
    return float(value)


def items(row: Row, name: str) -> Sequence[Json]:
    value = row.get(name)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise RowError(f"{name} is {value!r} and no list")
    return value


def texts(row: Row, name: str) -> list[str]:
    found = []
    for value in items(row, name):
        if not isinstance(value, str):
            raise RowError(f"{name} holds {value!r}, which is no text")
        found.append(value)
    return found


def mapping(row: Row, name: str) -> Row:
    return as_row(row.get(name), name)


def as_row(value: Json, name: str) -> Row:
    """A value that is a table itself."""
    if not isinstance(value, Mapping):
        raise RowError(f"{name} is {value!r} and no table")
    return value


def octets(row: Row, name: str) -> bytes:
    """What `octets_text` wrote."""
    return text(row, name).encode("utf-8", "surrogateescape")


def octets_text(data: bytes) -> str:
    """Octets as text that JSON can carry, readable where they are UTF-8."""
    return data.decode("utf-8", "surrogateescape")
