"""IPv6 wherever IPv4 works; listeners on every address answer from the one that was asked."""

import asyncio
import ipaddress
import socket
import sys

import pytest

from talkburst.net import ListenError
from talkburst.net.listen import plain

OPTIONS = (
    "OPTIONS sip:{there} SIP/2.0\r\nVia: SIP/2.0/{transport} {here};branch=z9hG4bK{branch};rport\r\n"
    "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
    "Content-Length: 0\r\n\r\n"
)

needs_packet_information = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel chooses")


class Asker:
    """A UDP socket that is not ours."""

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        host, port = self.socket.getsockname()[:2]
        self.here = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def ask(self, host: str, port: int, branch: str = "1") -> tuple[str, tuple[str, int]]:
        """The answer, and where it came from."""
        loop = asyncio.get_running_loop()
        request = OPTIONS.format(there="x", here=self.here, transport="UDP", branch=branch)
        self.socket.sendto(request.encode(), (host, port))
        return await self.hear(loop)

    async def hear(self, loop) -> tuple[str, tuple[str, int]]:
        heard = asyncio.Event()
        loop.add_reader(self.socket, heard.set)
        try:
            await asyncio.wait_for(heard.wait(), 5)
        finally:
            loop.remove_reader(self.socket)
        data, source = self.socket.recvfrom(65535)
        return data.decode(), source[:2]

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def make_asker():
    made = []

    def make(host: str) -> Asker:
        made.append(Asker(host))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_request_is_answered_over_ipv6(make_node, transport: str) -> None:
    client, server = make_node(), make_node()
    await client.listen(f"{transport}:[::1]:0")
    listener = await server.listen(f"{transport}:[::1]:0")
    answer = await client.ask(f"sip:[::1]:{listener.port};transport={transport}")
    assert (answer.status, answer.via.received) == (200, "::1")
    assert answer.via.host == "[::1]"
    (request,) = server.user.requests
    assert request.via.sent_by.startswith("[::1]:")
    assert server.tap.ends == {(("::1", listener.port), client.tap.ends.pop()[0])}


@needs_packet_information
@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2", "127.1.2.3"])
async def test_a_listener_on_every_address_answers_from_the_one_that_was_asked(make_node, make_asker, asked) -> None:
    server, asker = make_node(), make_asker("127.0.0.1")
    listener = await server.listen("udp:0.0.0.0:0", advertise=("127.0.0.1", 0))
    text, source = await asker.ask(asked, listener.port)
    assert text.startswith("SIP/2.0 200")
    assert source == (asked, listener.port)


@needs_packet_information
async def test_a_repeated_request_is_answered_from_there_as_well(make_node, make_asker) -> None:
    server, asker = make_node(), make_asker("127.0.0.1")
    listener = await server.listen("udp:0.0.0.0:0", advertise=("127.0.0.1", 0))
    answers = [await asker.ask("127.0.0.2", listener.port) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(server.user.requests) == 1


@needs_packet_information
async def test_a_listener_on_every_ipv6_address_answers_from_there(make_node, make_asker) -> None:
    server, asker = make_node(), make_asker("::1")
    listener = await server.listen("udp:[::]:0", advertise=("::1", 0))
    text, source = await asker.ask("::1", listener.port)
    assert (text[:11], source) == ("SIP/2.0 200", ("::1", listener.port))


@needs_packet_information
async def test_a_request_of_ours_leaves_a_listener_on_every_address_as_the_kernel_likes(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen("udp:0.0.0.0:0", advertise=("127.0.0.1", 0))
    listener = await server.listen("udp:127.0.0.3:0")
    assert (await client.ask(f"sip:127.0.0.3:{listener.port}")).status == 200


@needs_packet_information
async def test_an_address_that_this_machine_has_no_more_is_no_reason_to_be_silent(make_node, make_asker) -> None:
    """A flow that was stored names the address that it came to; the machine may have another one since."""
    server, asker = make_node(), make_asker("127.0.0.1")
    listener = await server.listen("udp:0.0.0.0:0", advertise=("127.0.0.1", 0))
    await asker.ask("127.0.0.1", listener.port)
    port = asker.socket.getsockname()[1]
    server.sip._shell.datagrams.ports["main"].udp.send(b"hello", ("127.0.0.1", port), "192.0.2.200")
    assert (await asker.hear(asyncio.get_running_loop()))[0] == "hello"


@needs_packet_information
async def test_a_dead_destination_is_heard_of_by_a_listener_on_every_address(make_node, make_asker) -> None:
    client, gone = make_node(), make_asker("127.0.0.1")
    await client.listen("udp:0.0.0.0:0", advertise=("127.0.0.1", 0))
    port = gone.socket.getsockname()[1]
    gone.close()
    assert (await client.ask(f"sip:127.0.0.1:{port}")).name == "TRANSPORT"


# A socket that speaks both


def dual(kind: socket.SocketKind) -> socket.socket:
    made = socket.socket(socket.AF_INET6, kind)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", 0))
    return made


@needs_packet_information
async def test_ipv4_on_a_dual_stack_socket_is_ipv4(make_node, make_asker) -> None:
    server, asker = make_node(), make_asker("127.0.0.1")
    listener = await server.listen(f"udp:fd:{dual(socket.SOCK_DGRAM).detach()}", advertise=("127.0.0.1", 0))
    text, source = await asker.ask("127.0.0.2", listener.port)
    assert source == ("127.0.0.2", listener.port)
    assert ";received=127.0.0.1" in text
    six, _ = await make_asker("::1").ask("::1", listener.port, "2")
    assert ";received=::1" in six


async def test_ipv4_on_a_dual_stack_connection_is_ipv4(make_node) -> None:
    client, server = make_node(), make_node()
    await client.listen("tcp:127.0.0.1:0")
    listener = await server.listen(f"tcp:fd:{dual(socket.SOCK_STREAM).detach()}", advertise=("127.0.0.1", 0))
    answer = await client.ask(f"sip:127.0.0.1:{listener.port};transport=tcp")
    assert answer.via.received == "127.0.0.1"
    ((local, remote),) = server.tap.ends
    assert (local[0], remote[0]) == ("127.0.0.1", "127.0.0.1")


@needs_packet_information
async def test_a_dual_stack_socket_asks_over_both(make_node) -> None:
    client, four, six = make_node(), make_node(), make_node()
    await client.listen(f"udp:fd:{dual(socket.SOCK_DGRAM).detach()}", advertise=("127.0.0.1", 0))
    for number, (server, place) in enumerate(((four, "127.0.0.1"), (six, "[::1]"))):
        listener = await server.listen(f"udp:{place}:0")
        assert (await client.ask(f"sip:{place}:{listener.port}", f"c{number}")).status == 200


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::ffff", "2001:db8::ffff"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
    ],
)
def test_an_ipv4_address_in_ipv6_is_shown_as_what_it_is(host: str, shown: str) -> None:
    assert plain(host) == shown
    assert ipaddress.ip_address(shown)


@pytest.mark.parametrize("entry", ["udp:[fe80::1%lo]:5060", "tcp:[fe80::1%25lo]:5060"])
async def test_a_scope_is_refused_with_the_reason(make_node, entry: str) -> None:
    with pytest.raises((ListenError, ValueError), match="an address with a scope"):
        await make_node().listen(entry)
