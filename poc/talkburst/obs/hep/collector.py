"""A HEP3 collector: takes what daemons, ours and foreign ones, report of their messages."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import cast

from talkburst.obs.frame import Frame
from talkburst.obs.hep.codec import StreamDecoder, Undecodable, decode

_log = logging.getLogger("talkburst.hep")


class HepCollector:
    """Listens on TCP, UDP or both and hands on every frame as it arrives.

    `counters` holds `frames` and, by reason, what was no frame. A connection that sends anything but HEP3 is closed;
    the others and the listener are not touched by that.
    """

    def __init__(self, on_frame: Callable[[Frame], None]) -> None:
        self.counters: Counter[str] = Counter()
        self.connections: set[asyncio.Transport] = set()
        self._on_frame = on_frame
        self._servers: list[asyncio.Server] = []
        self._sockets: list[asyncio.DatagramTransport] = []

    async def listen(self, host: str = "127.0.0.1", port: int = 0, transport: str = "tcp") -> tuple[str, int]:
        """Open a listener; returns the address it got. Raises OSError."""
        loop = asyncio.get_running_loop()
        if transport == "udp":
            socket, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(host, port))
            self._sockets.append(socket)
            bound = socket.get_extra_info("sockname")
        else:
            server = await loop.create_server(lambda: _Stream(self), host, port)
            self._servers.append(server)
            bound = server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def close(self) -> None:
        """Close listeners and connections. What is in flight then is lost: end the senders first."""
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.abort()
        for socket in self._sockets:
            socket.close()
        for server in self._servers:
            await server.wait_closed()

    def take(self, decoded: Frame | Undecodable, sender: object) -> bool:
        """Hand on or count; False when the sender's stream can't be followed on."""
        if isinstance(decoded, Frame):
            self.counters["frames"] += 1
            self._on_frame(decoded)
            return True
        self.counters[decoded.reason] += 1
        if decoded.broken:
            _log.warning("not HEP3 from %s: %s", sender, decoded.text)
        return not decoded.broken


class _Stream(asyncio.Protocol):
    def __init__(self, collector: HepCollector) -> None:
        self._collector = collector
        self._decoder = StreamDecoder()
        self._transport: asyncio.Transport
        self._sender: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sender = transport.get_extra_info("peername")
        self._collector.connections.add(self._transport)

    def data_received(self, data: bytes) -> None:
        for decoded in self._decoder.feed(data):
            if not self._collector.take(decoded, self._sender):
                self._transport.abort()
                return

    def connection_lost(self, exc: Exception | None) -> None:
        self._collector.connections.discard(self._transport)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, collector: HepCollector) -> None:
        self._collector = collector

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._collector.take(decode(data), addr)
