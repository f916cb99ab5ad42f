"""Daemons that a test kills and starts again.

Their sockets are bound by the test and handed over, so that every life of a daemon has the same address, nothing that
is sent in between is refused, and no port is fixed.
"""

import asyncio
import contextlib
import json
import resource
import socket
import sys
from pathlib import Path
from typing import Any

import tomli_w

from harness import environment, talkburst

WITHIN = 20.0  # seconds that anything may take on a busy machine
QUICK = {"t1": 0.1, "t2": 0.4, "t4": 0.5}
MODULES = {"core": "talkburst_core", "server": "talkburst_server", "xdms": "talkburst_xdms", "client": "talkburst.ua"}


class Killable:
    """`talkburst NAME`. `flags` are the listening flags it needs, a socket is made for each."""

    def __init__(self, name: str, directory: Path, *flags: str) -> None:
        self.name = name
        self.strikes = 0
        self._directory = directory
        self._log = directory / f"{name}.log"
        self._sockets = {flag: _bound("tcp" if name == "xdms" else "udp") for flag in flags or ("--listen",)}
        self._process: asyncio.subprocess.Process | None = None
        self._logging: asyncio.Task[None] | None = None

    def address(self, flag: str = "--listen") -> tuple[str, int]:
        found: tuple[str, int] = self._sockets[flag].getsockname()
        return found

    @property
    def place(self) -> str:
        """Where it listens, as [hosts] has it."""
        return "{}:{}".format(*self.address())

    async def start(self) -> None:
        arguments = ["--config", str(self._directory / "talkburst.toml"), "--state", str(self.state)]
        for flag, bound in self._sockets.items():
            arguments += [flag, f"{'tcp' if self.name == 'xdms' else 'udp'}:fd:{bound.fileno()}"]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", MODULES[self.name], *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[bound.fileno() for bound in self._sockets.values()],
            env=environment(),
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._logging = asyncio.create_task(self._keep_log(self._process.stderr))
        line = await asyncio.wait_for(self._process.stdout.readline(), WITHIN)
        assert line.startswith(f"ready {self.name}".encode()), self.log()

    async def _keep_log(self, stderr: asyncio.StreamReader) -> None:
        # Through a pipe, since a daemon whose disk is full could not write a file.
        with self._log.open("ab") as log:
            while line := await stderr.readline():
                log.write(line)
                log.flush()

    @property
    def state(self) -> Path:
        return self._directory / "state"

    def strike(self) -> None:
        """kill -9, at this very moment."""
        assert self._process is not None
        self.strikes += 1
        self._process.kill()

    async def restart(self) -> None:
        """The next life of one that was struck."""
        await self._ended()
        await self.start()

    async def _ended(self) -> None:
        if self._process is not None:
            await asyncio.wait_for(self._process.wait(), WITHIN)
        if self._logging is not None:
            await self._logging

    def disk(self, full: bool) -> None:
        """Whether the running daemon can write to any file."""
        assert self._process is not None
        _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (0 if full else hard, hard))

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._ended()
        for bound in self._sockets.values():
            bound.close()

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    async def show(self) -> dict[str, Any]:
        status, out, err = await talkburst(self.name, "show", "--json", "--state", str(self.state))
        assert status == 0, err
        read: dict[str, Any] = json.loads(out)
        return read


def configure(directory: Path, **tables: Any) -> None:
    """The configuration that all daemons in `directory` read."""
    (directory / "talkburst.toml").write_text(tomli_w.dumps({"timers": QUICK, **tables}))


def _bound(transport: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    if transport == "tcp":
        bound.listen(16)
    return bound
