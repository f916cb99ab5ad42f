"""The core alone, at an address and by a transport of choice, for SIPps that call each other through it."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import tomli_w

from harness import TALKBURST, talkburst
from sipp_world import Process


class CallCore(Process):
    """It listens on IPv4 and on IPv6. `moved` gives a command line of the how-to its ports, and the `host` and the
    `transport` of the moment.
    """

    def __init__(
        self,
        directory: Path,
        free_port: Callable[[], int],
        *,
        host: str = "127.0.0.1",
        transport: str = "UDP",
        t1: float = 0.5,
    ) -> None:
        self.ports = {default: free_port() for default in (5060, 5054, 5090, 5091, 5092)}
        self.host, self.transport = host, transport
        self._state = str(directory / "state")
        listen, listen_servers = (
            [f"{each}:{host}:{self.ports[default]}" for host in ("127.0.0.1", "[::1]") for each in ("udp", "tcp")]
            for default in (5060, 5054)
        )
        file = directory / "talkburst.toml"
        core = {"listen": listen, "listen_servers": listen_servers}
        file.write_text(tomli_w.dumps({"core": core, "timers": {"t1": t1}}))
        super().__init__(*TALKBURST, "core", "--config", str(file), "--state", self._state)

    def moved(self, text: str) -> str:
        text = re.sub(r"(?<!\d)\d{4}(?!\d)", lambda found: str(self.ports.get(int(found[0]), found[0])), text)
        return text.replace("127.0.0.1", self.host).replace("-t u1", "-t t1" if self.transport == "TCP" else "-t u1")

    def place(self, default: int) -> str:
        return f"{self.host}:{self.ports[default]}"

    async def registered(self, contacts: int, user: str = "bob") -> None:
        """Wait until a user is registered with so many contacts."""
        await self.says(f"identity=sip:{user}@ims.example expires=600 contacts={contacts} ", "err")

    async def is_done(self, within: float) -> None:
        """Wait until the core has no request in hand any more, as `talkburst core show` tells."""
        async with asyncio.timeout(within):
            while any((await self._shown())["in_progress"].values()):  # noqa: ASYNC110
                await asyncio.sleep(0.5)

    async def _shown(self) -> dict[str, dict[str, int]]:
        status, out, err = await talkburst("core", "show", "--json", "--state", self._state)
        assert status == 0, err
        return json.loads(out)
