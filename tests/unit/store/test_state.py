import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from talkburst.store import Change, InUseError, Journal, MemoryState, SqliteState, StateStore, StoreError


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StateStore]:
    engine: StateStore = MemoryState() if request.param == "memory" else SqliteState(tmp_path / "core.db")
    yield engine
    await engine.close()


def test_a_journal_keeps_the_last_change_of_each_row() -> None:
    journal = Journal()
    journal.put("bindings", "alice", {"n": 1})
    journal.put("bindings", "bob", {"n": 1})
    journal.put("bindings", "alice", {"n": 2})
    journal.delete("bindings", "bob")
    assert journal.take() == [Change("bindings", "alice", {"n": 2}), Change("bindings", "bob", None)]
    assert journal.take() == []


async def test_rows_come_back_as_they_were_put(store: StateStore) -> None:
    row = {"text": 'é "quoted" \udc80', "number": 1.5, "none": None, "list": ["a", {"b": True}]}
    await store.commit([Change("t", "k", row), Change("u", "k", {"n": 1}), Change("t", "gone", {})])
    await store.commit([Change("t", "gone", None), Change("t", "never", None), Change("u", "k", {"n": 2})])
    assert store.load() == {"t": {"k": row}, "u": {"k": {"n": 2}}}


async def test_a_key_may_be_no_utf_8(store: StateStore) -> None:
    """Peers choose names that are keys; what one of them writes must not keep the others' rows from being stored."""
    keys = ["sip:al\udcd2ce@ims.example", "sip:é@ims.example", "nul\x00inside", ""]
    await store.commit([Change("t", key, {"n": number}) for number, key in enumerate(keys)])
    assert store.load() == {"t": {key: {"n": number} for number, key in enumerate(keys)}}
    await store.commit([*(Change("t", key, None) for key in keys[1:]), Change("t", keys[0], {"n": 9})])
    assert store.load() == {"t": {keys[0]: {"n": 9}}}


async def test_a_new_store_is_empty(store: StateStore) -> None:
    assert store.load() == {}


async def test_rows_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    first = SqliteState(tmp_path / "core.db")
    await first.commit([Change("t", "k", {"n": 1})])
    await first.close()
    second = SqliteState(tmp_path / "core.db")
    assert second.load() == {"t": {"k": {"n": 1}}}
    await second.close()


async def test_files_are_for_their_owner_alone_whatever_the_directory_lets_others_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    store = SqliteState(tmp_path / "core.db")
    await store.commit([Change("keys", "nonce", {"key": "00"})])
    assert {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == dict.fromkeys(
        ("core.db", "core.db-lock", "core.db-shm", "core.db-wal"), 0
    )
    await store.close()


async def test_commits_that_wait_together_are_one(tmp_path: Path) -> None:
    store = SqliteState(tmp_path / "core.db")
    await asyncio.gather(*(store.commit([Change("t", str(number), {"n": number})]) for number in range(100)))
    assert len(store.load()["t"]) == 100
    assert store.commits < 100
    await store.close()


async def test_a_commit_that_fails_leaves_nothing_of_itself(tmp_path: Path) -> None:
    store = SqliteState(tmp_path / "core.db")
    await store.commit([Change("t", "before", {})])
    with sqlite3.connect(tmp_path / "core.db") as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON state WHEN NEW.key = 'b' BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(StoreError, match=r"cannot write .*core\.db: full"):
        await store.commit([Change("t", "a", {}), Change("t", "b", {}), Change("t", "before", None)])
    assert store.load() == {"t": {"before": {}}}
    other.close()
    await store.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteState(tmp_path / "core.db")
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.commit([Change("t", "k", {})])


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be looked at" * 100, b"SQLite format 3\0junk" * 300]
)
async def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "core.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"core\.db"):
        SqliteState(path)


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "core.db"
    store = SqliteState(path)
    await store.commit([Change("t", str(number), {"x": "y" * 500}) for number in range(200)])
    await store.close()
    data = bytearray(path.read_bytes())
    data[8192:40960] = b"\xa5" * 32768
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"cannot (use|open) .*core\.db"):
        SqliteState(path)


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "core.db"
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 2")
    newer.close()
    with pytest.raises(StoreError, match="newer version"):
        SqliteState(path)


async def test_a_row_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "core.db"
    store = SqliteState(path)
    await store.commit([Change("t", "k", {})])
    with sqlite3.connect(path) as other:
        other.execute("UPDATE state SET row = '{'")
    other.close()
    with pytest.raises(StoreError, match=r"cannot read .*core\.db"):
        store.load()
    await store.close()


async def test_a_file_is_for_one_process(tmp_path: Path) -> None:
    """A lock knows open files, so two stores in one process stand for two processes."""
    first = SqliteState(tmp_path / "core.db")
    with pytest.raises(InUseError, match=rf"cannot use .*core\.db: process {os.getpid()} keeps its state there"):
        SqliteState(tmp_path / "core.db")
    await first.commit([Change("a", "1", {"n": 1})])
    await first.close()
    second = SqliteState(tmp_path / "core.db")
    assert second.load() == {"a": {"1": {"n": 1}}}
    await second.close()


async def test_a_file_that_could_not_be_opened_is_not_left_locked(tmp_path: Path) -> None:
    (tmp_path / "core.db").write_text("no database, and long enough to be looked at by whoever opens it. " * 20)
    with pytest.raises(StoreError, match="not a database"):
        SqliteState(tmp_path / "core.db")
    (tmp_path / "core.db").unlink()
    await SqliteState(tmp_path / "core.db").close()


async def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from talkburst.store import SqliteState
store = SqliteState(Path(sys.argv[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "core.db"
    ended = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    await SqliteState(path).close()
