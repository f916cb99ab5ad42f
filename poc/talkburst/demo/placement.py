"""Who takes the place of which daemon, and where the daemons of the demo listen."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from talkburst.daemon.address import parse_host_port
from talkburst.flow.roles import ROLES, Role
from talkburst.obs.frame import Endpoint

LOOPBACK: Final = "127.0.0.1"
ANY_FREE: Final = 0
HTTP: Final = 80
# By the names that --port knows: where the defaults of all daemons look for each other.
DEMO_PORTS: Final = {"core": 5060, "core-servers": 5054, "server": 5070, "xdms": 8080}
PORT_NAMES: Final = ("client", "client-2", *DEMO_PORTS)
XCAP_ROOT: Final = "/xcap-root"


class PlacementError(ValueError):
    """An option that cannot be; the text says what would be right."""


@dataclass(slots=True, frozen=True)
class External:
    """A program of the user's in the place of one of ours.

    `host` is as it was given, `addresses` what it stands for. A client has neither where it may come from anywhere.
    `servers_port` is where a core takes what servers send, `root` the path at which an XDMS has its documents.
    """

    role: Role
    host: str = ""
    port: int = 0
    addresses: tuple[str, ...] = ()
    servers_port: int = 0
    root: str = XCAP_ROOT

    @property
    def ends(self) -> list[Endpoint]:
        """Every address and port that is this program's."""
        ports = dict.fromkeys(port for port in (self.port, self.servers_port) if port)
        return [(address, port) for address in self.addresses for port in ports]


@dataclass(slots=True, frozen=True)
class Placement:
    """`host`: the address on which the daemons of the demo listen. `ports`: those that were asked for, by name."""

    host: str = LOOPBACK
    ports: Mapping[str, int] = field(default_factory=dict)
    external: Mapping[Role, External] = field(default_factory=dict)

    def port_choices(self, name: str) -> tuple[int, ...]:
        """The ports to try for a listener. Peers from outside want ports that they find again."""
        if name in self.ports:
            return (self.ports[name],)
        return (DEMO_PORTS[name], ANY_FREE) if self.external and name in DEMO_PORTS else (ANY_FREE,)

    @property
    def trusted(self) -> list[str]:
        """Whom core and server believe: each other, and what was named in the place of one of them."""
        named = [self.external[role] for role in ("core", "server") if role in self.external]
        return list(dict.fromkeys([self.host, *(address for peer in named for address in peer.addresses)]))


def placement(host: str, ports: Sequence[str], external: Sequence[str]) -> Placement:
    """Read the options. Names are looked up, since trust and roles go by address. Raises PlacementError."""
    here = _own_address(host)
    peers: dict[Role, External] = {}
    for text in external:
        peer = _external(text, here)
        if peer.role in peers:
            raise PlacementError(f"--external {peer.role} stands there twice")
        peers[peer.role] = peer
    if len(peers) == len(ROLES):
        raise PlacementError(
            "--external for all four roles leaves nobody to tell what happens; to judge programs that are all yours, "
            "let them report with HEP to `talkburst check --hep`, or give it a capture"
        )
    return Placement(here, _ports(ports, peers), peers)


def _ports(texts: Sequence[str], peers: Mapping[Role, External]) -> dict[str, int]:
    """The ports by name, of each the last that was said."""
    found: dict[str, int] = {}
    for text in texts:
        name, number = _port(text)
        found.pop(name, None)
        role = name.partition("-")[0]
        if number and role != "client" and role in peers:
            raise PlacementError(f"--port {text}: the {role} is yours; where it is, says --external {role}=HOST:PORT")
        if number and (other := next((other for other, taken in found.items() if taken == number), None)):
            raise PlacementError(f"--port {text}: {other} has this port already")
        found[name] = number
    return found


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in PORT_NAMES or not number.isdecimal() or int(number) > 65535:
        names = ", ".join(PORT_NAMES)
        raise PlacementError(f"--port {text}: must be NAME=PORT, NAME one of {names}; PORT 0 is any free one")
    return name, int(number)


def _own_address(host: str) -> str:
    address = _look_up("--host", host)[0]
    if ipaddress.ip_address(address).is_unspecified:
        raise PlacementError(f"--host {host}: must be one address of this machine, for peers are told of it")
    return address


def _external(text: str, here: str) -> External:
    name, equals, place = text.partition("=")
    role = next((role for role in ROLES if role == name), None)
    if role is None or (equals and not place):
        raise PlacementError(f"--external {text}: must be ROLE or ROLE=HOST:PORT, ROLE one of {', '.join(ROLES)}")
    option = f"--external {text}"
    if not place:
        return External(role) if role == "client" else _default(role, here)
    host, port, root = _url(option, place) if "://" in place else (*_host_and_port(option, place), XCAP_ROOT)
    if "://" in place and role != "xdms":
        raise PlacementError(f"{option}: only an xdms has a URL; must be {role}=HOST:PORT")
    if port == 0:
        raise PlacementError(f"{option}: port 0 is none; must be that on which your program listens")
    addresses = _look_up(option, host)
    _check_reachable(option, addresses, here)
    port = port if port is not None else DEMO_PORTS.get(role, 0)
    return External(role, host, port, addresses, port if role == "core" else 0, root.rstrip("/"))


def _default(role: Role, here: str) -> External:
    """The address that the role has in the demo world."""
    servers = DEMO_PORTS["core-servers"] if role == "core" else 0
    return External(role, here, DEMO_PORTS[role], (here,), servers)


def _host_and_port(option: str, text: str) -> tuple[str, int | None]:
    try:
        return parse_host_port(text)
    except ValueError as error:
        raise PlacementError(f"{option}: {error}") from None


def _url(option: str, text: str) -> tuple[str, int, str]:
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError as error:
        raise PlacementError(f"{option}: {error}") from None
    if parts.scheme != "http" or not parts.hostname or parts.query or parts.fragment:
        raise PlacementError(f"{option}: must be an XCAP root such as http://{LOOPBACK}:8080{XCAP_ROOT}")
    return parts.hostname, HTTP if port is None else port, parts.path


def _look_up(option: str, host: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise PlacementError(f"{option}: {host} is no address and no known name: {error.strerror}") from None
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def _check_reachable(option: str, addresses: tuple[str, ...], here: str) -> None:
    own, theirs = ipaddress.ip_address(here), [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
    if own.is_loopback and not all(address.is_loopback for address in theirs):
        raise PlacementError(
            f"{option}: {addresses[0]} cannot be reached from {here}; "
            "name an address of this machine that it can reach with --host"
        )
    if any(address.version != own.version for address in theirs):
        raise PlacementError(f"{option}: {addresses[0]} and --host {here} are of different IP versions")
