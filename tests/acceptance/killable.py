"""Daemons that a test kills and starts again.

Their sockets are bound by the test and handed over, so that every life of a daemon has the same address, nothing that
is sent in between is refused, and no port is fixed.
"""

import asyncio
import contextlib
import resource
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness import environment
from talkburst.daemon.control import ask

WITHIN = 20.0  # seconds that anything may take on a busy machine
QUICK = {"t1": 0.1, "t2": 0.4, "t4": 0.5}
MODULES = {"core": "talkburst_core", "server": "talkburst_server", "xdms": "talkburst_xdms", "client": "talkburst.ua"}


def seeds(always: int, longer: int) -> list[object]:
    """A few in every run, more in a longer one."""
    return [*range(always), *(pytest.param(seed, marks=pytest.mark.longer) for seed in range(always, longer))]


class Killable:
    """`talkburst NAME`. `flags` are the listening flags it needs, a socket is made for each.

    With transport "tcp" it is reached over TCP, and listens on UDP besides. `prefix` is a command that runs it.
    """

    def __init__(
        self, name: str, directory: Path, *flags: str, transport: str = "udp", prefix: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.strikes = 0
        self.transport = transport
        self.control = directory / f"{name}.sock"
        self._directory = directory
        self._prefix = prefix
        self._log = directory / f"{name}.log"
        self._sockets = {flag: _bound(name, transport) for flag in flags or ("--listen",)}
        self._news = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._logging: asyncio.Task[None] | None = None

    def address(self, flag: str = "--listen") -> tuple[str, int]:
        found: tuple[str, int] = next(iter(self._sockets[flag].values())).getsockname()
        return found

    def place(self, flag: str = "--listen") -> str:
        """Where it listens, as [hosts] has it."""
        over = ";transport=tcp" if self.transport == "tcp" and self.name != "xdms" else ""
        return "{}:{}".format(*self.address(flag)) + over

    async def start(self) -> None:
        """Returns when it is ready, or has been struck before."""
        strikes = self.strikes
        arguments = ["--config", str(self._directory / "talkburst.toml"), "--state", str(self.state)]
        arguments += ["--control", str(self.control)]
        for flag, sockets in self._sockets.items():
            for transport, bound in sockets.items():
                arguments += [flag, f"{transport}:fd:{bound.fileno()}"]
        self._process = await asyncio.create_subprocess_exec(
            *(*self._prefix, sys.executable, "-P", "-m", MODULES[self.name], *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[bound.fileno() for sockets in self._sockets.values() for bound in sockets.values()],
            env=environment(),
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._logging = asyncio.create_task(self._keep_log(self._process.stderr))
        line = await asyncio.wait_for(self._process.stdout.readline(), WITHIN)
        if not line:
            await self._ended()
        assert line.startswith(f"ready {self.name}".encode()) or self.strikes > strikes, self.log()

    async def _keep_log(self, stderr: asyncio.StreamReader) -> None:
        # Through a pipe, since a daemon whose disk is full could not write a file.
        with self._log.open("ab") as log:
            while line := await stderr.readline():
                log.write(line)
                log.flush()
                self._news.set()

    async def said(self, words: str) -> None:
        """Wait until its log has these words."""
        async with asyncio.timeout(WITHIN):
            while words not in self.log():
                self._news.clear()
                await self._news.wait()

    @property
    def state(self) -> Path:
        return self._directory / "state"

    @property
    def process_id(self) -> int:
        assert self._process is not None
        return self._process.pid

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
        _, hard = resource.prlimit(self.process_id, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process_id, resource.RLIMIT_FSIZE, (0 if full else hard, hard))

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._ended()
        for sockets in self._sockets.values():
            for bound in sockets.values():
                bound.close()

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    async def show(self) -> dict[str, Any]:
        return await asyncio.to_thread(ask, self.control, "show")


def configure(directory: Path, **tables: Any) -> None:
    """The configuration that all daemons in `directory` read."""
    (directory / "talkburst.toml").write_text(tomli_w.dumps({"timers": QUICK, **tables}))


def _bound(name: str, transport: str) -> dict[str, socket.socket]:
    """One port, for each transport that the daemon listens on."""
    if name == "xdms":
        return {"tcp": _listening(0)}
    while True:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        if transport == "udp":
            return {"udp": datagrams}
        try:
            return {"udp": datagrams, "tcp": _listening(datagrams.getsockname()[1])}
        except OSError:  # somebody has the port for TCP
            datagrams.close()


def _listening(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    bound.listen(128)
    return bound
