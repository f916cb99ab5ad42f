"""Where messages come from and go to, without a socket in sight."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

Address = tuple[str, int]  # an IP literal (IPv6 without brackets) and a port

RELIABLE: Final = frozenset({"TCP", "TLS", "SCTP", "WS", "WSS"})
DEFAULT_PORT: Final = 5060
DEFAULT_TLS_PORT: Final = 5061  # RFC 3261 19.1.2 and 18.2.1


class Flow(NamedTuple):
    """One direction-less path between two transport addresses (RFC 5626 2)."""

    transport: str  # as in Via: "UDP", "TCP", "TLS"
    local: Address
    remote: Address
    connection: int = 0  # tells successive connections between the same two addresses apart
    listener: str = ""  # name of the listener it belongs to

    @property
    def reliable(self) -> bool:
        return self.transport in RELIABLE


class Listener(NamedTuple):
    """One address the engine sends from and is reached at."""

    name: str
    transport: str
    host: str
    port: int
    advertised: tuple[str, int]  # host and port that stand in Via, Contact and Record-Route
    dual_stack: bool = False  # an IPv6 socket that speaks IPv4 as well

    def reaches(self, host: str) -> bool:
        """Whether an IP literal is of a family that this address can send to."""
        return (":" in self.host) == (":" in host) or self.dual_stack

    @property
    def reliable(self) -> bool:
        return self.transport in RELIABLE

    @property
    def sent_by(self) -> str:
        """The advertised address as Via and URIs write it: IPv6 in brackets."""
        host, port = self.advertised
        return f"{bracketed(host)}:{port}"

    @property
    def hostport(self) -> str:
        """What a URI that leads here has after `sip:` or `@`; the transport is named unless it is UDP.

        DEVIATION(RFC 5630 3.1.4): `transport=tls` is written, though deprecated. An address with a port has no other
        way to say that it wants TLS where the request is not SIPS, and without it a peer would send plain text to a
        TLS port.
        """
        return self.sent_by if self.transport == "UDP" else f"{self.sent_by};transport={self.transport.lower()}"


def default_port(transport: str) -> int:
    """The port of an address without one (RFC 3261 18.1.1 and 19.1.2)."""
    return DEFAULT_TLS_PORT if transport == "TLS" else DEFAULT_PORT


@lru_cache(maxsize=4096)  # the same few hosts stand in every message
def is_literal(host: str) -> bool:
    """True for an IPv4 or IPv6 address without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def plain_host(host: str) -> str:
    """A host without brackets as it is compared: in lower case, an IPv6 address in its one usual spelling (RFC 5952).

    RFC 4291 2.2 allows others, and they all mean the same address.
    """
    host = unbracketed(host).lower()
    return str(ip_address(host)) if ":" in host and is_literal(host) else host


def bracketed(host: str) -> str:
    """An IPv6 literal in brackets, anything else as it is (RFC 3261 25.1, IPv6reference)."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def unbracketed(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host
