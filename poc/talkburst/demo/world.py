"""The demo world: free ports, one configuration file, four daemons as processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from talkburst.daemon.address import parse_listen, show_host_port
from talkburst.demo.processes import DaemonProcess
from talkburst.demo.sockets import HandedSockets

Address = tuple[str, int]
Table = dict[str, Any]

CONFIGURATION = "talkburst.toml"
MODULES = {
    "xdms": "talkburst_xdms",
    "core": "talkburst_core",
    "server": "talkburst_server",
    "client": "talkburst.ua",
}


class Listener(NamedTuple):
    """A place where a daemon listens: the configuration key that says so, and the flag that hands a socket over."""

    section: str
    key: str
    flag: str
    transport: str

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"


LISTENERS = (
    Listener("xdms", "listen", "--listen", "tcp"),
    Listener("core", "listen", "--listen", "udp"),
    Listener("core", "listen_servers", "--listen-servers", "udp"),
    Listener("server", "listen", "--listen", "udp"),
    Listener("client", "listen", "--listen", "udp"),
)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """`base` with `over` laid on it, tables key by key."""
    result: Table = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return result


@dataclass(slots=True)
class World:
    """Addresses, configuration and processes of one demo.

    `given` is what the user's own configuration file says; it goes over what the demo would choose.
    """

    directory: Path
    given: Mapping[str, Any]
    trace: Address
    addresses: dict[str, Address] = field(default_factory=dict)
    daemons: dict[str, DaemonProcess] = field(default_factory=dict)
    _sockets: HandedSockets = field(default_factory=HandedSockets)

    def prepare(self) -> None:
        """Bind the ports, write the configuration file, describe the daemons. Raises OSError."""
        for listener in LISTENERS:
            self.addresses[listener.name] = self._address(listener)
        path = self.directory / CONFIGURATION
        path.write_bytes(tomli_w.dumps(self.configuration()).encode())
        path.chmod(0o600)  # it may hold passwords
        for name, module in MODULES.items():
            self.daemons[name] = self._daemon(name, module, path)

    def configuration(self) -> Table:
        """The one file that all four daemons read."""
        core, servers = self.addresses["core.listen"], self.addresses["core.listen_servers"]
        chosen: Table = {
            "hosts": {
                "ims.example": show_host_port(*core),
                "ims.mnc001.mcc001.3gppnetwork.org": show_host_port(*core),
                "scscf.ims.example": show_host_port(*servers),
                "poc.ims.example": show_host_port(*self.addresses["server.listen"]),
            },
            "server": {"xcap_root": self.xcap_root},
        }
        return merged(chosen, self.given)

    @property
    def xcap_root(self) -> str:
        """Where the demo's XDMS is reached."""
        root = self.given.get("xdms", {}).get("root", "/xcap-root")
        return f"http://{show_host_port(*self.addresses['xdms.listen'])}{root}"

    async def start(self, name: str) -> None:
        """Start one daemon and wait until it is ready. Raises DaemonFailed."""
        await self.daemons[name].start()

    async def stop(self) -> None:
        """End what runs: the client first, so that it can take its leave, then the others at once."""
        self._sockets.close()
        await self.daemons["client"].stop()
        await asyncio.gather(*(daemon.stop() for name, daemon in self.daemons.items() if name != "client"))

    def _address(self, listener: Listener) -> Address:
        wanted = self.given.get(listener.section, {}).get(listener.key)
        if wanted:
            asked = parse_listen(wanted if isinstance(wanted, str) else wanted[0])
            return asked.host, asked.port
        bind = self._sockets.tcp if listener.transport == "tcp" else self._sockets.udp
        return bind(listener.name)

    def _daemon(self, name: str, module: str, configuration: Path) -> DaemonProcess:
        # as flags, so that no environment variable of the user's shell takes the demo's state or its view away
        arguments = ["--config", str(configuration), "--state", str(self.directory / "state")]
        arguments += ["--hep", f"tcp:{show_host_port(*self.trace)}"]
        inherited = []
        for listener in LISTENERS:
            descriptor = self._sockets.descriptor(listener.name)
            if listener.section == name and descriptor is not None:
                arguments += [listener.flag, f"{listener.transport}:fd:{descriptor}"]
                inherited.append(descriptor)
        return DaemonProcess(name, module, arguments, self.directory / f"{name}.log", inherited, dict(os.environ))
