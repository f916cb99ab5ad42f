"""Documents in an SQLite file."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from talkburst.store.documents import Claim, Condition, Document, DocumentInfo, DocumentKey, Outcome, PutResult
from talkburst.store.group_commit import GroupCommit
from talkburst.store.lock import StoreError

_SCHEMA: Final = (
    "CREATE TABLE documents (auid TEXT NOT NULL, user TEXT NOT NULL, name TEXT NOT NULL, etag TEXT NOT NULL,"
    " modified REAL NOT NULL, body BLOB NOT NULL, PRIMARY KEY (user, auid, name))",
    "CREATE TABLE claims (kind TEXT NOT NULL, value TEXT NOT NULL, auid TEXT NOT NULL, user TEXT NOT NULL,"
    " name TEXT NOT NULL, PRIMARY KEY (kind, value)) WITHOUT ROWID",
    "CREATE INDEX claims_of_document ON claims (user, auid, name)",
)

_THIS: Final = "auid = ? AND user = ? AND name = ?"
_ETAG: Final = f"SELECT etag FROM documents WHERE {_THIS}"
_GET: Final = f"SELECT etag, body, modified FROM documents WHERE {_THIS}"
_LIST: Final = "SELECT auid, user, name, etag, modified, length(body) FROM documents WHERE user = ? ORDER BY auid, name"
_COUNT_OF: Final = "SELECT count(*) FROM documents WHERE user = ?"
_COUNT: Final = "SELECT count(*), count(DISTINCT user) FROM documents"
_HOLDER: Final = "SELECT auid, user, name FROM claims WHERE kind = ? AND value = ?"
_PUT: Final = "INSERT OR REPLACE INTO documents (auid, user, name, etag, modified, body) VALUES (?, ?, ?, ?, ?, ?)"
_DELETE: Final = f"DELETE FROM documents WHERE {_THIS}"
_CLAIM: Final = "INSERT INTO claims (kind, value, auid, user, name) VALUES (?, ?, ?, ?, ?)"
_RELEASE: Final = f"DELETE FROM claims WHERE {_THIS}"


class SqliteDocuments:
    """A `DocumentStore` in the file `path`; raises StoreError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._file = GroupCommit(path, _SCHEMA)

    def get(self, key: DocumentKey) -> Document | None:
        row = self._read(_GET, key)
        return Document(key, *row[0]) if row else None

    def documents_of(self, user: str) -> list[DocumentInfo]:
        return [DocumentInfo(DocumentKey(*row[:3]), *row[3:]) for row in self._read(_LIST, (user,))]

    def holder(self, claim: Claim) -> DocumentKey | None:
        row = self._read(_HOLDER, claim)
        return DocumentKey(*row[0]) if row else None

    async def put(
        self, document: Document, claims: Sequence[Claim], condition: Condition, most: int | None = None
    ) -> PutResult:
        def operation(database: sqlite3.Connection) -> PutResult:
            before = database.execute(_ETAG, document.key).fetchone()
            if not condition(before[0] if before else None):
                return PutResult(Outcome.PRECONDITION_FAILED)
            if before is None and most is not None:
                [count] = database.execute(_COUNT_OF, (document.key.user,)).fetchone()
                if count >= most:
                    return PutResult(Outcome.FULL)
            for claim in claims:
                holder = database.execute(_HOLDER, claim).fetchone()
                if holder is not None and holder != document.key:
                    return PutResult(Outcome.TAKEN, claim)
            database.execute(_RELEASE, document.key)
            database.executemany(_CLAIM, [(*claim, *document.key) for claim in dict.fromkeys(claims)])
            database.execute(_PUT, (*document.key, document.etag, document.modified, document.body))
            return PutResult(Outcome.REPLACED if before else Outcome.CREATED)

        return await self._file.run(operation)

    async def delete(self, key: DocumentKey, condition: Condition) -> Outcome:
        def operation(database: sqlite3.Connection) -> Outcome:
            before = database.execute(_ETAG, key).fetchone()
            if before is None:
                return Outcome.NOT_FOUND
            if not condition(before[0]):
                return Outcome.PRECONDITION_FAILED
            database.execute(_RELEASE, key)
            database.execute(_DELETE, key)
            return Outcome.REMOVED

        return await self._file.run(operation)

    def counts(self) -> tuple[int, int]:
        [(documents, users)] = self._read(_COUNT, ())
        return documents, users

    async def close(self) -> None:
        await self._file.close()

    def _read(self, statement: str, values: Sequence[str]) -> list[Any]:
        try:
            return self._file.reader.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"cannot read {self._file.path}: {error}") from None
