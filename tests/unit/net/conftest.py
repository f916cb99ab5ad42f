"""Nodes on real loopback sockets; every port is one the kernel picked."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
import uvloop

from talkburst.net import Clock, ListenAddress, Resolver, SipNode, TcpLimits
from talkburst.net.tls import Tls
from talkburst.sip.engine import Engine
from talkburst.sip.message import Request, response_to
from talkburst.sip.transaction.server import ServerTransaction


def pytest_asyncio_loop_factories(config, item):
    """Every test here runs on both loops: uvloop watches sockets in ways of its own."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Tap:
    """A trace that keeps what it sees: (outbound, data), and between which ends by which transport."""

    looked_at = True

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bytes]] = []
        self.transports: list[str] = []
        self.ends: set[tuple[tuple[str, int], tuple[str, int]]] = set()

    def message(self, data, local, remote, outbound, protocol, transport, at) -> None:
        assert protocol == "sip"
        self.transports.append(transport)
        self.seen.append((outbound, data))
        self.ends.add((local, remote))


class Obliging:
    """A transaction user that says 200 to everything."""

    def __init__(self) -> None:
        self.engine: Engine
        self.requests: list[Request] = []
        self.answer: Callable[[ServerTransaction, Request, float], None] = self._say_200

    def _say_200(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.engine.respond(transaction, response_to(request, 200, to_tag=transaction.to_tag), now)

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.requests.append(request)
        self.answer(transaction, request, now)

    def on_ack(self, request, flow, now) -> None: ...

    def on_cancel(self, transaction, now) -> None: ...


class Node:
    """A listening node, its engine, its user and its trace."""

    def __init__(
        self,
        hosts: dict[str, str] | None = None,
        limits: TcpLimits | None = None,
        resolver: Resolver | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.user = Obliging()
        self.tap = Tap()
        self.engine = Engine(self.user, token=lambda: secrets.token_hex(8), hosts=hosts or {})
        self.user.engine = self.engine
        self.sip = SipNode(self.engine, Clock(), self.tap, limits, resolver=resolver, tls=tls)

    async def listen(self, text: str = "udp:127.0.0.1:0", name: str = "main", advertise=None):
        return await self.sip.listen(name, ListenAddress.parse(text), advertise)

    async def listen_on_both(self) -> None:
        """UDP and TCP on one port (RFC 3261 18.2.1)."""
        while True:
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.bind(("127.0.0.1", 0))
                self.port = tcp.getsockname()[1]
                try:
                    udp.bind(("127.0.0.1", self.port))
                except OSError:
                    continue  # somebody else's
                await self.listen(f"udp:fd:{udp.detach()}")
                await self.listen(f"tcp:fd:{tcp.detach()}")
                return

    async def ask(self, uri: str, call_id: str = "c1", body: bytes = b"", **options):
        """Send OPTIONS and wait for its outcome."""
        request = Request(
            "OPTIONS",
            uri,
            [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", call_id), ("CSeq", "1 OPTIONS")],
            body,
        )
        outcome = asyncio.get_running_loop().create_future()
        self.engine.send_request(request, lambda result, now: outcome.set_result(result), self.sip.now(), **options)
        self.sip.pump()
        return await asyncio.wait_for(outcome, 5)


@pytest.fixture
async def make_node() -> AsyncIterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(**options) -> Node:
        nodes.append(Node(**options))
        return nodes[-1]

    yield make
    for node in nodes:
        await node.sip.close()


class Wire:
    """A bare TCP connection to a node."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def message(self) -> bytes:
        """One message without a body."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)

    async def exactly(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), 5)

    async def rest(self) -> bytes:
        """Everything up to the end; a reset is an end too."""
        try:
            return await asyncio.wait_for(self.reader.read(), 5)
        except ConnectionResetError:
            return b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):  # reset by the node, as some tests want
            await self.writer.wait_closed()


@pytest.fixture
async def dial():
    wires = []

    async def dial(port: int) -> Wire:
        wires.append(Wire(*await asyncio.open_connection("127.0.0.1", port)))
        return wires[-1]

    yield dial
    for wire in wires:
        await wire.close()


@pytest.fixture
async def pair(make_node):
    """A client and a server, both with UDP and TCP on one port each, and the server's address as a URI."""
    nodes = make_node(), make_node()
    for node in nodes:
        await node.listen_on_both()
    return *nodes, f"sip:127.0.0.1:{nodes[1].port}"
