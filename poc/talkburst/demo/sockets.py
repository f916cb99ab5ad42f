"""Free loopback ports for a demo, held as bound sockets so that nobody else can take them before the daemons do."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
ATTEMPTS = 16  # ports that are tried until one is free for every transport
KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}


@dataclass(slots=True)
class HandedSockets:
    """Bound sockets to hand to daemons as `fd:N`."""

    _sockets: dict[str, dict[str, socket.socket]] = field(default_factory=dict)

    def bind(self, name: str, transports: Sequence[str]) -> tuple[str, int]:
        """Bind a socket for each of "udp" and "tcp" that is wanted, all to one free port; its address."""
        for _ in range(ATTEMPTS):
            port, bound = 0, dict[str, socket.socket]()
            try:
                for transport in transports:
                    bound[transport] = socket.socket(socket.AF_INET, KINDS[transport])
                    bound[transport].bind((LOOPBACK, port))
                    port = bound[transport].getsockname()[1]
            except OSError:  # somebody else has that port for the other transport
                for held in bound.values():
                    held.close()
                continue
            self._sockets[name] = bound
            return LOOPBACK, port
        raise OSError(errno.EADDRINUSE, "no port is free for both UDP and TCP")

    def descriptors(self, name: str) -> dict[str, int]:
        """The file descriptors to hand over, by transport; none where nothing was bound under that name."""
        return {transport: held.fileno() for transport, held in self._sockets.get(name, {}).items()}

    def release(self, name: str) -> None:
        """Close our copies; those of the daemon stay. When it dies, its port is free for the one that follows it."""
        for held in self._sockets.pop(name, {}).values():
            held.close()

    def close(self) -> None:
        """Close all our copies."""
        for name in list(self._sockets):
            self.release(name)
