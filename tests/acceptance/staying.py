"""A demo that stays: its daemons are asked and told things, killed, and started again by hand."""

import asyncio
import os
import select
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness import TALKBURST, environment, talkburst
from talkburst.daemon.control import ask

WITHIN = 30.0  # seconds that anything may take on a busy machine


class Staying:
    """`talkburst demo --stay`, as an asynchronous context; `tables` go over its configuration."""

    def __init__(self, directory: Path, *arguments: str, **tables: Any) -> None:
        self.directory = directory
        self.state = directory / "state"
        self._arguments = arguments
        self._config = directory / "demo.toml"
        self._config.write_text(tomli_w.dumps(tables))
        self._own: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> "Staying":
        self._demo = await asyncio.create_subprocess_exec(
            *(*TALKBURST, "demo", "--stay", "--state", str(self.state), "--config", str(self._config)),
            *("--pcap", str(self.directory / "demo.pcap"), *self._arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
        )
        assert self._demo.stdout is not None
        said = b""
        async with asyncio.timeout(2 * WITHIN):
            while b"Ctrl-C" not in (line := await self._demo.stdout.readline()):
                said += line
                assert line, said.decode()
        self._read = asyncio.create_task(self._demo.stdout.read())
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in (*reversed(self._own), self._demo):
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), WITHIN)
        await self._read
        for log in self.state.rglob("*.log"):
            assert "Traceback" not in log.read_text(), log.read_text()

    def places(self, name: str) -> tuple[str, ...]:
        """The flags that lead to a daemon: "core", "server", "xdms", "client", "client-2"."""
        return ("--state", str(self.state / name if name == "client-2" else self.state))

    async def ask(self, name: str, command: str, *arguments: str) -> tuple[int, str, str]:
        return await talkburst(name.removesuffix("-2"), command, *self.places(name), *arguments)

    async def show(self, name: str) -> dict[str, Any]:
        """As `talkburst NAME show --json` does, without a process of its own."""
        path = Path(self.places(name)[1]) / f"{name.removesuffix('-2')}.sock"
        return await asyncio.to_thread(ask, path, "show")

    async def until(self, name: str, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Asks until it shows what is awaited."""
        shown: dict[str, Any] = {}
        try:
            async with asyncio.timeout(WITHIN):
                while not condition(shown := await self.show(name)):
                    pass
        except TimeoutError:
            pytest.fail(f"the {name} shows {shown}\n{self.log(name)}")
        return shown

    def log(self, name: str) -> str:
        return (self.state / f"{name}.log").read_text()

    def pid(self, name: str) -> int:
        """Of the process, whoever started it."""
        children = Path(f"/proc/{self._demo.pid}/task/{self._demo.pid}/children").read_text().split()
        running = [process.pid for process in self._own if process.returncode is None]
        [found] = [pid for pid in (*map(int, children), *running) if self._is(name, pid)]
        return found

    async def kill(self, name: str) -> None:
        """SIGKILL; returns when the process has ended."""
        pid = self.pid(name)
        descriptor = os.pidfd_open(pid)
        try:
            os.kill(pid, signal.SIGKILL)
            ended, _, _ = await asyncio.to_thread(select.select, [descriptor], [], [], WITHIN)
            assert ended, f"the {name} outlives SIGKILL"
        finally:
            os.close(descriptor)

    def _is(self, name: str, pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            return False
        module = {"client": "talkburst.ua", "client-2": "talkburst.ua"}.get(name, f"talkburst_{name}")
        own = words[words.index("--state") + 1] if "--state" in words else ""
        return (module in words or name.removesuffix("-2") in words) and own == self.places(name)[1]

    async def start(self, name: str, *arguments: str, config: Path | None = None) -> None:
        """Start a daemon again by hand; its log goes where the one before wrote."""
        file = config or self.state / "talkburst.toml"
        with (self.state / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(*TALKBURST, name.removesuffix("-2"), "--config", str(file), *self.places(name), *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=environment(),
            )
        self._own.append(process)
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), WITHIN)
        assert line.startswith(b"ready "), self.log(name)
