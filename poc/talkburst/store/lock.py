"""One process for one file of state: two would each overwrite what the other promised."""

import contextlib
import fcntl
import os
from pathlib import Path


class StoreError(Exception):
    """Nothing was stored, or a store cannot be used; the text says why and where."""


class InUseError(StoreError):
    """Another process keeps its state there."""


class StateLock:
    """Holds `path` for this process, until `release` or the end of the process, however that comes.

    What is locked is a file beside it, `path` with "-lock" behind, which stays: whoever removed it might take it from
    under one who has just begun to wait for it. Raises InUseError, and StoreError when the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        beside = path.with_name(f"{path.name}-lock")
        try:
            self._file = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"cannot open {beside}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            if not isinstance(error, BlockingIOError):
                raise StoreError(f"cannot lock {beside}: {error.strerror}") from None
            who = f"process {holder}" if holder.isdecimal() else "another process"
            raise InUseError(f"cannot use {path}: {who} keeps its state there") from None
        with contextlib.suppress(OSError):  # a full disk: then nobody is told who it is
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)
