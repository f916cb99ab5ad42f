"""Daemons of ours on free ports, with a checker that hears all that they send and receive."""

import asyncio
import json
import re
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self

import tomli_w

from harness import TALKBURST, environment

WITHIN = 30.0  # seconds that anything may take on a busy machine


class Process:
    """A program that runs until it ends, or until the block ends. `out` and `err` are what it has said."""

    stopped_by = signal.SIGTERM

    def __init__(self, *command: str, env: dict[str, str] | None = None) -> None:
        self.command = command
        self.out = ""
        self.err = ""
        self._env = env
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._env or environment(),
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._reading = asyncio.gather(self._read(self._process.stdout, "out"), self._read(self._process.stderr, "err"))
        return self

    async def _read(self, stream: asyncio.StreamReader, name: str) -> None:
        while data := await stream.read(1 << 16):
            setattr(self, name, getattr(self, name) + data.decode())
            self._news.set()
        self._news.set()

    async def says(self, part: str, stream: str = "out", *, times: int = 1, within: float = WITHIN) -> None:
        """Wait for so many lines with this part."""
        async with asyncio.timeout(within):
            while getattr(self, stream).count(part) < times:
                assert not self._reading.done(), f"{self.command} ended without {part!r}:\n{self.out}\n{self.err}"
                self._news.clear()
                await self._news.wait()

    async def ended(self) -> int:
        """The exit code, when it has ended by itself."""
        async with asyncio.timeout(WITHIN):
            await self._reading
            return await self._process.wait()

    @property
    def has_ended(self) -> bool:
        return self._reading.done()

    async def stop(self) -> int:
        """The exit code after the signal that ends it."""
        self.signal(self.stopped_by)
        return await self.ended()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()


class World:
    """The demo world, of which `daemons` run, on ports of its own; `ports` maps each default port to its stand-in.

    `tables` are laid over the configuration; the checker waits for `flows` registrations.
    """

    def __init__(
        self,
        directory: Path,
        free_port: Callable[[], int],
        *daemons: str,
        flows: int = 1,
        **tables: Mapping[str, Any],
    ) -> None:
        self.ports = {default: free_port() for default in (5060, 5054, 5070, 5080, 5090, 5091, 8080, 9060)}
        self.report: dict[str, Any] = {}
        self._directory = directory
        self._daemons = daemons
        self._flows = flows
        self._tables = tables
        self._stack = AsyncExitStack()
        self.processes: dict[str, Process] = {}

    def place(self, default: int) -> str:
        return f"127.0.0.1:{self.ports[default]}"

    def moved(self, text: str) -> str:
        """`text` with the ports of this world in place of the default ones."""
        return re.sub(r"(?<!\d)\d{4}(?!\d)", lambda found: str(self.ports.get(int(found[0]), found[0])), text)

    def _both(self, default: int) -> list[str]:
        return [f"{transport}:{self.place(default)}" for transport in ("udp", "tcp")]

    def _configuration(self) -> dict[str, dict[str, Any]]:
        ours: dict[str, dict[str, Any]] = {
            "hosts": {
                "ims.example": self.place(5060),
                "ims.mnc001.mcc001.3gppnetwork.org": self.place(5060),
                "scscf.ims.example": self.place(5054),
                "poc.ims.example": self.place(5070),
            },
            "trace": {"hep": f"tcp:{self.place(9060)}"},
            "core": {"listen": self._both(5060), "listen_servers": self._both(5054)},
            "server": {"listen": self._both(5070), "xcap_root": f"http://{self.place(8080)}/xcap-root"},
            "xdms": {"listen": [f"tcp:{self.place(8080)}"]},
            "client": {"listen": self._both(5090)},
        }
        for name, table in self._tables.items():
            ours[name] = {**ours.get(name, {}), **_each(table, self.moved)}
        return ours

    async def __aenter__(self) -> Self:
        self._file = self._directory / "talkburst.toml"
        self._file.write_text(tomli_w.dumps(self._configuration()))
        self._report_file = self._directory / "report.json"
        await self._stack.__aenter__()
        try:
            self.checker = await self._stack.enter_async_context(
                Process(
                    *(*TALKBURST, "check", "--hep", f"tcp:{self.place(9060)}", "--report", str(self._report_file)),
                    *("--flows", str(self._flows)),
                )
            )
            await self.checker.says("listening for HEP3")
            await asyncio.gather(*(self.start(name) for name in self._daemons))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def start(self, name: str) -> Process:
        """One more daemon, until it is ready."""
        process = Process(*TALKBURST, name, "--config", str(self._file), "--state", str(self._directory / "state"))
        self.processes[name] = await self._stack.enter_async_context(process)
        await process.says(f"ready {name}")
        return process

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _documents(self) -> None:
        """Lets a server that was told of users fetch their documents: ended before, it would leave step 11 open."""
        server = self.processes.get("server")
        if server is None or "xdms" not in self.processes or "third-party REGISTER accepted" not in server.err:
            return
        with suppress(TimeoutError):  # a reg event without the tag leads to no documents
            await server.says("XDM documents", "err", times=self._flows, within=5.0)

    async def verdicts(self) -> dict[int, str]:
        """What the checker says of all that was sent and received; ends the daemons, so that none has more to tell."""
        await self._documents()
        for process in reversed(self.processes.values()):
            await process.stop()
        await self.checker.stop()
        self.report = json.loads(self._report_file.read_text())
        return {step["step"]: step["verdict"] for step in self.report["steps"]}

    def explain(self) -> str:
        logs = [f"--- {name}\n{process.err}" for name, process in self.processes.items()]
        return "\n".join([self.checker.out, *logs])


def _each(table: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    return {key: change(value) if isinstance(value, str) else value for key, value in table.items()}
