"""One SQLite file, one thread that writes it, one commit for everything that waits.

A commit costs a disk flush, whatever it holds; so operations that gather while one is under way share the next. The
file is in WAL mode with full synchronisation: what `run` returned for survives kill -9 and a power cut.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from talkburst.store.lock import StateLock, StoreError

T = TypeVar("T")

_LARGEST_GROUP: Final = 256
_BUSY_TIMEOUT: Final = 5.0  # seconds to wait for another process that holds the file


class _Waiting(NamedTuple):
    operation: Callable[[sqlite3.Connection], Any]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop


class _Settled(NamedTuple):
    waiting: _Waiting
    result: object
    error: BaseException | None


class GroupCommit:
    """Opens `path`, creating it with `schema` (statements of version 1); raises StoreError when that cannot be.

    The file is read through, and none is taken that is damaged, for who would else find out half way; nor one that
    another process has open.
    """

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        self.path = path
        self.groups = 0
        """Commits so far."""
        with contextlib.ExitStack() as opened:
            self._lock = StateLock(path)
            opened.callback(self._lock.release)
            _create_private(path)
            try:
                # The writer is opened here, so that faults show at once, and used by its thread alone.
                self._writer = self._connect(opened)
                self._create(schema)
                self.reader = self._connect(opened)
                self.reader.execute("PRAGMA query_only = 1")
                if (fault := self.reader.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                    raise StoreError(f"cannot use {path}, it is damaged: {fault}")
            except sqlite3.Error as error:
                raise StoreError(f"cannot open {path}: {error}") from None
            opened.pop_all()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name=f"store {path.name}", daemon=True)
        self._thread.start()
        self._closed = False

    async def run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `operation` in a transaction on the writer thread; returns what it returned, after the commit.

        Raises StoreError when the file could not be written, and what `operation` raised. A caller that is cancelled
        does not undo what it asked for.
        """
        if self._closed:
            raise StoreError(f"{self.path} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Waiting(operation, future, loop))
        return await future

    async def close(self) -> None:
        """Commits what waits and closes the file."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self.reader.close()
        self._lock.release()

    def _connect(self, opened: contextlib.ExitStack) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        opened.callback(connection.close)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _create(self, schema: Sequence[str]) -> None:
        [version] = self._writer.execute("PRAGMA user_version").fetchone()
        if version > 1:
            raise StoreError(f"cannot open {self.path}: a newer version of this program wrote it (format {version})")
        if version == 1:
            return
        self._writer.execute("BEGIN IMMEDIATE")
        for statement in schema:
            self._writer.execute(statement)
        self._writer.execute("PRAGMA user_version = 1")
        self._writer.execute("COMMIT")

    def _write(self) -> None:
        running = True
        while running:
            group: list[_Waiting] = []
            item = self._queue.get()
            while item is not None:
                group.append(item)
                if len(group) == _LARGEST_GROUP or self._queue.empty():
                    break
                item = self._queue.get()
            running = item is not None
            if group:
                self._settle(self._commit(group))
        self._writer.close()

    def _commit(self, group: list[_Waiting]) -> list[_Settled]:
        """Commits a group as one; when the file refuses that, each operation by itself, so that what fits gets in."""
        settled: list[_Settled] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for waiting in group:
                settled.append(self._operate(waiting))
            self._writer.execute("COMMIT")
            self.groups += 1
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")  # a full disk may have rolled back already
            if len(group) > 1:
                return [outcome for waiting in group for outcome in self._commit([waiting])]
            return [_Settled(group[0], None, StoreError(f"cannot write {self.path}: {error}"))]
        return settled

    def _operate(self, waiting: _Waiting) -> _Settled:
        self._writer.execute("SAVEPOINT operation")
        try:
            result = waiting.operation(self._writer)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to the one who asked
            self._writer.execute("ROLLBACK TO operation")
            return _Settled(waiting, None, error)
        finally:
            if self._writer.in_transaction:
                self._writer.execute("RELEASE operation")
        return _Settled(waiting, result, None)

    @staticmethod
    def _settle(settled: list[_Settled]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Settled]] = {}
        for outcome in settled:
            by_loop.setdefault(outcome.waiting.loop, []).append(outcome)
        for loop, outcomes in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits any more
                loop.call_soon_threadsafe(_deliver, outcomes)


def _deliver(settled: list[_Settled]) -> None:
    for waiting, result, error in settled:
        if waiting.future.done():
            continue
        if error is None:
            waiting.future.set_result(result)
        else:
            waiting.future.set_exception(error)


def _create_private(path: Path) -> None:
    """Makes the file where there is none, for its owner alone: what is in it, such as the key of nonces, is for nobody
    else. SQLite gives the files beside it the same mode.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}") from None
