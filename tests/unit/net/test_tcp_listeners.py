"""Listeners of TCP: sockets that are inherited, ports that are taken, pairs with UDP."""

import os
import socket

import pytest

from stream_requests import options
from talkburst.net import ListenError, listen_all


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
