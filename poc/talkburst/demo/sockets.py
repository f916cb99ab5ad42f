"""Free loopback ports for a demo, held as bound sockets so that nobody else can take them before the daemons do."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class HandedSockets:
    """Bound sockets to hand to daemons as `fd:N`."""

    _sockets: dict[str, socket.socket] = field(default_factory=dict)

    def udp(self, name: str) -> tuple[str, int]:
        """Bind a UDP socket to a free port; its address."""
        return self._bind(name, socket.SOCK_DGRAM)

    def tcp(self, name: str) -> tuple[str, int]:
        """Bind and listen on a free TCP port; its address."""
        address = self._bind(name, socket.SOCK_STREAM)
        self._sockets[name].listen(128)
        return address

    def descriptor(self, name: str) -> int | None:
        """The file descriptor to hand over, None where none was bound under that name."""
        held = self._sockets.get(name)
        return held.fileno() if held else None

    def close(self) -> None:
        """Close our copies; those of the daemons stay."""
        for held in self._sockets.values():
            held.close()
        self._sockets.clear()

    def _bind(self, name: str, kind: socket.SocketKind) -> tuple[str, int]:
        bound = socket.socket(socket.AF_INET, kind)
        bound.bind((LOOPBACK, 0))
        self._sockets[name] = bound
        host, port = bound.getsockname()
        return host, port
