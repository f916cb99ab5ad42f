"""What the kernel had no room for is noticed: each datagram was served, refused or counted as lost."""

import socket
import sys

import pytest

from stream_requests import until

SENT = 1000
ROOM = 64 * 1024  # bytes of the receive buffer, as far as the kernel counts
linux_alone_tells = pytest.mark.skipif(sys.platform != "linux", reason="the number is one of Linux")


def options(number: int, port: int) -> bytes:
    return (
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number}\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:alice@ims.example>;tag=1\r\n"
        "To: <sip:ims.example>\r\n"
        f"Call-ID: {number}\r\n"
        "CSeq: 1 OPTIONS\r\n"
        "\r\n"
    ).encode()


@linux_alone_tells
async def test_datagrams_that_found_no_room_are_counted_and_a_sign_of_overload(make_node) -> None:
    node = make_node()
    await node.listen_on_both()
    [port] = node.sip._shell.datagrams.ports.values()
    port.udp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        for number in range(SENT):  # without a turn of the loop in between
            peer.sendto(options(number, peer.getsockname()[1]), ("127.0.0.1", node.port))
        counters = node.engine.counters

        seen_behind = False

        def accounted() -> int:
            nonlocal seen_behind
            seen_behind = seen_behind or node.sip._shell.intake.behind
            return len(node.user.requests) + counters["overload"] + counters["datagrams_lost"]

        await until(lambda: accounted() >= SENT)
    assert accounted() == SENT
    assert 0 < counters["datagrams_lost"] < SENT
    assert seen_behind
    await until(lambda: not node.sip._shell.intake.behind)
