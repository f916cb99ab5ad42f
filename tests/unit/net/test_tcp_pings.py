"""Pings on connections of ours and of others, on real sockets. `test_keep_alive` has them on virtual time."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from itertools import repeat

import pytest

from stream_requests import until
from talkburst.net import TcpLimits
from talkburst.sip.engine import Failure

PINGED_OFTEN = TcpLimits(keep_alive=(0.05, 0.1), first_ping=(0.05, 0.1), pong=0.2)


async def connected_to(make_node, answers: Iterable[bytes]):
    """A node that keeps its connections alive, and a peer that takes a request and says one of `answers` to a ping."""
    pings: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")  # the request
            for answer in answers:
                pings.append(await reader.readexactly(4))
                writer.write(answer)
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    node = make_node(limits=PINGED_OFTEN)
    await node.listen("tcp:127.0.0.1:0")
    lost = []
    node.engine.on_lost = lambda flow, now: lost.append(flow.remote)
    asking = asyncio.ensure_future(node.ask(f"sip:127.0.0.1:{port};transport=tcp"))
    return server, port, pings, lost, ended, asking


async def test_a_connection_of_ours_is_kept_alive_for_as_long_as_pings_are_answered(make_node) -> None:
    server, _, pings, lost, _, asking = await connected_to(make_node, repeat(b"\r\n"))
    await until(lambda: len(pings) >= 6)
    assert set(pings) == {b"\r\n\r\n"}
    assert lost == []
    asking.cancel()
    server.close()


async def test_a_connection_to_a_peer_that_answers_no_pings_is_kept_and_pinged_on(make_node) -> None:
    server, _, pings, lost, _, asking = await connected_to(make_node, repeat(b""))
    await until(lambda: len(pings) >= 6)
    assert lost == []
    asking.cancel()
    server.close()


async def test_a_connection_whose_pings_are_answered_no_more_is_lost_and_its_user_told(make_node) -> None:
    server, port, pings, lost, ended, asking = await connected_to(make_node, [b"\r\n", *[b""] * 50])
    async with asyncio.timeout(5):
        assert await asking is Failure.TRANSPORT
        await ended.wait()
    assert pings == [b"\r\n\r\n"] * 2
    assert lost == [("127.0.0.1", port)]
    server.close()


async def test_a_connection_that_was_accepted_is_not_pinged(make_node, dial) -> None:
    node = make_node(limits=PINGED_OFTEN)
    listener = await node.listen("tcp:127.0.0.1:0")
    wire = await dial(listener.port)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wire.reader.read(1), 0.3)
