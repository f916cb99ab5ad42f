"""Opening the sockets a node listens on."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress

from talkburst.daemon.address import Listen, parse_listen, show_host_port

RECEIVE_BUFFER = 4 * 1024 * 1024  # bytes; a burst waits in the kernel while Python works
STREAM_BUFFER = 64 * 1024  # bytes of a stream that wait in the kernel; then its sender has to
WAITING_CONNECTIONS = 1024  # that the kernel takes before we do
DATAGRAM_SIZE = 65535  # bytes (RFC 3261 18.1.1)

# Linux numbers the standard library has no names for.
SO_RCVBUFFORCE = 33
IP_RECVERR = 11
IPV6_RECVERR = 25

_KINDS = {socket.SOCK_DGRAM: "udp", socket.SOCK_STREAM: "tcp"}


MAPPED = "::ffff:"  # begins an IPv4 address in IPv6 (RFC 4291 2.5.5.2)
WILDCARDS = frozenset({"0.0.0.0", "::", ""})


class ListenAddress(Listen):
    """What one `listen` entry asks for: `udp:127.0.0.1:5060` or a socket somebody handed over, `fd:7`, `tls:fd:7`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> ListenAddress:
        """Read one entry; ValueError says what is wrong with it."""
        try:
            return cls(*parse_listen(text))
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}") from None


class ListenError(OSError):
    """A socket that cannot be had; the text names the address and the reason."""


def show(address: Listen) -> str:
    """An address as its entry was written."""
    if address.fd is not None:
        return f"{address.transport}:fd:{address.fd}" if address.transport else f"fd:{address.fd}"
    return f"{address.transport}:{show_host_port(address.host, address.port)}"


def transport_of(address: Listen) -> str:
    """ "udp", "tcp" or "tls"; a bare `fd:N` is asked itself, and what is no socket is told apart when it is opened."""
    if address.transport or address.fd is None:
        return address.transport
    try:
        with socket.socket(fileno=os.dup(address.fd)) as handed:
            return _KINDS.get(handed.type, "")
    except OSError:
        return ""


async def open_socket(address: Listen, *, held: bool = False) -> socket.socket:
    """A bound, non-blocking socket, UDP or TCP as the address says; raises ListenError.

    One that is only `held` has its port, and the kernel refuses whoever connects to it.
    """
    try:
        bound = _inherited(address) if address.fd is not None else await _bind(address)
        if bound.type == socket.SOCK_STREAM and not held:
            _start_listening(bound)
    except OSError as error:
        # Some errors (of getaddrinfo) have a text of their own, some only a number.
        reason = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
        raise ListenError(error.errno or 0, f"cannot listen on {show(address)}: {reason}") from error
    bound.setblocking(False)
    if bound.type == socket.SOCK_DGRAM:
        _prepare_udp(bound)
    return bound


def _prepare_udp(bound: socket.socket) -> None:
    """Give it a large receive buffer and make it hear of ICMP errors."""
    with suppress(OSError):
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if sys.platform == "linux":
        with suppress(OSError):  # only root may go beyond net.core.rmem_max
            bound.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def is_dual_stack(bound: socket.socket) -> bool:
    """Whether it is an IPv6 socket that speaks IPv4 as well; ours are not, but one that is handed over may be."""
    if bound.family != socket.AF_INET6:
        return False
    return not bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) and bound.getsockname()[0] == "::"


def plain(host: str) -> str:
    """An IPv4 address in IPv6 as the IPv4 address."""
    return host[len(MAPPED) :] if host.startswith(MAPPED) and "." in host else host


def _inherited(address: Listen) -> socket.socket:
    """A socket handed over, bound and for TCP perhaps listening; its kind must be the one named, if one is named."""
    handed = socket.socket(fileno=address.fd)
    kind = _KINDS.get(handed.type) if handed.family in (socket.AF_INET, socket.AF_INET6) else None
    if kind is None or _over(address.transport) not in (kind, ""):
        handed.detach()
        raise OSError(0, f"it is not a {_over(address.transport).upper() or 'UDP or TCP'} socket")
    _share_with_the_past(handed)
    return handed


def _over(transport: str) -> str:
    """What the kernel knows of it: TLS runs over TCP."""
    return "tcp" if transport == "tls" else transport


def _share_with_the_past(bound: socket.socket) -> None:
    """Let connections that ended lately not hold the port, neither ours nor those of whoever listens next."""
    if bound.type == socket.SOCK_STREAM and os.name == "posix":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _start_listening(bound: socket.socket) -> None:
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STREAM_BUFFER)  # those that are accepted inherit it
        bound.listen(WAITING_CONNECTIONS)
    except OSError:
        bound.close()
        raise


async def _bind(address: Listen) -> socket.socket:
    kind = socket.SOCK_DGRAM if address.transport == "udp" else socket.SOCK_STREAM
    found = await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=kind, flags=socket.AI_PASSIVE)
    family, _, _, _, sockaddr = found[0]
    bound = socket.socket(family, kind)
    try:
        _share_with_the_past(bound)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(sockaddr)
    except OSError:
        bound.close()
        raise
    return bound
