"""A daemon as a process on free ports, and what it costs: memory, file descriptors, processor time."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from harness import TALKBURST, environment

T = TypeVar("T")
Address = tuple[str, int]
WITHIN = 20.0  # seconds that a start or an end may take on a busy machine
# What a daemon may not write, whatever it is sent: each is a fault of ours.
FAULTS = ("Traceback", "internal error", "could not be answered", "Exception in callback", "never retrieved")

QUICK = {"t1": 0.02, "t2": 0.1, "t4": 0.1}
ANYWHERE = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")


def free(**more: Any) -> dict[str, Any]:
    """A configuration of every daemon, for UDP and TCP on ports that are free; `more` goes over its tables and keys."""
    tables: dict[str, Any] = {
        "timers": QUICK,
        "core": {"listen": ANYWHERE, "listen_servers": ANYWHERE},
        "server": {"listen": ANYWHERE, "xcap_root": "http://127.0.0.1:9/xcap-root"},
        "client": {"listen": ANYWHERE, "registrar": "sip:127.0.0.1:9"},
        "xdms": {"listen": ["tcp:127.0.0.1:0"]},
    }
    for name, table in more.items():
        tables[name] = {**tables.get(name, {}), **table} if isinstance(table, dict) else table
    return tables


class Watched:
    """A running daemon."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, ready: list[str], log: Path) -> None:
        self.name = name
        self.side = 0  # which of its listeners a test means
        self.process = process
        self._ready = ready
        self._log = log
        self._idle_descriptors = self.descriptors

    def address(self, transport: str = "udp", number: int = 0) -> Address:
        """Its listeners in the order of the ready line; of a core the first is for clients, the second for servers."""
        host, _, port = self.listeners(transport)[number].removeprefix(f"{transport}:").rpartition(":")
        return host, int(port)

    def listeners(self, transport: str) -> list[str]:
        return [each for each in self._ready if each.startswith(f"{transport}:")]

    @property
    def memory(self) -> int:
        """Resident KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def processor(self) -> float:
        """Seconds of processor time, used by the daemon and by the kernel for it."""
        # The name of the program, in brackets, may hold blanks.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def faults(self) -> list[str]:
        """The lines of its log that no input may bring about."""
        return [line for line in self.log.splitlines() if any(fault in line for fault in FAULTS)]

    async def until_descriptors_are_back(self, spare: int = 2) -> None:
        """Waits until it has no more files and connections open than when it began; `spare` for what it opens once."""
        async with asyncio.timeout(WITHIN):
            while self.descriptors > self._idle_descriptors + spare:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.02)


async def within_a_second(answer: Coroutine[Any, Any, T]) -> T:
    """What comes within a second, as a machine counts that has time for us: on a busy one each tick takes longer."""
    waiting = asyncio.ensure_future(answer)
    for _ in range(100):
        if (await asyncio.wait({waiting}, timeout=0.01))[0]:
            return waiting.result()
    waiting.cancel()
    raise TimeoutError("no answer within a second")


@asynccontextmanager
async def watched(name: str, directory: Path, config: Mapping[str, Any] | None = None) -> AsyncIterator[Watched]:
    """`talkburst NAME`, which has to live until the end, to leave no fault in its log, and to end on SIGTERM with 0."""
    path = directory / f"{name}.toml"
    path.write_text(tomli_w.dumps(config or free()))
    log = directory / f"{name}.log"
    with log.open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *(*TALKBURST, name, "--config", str(path), "--state", str(directory / f"{name}.state")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
            env=environment(),
        )
    try:
        assert process.stdout is not None
        ready = (await asyncio.wait_for(process.stdout.readline(), WITHIN)).decode().split()
        assert ready[:2] == ["ready", name], log.read_text()
        daemon = Watched(name, process, ready[2:], log)
        yield daemon
        assert process.returncode is None, daemon.log[-2000:]
        process.terminate()
        assert await asyncio.wait_for(process.wait(), WITHIN) == 0
        assert not daemon.faults()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
