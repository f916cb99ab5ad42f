"""Files that are written whole: whoever looks sees the old one or the new one, after a crash or a power cut too."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Replaces the file, or makes it. Raises OSError with the path as its filename; then nothing has changed.

    What is no regular file (a pipe, a terminal) is written to as it is.
    """
    with replacing(path) as place, place.open("w", encoding="utf-8", newline="") as file:
        file.write(text)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place in the same directory to write to, which becomes `path` at the end, and is gone after an error.

    Raises OSError with `path` as its filename.
    """
    target = path.resolve()  # a symbolic link stays one
    place = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.new")
    try:
        if target.exists() and not target.is_file():
            yield target
            return
        _make(place, target)
        yield place
        _settle(place)
        os.replace(place, target)
        _settle(target.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            place.unlink(missing_ok=True)


def _make(place: Path, target: Path) -> None:
    """An empty file with the mode of the one that it replaces, or what the umask makes of a new one."""
    file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(file, target.stat().st_mode & 0o7777)
    finally:
        os.close(file)


def _settle(place: Path) -> None:
    """Have what was written reach the disk: a file system may say only now that it has no room."""
    file = os.open(place, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
