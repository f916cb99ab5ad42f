"""Messages in a stream, and what is none (RFC 3261 18.3), on real sockets."""

import asyncio
import socket

import pytest

from stream_requests import OPTIONS, ask_again, options
from talkburst.net import TcpLimits
from talkburst.sip.framer import StreamLimits


@pytest.mark.parametrize("size", [1, 2, 7, 100])
async def test_a_message_may_come_in_any_pieces(make_node, dial, size: int) -> None:
    server = make_node()
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = OPTIONS % (1, 1) + b"Content-Length: 5\r\n\r\nhello"
    for at in range(0, len(data), size):
        wire.write(data[at : at + size])
        await asyncio.sleep(0)
    assert (await wire.message()).startswith(b"SIP/2.0 200 OK\r\n")
    assert server.user.requests[0].body == b"hello"


async def test_several_messages_may_come_in_one_piece(make_node, dial) -> None:
    server = make_node()
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.write(b"\r\n".join(options(number) for number in range(1, 51)))
    answers = [await wire.message() for _ in range(50)]
    assert [b"Call-ID: c%d\r\n" % number in answer for number, answer in enumerate(answers, 1)] == [True] * 50


async def test_a_keepalive_is_answered_at_once_between_messages(make_node, dial) -> None:
    server = make_node()
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.write(b"\r\n\r\n")
    assert await wire.exactly(2) == b"\r\n"
    wire.write(options(1) + b"\r\n\r\n")
    assert sorted([await wire.exactly(2), (await wire.message())[:2]]) == [b"\r\n", b"SI"]
    assert len(server.tap.seen) == 2, "a keep-alive is no message"


@pytest.mark.parametrize(
    ("tail", "answer"),
    [
        (b"\r\n", b"SIP/2.0 400 Bad Request: no Content-Length"),
        (b"Content-Length: -1\r\n\r\n", b"SIP/2.0 400 Bad Request: "),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"SIP/2.0 400 Bad Request: Content-Length comes twice"),
        (b"Content-Length: 5000\r\n\r\n", b"SIP/2.0 513 Message Too Large: a body of more than 4000 bytes"),
        (b"X: y\r\n" * 1000, b"SIP/2.0 513 Message Too Large: more than 4000 bytes of headers"),
    ],
)
async def test_broken_framing_is_answered_once_and_the_connection_closed(make_node, dial, tail, answer) -> None:
    server = make_node(limits=TcpLimits(message=StreamLimits(head=4000, body=4000)))
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.write(OPTIONS % (1, 1) + tail + b"x" * 100_000 + options(2))
    rest = await wire.rest()
    assert rest.startswith(answer)
    assert rest.count(b"SIP/2.0 ") == 1
    assert server.user.requests == []
    assert (await ask_again(server, dial)).startswith(b"SIP/2.0 200")


@pytest.mark.parametrize(
    "noise", [b"\x00" * 5000, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"x" * 5000, b"\r\r\n\r\n\r\n"]
)
async def test_what_is_no_sip_ends_its_connection_and_no_other(make_node, dial, noise: bytes) -> None:
    server = make_node(limits=TcpLimits(message=StreamLimits(head=4000)))
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.write(noise)
    assert (await wire.rest()).count(b"SIP/2.0") == 0
    assert (await ask_again(server, dial)).startswith(b"SIP/2.0 200")
