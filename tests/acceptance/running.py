"""One daemon as a process, on whatever ports it gets: where it listens, what its log says."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

from harness import TALKBURST, environment

WITHIN = 30.0  # seconds


class Running:
    """`talkburst NAME ARGUMENTS`, from `start` on."""

    def __init__(self, name: str, directory: Path, *arguments: str) -> None:
        self.name = name
        self.log = ""
        self._arguments = (*arguments, "--state", str(directory / f"{name}-state"))
        self._news = asyncio.Event()
        self._places: list[str] = []

    async def start(self) -> Running:
        """Returns when it is ready."""
        self.process = await asyncio.create_subprocess_exec(
            *TALKBURST,
            self.name,
            *self._arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )
        assert self.process.stdout is not None
        self._logging = asyncio.create_task(self._keep_log())
        line = (await asyncio.wait_for(self.process.stdout.readline(), WITHIN)).decode()
        if not line:
            await self.process.wait()
            await self._logging
        assert line.startswith(f"ready {self.name} "), self.log
        self._places = line.split()[2:]
        return self

    def place(self, transport: str) -> str:
        """HOST:PORT of its first listener of that transport."""
        return next(place.partition(":")[2] for place in self._places if place.startswith(f"{transport}:"))

    def port(self, transport: str) -> int:
        return int(self.place(transport).rpartition(":")[2])

    async def says(self, pattern: str) -> str:
        """The first line of its log in which `pattern` is found, when it is there."""
        async with asyncio.timeout(WITHIN):
            while True:
                for line in self.log.splitlines():
                    if re.search(pattern, line):
                        return line
                self._news.clear()
                await self._news.wait()

    async def _keep_log(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log += line.decode()
            self._news.set()

    async def stop(self) -> int:
        """End it as its user would; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(self.process.wait(), WITHIN)
        await self._logging
        assert "Traceback" not in self.log, self.log
        assert "internal error" not in self.log, self.log
        return status
