"""A client that registered over TCP, and a core that goes away and comes back."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w

from harness import TALKBURST, environment

pytestmark = pytest.mark.acceptance


class Daemon:
    """One daemon, its log as it comes."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments

    async def __aenter__(self) -> "Daemon":
        self.process = await asyncio.create_subprocess_exec(
            *TALKBURST,
            *self.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )
        return self

    async def says(self, part: str) -> str:
        """The next line of the log that has this part."""
        assert self.process.stderr is not None
        async with asyncio.timeout(30):
            async for line in self.process.stderr:
                if part in line.decode():
                    return line.decode()
        pytest.fail(f"{self.arguments[0]} ended without saying {part!r}")

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="ports are had back at once")
async def test_client_over_tcp_registers_anew_with_a_core_that_was_killed(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    clients, servers, client = (f"127.0.0.1:{free_port()}" for _ in range(3))
    config = {
        "hosts": {"ims.example": clients},
        "core": {"listen": [f"udp:{clients}", f"tcp:{clients}"], "listen_servers": [f"udp:{servers}"]},
        "client": {"listen": [f"udp:{client}", f"tcp:{client}"]},
    }
    file = tmp_path / "talkburst.toml"
    file.write_text(tomli_w.dumps(config))
    places = ("--config", str(file), "--state", str(tmp_path / "state"))
    async with Daemon("client", *places, "--transport", "tcp") as alice:
        async with Daemon("core", *places) as core:
            await alice.says("registered identity")
            assert "initial registration" in await core.says("200 to REGISTER")
        await alice.says("connection lost")
        async with Daemon("core", *places) as core:
            await alice.says("registered identity")
            await core.says("200 to REGISTER")
