"""Each limit of one connection over TCP, on real sockets."""

import asyncio
import logging

from stream_requests import ask_again, options, until
from talkburst.net import TcpLimits
from talkburst.sip.message import response_to


async def test_a_peer_that_does_not_read_is_cut(make_node, dial, caplog) -> None:
    server = make_node(limits=TcpLimits(unread=100_000))
    await server.listen_on_both()

    def answer_at_length(transaction, request, now) -> None:
        response = response_to(request, 200, to_tag="t")
        response.set_body(b"x" * 60_000, "text/plain")
        server.engine.respond(transaction, response, now)

    usual, server.user.answer = server.user.answer, answer_at_length
    wire = await dial(server.port)
    wire.writer.transport.pause_reading()
    number = 0
    with caplog.at_level(logging.DEBUG):
        while not server.engine.counters["connection_closed"]:
            number += 1
            wire.write(options(number))
            await asyncio.sleep(0)
            assert number < 5_000
    server.user.answer = usual
    assert any("does not read" in str(vars(record)) for record in caplog.records)
    assert (await ask_again(server, dial)).startswith(b"SIP/2.0 200")


async def test_an_idle_connection_is_closed_and_bytes_without_a_message_do_not_keep_it(make_node, dial) -> None:
    server = make_node(limits=TcpLimits(idle=0.05))
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.write(b"OPTIONS sip:a")
    assert await wire.rest() == b""
    assert server.engine.counters["connection_closed"] == 1


async def test_a_message_that_does_not_end_in_time_ends_its_connection(make_node, dial) -> None:
    server = make_node(limits=TcpLimits(unfinished=0.05))
    await server.listen_on_both()
    quiet, wire = await dial(server.port), await dial(server.port)
    wire.write(options(1) + options(2)[:100])
    assert (await wire.rest()).count(b"SIP/2.0 200") == 1
    quiet.write(options(3))
    assert (await quiet.message()).startswith(b"SIP/2.0 200"), "silence between messages is not meant"


async def test_a_busy_stream_may_always_be_in_the_middle_of_a_message(make_node, dial) -> None:
    server = make_node(limits=TcpLimits(unfinished=1.0))
    await server.listen_on_both()
    wire = await dial(server.port)
    loop = asyncio.get_running_loop()
    begun, number = loop.time(), 0
    wire.write(options(0)[:100])
    while loop.time() < begun + 1.5:  # the limit is longer than a busy machine stalls us
        wire.write(options(number)[100:] + options(number + 1)[:100])
        assert (await wire.message()).startswith(b"SIP/2.0 200")
        number += 1
    assert server.engine.counters["connection_closed"] == 0


async def test_a_connection_in_use_is_not_idle(make_node, dial) -> None:
    server = make_node(limits=TcpLimits(idle=1.0))
    await server.listen_on_both()
    wire = await dial(server.port)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while loop.time() < begun + 1.5:  # the limit is longer than a busy machine stalls us
        wire.write(b"\r\n\r\n")
        assert await wire.exactly(2) == b"\r\n"
    assert server.engine.counters["connection_closed"] == 0


async def test_beyond_the_limit_connections_are_refused_until_one_has_gone(make_node, dial, caplog) -> None:
    server = make_node(limits=TcpLimits(connections=2))
    await server.listen_on_both()
    first, second = await dial(server.port), await dial(server.port)
    for number, wire in enumerate((first, second)):
        wire.write(options(number))
        await wire.message()
    for _ in range(3):
        assert await (await dial(server.port)).rest() == b""
    assert len([record for record in caplog.records if "refused" in record.getMessage()]) == 1
    await first.close()
    await until(lambda: server.engine.counters["connection_closed"])
    assert (await ask_again(server, dial)).startswith(b"SIP/2.0 200")
