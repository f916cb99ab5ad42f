"""The daemons of Talkburst with a configuration of many users, as `make bench-flow` measures them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

import users
from measured import Measured, free_port


@dataclass(slots=True)
class World:
    """Configuration and daemons in `directory`, for the first `count` users of `users.write`, which is to be there.

    `poc` is the port of "sip:poc.ims.example", by default the PoC server's of this world. `over` goes over what the
    sections of the configuration say here. `store` is "sqlite" or "memory"; `python` is the interpreter of the daemons.
    """

    directory: Path
    files: Path
    poc: int = 0
    store: str = "sqlite"
    over: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    python: str = sys.executable
    ports: dict[str, int] = field(init=False)
    servers: dict[str, Measured] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = {name: free_port() for name in ("clients", "servers", "server", "xdms")}

    def start(self, *names: str) -> None:
        """Starts these daemons one after the other, each with a configuration of its own. Raises UnmeasurableError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            path = self.directory / f"{name}.toml"
            text = tomli_w.dumps(self._configuration(name))
            path.write_text(text + ((self.files / "accounts.toml").read_text() if name == "xdms" else ""))
            command = [self.python, "-P", "-m", "talkburst", name, "--config", str(path)]
            log = self.directory / f"{name}.log"
            self.servers[name] = Measured(command, 0, log, says=f"ready {name}")

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()

    def _configuration(self, name: str) -> dict[str, Any]:
        at = {key: f"127.0.0.1:{port}" for key, port in self.ports.items()}
        sections: dict[str, dict[str, Any]] = {
            "core": {
                "listen": [f"udp:{at['clients']}", f"tcp:{at['clients']}"],
                "listen_servers": [f"udp:{at['servers']}", f"tcp:{at['servers']}"],
                "profiles": str(self.files / "profiles"),
                "credentials": str(self.files / "credentials.toml"),
            },
            "server": {
                "listen": [f"udp:{at['server']}", f"tcp:{at['server']}"],
                "xcap_root": f"http://{at['xdms']}/xcap-root",
            },
            "xdms": {"listen": [f"tcp:{at['xdms']}"]},
        }
        return {
            "state": str(self.directory),
            "store": self.store,
            "log": {"level": "warning"},
            "hosts": {
                users.DOMAIN: at["clients"],
                f"scscf.{users.DOMAIN}": at["servers"],
                f"poc.{users.DOMAIN}": f"127.0.0.1:{self.poc or self.ports['server']}",
            },
            name: {**sections[name], **self.over.get(name, {})},
        }
