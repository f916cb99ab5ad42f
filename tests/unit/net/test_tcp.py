import asyncio
import logging
import os
import socket
import struct
from collections.abc import Iterable
from contextlib import asynccontextmanager, suppress
from itertools import repeat

import pytest

from talkburst.net import ListenError, TcpLimits, listen_all
from talkburst.sip.engine import Failure
from talkburst.sip.framer import StreamLimits
from talkburst.sip.message import response_to

OPTIONS = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 127.0.0.1:5999;branch=z9hG4bK%d;rport\r\n"
    b"From: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@x>\r\n"
    b"Call-ID: c%d\r\n"
    b"CSeq: 1 OPTIONS\r\n"
)
END = b"Content-Length: 0\r\n\r\n"


def options(number: int = 1) -> bytes:
    return OPTIONS % (number, number) + END


@pytest.fixture
async def pair(make_node):
    """A client and a server, both with UDP and TCP on one port each, and the server's address as a URI."""
    nodes = make_node(), make_node()
    for node in nodes:
        await node.listen_on_both()
    return *nodes, f"sip:127.0.0.1:{nodes[1].port}"


async def until(condition) -> None:
    """Let the loop turn until `condition` holds."""

    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


async def test_a_request_is_answered_over_tcp(pair) -> None:
    client, server, uri = pair
    answer = await client.ask(f"{uri};transport=tcp")
    assert answer.status == 200
    assert answer.via.transport == "TCP"
    assert answer.via.received == "127.0.0.1"
    assert server.user.requests[0].via.port == client.port


async def test_one_connection_serves_many_requests(pair) -> None:
    client, server, uri = pair
    answers = await asyncio.gather(*(client.ask(f"{uri};transport=tcp", f"c{number}") for number in range(100)))
    assert {answer.status for answer in answers} == {200}
    assert len({(request.via.received, request.via.rport) for request in server.user.requests}) == 1


async def test_every_message_is_traced_with_the_ends_of_its_connection(pair) -> None:
    client, server, uri = pair
    answer = await client.ask(f"{uri};transport=tcp")
    ours, theirs = ("127.0.0.1", answer.via.rport), ("127.0.0.1", server.port)
    assert client.tap.transports == ["TCP", "TCP"]
    assert client.tap.ends == {(ours, theirs)}
    assert server.tap.ends == {(theirs, ours)}
    assert [outbound for outbound, _ in client.tap.seen] == [True, False]
    assert client.tap.seen[0][1] == server.tap.seen[0][1]


async def test_a_large_request_goes_by_tcp_and_a_small_one_by_udp(pair) -> None:
    client, server, uri = pair
    await client.ask(uri, "small")
    await client.ask(uri, "large", b"x" * 1300)
    assert [request.via.transport for request in server.user.requests] == ["UDP", "TCP"]
    assert server.user.requests[1].body == b"x" * 1300


async def test_a_large_request_goes_by_udp_to_a_peer_without_tcp(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen_on_both()
    listener = await server.listen()
    for number in range(2):
        assert (await client.ask(f"sip:127.0.0.1:{listener.port}", f"c{number}", b"x" * 1300)).status == 200
    assert [request.via.transport for request in server.user.requests] == ["UDP", "UDP"]


async def test_a_port_nobody_listens_on_fails_the_request_at_once(pair) -> None:
    client, _, uri = pair
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = probe.getsockname()[1]
        assert await client.ask(f"sip:127.0.0.1:{dead};transport=tcp") is Failure.TRANSPORT
    assert (await client.ask(f"{uri};transport=tcp", "alive")).status == 200


@pytest.mark.parametrize("target", ["127.0.0.1:0", "[::1]:5060", "255.255.255.255:9"])
async def test_an_address_that_cannot_be_connected_to_fails_the_request(pair, target: str) -> None:
    client, _, _ = pair
    assert await client.ask(f"sip:{target};transport=tcp") is Failure.TRANSPORT


async def test_a_connection_that_does_not_come_up_fails_the_request(make_node) -> None:
    client = make_node(limits=TcpLimits(connect=0.05))
    await client.listen_on_both()
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())  # takes the only place, so that nobody answers the next one
        outcome = await client.ask(f"sip:127.0.0.1:{full.getsockname()[1]};transport=tcp")
    assert outcome is Failure.TRANSPORT


async def test_a_connection_lost_under_way_fails_its_requests(pair) -> None:
    client, _, _ = pair
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await client.ask(f"sip:127.0.0.1:{port};transport=tcp") is Failure.TRANSPORT


async def test_a_request_arrives_over_the_connection_the_peer_opened(pair) -> None:
    client, server, uri = pair
    flows = []
    usual = server.user.answer

    def answer(transaction, request, now) -> None:
        flows.append(transaction.flow)
        usual(transaction, request, now)

    server.user.answer = answer
    await client.ask(f"{uri};transport=tcp")
    assert (await server.ask("sip:anywhere.invalid", "back", flow=flows[0])).status == 200
    assert client.user.requests[0].via.rport == server.port


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
    assert (await _ask_again(server, dial)).startswith(b"SIP/2.0 200")


@pytest.mark.parametrize(
    "noise", [b"\x00" * 5000, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"x" * 5000, b"\r\r\n\r\n\r\n"]
)
async def test_what_is_no_sip_ends_its_connection_and_no_other(make_node, dial, noise: bytes) -> None:
    server = make_node(limits=TcpLimits(message=StreamLimits(head=4000)))
    await server.listen_on_both()
    wire = await dial(server.port)
    wire.write(noise)
    assert (await wire.rest()).count(b"SIP/2.0") == 0
    assert (await _ask_again(server, dial)).startswith(b"SIP/2.0 200")


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
    assert (await _ask_again(server, dial)).startswith(b"SIP/2.0 200")


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
    assert (await _ask_again(server, dial)).startswith(b"SIP/2.0 200")


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


@pytest.mark.parametrize("listening", [False, True], ids=["bound", "listening"])
@pytest.mark.parametrize("prefix", ["", "tcp:"])
async def test_an_inherited_socket_is_listened_on(make_node, dial, listening: bool, prefix: str) -> None:
    handed = socket.socket()
    handed.bind(("127.0.0.1", 0))
    if listening:
        handed.listen()
    port = handed.getsockname()[1]
    server = make_node()
    listener = await server.listen(f"{prefix}fd:{handed.detach()}")
    assert (listener.transport, listener.port) == ("TCP", port)
    wire = await dial(port)
    wire.write(options())
    assert (await wire.message()).startswith(b"SIP/2.0 200")


@pytest.mark.parametrize(("kind", "wanted"), [(socket.SOCK_STREAM, "udp"), (socket.SOCK_DGRAM, "tcp")])
async def test_an_inherited_socket_of_the_other_kind_is_refused(make_node, kind: int, wanted: str) -> None:
    reason = f"it is not a {wanted.upper()} socket"
    with socket.socket(socket.AF_INET, kind) as handed, pytest.raises(ListenError, match=reason):
        await make_node().listen(f"{wanted}:fd:{handed.fileno()}")


async def test_an_occupied_port_is_told_with_its_address(make_node) -> None:
    listener = await make_node().listen("tcp:127.0.0.1:0")
    with pytest.raises(ListenError, match=rf"cannot listen on tcp:127.0.0.1:{listener.port}: Address already in use"):
        await make_node().listen(f"tcp:127.0.0.1:{listener.port}")


async def test_ipv6_is_spoken(make_node) -> None:
    client, server = make_node(), make_node()
    try:
        await client.listen("tcp:[::1]:0")
    except ListenError:
        pytest.skip("no IPv6 loopback here")
    listener = await server.listen("tcp:[::1]:0")
    answer = await client.ask(f"sip:[::1]:{listener.port}")
    assert (answer.status, answer.via.transport, answer.via.received) == (200, "TCP", "::1")


async def test_a_wildcard_listener_connects_too(make_node, pair) -> None:
    _, _, uri = pair
    node = make_node()
    await node.listen("tcp:0.0.0.0:0", advertise=("127.0.0.1", 0))
    assert (await node.ask(uri + ";transport=tcp")).status == 200


async def _ask_again(server, dial) -> bytes:
    wire = await dial(server.port)
    wire.write(options(99))
    return await wire.message()


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


async def test_udp_and_tcp_entries_make_pairs_of_one_name(make_node) -> None:
    node = make_node()
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        entries = ["udp:127.0.0.1:0", "udp:127.0.0.1:0", f"fd:{tcp.detach()}", "tcp:127.0.0.1:0"]
    addresses = await listen_all(node.sip, "main", entries)
    assert [address.rpartition(":")[0] for address in addresses] == ["udp:127.0.0.1"] * 2 + ["tcp:127.0.0.1"] * 2
    assert [(each.name, each.transport) for each in node.engine.listeners()] == [
        ("main", "UDP"),
        ("main/2", "UDP"),
        ("main", "TCP"),
        ("main/2", "TCP"),
    ]


async def test_a_descriptor_that_is_no_socket_is_told_as_such(make_node) -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(ListenError, match=f"cannot listen on fd:{reading}"):
            await listen_all(make_node().sip, "main", [f"fd:{reading}"])
    finally:
        os.close(reading)
        os.close(writing)
