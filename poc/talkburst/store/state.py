"""The port behind which a SIP daemon keeps its state, and its engines: rows of JSON in named tables.

State lives in memory and here at once. It is read whole when the daemon starts, and changed by the `Journal` that the
daemon's roles write themselves to.
"""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from talkburst.sip.journal import Change, Journal, Json, Row, RowError, Rows, octets_text
from talkburst.store.group_commit import GroupCommit
from talkburst.store.lock import StoreError

__all__ = ["Change", "Journal", "Json", "MemoryState", "Row", "RowError", "Rows", "SqliteState", "StateStore"]


class StateStore(Protocol):
    """What must not be lost. Both raise StoreError; then `commit` has stored nothing of what it was given."""

    def load(self) -> dict[str, dict[str, Row]]:
        """All rows, by table and key."""

    async def commit(self, changes: Iterable[Change]) -> None:
        """Stores all of the changes at once, in their order; returns when they are durable."""

    async def close(self) -> None: ...


class MemoryState:
    """Rows in memory only: for tests, and for a daemon that may forget. `commits` counts them."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], str] = {}
        self.commits = 0

    def load(self) -> dict[str, dict[str, Row]]:
        return _tables((table, key, row) for (table, key), row in self._rows.items())

    async def commit(self, changes: Iterable[Change]) -> None:
        for table, key, row in changes:
            if row is None:
                self._rows.pop((table, key), None)
            else:
                self._rows[table, key] = json.dumps(row)
        self.commits += 1

    async def close(self) -> None:
        """Nothing is held open."""


_SCHEMA: Final = (
    "CREATE TABLE state (name TEXT NOT NULL, key TEXT NOT NULL, row TEXT NOT NULL, PRIMARY KEY (name, key))"
    " WITHOUT ROWID",
)
# A key may hold octets that are no UTF-8, as peers write them, so it goes in and out as octets.
_LOAD: Final = "SELECT name, CAST(key AS BLOB), row FROM state"
_PUT: Final = "INSERT OR REPLACE INTO state (name, key, row) VALUES (?, CAST(? AS TEXT), ?)"
_DELETE: Final = "DELETE FROM state WHERE name = ? AND key = CAST(? AS TEXT)"


class SqliteState:
    """A `StateStore` in the file `path`; raises StoreError when it cannot be opened, read or understood.

    WAL with full synchronisation: what `commit` returned for survives kill -9 and a power cut.
    """

    def __init__(self, path: Path) -> None:
        self._file = GroupCommit(path, _SCHEMA)

    @property
    def commits(self) -> int:
        return self._file.groups

    def load(self) -> dict[str, dict[str, Row]]:
        try:
            rows = self._file.reader.execute(_LOAD)
            return _tables((table, octets_text(key), row) for table, key, row in rows)
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(f"cannot read {self._file.path}: {error}") from None

    async def commit(self, changes: Iterable[Change]) -> None:
        written = [
            (table, key.encode("utf-8", "surrogateescape"), None if row is None else json.dumps(row))
            for table, key, row in changes
        ]

        def operation(database: sqlite3.Connection) -> None:
            for table, key, row in written:
                if row is None:
                    database.execute(_DELETE, (table, key))
                else:
                    database.execute(_PUT, (table, key, row))

        await self._file.run(operation)

    async def close(self) -> None:
        await self._file.close()


def _tables(rows: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, Row]]:
    tables: dict[str, dict[str, Row]] = {}
    for table, key, row in rows:
        tables.setdefault(table, {})[key] = json.loads(row)
    return tables
