"""Daemons as processes: started as a stranger would, watched through what they print."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

READY_WITHIN = 20.0  # seconds; a laptop under load needs two
STOP_WITHIN = 8.0  # seconds between SIGTERM and SIGKILL


class DaemonStartError(Exception):
    """A daemon ended or stayed silent where it should have said `ready`; the text says what it printed last."""


@dataclass(slots=True)
class DaemonProcess:
    """One daemon of the demo: `python -P -m MODULE ARGUMENTS`, its log in a file of its own."""

    name: str
    module: str
    arguments: Sequence[str]
    log: Path
    inherited: Sequence[int] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_line: str = ""
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait for its `ready` line. Raises DaemonStartError."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                self.module,
                *self.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                pass_fds=tuple(self.inherited),
                env=dict(self.environment),
                start_new_session=True,  # Ctrl-C reaches the demo alone, which ends its daemons in order
            )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), READY_WITHIN)
        except TimeoutError:
            raise DaemonStartError(
                f"{self.name} did not get ready within {READY_WITHIN:g} s{self.last_words()}"
            ) from None
        self.ready_line = line.decode(errors="replace").strip()
        if not line:
            status = await self._process.wait()
            raise DaemonStartError(f"{self.name} ended with status {status} before it was ready{self.last_words()}")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def status(self) -> int | None:
        """Its exit status, None while it runs (or was never started)."""
        return self._process.returncode if self._process else None

    async def ended(self) -> int:
        """Wait until it ends; its exit status."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL for one that does not hear it."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def last_words(self) -> str:
        """The end of its log, for an error text."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-5:]
        except OSError:
            return ""
        return ":" + "".join(f"\n  {line}" for line in lines) if lines else ""
