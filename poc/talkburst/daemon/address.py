"""Addresses as a user writes them: `udp:127.0.0.1:5060`, `tcp:[::1]:9060`, `tls:[::1]`, `fd:7`."""

import ipaddress
import re
from typing import NamedTuple

_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?")
_HIGHEST_PORT = 65535


class Listen(NamedTuple):
    """What one `listen` entry asks for. `fd` is a socket handed over by the parent; host and port are then empty."""

    transport: str  # "udp", "tcp" or "tls"; empty for a bare fd:N, whose socket knows
    host: str  # an IPv6 address without brackets
    port: int  # 0: any free one
    fd: int | None = None

    @property
    def is_wildcard(self) -> bool:
        return self.host in ("0.0.0.0", "::", "*")


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Split `HOST[:PORT]`, an IPv6 address standing in brackets there and without them in the answer."""
    found = _HOST.fullmatch(text)
    if found is None and text.startswith("[") and "%" in text:
        raise ValueError("an address with a scope (%...) means nothing to others; write a global or unique local one")
    if found is None:
        raise ValueError("must be HOST or HOST:PORT, an IPv6 address in brackets")
    host, port = found["host"], found["port"]
    if host.startswith("["):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"{host} is not an IPv6 address") from None
    elif re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f"{host} is not an IPv4 address") from None
    if port is not None and int(port) > _HIGHEST_PORT:
        raise ValueError(f"port {port} is out of range; the highest is {_HIGHEST_PORT}")
    return host, None if port is None else int(port)


_TLS_PORT = 5061  # RFC 3261 18.2.1


def parse_name_server(text: str) -> tuple[str, int]:
    """Split `ADDRESS[:PORT]` of a name server, which has no name of its own to be found by; the usual port is 53."""
    host, port = parse_host_port(f"[{text}]" if text.count(":") > 1 and "[" not in text else text)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError("must be an address or ADDRESS:PORT, not a name") from None
    return host, 53 if port is None else port


def parse_endpoint(text: str) -> tuple[str, str, int]:
    """Split `tcp:HOST:PORT` or `udp:HOST:PORT` into transport, host and port."""
    transport, colon, rest = text.partition(":")
    if not colon or transport not in ("udp", "tcp"):
        raise ValueError("must be tcp:HOST:PORT or udp:HOST:PORT")
    host, port = parse_host_port(rest)
    if port is None:
        raise ValueError(f"has no port; write {transport}:{rest}:PORT")
    return transport, host, port


def parse_listen(text: str) -> Listen:
    """Read `udp:HOST:PORT`, `tcp:HOST:PORT`, `tls:HOST[:PORT]`, `fd:N`, `udp:fd:N`, `tcp:fd:N` or `tls:fd:N`."""
    found = re.fullmatch(r"(?:(udp|tcp|tls):)?fd:([0-9]+)", text)
    if found:
        return Listen(found[1] or "", "", 0, int(found[2]))
    if text.startswith("tls:"):
        host, port = parse_host_port(text.removeprefix("tls:"))
        return Listen("tls", host, _TLS_PORT if port is None else port)
    try:
        transport, host, port = parse_endpoint(text)
    except ValueError as error:
        if text.partition(":")[0] in ("udp", "tcp"):
            raise
        raise ValueError("must be udp:HOST:PORT, tcp:HOST:PORT, tls:HOST:PORT or fd:N") from error
    return Listen(transport, host, port)


def advertised(text: str, listen: Listen | None = None) -> tuple[str, int] | None:
    """Read an `advertise` value, None when it is empty.

    Without a port it means the listener's own; that is 0 where the listener takes any free port, and then stands for
    the one it gets.
    """
    if not text:
        return None
    host, port = parse_host_port(text)
    if port is None:
        port = listen.port if listen is not None else 0
    return host, port


def show_host_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
