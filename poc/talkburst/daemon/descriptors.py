"""How many descriptors this process may have open: each connection, file and question to the DNS is one."""

from __future__ import annotations

import sys

if sys.platform != "win32":
    import resource

# For all that is no connection of a peer: TLS handshakes, questions to the DNS, connections of ours, files.
RESERVED = 512
_PLENTY = 2**20


def descriptors() -> int:
    """The limit as it is."""
    if sys.platform == "win32":
        return _PLENTY
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _PLENTY if soft == resource.RLIM_INFINITY else soft


def raise_descriptors(wanted: int) -> None:
    """Raise the limit to `wanted` if it is lower, as far as the system lets us."""
    if sys.platform == "win32" or descriptors() >= wanted:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
    except (OSError, ValueError):  # macOS allows less than it says
        return


def connections_within(limit: int) -> int:
    """How many connections peers may have with so many descriptors; no more than half of them are kept from peers."""
    return limit - min(RESERVED, limit // 2)
