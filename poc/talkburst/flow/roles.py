"""The four roles of the flow, the three hops between them, and the addresses that were named by hand."""

import re
from collections.abc import Iterable
from typing import Final, Literal

from talkburst.obs.frame import Endpoint

Role = Literal["client", "core", "server", "xdms"]
Hop = Literal["C-I", "I-S", "S-X"]

ROLES: Final[tuple[Role, ...]] = ("client", "core", "server", "xdms")
LANES: Final[dict[Role, str]] = {"client": "C", "core": "I", "server": "S", "xdms": "X"}
HOP_ENDS: Final[dict[Hop, tuple[Role, Role]]] = {
    "C-I": ("client", "core"),
    "I-S": ("core", "server"),
    "S-X": ("server", "xdms"),
}

# "core", but also "core-2" or "client2": several daemons of one role report under names of their own.
_NODE_NAME = re.compile(r"(client|core|server|xdms)(?![a-z])", re.IGNORECASE)


def hop_between(one: Role, other: Role) -> Hop | None:
    """The hop that joins two roles; None inside one role, and between roles that are not neighbours."""
    for hop, ends in HOP_ENDS.items():
        if (one, other) == ends or (other, one) == ends:
            return hop
    return None


def role_of_node(node: str | None) -> Role | None:
    """The role of a reporter by the name under which it reports, None when the name tells none."""
    found = _NODE_NAME.match(node) if node else None
    name = found.group(1).lower() if found else None
    return next((role for role in ROLES if role == name), None)


def endpoint(host: str, port: int) -> Endpoint:
    """An address in the one spelling that is compared: lower case, IPv6 without brackets."""
    return host.strip("[]").lower(), port


class Roles:
    """Sets of address and port that somebody named by hand. They win over whatever the traffic suggests."""

    def __init__(
        self,
        client: Iterable[Endpoint] = (),
        core: Iterable[Endpoint] = (),
        server: Iterable[Endpoint] = (),
        xdms: Iterable[Endpoint] = (),
    ) -> None:
        self._roles: dict[Endpoint, Role] = {}
        given: tuple[tuple[Role, Iterable[Endpoint]], ...] = (
            ("client", client),
            ("core", core),
            ("server", server),
            ("xdms", xdms),
        )
        for role, ends in given:
            for host, port in ends:
                self._roles[endpoint(host, port)] = role

    def of(self, end: Endpoint) -> Role | None:
        """The role that was named for this end."""
        return self._roles.get(endpoint(*end))
