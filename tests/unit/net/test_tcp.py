"""Requests and their answers over TCP, on real sockets."""

import asyncio
import socket

import pytest

from talkburst.net import ListenError, TcpLimits
from talkburst.sip.engine import Failure


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
