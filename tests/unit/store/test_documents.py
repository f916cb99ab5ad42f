import asyncio
import itertools
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from talkburst.store import (
    Claim,
    Document,
    DocumentInfo,
    DocumentKey,
    DocumentStore,
    GroupCommit,
    MemoryDocuments,
    Outcome,
    PutResult,
    SqliteDocuments,
    StoreError,
)

ALICE = DocumentKey("resource-lists", "sip:alice@ims.example", "index")
CREW = DocumentKey("org.openmobilealliance.poc-groups", "sip:alice@ims.example", "crew")
BOB = DocumentKey("org.openmobilealliance.poc-groups", "sip:bob@ims.example", "crew")
GROUP_URI = Claim("group-uri", "sip:crew@ims.example")

_etags = itertools.count(1)


def document(key: DocumentKey, body: bytes = b"<x/>") -> Document:
    return Document(key, f"e{next(_etags)}", body, 1763812921.5)


def always(_: str | None) -> bool:
    return True


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DocumentStore]:
    engine: DocumentStore = MemoryDocuments() if request.param == "memory" else SqliteDocuments(tmp_path / "xdms.db")
    yield engine
    await engine.close()


async def test_a_document_comes_back_byte_for_byte(store: DocumentStore) -> None:
    kept = document(ALICE, b"\x00 not even XML \xff")
    assert await store.put(kept, [], always) == PutResult(Outcome.CREATED)
    assert store.get(ALICE) == kept
    assert store.get(CREW) is None


async def test_a_second_put_replaces(store: DocumentStore) -> None:
    await store.put(document(ALICE), [], always)
    newer = document(ALICE, b"<y/>")
    assert await store.put(newer, [], always) == PutResult(Outcome.REPLACED)
    assert store.get(ALICE) == newer
    assert store.counts() == (1, 1)


async def test_the_condition_sees_the_stored_etag_and_decides(store: DocumentStore) -> None:
    seen: list[str | None] = []

    def refuse(etag: str | None) -> bool:
        seen.append(etag)
        return False

    kept = document(ALICE)
    assert await store.put(kept, [], refuse) == PutResult(Outcome.PRECONDITION_FAILED)
    await store.put(kept, [], always)
    assert await store.put(document(ALICE), [], refuse) == PutResult(Outcome.PRECONDITION_FAILED)
    assert await store.delete(ALICE, refuse) is Outcome.PRECONDITION_FAILED
    assert seen == [None, kept.etag, kept.etag]
    assert store.get(ALICE) == kept


async def test_of_two_puts_that_expect_the_same_etag_one_wins(store: DocumentStore) -> None:
    first = document(ALICE)
    await store.put(first, [], always)
    results = await asyncio.gather(
        *(store.put(document(ALICE), [], lambda etag: etag == first.etag) for _ in range(10))
    )
    assert sorted(result.outcome.name for result in results) == ["PRECONDITION_FAILED"] * 9 + ["REPLACED"]


async def test_nobody_gets_more_documents_than_a_user_may_have(store: DocumentStore) -> None:
    def of(user: str, name: str) -> DocumentKey:
        return DocumentKey("resource-lists", user, name)

    names = [of("sip:alice@ims.example", f"{number}") for number in range(6)]
    results = await asyncio.gather(*(store.put(document(key), [], always, most=4) for key in names))
    assert [result.outcome for result in results] == [Outcome.CREATED] * 4 + [Outcome.FULL] * 2
    assert await store.put(document(names[0]), [], always, most=4) == PutResult(Outcome.REPLACED)
    assert await store.put(document(names[0]), [], always, most=1) == PutResult(Outcome.REPLACED)
    assert await store.put(document(names[5]), [], lambda etag: False, most=4) == PutResult(Outcome.PRECONDITION_FAILED)
    assert await store.put(document(of("sip:bob@ims.example", "0")), [], always, most=4) == PutResult(Outcome.CREATED)
    await store.delete(names[1], always)
    assert await store.put(document(names[5]), [], always, most=4) == PutResult(Outcome.CREATED)
    assert store.counts() == (5, 2)


async def test_a_deleted_document_is_gone(store: DocumentStore) -> None:
    await store.put(document(ALICE), [], always)
    assert await store.delete(ALICE, always) is Outcome.REMOVED
    assert store.get(ALICE) is None
    assert await store.delete(ALICE, always) is Outcome.NOT_FOUND


async def test_a_claim_belongs_to_one_document_until_it_lets_go(store: DocumentStore) -> None:
    assert await store.put(document(CREW), [GROUP_URI, GROUP_URI], always) == PutResult(Outcome.CREATED)
    assert await store.put(document(CREW), [GROUP_URI], always) == PutResult(Outcome.REPLACED)
    assert await store.put(document(BOB), [GROUP_URI], always) == PutResult(Outcome.TAKEN, GROUP_URI)
    assert store.get(BOB) is None
    assert store.holder(GROUP_URI) == CREW
    await store.put(document(CREW), [], always)
    assert store.holder(GROUP_URI) is None
    assert await store.put(document(BOB), [GROUP_URI], always) == PutResult(Outcome.CREATED)
    await store.delete(BOB, always)
    assert store.holder(GROUP_URI) is None


async def test_the_documents_of_a_user_are_listed_in_order(store: DocumentStore) -> None:
    lists, crew, bobs = document(ALICE, b"12345"), document(CREW), document(BOB)
    for item in (lists, bobs, crew):
        await store.put(item, [], always)
    assert store.documents_of("sip:alice@ims.example") == [
        DocumentInfo(CREW, crew.etag, crew.modified, 4),
        DocumentInfo(ALICE, lists.etag, lists.modified, 5),
    ]
    assert store.documents_of("sip:carol@ims.example") == []
    assert store.counts() == (3, 2)


async def test_documents_survive_closing(tmp_path: Path) -> None:
    first = SqliteDocuments(tmp_path / "xdms.db")
    kept = document(CREW)
    await first.put(kept, [GROUP_URI], always)
    await first.close()
    second = SqliteDocuments(tmp_path / "xdms.db")
    assert second.get(CREW) == kept
    assert second.holder(GROUP_URI) == CREW
    await second.close()


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, os, signal, sys
        from pathlib import Path
        from talkburst.store import Document, DocumentKey, SqliteDocuments

        async def main():
            store = SqliteDocuments(Path(sys.argv[1]))
            await asyncio.gather(*(
                store.put(Document(DocumentKey("a", "u", str(n)), "e", b"<x/>", 1.0), [], lambda etag: True)
                for n in range(50)
            ))
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """)
    path = tmp_path / "xdms.db"
    process = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, str(path)], check=False)
    assert process.returncode == -9
    store = SqliteDocuments(path)
    assert store.counts() == (50, 1)
    await store.close()


async def test_a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path / "xdms.db")
    before = document(ALICE)
    await store.put(before, [], always)

    def fill(database: sqlite3.Connection) -> None:
        [pages] = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages + 4}")

    await store._file.run(fill)
    big = document(ALICE, b"x" * 100_000)
    refused, taken = await asyncio.gather(
        store.put(big, [], always), store.put(document(CREW), [GROUP_URI], always), return_exceptions=True
    )
    assert isinstance(refused, StoreError)
    assert "full" in str(refused)
    assert taken == PutResult(Outcome.CREATED)
    assert store.get(ALICE) == before
    await store.close()


async def test_what_gathers_during_a_commit_shares_the_next_one(tmp_path: Path) -> None:
    file = GroupCommit(tmp_path / "x.db", ["CREATE TABLE t (n INTEGER)"])

    def operation(n: int) -> "asyncio.Future[int]":
        def run(database: sqlite3.Connection) -> int:
            database.execute("INSERT INTO t VALUES (?)", (n,))
            return n

        return asyncio.ensure_future(file.run(run))

    assert await asyncio.gather(*(operation(n) for n in range(200))) == list(range(200))
    assert file.groups < 200
    await file.close()


async def test_an_operation_that_fails_leaves_the_others_of_its_group_alone(tmp_path: Path) -> None:
    file = GroupCommit(tmp_path / "x.db", ["CREATE TABLE t (n INTEGER)"])

    def wrong(database: sqlite3.Connection) -> None:
        database.execute("INSERT INTO t VALUES (1)")
        raise KeyError("mine")

    def right(database: sqlite3.Connection) -> None:
        database.execute("INSERT INTO t VALUES (2)")

    outcomes = await asyncio.gather(*map(file.run, (wrong, right, wrong)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [KeyError, type(None), KeyError]
    assert file.reader.execute("SELECT n FROM t").fetchall() == [(2,)]
    await file.close()
    with pytest.raises(StoreError, match="closed"):
        await file.run(right)


def test_a_file_that_is_no_database_or_too_new_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is a text, not a database, and long enough to be looked at. " * 20)
    with pytest.raises(StoreError, match=r"cannot open .*text.db: file is not a database"):
        SqliteDocuments(tmp_path / "text.db")
    with pytest.raises(StoreError, match=r"cannot open .*missing/x\.db"):
        SqliteDocuments(tmp_path / "missing" / "x.db")
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("PRAGMA user_version = 2")
    newer.close()
    with pytest.raises(StoreError, match="a newer version of this program"):
        SqliteDocuments(tmp_path / "newer.db")
