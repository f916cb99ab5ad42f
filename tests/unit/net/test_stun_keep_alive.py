"""STUN keep-alives on the UDP ports of a node (RFC 5626 8), on real sockets."""

import asyncio
import struct
import sys
from ipaddress import ip_address

import pytest

REQUEST = bytes.fromhex("00010000 2112a442 000102030405060708090a0b")
UNKNOWN = bytes.fromhex("00010004 2112a442 000102030405060708090a0b 00240000")
UNSOUND = bytes.fromhex("00010004 2112a442 000102030405060708090a0b")
OPTIONS = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport\r\nFrom: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


class Peer(asyncio.DatagramProtocol):
    """A bare UDP socket that keeps what comes, and from where."""

    def __init__(self):
        self.came = asyncio.Queue()

    def datagram_received(self, data, remote):
        self.came.put_nowait((data, remote[:2]))

    async def hear(self):
        return await asyncio.wait_for(self.came.get(), 5)


@pytest.fixture
async def make_peer():
    transports = []

    async def make(host="127.0.0.1"):
        transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(Peer, local_addr=(host, 0))
        transports.append(transport)
        peer.say, peer.address = transport.sendto, transport.get_extra_info("sockname")[:2]
        return peer

    yield make
    for transport in transports:
        transport.close()


def mapped(data):
    """The address in a success response that has nothing else."""
    assert data[:2] == b"\x01\x01"
    assert data[4:20] == REQUEST[4:]
    kind, _, _, family, port = struct.unpack_from("!HHBBH", data, 20)
    assert (kind, family) == (0x0020, 1 if len(data) == 32 else 2)
    host = bytes(one ^ other for one, other in zip(data[28:], data[4:20], strict=False))
    return str(ip_address(host)), port ^ 0x2112


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_binding_request_is_told_its_address_from_the_sip_port(make_node, make_peer, host):
    node, peer = make_node(), await make_peer(host)
    listener = await node.listen(f"udp:[{host}]:0" if ":" in host else f"udp:{host}:0")
    peer.say(REQUEST, (host, listener.port))
    data, source = await peer.hear()
    assert mapped(data) == peer.address
    assert source == (host, listener.port)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel chooses the address elsewhere")
async def test_wildcard_socket_answers_from_the_address_that_was_asked(make_node, make_peer):
    node, peer = make_node(), await make_peer()
    listener = await node.listen("udp:0.0.0.0:0", advertise=("127.0.0.1", 0))
    peer.say(REQUEST, ("127.0.0.2", listener.port))
    data, source = await peer.hear()
    assert mapped(data) == peer.address
    assert source == ("127.0.0.2", listener.port)


async def test_keep_alives_are_counted_and_in_no_trace_and_sip_goes_on_beside_them(make_node, make_peer):
    node, peer = make_node(), await make_peer()
    listener = await node.listen()
    for data in (UNSOUND, REQUEST, UNKNOWN, OPTIONS):
        peer.say(data, ("127.0.0.1", listener.port))
    heard = [(await peer.hear())[0][:2] for _ in range(3)]
    assert sorted(heard) == [b"\x01\x01", b"\x01\x11", b"SI"]
    assert node.engine.counters["stun_answered"] == 2
    assert node.engine.counters["stun_dropped"] == 1
    assert node.engine.counters["malformed"] == 0
    assert [data[:7] for _, data in node.tap.seen] == [b"OPTIONS", b"SIP/2.0"]


async def test_binding_response_is_never_answered(make_node, make_peer):
    """Two SIP ports that answered each other's answers would never stop."""
    node, peer = make_node(), await make_peer()
    listener = await node.listen()
    peer.say(REQUEST, ("127.0.0.1", listener.port))
    response, _ = await peer.hear()
    peer.say(response, ("127.0.0.1", listener.port))
    peer.say(OPTIONS, ("127.0.0.1", listener.port))
    assert (await peer.hear())[0].startswith(b"SIP/2.0 200")
    assert peer.came.empty()
