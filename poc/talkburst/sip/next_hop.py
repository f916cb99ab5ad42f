"""Where a request goes: the URI that decides it and the address that URI stands for (RFC 3261 8.1.2, RFC 3263 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from talkburst.sip.domain_identity import identity_of
from talkburst.sip.flow import bracketed, default_port, is_literal, unbracketed
from talkburst.sip.message import Request
from talkburst.sip.uri import SipUri, Uri, UriError, parse_host_port

# What `transport` may say where TLS is wanted; TLS runs over TCP here.
_SECURED = frozenset({"", "TCP", "TLS"})


class Target(NamedTuple):
    """A next hop: `host` is an IP literal (no brackets) or a name somebody must resolve.

    `domain` is what the URI said before any table or resolver was asked: what a certificate has to prove
    (RFC 5922 7.3).
    """

    host: str
    port: int | None
    transport: str  # "UDP", "TCP", "TLS"; empty where the DNS has to say (RFC 3263 4.1)
    domain: str = ""
    secure: bool = False  # by TLS or not at all

    @property
    def is_literal(self) -> bool:
        return is_literal(self.host)


class HostError(ValueError):
    """An entry of the hosts table that cannot be read."""


def parse_host_entry(text: str) -> Target:
    """Read `host`, `host:port` or `host:port;transport=tcp` (udp, tls) of the hosts table; raises HostError."""
    address, _, parameter = text.strip().partition(";")
    name, _, value = parameter.partition("=")
    if parameter and (name.strip().lower() != "transport" or value.strip().lower() not in ("udp", "tcp", "tls")):
        raise HostError(f"{text!r}: after the address only ;transport=udp, ;transport=tcp or ;transport=tls may follow")
    host, port = split_host_port(address)
    return Target(host, port, value.strip().upper())


def split_host_port(text: str) -> tuple[str, int | None]:
    """Split `host`, `host:port`, `[v6]` or `[v6]:port`, host in lower case and without brackets; raises HostError."""
    text = text.strip().lower()
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise HostError(f"{text!r} is not [IPv6]:port")
        port = rest[1:]
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    if not host or not (port == "" or (port.isascii() and port.isdigit() and int(port) < 65536)):
        raise HostError(f"{text!r} is not host:port")
    return host, int(port) if port else None


class Hosts:
    """Names the configuration gives an address, asked before any resolver.

    A key is `name` or `name:port`, for an IPv6 address with a port `[address]:port` (RFC 5118 4.3). A URI with a port
    is looked up with it first; found under the bare name, it keeps its own port.
    """

    __slots__ = ("_table",)

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = {name.strip().lower(): parse_host_entry(entry) for name, entry in table.items()}

    def find(self, host: str, port: int | None) -> Target | None:
        if port is not None:
            exact = self._table.get(f"{bracketed(host)}:{port}")
            if exact is not None:
                return exact
        entry = self._table.get(host)
        if entry is None or port is None:
            return entry
        return entry._replace(port=port)


def deciding_uri(request: Request) -> Uri:
    """The first Route, else the Request-URI (RFC 3261 8.1.2); HeaderError or UriError when it is broken."""
    routes = request.routes
    return routes[0].uri if routes else request.parsed_uri


def target_of(uri: Uri, hosts: Hosts, usual: str = "UDP", *, secure: bool = False) -> Target | None:
    """The next hop `uri` names, None when it names none we can reach (another scheme than sip, an odd transport).

    A `maddr` takes the place of the host (RFC 3261 19.1.1); a `transport` in the URI wins over that of the table, and
    that over the `usual` one, which is also for a name with a port. A name without either has its transport, its port
    and its addresses in the DNS. A SIPS URI is reached over TLS and nothing else, whatever the table says, and so is
    any other where the request is `secure` (RFC 3261 8.1.2 and 26.2.2).
    """
    if not isinstance(uri, SipUri):
        return None
    maddr = uri.params.get("maddr")
    if maddr and not _is_host(maddr):
        return None
    host = unbracketed((maddr or uri.host).lower())
    wanted = (uri.params.get("transport") or "").upper()
    secure = secure or uri.scheme == "sips"
    if secure:
        if wanted not in _SECURED:
            return None
        wanted, usual = "TLS" if wanted else "", "TLS"
    known, domain = hosts.find(host, uri.port), identity_of(host)
    if known is None:
        target = Target(host, uri.port, wanted, domain, secure)
    else:
        transport = wanted or ("" if secure else known.transport)
        # The port of an entry for another transport takes no TLS.
        elsewhere = (transport or usual) == "TLS" and known.transport not in ("", "TLS")
        target = Target(known.host, uri.port if elsewhere else known.port, transport, domain, secure)
    if target.is_literal:
        transport = target.transport or usual
        port = default_port(transport) if target.port is None else target.port
        return Target(target.host, port, transport, domain, secure)
    return target if target.port is None else target._replace(transport=target.transport or usual)


def _is_host(text: str) -> bool:
    """Whether a maddr is one: nobody has looked yet, and what is none might equal a wildcard in a certificate."""
    try:
        _, port = parse_host_port(text)
    except UriError:
        return is_literal(text)  # an IPv6 address without brackets, say
    return port is None
