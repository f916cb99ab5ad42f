"""A scripted peer's end of the network: it sends to one address over UDP or TCP, and hears whoever speaks to it."""

import asyncio
from collections.abc import Callable
from typing import cast

from talkburst.sip.framer import StreamFramer, StreamLimits
from talkburst.sip.message import Message, Request, Response
from talkburst.sip.parser import parse_message

Address = tuple[str, int]
Send = Callable[[bytes], None]
Heard = Callable[[Message, Send], None]
"""A message, and how it is answered."""


class Way:
    """What something was sent on. Of a datagram nobody knows whether it arrived."""

    lost = True


class Wire:
    """`send(data)` takes the connection it has, over TCP, or opens another one to `target`, which may be down: the
    listening sockets of the daemons outlive them."""

    def __init__(self, target: Address, transport: str, heard: Heard) -> None:
        self.target = target
        self.transport = transport
        self._heard = heard
        self._datagrams: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._current: _Connection | None = None
        self._connections: set[_Connection] = set()
        self._attempts: set[asyncio.Task[None]] = set()

    @property
    def via(self) -> str:
        return f"SIP/2.0/{self.transport.upper()} {self.address[0]}:{self.address[1]}"

    def uri(self, user: str = "") -> str:
        """Where the peer is reached, with the transport."""
        over = ";transport=tcp" if self.transport == "tcp" else ""
        return f"sip:{user and user + '@'}{self.address[0]}:{self.address[1]}{over}"

    async def open(self, address: Address = ("127.0.0.1", 0)) -> Address:
        """The address that is listened on."""
        loop = asyncio.get_running_loop()
        if self.transport == "udp":
            self._datagrams, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._take), local_addr=address)
            self.address: Address = self._datagrams.get_extra_info("sockname")
        else:
            self._server = await loop.create_server(lambda: _Connection(self), *address, reuse_address=True)
            self.address = self._server.sockets[0].getsockname()
        return self.address

    async def open_again(self) -> None:
        """Listen where it was, after `close`."""
        await self.open(self.address)

    def send(self, data: bytes) -> Way:
        if self._datagrams is not None:
            self._datagrams.sendto(data, self.target)
            return Way()
        if self._current is None or self._current.lost:
            self._current = _Connection(self)
            attempt = asyncio.get_running_loop().create_task(self._connect(self._current))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
        self._current.send(data)
        return self._current

    async def _connect(self, connection: "_Connection") -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, *self.target)
        except OSError:
            connection.lost = True

    def hang_up(self) -> None:
        """Close every connection, as a peer does that goes away."""
        for connection in list(self._connections):
            connection.close()
        self._current = None

    async def close(self) -> None:
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
        for attempt in list(self._attempts):
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        while self._connections:
            connection = next(iter(self._connections))
            connection.close()
            await connection.closed.wait()

    def _take(self, data: bytes, answer: Send) -> None:
        message = parse_message(data)
        assert isinstance(message, Request | Response), message
        self._heard(message, answer)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Send], None]) -> None:
        self._take = take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._take(data, lambda answer: self._transport.sendto(answer, addr))

    def error_received(self, exc: Exception) -> None:
        """The other side is down: that is what is tried here."""


class _Connection(asyncio.Protocol, Way):
    """`lost` once it is closed: what was sent on it may not have arrived."""

    def __init__(self, wire: Wire) -> None:
        self.lost = False
        self.closed = asyncio.Event()
        self._wire = wire
        self._framer = StreamFramer(StreamLimits())
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []

    def send(self, data: bytes) -> None:
        if self._transport is None:
            self._waiting.append(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._wire._connections.add(self)
        for data in self._waiting:
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        for item in self._framer.feed(data):
            assert isinstance(item, bytes), item
            self._wire._take(item, self.send)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._wire._connections.discard(self)
        self.closed.set()
