"""Where a daemon keeps what it must not lose, and its control socket."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from talkburst.daemon.start_error import StartError

if TYPE_CHECKING:  # who only looks for a socket does without pydantic, which takes longer than the question
    from talkburst.daemon.settings import Settings


def state_path(settings: Settings, environ: Mapping[str, str] | None = None) -> Path:
    """The directory that the settings name (flag, $TALKBURST_STATE, file), else the platform's place for state."""
    if settings.state:
        return Path(settings.state).expanduser()
    return _platform_directory(os.environ if environ is None else environ)


def state_directory(settings: Settings, environ: Mapping[str, str] | None = None) -> Path:
    """`state_path`, made for its owner alone when it is not there; raises StartError when that can not be."""
    path = state_path(settings, environ)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"cannot make the state directory {path}: {error.strerror}; name another with --state DIR"
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartError(
            f"cannot write in the state directory {path}; change its owner or name another with --state DIR"
        )
    return path


def control_path(settings: Settings, name: str) -> Path:
    """The control socket of the daemon of that name, where `--control` says nothing else."""
    return control_socket(state_path(settings), name)


def control_socket(directory: Path, name: str) -> Path:
    """The control socket of the daemon of that name in a state directory."""
    return directory / f"{name}.sock"


def _platform_directory(environ: Mapping[str, str]) -> Path:
    """XDG Base Directory Specification on Unix, the usual places on macOS and Windows."""
    try:
        home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    except RuntimeError:
        raise StartError("there is no home directory to keep state in; name a place with --state DIR") from None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "talkburst"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "talkburst"
    named = environ.get("XDG_STATE_HOME", "")
    base = Path(named) if named.startswith("/") else home / ".local" / "state"  # a relative one is to be ignored
    return base / "talkburst"
