"""Nodes on real loopback sockets; every port is one the kernel picked."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from talkburst.net import Clock, ListenAddress, SipNode
from talkburst.sip.engine import Engine
from talkburst.sip.message import Request, response_to
from talkburst.sip.transaction.server import ServerTransaction


def pytest_asyncio_loop_factories(config, item):
    """Every test here runs on both loops: uvloop watches sockets in ways of its own."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Tap:
    """A trace that keeps what it sees: (outbound, data)."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bytes]] = []
        self.ends: set[tuple[tuple[str, int], tuple[str, int]]] = set()

    def message(self, data, local, remote, outbound, protocol, transport, at) -> None:
        assert (protocol, transport) == ("sip", "UDP")
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

    def __init__(self, hosts: dict[str, str] | None = None) -> None:
        self.user = Obliging()
        self.tap = Tap()
        self.engine = Engine(self.user, token=lambda: secrets.token_hex(8), hosts=hosts or {})
        self.user.engine = self.engine
        self.sip = SipNode(self.engine, Clock(), self.tap)

    async def listen(self, text: str = "udp:127.0.0.1:0", name: str = "main"):
        return await self.sip.listen(name, ListenAddress.parse(text))

    async def ask(self, uri: str, call_id: str = "c1"):
        """Send OPTIONS and wait for its outcome."""
        request = Request(
            "OPTIONS",
            uri,
            [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", call_id), ("CSeq", "1 OPTIONS")],
        )
        outcome = asyncio.get_running_loop().create_future()
        self.engine.send_request(request, lambda result, now: outcome.set_result(result), self.sip.now())
        self.sip.pump()
        return await asyncio.wait_for(outcome, 5)


@pytest.fixture
async def make_node() -> AsyncIterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(**options: dict[str, str]) -> Node:
        nodes.append(Node(**options))
        return nodes[-1]

    yield make
    for node in nodes:
        await node.sip.close()
