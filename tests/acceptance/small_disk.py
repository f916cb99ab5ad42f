"""A disk of a megabyte that daemons keep their state on, and that a test fills: tmpfs in a mount namespace of its own,
which outlives the daemons."""

import asyncio
import os
from pathlib import Path

import pytest

from harness import need

_MOUNT = 'mount -t tmpfs -o size=1m tmpfs "$0" && echo mounted && exec cat'


class SmallDisk:
    """`prefix` is the command that runs a daemon where the disk is."""

    def __init__(self, place: Path) -> None:
        self._place = place

    async def open(self) -> None:
        """Skips the test where nothing can be mounted, and fails it under CI."""
        unshare, nsenter = need("unshare"), need("nsenter")
        own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self._place.mkdir()
        self._holder = await asyncio.create_subprocess_exec(
            *(unshare, "--mount", *own, "sh", "-c", _MOUNT, str(self._place)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if await self._holder.stdout.readline() != b"mounted\n":
            _, why = await self._holder.communicate()
            reason = f"no tmpfs can be mounted: {why.decode().strip()}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        enter = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        self.prefix = (nsenter, "--target", str(self._holder.pid), "--mount", *enter)

    @property
    def _filler(self) -> Path:
        return Path(f"/proc/{self._holder.pid}/root{self._place}/filler")

    def fill(self) -> None:
        """To the last page."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError:
                return

    def free(self) -> None:
        self._filler.unlink()

    async def close(self) -> None:
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        await self._holder.communicate()
