"""Whether a program from outside is there yet, asked of real sockets."""

import asyncio

import pytest

from talkburst.demo.reach import KEEP_ALIVE, why_unreachable

HERE = "127.0.0.1"


class Heard(asyncio.DatagramProtocol):
    def __init__(self):
        self.data = []

    def datagram_received(self, data, addr):
        self.data.append(data)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_closed_port_is_known_to_be_closed(transport):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), HERE, 0)
    end = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    assert await why_unreachable(transport, end, HERE) == "connection refused"


async def test_who_listens_over_udp_is_sent_nothing_that_asks_for_an_answer():
    listener, heard = await asyncio.get_running_loop().create_datagram_endpoint(Heard, local_addr=(HERE, 0))
    try:
        assert await why_unreachable("udp", listener.get_extra_info("sockname"), HERE) == ""
    finally:
        listener.close()
    assert heard.data == [KEEP_ALIVE]
    assert KEEP_ALIVE.strip() == b""


async def test_who_takes_connections_is_there():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), HERE, 0)
    async with server:
        assert await why_unreachable("tcp", server.sockets[0].getsockname(), HERE) == ""
