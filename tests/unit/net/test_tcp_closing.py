"""The end of a node that has connections, on real sockets."""

import asyncio
import socket

from stream_requests import options, until
from talkburst.net import TcpLimits


async def test_a_closed_node_has_sent_everything_closed_everything_and_freed_its_port(make_node, dial) -> None:
    server = make_node()
    await server.listen_on_both()
    wires = [await dial(server.port) for _ in range(3)]
    for number, wire in enumerate(wires):
        wire.write(options(number))
    await until(lambda: len(server.user.requests) == 3)
    closing = asyncio.create_task(server.sip.close())
    for wire in wires:
        assert (await wire.rest()).startswith(b"SIP/2.0 200 OK\r\n")
        await wire.close()
    await closing
    await server.sip.close()
    again = make_node()
    assert (await again.listen(f"tcp:127.0.0.1:{server.port}")).port == server.port


async def test_a_peer_that_keeps_its_end_open_does_not_keep_a_node_from_closing(make_node, dial) -> None:
    server = make_node(limits=TcpLimits(close=0.05))
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.write(options())
    await wire.message()
    await asyncio.wait_for(server.sip.close(), 2)


async def test_a_node_closes_while_it_connects(make_node) -> None:
    client = make_node()
    await client.listen_on_both()
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
        asked = asyncio.create_task(client.ask(f"sip:127.0.0.1:{full.getsockname()[1]};transport=tcp"))
        await asyncio.sleep(0)
        await asyncio.wait_for(client.sip.close(), 2)
        asked.cancel()
