"""Which ICMP errors count as a failure in sending (RFC 3261 18.4); on Linux they come in an error queue."""

import errno
import socket
import struct

import pytest

from talkburst.net.listen import IP_RECVERR, IPV6_RECVERR
from talkburst.net.udp import is_failure

ICMP, ICMPV6, LOCAL = 2, 3, 1  # origin in struct sock_extended_err


def queued(number: int, origin: int, kind: int, code: int = 0) -> list[tuple[int, int, bytes]]:
    """What recvmsg gives: the extended error and the address it came from."""
    place = (socket.IPPROTO_IPV6, IPV6_RECVERR) if origin == ICMPV6 else (socket.IPPROTO_IP, IP_RECVERR)
    return [(*place, struct.pack("=IBBBBII", number, origin, kind, code, 0, 0, 0) + bytes(16))]


@pytest.mark.parametrize(
    ("number", "origin", "kind", "code"),
    [
        (errno.ENETUNREACH, ICMP, 3, 0),
        (errno.EHOSTUNREACH, ICMP, 3, 1),
        (errno.ENOPROTOOPT, ICMP, 3, 2),
        (errno.ECONNREFUSED, ICMP, 3, 3),
        (errno.EPROTO, ICMP, 12, 0),
        (errno.EHOSTUNREACH, ICMPV6, 1, 3),
        (errno.ECONNREFUSED, ICMPV6, 1, 4),
        (errno.EPROTO, ICMPV6, 4, 0),
        (errno.EHOSTUNREACH, LOCAL, 0, 0),
    ],
)
def test_unreachable_and_parameter_problem_are_failures(number: int, origin: int, kind: int, code: int) -> None:
    assert is_failure(queued(number, origin, kind, code))


@pytest.mark.parametrize(
    ("number", "origin", "kind"),
    [
        (errno.EHOSTUNREACH, ICMP, 11),  # time exceeded: Linux gives it the number of host unreachable
        (errno.EHOSTUNREACH, ICMPV6, 3),
        (0, ICMP, 4),  # source quench
        (errno.EMSGSIZE, ICMP, 3),
    ],
)
def test_time_exceeded_and_source_quench_are_ignored(number: int, origin: int, kind: int) -> None:
    assert not is_failure(queued(number, origin, kind))


def test_what_is_no_extended_error_is_none() -> None:
    assert not is_failure([])
    assert not is_failure([(socket.IPPROTO_IP, socket.IP_TTL, b"\x40\0\0\0")])
