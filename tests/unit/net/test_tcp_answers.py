"""Answers to a peer over TCP that sends no more, or whose connection is gone, on real sockets."""

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, suppress

import pytest

from stream_requests import options, until
from talkburst.net import TcpLimits
from talkburst.sip.engine import Failure


async def test_a_peer_that_sends_no_more_gets_what_is_answered_at_once(make_node, dial) -> None:
    server = make_node()
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.write(options(1) + options(2))
    wire.writer.write_eof()
    answers = await asyncio.wait_for(wire.reader.read(), 5)
    assert [b"Call-ID: c%d\r\n" % number in answers for number in (1, 2)] == [True, True]
    assert answers.count(b"SIP/2.0 200 OK\r\n") == 2


@asynccontextmanager
async def half_closed_while_they_wait(make_node, dial, requests=2, **limits):
    """A node, requests that it has not answered, and their peer, which listens elsewhere and sends no more."""
    server = make_node(limits=TcpLimits(close=0.2, **limits))
    await server.listen_on_both()
    pending: list[tuple] = []
    server.user.answer = lambda transaction, request, now: pending.append((transaction, request, now))
    elsewhere: list[bytes] = []

    async def accept(reader, writer) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                elsewhere.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as returning:
        own = returning.sockets[0].getsockname()[1]
        wire = await dial(server.port)
        wire.write(b"".join(map(options, range(1, requests + 1))).replace(b":5999", b":%d" % own))
        wire.writer.write_eof()
        await until(lambda: len(pending) == requests and server.engine.counters["connection_closed"])
        yield server, pending, wire, elsewhere
        await server.sip.close()


async def test_a_peer_that_sends_no_more_gets_on_its_connection_what_takes_longer(make_node, dial) -> None:
    async with half_closed_while_they_wait(make_node, dial) as (server, pending, wire, elsewhere):
        for number, each in enumerate(pending, 1):
            server.user._say_200(*each)
            server.sip.pump()
            assert b"Call-ID: c%d\r\n" % number in await wire.message()
        assert await asyncio.wait_for(wire.reader.read(), 5) == b""
        assert elsewhere == []


async def test_a_peer_that_sends_no_more_gets_no_requests(make_node, dial) -> None:
    async with half_closed_while_they_wait(make_node, dial) as (server, pending, wire, _):
        assert not server.engine.is_open(pending[0][0].flow)
        assert await server.ask("sip:anywhere.invalid", "back", flow=pending[0][0].flow) is Failure.TRANSPORT
        server.user._say_200(*pending[0])
        server.sip.pump()
        assert b"Call-ID: c1\r\n" in await wire.message()


@pytest.mark.parametrize("requests", [1, 2])
async def test_a_peer_that_has_gone_altogether_gets_its_answers_on_a_new_connection(
    make_node, dial, requests: int
) -> None:
    async with half_closed_while_they_wait(make_node, dial, requests) as (server, pending, wire, elsewhere):
        await wire.close()
        for each in pending:
            server.user._say_200(*each)
        server.sip.pump()
        await until(lambda: len(elsewhere) == requests)
        assert sorted(b"Call-ID: c1\r\n" in data for data in elsewhere) == [False, True][-requests:]


async def test_a_peer_that_sends_no_more_is_not_waited_for_without_end(make_node, dial) -> None:
    async with half_closed_while_they_wait(make_node, dial, answers=0.1) as (server, pending, wire, elsewhere):
        assert await asyncio.wait_for(wire.reader.read(), 5) == b""
        for each in pending:
            server.user._say_200(*each)
        server.sip.pump()
        await until(lambda: len(elsewhere) == 2)


async def test_a_response_without_its_connection_is_delivered_on_a_new_one(make_node, dial) -> None:
    server = make_node()
    await server.listen_on_both()
    pending = []
    server.user.answer = lambda transaction, request, now: pending.append((transaction, request, now))
    arrived = asyncio.get_running_loop().create_future()

    async def accept(reader, writer) -> None:
        arrived.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as returning:
        wire = await dial(server.port)
        own = returning.sockets[0].getsockname()[1]
        wire.write(options().replace(b":5999", b":%d" % own))
        await until(lambda: pending)
        await wire.close()
        await until(lambda: server.engine.counters["connection_closed"])
        server.user._say_200(*pending[0])
        server.sip.pump()
        assert (await asyncio.wait_for(arrived, 5)).startswith(b"SIP/2.0 200 OK\r\n")


async def test_answers_to_a_connection_found_dead_as_they_are_written_are_delivered_on_a_new_one(make_node) -> None:
    server = make_node()
    await server.listen_on_both()
    pending = []
    server.user.answer = lambda transaction, request, now: pending.append((transaction, request, now))
    arrived: list[bytes] = []

    async def accept(reader, writer) -> None:
        with suppress(asyncio.IncompleteReadError):
            while len(arrived) < 2:
                arrived.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()  # since Python 3.12 the end of `returning` waits for it

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as returning:
        own = returning.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", server.port)) as wire:
            wire.sendall((options(1) + options(2)).replace(b":5999", b":%d" % own))
            await until(lambda: len(pending) == 2)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for each in pending:  # the connection is reset, and the loop has had no turn to hear of it
            server.user._say_200(*each)
        server.sip.pump()
        await until(lambda: len(arrived) == 2)
        assert [b"Call-ID: c%d\r\n" % number in data for number, data in enumerate(arrived, 1)] == [True, True]
