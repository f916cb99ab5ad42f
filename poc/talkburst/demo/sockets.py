"""Ports for a demo, held as bound sockets so that nobody else can take them before the daemons do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from talkburst.daemon.address import show_host_port

ATTEMPTS = 16  # ports that are tried until one is free for every transport
KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM, "tls": socket.SOCK_STREAM}


class PortError(OSError):
    """No port to be had; the text says which was wanted and why not."""


@dataclass(slots=True)
class HandedSockets:
    """Bound sockets to hand to daemons as `fd:N`."""

    _sockets: dict[str, dict[str, socket.socket]] = field(default_factory=dict)

    def bind(self, name: str, transports: Sequence[str], host: str, choices: Sequence[int]) -> tuple[str, int]:
        """Bind a socket for each of "udp", "tcp" and "tls" that is wanted, all to one port; its address.

        The first of `choices` that is free for all of them is taken; 0 is any free one. Raises PortError.
        """
        failure: OSError | None = None
        for choice in choices:
            for _ in range(1 if choice else ATTEMPTS):  # somebody may have a free one for the other transport
                try:
                    self._sockets[name] = bound = _bind(transports, host, choice)
                except OSError as error:
                    failure = error
                    if error.errno != errno.EADDRINUSE:
                        break
                    continue
                return host, next(iter(bound.values())).getsockname()[1]
        assert failure is not None
        reason = os.strerror(failure.errno or 0).lower()
        raise PortError(failure.errno, f"cannot listen on {show_host_port(host, choices[-1])}: {reason}")

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


def _bind(transports: Sequence[str], host: str, port: int) -> dict[str, socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound: dict[str, socket.socket] = {}
    try:
        for transport in transports:
            held = bound[transport] = socket.socket(family, KINDS[transport])
            if port and transport != "udp" and os.name == "posix":
                # Connections of the demo before this one do not hold the port.
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind((host, port))
            if port and transport != "udp":
                held.listen()  # else another demo could bind it too, until the daemon listens
            port = held.getsockname()[1]
    except OSError:
        for held in bound.values():
            held.close()
        raise
    return bound
