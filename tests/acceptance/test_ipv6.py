"""Four daemons that listen on every IPv6 address: what they advertise stands in brackets wherever an address stands."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import tomli_w

from harness import TALKBURST, environment, talkburst

pytestmark = pytest.mark.acceptance
WITHIN = 30.0


class World:
    """`::` everywhere, `[::1]` advertised, and trusted as a network."""

    def __init__(self, directory: Path, free_port: Callable[[], int]) -> None:
        core, servers, server, client, xdms = (free_port() for _ in range(5))
        self.ports = {"core": core, "server": server, "client": client, "xdms": xdms}
        self.directory = directory
        self.file = directory / "talkburst.toml"
        listen = {port: [f"udp:[::]:{port}", f"tcp:[::]:{port}"] for port in (core, servers, server, client)}
        config = {
            "hosts": {
                "ims.example": f"[::1]:{core}",
                "scscf.ims.example": f"[::1]:{servers}",
                "poc.ims.example": f"[::1]:{server}",
            },
            "trust": {"peers": ["::1/128"]},
            "core": {
                "listen": listen[core],
                "listen_servers": listen[servers],
                "advertise": "[::1]",
                "advertise_servers": "[::1]",
            },
            "server": {
                "listen": listen[server],
                "advertise": f"[::1]:{server}",
                "xcap_root": f"http://[::1]:{xdms}/xcap-root",
            },
            "client": {"listen": listen[client], "advertise": "[::1]"},
            "xdms": {"listen": [f"tcp:[::]:{xdms}"]},
        }
        self.file.write_text(tomli_w.dumps(config))

    @property
    def places(self) -> tuple[str, ...]:
        return ("--config", str(self.file), "--state", str(self.directory / "state"))

    @asynccontextmanager
    async def daemon(self, name: str) -> AsyncIterator[str]:
        """A running daemon; its ready line."""
        process = await asyncio.create_subprocess_exec(
            *(*TALKBURST, name, *self.places, "--pcap", str(self.directory / f"{name}.pcap")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
        assert process.stdout is not None
        try:
            yield (await asyncio.wait_for(process.stdout.readline(), WITHIN)).decode()
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), WITHIN)


async def test_daemons_on_every_ipv6_address_advertise_theirs_in_brackets(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    world = World(tmp_path, free_port)
    async with AsyncExitStack() as running:
        for name in ("xdms", "core", "server", "client"):
            ready = await running.enter_async_context(world.daemon(name))
            assert f"[::]:{world.ports[name]}" in ready
        async with asyncio.timeout(WITHIN):
            while (await talkburst("health", "client", *world.places[2:]))[0]:
                pass
        _, out, _ = await talkburst("core", "show", "--json", *world.places)
    (registration,) = json.loads(out)["registrations"]
    (contact,) = registration["contacts"]
    assert contact["source"] == f"[::1]:{world.ports['client']}"
    assert f"@[::1]:{world.ports['client']}" in contact["contact"]
    assert registration["told"] == ["sip:poc.ims.example"]
    _, out, err = await talkburst("check", str(tmp_path / "core.pcap"))
    assert "31 of 32 steps passed" in out, out + err  # the XDMS is not the core's to see
