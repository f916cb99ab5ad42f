"""`talkburst health`: what a health check asks of a running daemon."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from talkburst.daemon.control import Command, ControlServer
from talkburst.daemon.log import Log
from talkburst.daemon.run import health_of

LIMIT = 20.0  # seconds that anything may take


class Willing:
    """As much of a daemon as its health needs."""

    name = "client"
    commands: Mapping[str, Command] = {}

    async def start(self) -> list[str]:
        return []

    async def stop(self) -> None: ...

    def show(self) -> dict[str, object]:
        return {}


class Unfinished(Willing):
    def __init__(self) -> None:
        self.lack = "registration: registering"

    def lacks(self) -> str:
        return self.lack


Serve = Callable[[Willing], object]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """A control socket that answers for a daemon."""
    servers: list[ControlServer] = []

    async def begin(daemon: Willing) -> None:
        server = ControlServer(daemon.name, tmp_path / f"{daemon.name}.sock", Log(daemon.name))
        server.bind()
        servers.append(server)
        await server.serve({"health": health_of(daemon)})

    yield begin
    for server in servers:
        await server.close()


async def health(*arguments: str, **environ: str) -> tuple[int, str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TALKBURST_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "talkburst", "health", *arguments),
        env={**clean, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize("named", ["flag", "environment", "file", "socket"])
async def test_a_daemon_that_answers_is_healthy_wherever_its_state_directory_is_named(serve, tmp_path, named):
    await serve(Willing())
    arguments, environ = [], {}
    if named == "flag":
        arguments = ["--state", str(tmp_path)]
    elif named == "environment":
        environ = {"TALKBURST_STATE": str(tmp_path)}
    elif named == "file":
        (tmp_path / "talkburst.toml").write_text('state = "."\n')
        arguments = ["--config", str(tmp_path / "talkburst.toml")]
    else:
        arguments = ["--control", str(tmp_path / "client.sock")]
    assert await health("client", *arguments, **environ) == (0, "client: healthy\n", "")


async def test_what_a_daemon_lacks_is_the_reason_that_it_is_not_healthy(serve, tmp_path):
    daemon = Unfinished()
    await serve(daemon)
    assert await health("client", "--state", str(tmp_path)) == (1, "", "client: registration: registering\n")
    daemon.lack = ""
    assert await health("client", "--state", str(tmp_path)) == (0, "client: healthy\n", "")


async def test_a_daemon_that_is_not_there_is_not_healthy(tmp_path):
    status, out, err = await health("core", "--state", str(tmp_path))
    assert (status, out) == (1, "")
    assert err.startswith(f"core: nothing answers on {tmp_path}/core.sock")


async def test_a_wrong_configuration_is_told_apart(tmp_path):
    (tmp_path / "talkburst.toml").write_text("[core]\ndomian = 1\n")
    status, _, err = await health("core", "--config", str(tmp_path / "talkburst.toml"))
    assert status == 2
    assert 'did you mean "domain"?' in err
