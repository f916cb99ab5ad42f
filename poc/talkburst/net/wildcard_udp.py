"""A UDP socket that listens on every address: what came to one of them is answered from it (RFC 3261 18.2.2).

The kernel would send from the address that it takes for the nearest to the destination, and a peer, or what stands
between, drops an answer that comes from elsewhere than it asked. Each datagram says where it came to, and each answer
where it leaves from (IP_PKTINFO, RFC 3542 6.1). A socket on one address does without, and is cheaper for it.

A dual-stack socket, which somebody may hand over, shows IPv4 addresses as IPv6 ones; here they are what they are.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys

from talkburst.net.listen import DATAGRAM_SIZE, MAPPED, WILDCARDS, is_dual_stack, plain
from talkburst.net.udp import Address, DatagramUser, UdpSocket

# Linux numbers the standard library has no names for.
IP_PKTINFO = 8
# struct in_pktinfo: interface, the address to answer from, the destination. struct in6_pktinfo: destination, interface.
PKTINFO_4 = struct.Struct("=I4s4s")
PKTINFO_6 = struct.Struct("=16sI")
ANCILLARY_SIZE = socket.CMSG_SPACE(PKTINFO_4.size) + socket.CMSG_SPACE(PKTINFO_6.size)
NOT_OURS = frozenset({errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH})


class WildcardUdpSocket(UdpSocket):
    """Hands on with each datagram the address that it came to, and sends from the address it is told."""

    def __init__(self, bound: socket.socket, user: DatagramUser) -> None:
        self._dual_stack = is_dual_stack(bound)
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        super().__init__(bound, user)

    def _receive(self) -> tuple[bytes, Address, str]:
        data, ancillary, _, address = self.socket.recvmsg(DATAGRAM_SIZE, ANCILLARY_SIZE)
        return data, (plain(address[0]), address[1]), _destination(ancillary)

    def _transmit(self, data: bytes, remote: Address, local: str) -> None:
        host, port = remote
        if self._dual_stack and ":" not in host:
            host = MAPPED + host
        if local in WILDCARDS:
            self.socket.sendto(data, (host, port))
            return
        try:
            self.socket.sendmsg([data], [self._source(local)], 0, (host, port))
        except OSError as error:
            if error.errno not in NOT_OURS:
                raise
            self.socket.sendto(data, (host, port))  # an address that this machine had once

    def _refused(self, remote: Address) -> None:
        self._user.on_unreachable((plain(remote[0]), remote[1]))

    def _source(self, local: str) -> tuple[int, int, bytes]:
        if self.socket.family == socket.AF_INET:
            return socket.IPPROTO_IP, IP_PKTINFO, PKTINFO_4.pack(0, socket.inet_aton(local), bytes(4))
        text = local.partition("%")[0] if ":" in local else MAPPED + local
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, PKTINFO_6.pack(socket.inet_pton(socket.AF_INET6, text), 0)


def make_udp_socket(bound: socket.socket, user: DatagramUser) -> UdpSocket:
    """The kind that fits the address; other systems than Linux let the kernel choose."""
    wildcard = bound.getsockname()[0] in WILDCARDS and sys.platform == "linux"
    return WildcardUdpSocket(bound, user) if wildcard else UdpSocket(bound, user)


def _destination(ancillary: list[tuple[int, int, bytes]]) -> str:
    """Where a datagram came to; empty for a multicast or an unknown destination, from which nobody can answer."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            return socket.inet_ntoa(PKTINFO_4.unpack_from(data)[1])
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            destination, _ = PKTINFO_6.unpack_from(data)
            return "" if destination[0] == 0xFF else plain(socket.inet_ntop(socket.AF_INET6, destination))
    return ""
