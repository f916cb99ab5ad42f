"""The demo world: ports, one configuration file, the daemons as processes."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from talkburst.daemon.address import parse_listen, show_host_port
from talkburst.demo.certificates import Authority
from talkburst.demo.placement import External, Placement
from talkburst.demo.processes import DaemonProcess
from talkburst.demo.scenario import Scenario
from talkburst.demo.sockets import HandedSockets
from talkburst.flow.roles import ROLES, Role, Roles

Address = tuple[str, int]
Table = dict[str, Any]

CONFIGURATION = "talkburst.toml"


class Listener(NamedTuple):
    """A place where a daemon listens: its key in the daemon's section, and the flag that hands its sockets over."""

    key: str
    flag: str
    transports: tuple[str, ...]


class Part(NamedTuple):
    """One daemon of the demo: its module, its section of the configuration, where it listens."""

    name: str
    module: str
    section: str
    listeners: tuple[Listener, ...]

    def place(self, listener: Listener) -> str:
        return f"{self.name}.{listener.key}"

    def port_name(self, listener: Listener) -> str:
        """How --port calls it: "core", "core-servers"."""
        return self.name + listener.key.removeprefix("listen").replace("_", "-")


_BOTH = ("udp", "tcp")  # RFC 3261 18.2.1
_TLS = ("tls",)  # and nothing else, so that what works works over TLS
_SIP = Listener("listen", "--listen", _BOTH)
PARTS = (
    Part("xdms", "talkburst_xdms", "xdms", (Listener("listen", "--listen", ("tcp",)),)),
    Part("core", "talkburst_core", "core", (_SIP, Listener("listen_servers", "--listen-servers", _BOTH))),
    Part("server", "talkburst_server", "server", (_SIP,)),
    Part("client", "talkburst.ua", "client", (_SIP,)),
)
SECOND_CLIENT = Part("client-2", "talkburst.ua", "client", (_SIP,))


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

    `given` is what the user's own configuration file says; it goes over what the demo would choose. `transport` is what
    requests go by that say nothing of it: "udp", "tcp" or "tls". An external client is the one whose flow is judged.
    """

    directory: Path
    given: Mapping[str, Any]
    scenario: Scenario
    trace: Address
    transport: str = "udp"
    placement: Placement = field(default_factory=Placement)
    addresses: dict[str, Address] = field(default_factory=dict)
    daemons: dict[str, DaemonProcess] = field(default_factory=dict)
    _sockets: HandedSockets = field(default_factory=HandedSockets)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The daemons that the demo starts."""
        every = (*PARTS, SECOND_CLIENT) if self.scenario.second else PARTS
        judged = every[-1]
        return tuple(
            part
            for part in every
            if part.section not in self.placement.external or (part.section == "client" and part is not judged)
        )

    @property
    def reporting(self) -> frozenset[Role]:
        """The roles that are ours, and so tell all that they send and receive."""
        return frozenset(role for role in ROLES if any(part.section == role for part in self.parts))

    def prepare(self) -> None:
        """Bind the ports, write the configuration file, describe the daemons. Raises OSError."""
        for peer in self.placement.external.values():
            self.addresses.update(_places(peer))
        for part in self.parts:
            for listener in part.listeners:
                self.addresses[part.place(listener)] = self._address(part, listener)
        path = self.directory / CONFIGURATION
        path.touch(mode=0o600)  # it may hold passwords
        path.write_text(tomli_w.dumps(self.configuration()))
        for part in self.parts:
            self.daemons[part.name] = self._daemon(part, path)

    def configuration(self) -> Table:
        """The one file that all daemons read."""
        core, servers = self.addresses["core.listen"], self.addresses["core.listen_servers"]
        chosen: Table = {
            "state": str(self.directory),
            "trace": {"hep": f"tcp:{show_host_port(*self.trace)}"},
            "hosts": {
                "ims.example": self._entry(core),
                "ims.mnc001.mcc001.3gppnetwork.org": self._entry(core),
                "scscf.ims.example": self._entry(servers),
                "poc.ims.example": self._entry(self.addresses["server.listen"]),
            },
            "trust": {"peers": self.placement.trusted},
            "client": {"transport": self.transport, **self.scenario.client},
            **self._tables_of_tls(),
        }
        chosen.setdefault("server", {})["xcap_root"] = self.xcap_root
        for part in self.parts:
            for listener in part.listeners if part in PARTS else ():
                address = show_host_port(*self.addresses[part.place(listener)])
                listen = [f"{transport}:{address}" for transport in self._transports(part, listener)]
                chosen.setdefault(part.section, {})[listener.key] = listen
        return merged(chosen, self.given)

    @property
    def xcap_root(self) -> str:
        """Where the XDMS is reached."""
        peer = self.placement.external.get("xdms")
        if peer is not None:
            return f"http://{show_host_port(peer.host, peer.port)}{peer.root}"
        root = self.given.get("xdms", {}).get("root", "/xcap-root")
        return f"http://{show_host_port(*self.addresses['xdms.listen'])}{root}"

    @property
    def clients(self) -> list[str]:
        return [part.name for part in self.parts if part.section == "client"]

    def roles(self) -> Roles:
        """The addresses by role."""
        ends: dict[str, list[Address]] = {peer.role: peer.ends for peer in self.placement.external.values()}
        for part in self.parts:
            ends.setdefault(part.section, []).extend(self.addresses[part.place(each)] for each in part.listeners)
        return Roles(**ends)

    async def start(self, *names: str) -> None:
        """Start daemons and wait until all are ready. Raises DaemonStartError, OSError."""
        outcomes = await asyncio.gather(*(self.daemons[name].start() for name in names), return_exceptions=True)
        for failure in outcomes:
            if failure is not None:
                raise failure
        for part in self.parts:
            if part.name in names:
                for listener in part.listeners:
                    self._sockets.release(part.place(listener))

    def elsewhere(self, place: str) -> str:
        """That a daemon could not have the port where a program from outside would look for it by default."""
        for part in self.parts:
            for listener in part.listeners:
                wanted = self.placement.port_choices(part.port_name(listener))[0]
                if part.place(listener) == place and wanted and wanted != self.addresses[place][1]:
                    return f" ({wanted} is taken)"
        return ""

    def by_hand(self, name: str) -> str:
        """The command that starts this daemon again after it died."""
        part = next(part for part in self.parts if part.name == name)
        command = f"talkburst {part.section} --config {shlex.quote(str(self.directory / CONFIGURATION))}"
        if part is SECOND_CLIENT:
            listen = show_host_port(*self.addresses[part.place(_SIP)])
            transport = self._transports(part, _SIP)[0]
            command += f" --state {shlex.quote(str(self.directory / part.name))} --listen {transport}:{listen}"
            command += " " + " ".join(self.scenario.second_flags)
        return command

    async def stop(self) -> None:
        """End what runs: the clients first, so that they can take their leave, then the others at once."""
        self._sockets.close()
        clients = [self.daemons[name] for name in self.clients if name in self.daemons]
        await asyncio.gather(*(daemon.stop() for daemon in clients))
        await asyncio.gather(*(daemon.stop() for daemon in self.daemons.values()))

    def _entry(self, address: Address) -> str:
        """A value of the [hosts] table."""
        return show_host_port(*address) + ("" if self.transport == "udp" else f";transport={self.transport}")

    def _transports(self, part: Part, listener: Listener) -> tuple[str, ...]:
        return _TLS if self.transport == "tls" and part.section != "xdms" else listener.transports

    def _tables_of_tls(self) -> Table:
        """Core and server prove who they are; the client needs no certificate."""
        if self.transport != "tls":
            return {}
        authority, host = Authority(self.directory), self.placement.host
        names = {
            "core": ["ims.example", "ims.mnc001.mcc001.3gppnetwork.org", "scscf.ims.example"],
            "server": ["poc.ims.example"],
        }
        own = {daemon: {"tls": authority.issue(daemon, known, host)} for daemon, known in names.items()}
        return {"tls": {"ca": str(authority.ca)}, **own}

    def _address(self, part: Part, listener: Listener) -> Address:
        wanted = self.given.get(part.section, {}).get(listener.key) if part in PARTS else None
        if wanted:
            asked = parse_listen(wanted if isinstance(wanted, str) else wanted[0])
            return asked.host, asked.port
        choices = self.placement.port_choices(part.port_name(listener))
        return self._sockets.bind(part.place(listener), self._transports(part, listener), self.placement.host, choices)

    def _daemon(self, part: Part, configuration: Path) -> DaemonProcess:
        # State and trace as flags, so that no environment variable of the user's shell takes them away. Each of two
        # clients has a state of its own.
        state = self.directory / (part.name if part is SECOND_CLIENT else "")
        arguments = ["--config", str(configuration), "--state", str(state)]
        arguments += ["--hep", f"tcp:{show_host_port(*self.trace)}"]
        arguments += self.scenario.second_flags if part is SECOND_CLIENT else ()
        inherited = []
        for listener in part.listeners:
            for transport, descriptor in self._sockets.descriptors(part.place(listener)).items():
                arguments += [listener.flag, f"{transport}:fd:{descriptor}"]
                inherited.append(descriptor)
        log = self.directory / f"{part.name}.log"
        return DaemonProcess(part.name, part.module, arguments, log, inherited, dict(os.environ))


def _places(peer: External) -> dict[str, Address]:
    """Where our daemons reach a program from outside; its name is looked up once."""
    if not peer.addresses or peer.role == "client":
        return {}
    places = {f"{peer.role}.listen": (peer.addresses[0], peer.port)}
    if peer.role == "core":
        places["core.listen_servers"] = (peer.addresses[0], peer.servers_port)
    return places
