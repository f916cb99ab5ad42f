"""What peers may have open over TCP and for how long, on real sockets.

`test_tcp_limits` has each limit of one connection.
"""

import asyncio
import logging

import pytest

import damage
from talkburst.net import TcpLimits
from talkburst.net.room import place_of
from talkburst.net.tcp import TcpConnection
from virtual_loop import VirtualLoop

OWN, THEIRS = ("127.0.0.1", 5999), ("127.0.0.1", 5060)
STALL = 1.0  # seconds that a busy machine may stop us for


def options(number: int) -> bytes:
    return damage.options(number, OWN, THEIRS, "TCP")


async def served(wire, number: int) -> None:
    wire.write(options(number))
    assert (await wire.message()).startswith(b"SIP/2.0 200")


async def test_at_the_limit_the_connection_that_was_silent_longest_makes_room(make_node, dial) -> None:
    server = make_node(limits=TcpLimits(connections=3, spare=0.05))
    await server.listen_on_both()
    wires = [await dial(server.port) for _ in range(3)]
    for number in (1, 0, 2):
        await served(wires[number], number)
    await asyncio.sleep(0.1)
    await served(wires[1], 9)
    newcomer = await dial(server.port)
    await served(newcomer, 3)
    assert await wires[0].rest() == b""
    assert server.engine.counters["connections_making_room"] == 1
    assert server.engine.counters["connections_refused"] == 0
    for number in (1, 2):
        await served(wires[number], 10 + number)


async def test_a_connection_that_somebody_is_registered_over_makes_no_room(make_node, dial, caplog) -> None:
    server = make_node(limits=TcpLimits(connections=2, spare=0.0))
    await server.listen_on_both()
    registered = set()
    server.sip.keeps = registered.__contains__
    wires = [await dial(server.port) for _ in range(2)]
    server.user.answer = _answer_and(server, lambda transaction: registered.add(transaction.flow))
    for number, wire in enumerate(wires):
        await served(wire, number)
    assert await (await dial(server.port)).rest() == b""
    assert server.engine.counters["connections_refused"] == 1
    registered.pop()
    await asyncio.sleep(STALL + 0.1)  # having found none, it looks again after a second
    await served(await dial(server.port), 5)
    assert server.engine.counters["connections_making_room"] == 1


async def test_a_connection_that_is_owed_an_answer_makes_no_room(make_node, dial) -> None:
    server = make_node(limits=TcpLimits(connections=1, spare=0.0))
    await server.listen_on_both()
    waiting = []
    usual = server.user.answer
    server.user.answer = lambda *asked: waiting.append(asked)
    wire = await dial(server.port)
    wire.write(options(1))
    while not waiting:  # noqa: ASYNC110 - a callback of the node
        await asyncio.sleep(0)
    assert await (await dial(server.port)).rest() == b""
    usual(*waiting.pop())
    server.sip.pump()
    assert (await wire.message()).startswith(b"SIP/2.0 200")


async def test_one_address_has_its_own_limit(make_node, dial, caplog) -> None:
    server = make_node(limits=TcpLimits(connections_per_address=2))
    await server.listen_on_both()
    wires = [await dial(server.port) for _ in range(2)]
    for number, wire in enumerate(wires):
        await served(wire, number)
    for _ in range(3):
        assert await (await dial(server.port)).rest() == b""
    other = await asyncio.open_connection("127.0.0.1", server.port, local_addr=("127.0.0.2", 0))
    other[1].write(options(7))
    assert (await asyncio.wait_for(other[0].readuntil(b"\r\n\r\n"), 5)).startswith(b"SIP/2.0 200")
    other[1].close()
    assert server.engine.counters["connections_refused"] == 3
    (line,) = [record for record in caplog.records if "refused" in record.getMessage()]
    assert "127.0.0.1" in str(vars(line))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_addresses_of_one_ipv6_link_count_as_one(one: str, other: str, same: bool) -> None:
    assert (place_of(one) == place_of(other)) is same


async def test_one_byte_at_a_time_does_not_hold_a_connection(make_node, dial, caplog) -> None:
    server = make_node(limits=TcpLimits(unfinished=0.3))
    await server.listen_on_both()
    wire = await dial(server.port)
    await served(wire, 1)
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def dribble() -> None:
        for octet in options(2):
            wire.write(bytes([octet]))
            await asyncio.sleep(0.02)

    dribbling = asyncio.ensure_future(dribble())
    assert await wire.rest() == b""
    assert loop.time() - begun > 0.25
    dribbling.cancel()
    assert server.engine.counters["connections_unfinished"] == 1


class Virtual:
    """A connection on virtual time: its transport and its user."""

    def __init__(self, loop: VirtualLoop, **limits: float) -> None:
        self.messages, self.closed = [], []
        loop.run_until_complete(self._connect(TcpLimits(**limits)))

    async def _connect(self, limits: TcpLimits) -> None:
        self.connection = TcpConnection(self, limits, "main")
        self.connection.connection_made(self)

    def __getattr__(self, name):  # what a transport and a user have besides, and nobody looks at here
        return lambda *arguments: False

    def get_extra_info(self, name):
        return OWN if name == "sockname" else THEIRS

    def on_open(self, connection) -> bool:
        return True

    def on_message(self, connection, data: bytes) -> None:
        self.messages.append(data)

    def on_closing(self, connection, reason: str) -> None:
        self.closed.append(reason)


def test_the_time_of_a_message_begins_with_its_own_first_byte() -> None:
    """Not with the message before it, nor with the first one of the stream that came in two parts."""
    loop = VirtualLoop()
    wire = Virtual(loop, unfinished=10.0)
    first, second, third = map(options, range(3))
    for data, pause in (
        (first[:10], 3.0),
        (first[10:] + second[:10], 8.0),  # an alarm rings meanwhile
        (second[10:], 1.9),
        (third[:10], 9.9),  # again, and 9.9 s are less than 10
        (third[10:20], 0.05),
        (third[20:] + first[:10], 9.9),
    ):
        wire.connection.data_received(data)
        loop.pass_time(pause)
    assert (len(wire.messages), wire.closed) == (3, [])
    wire.connection.data_received(first[10:20])
    loop.pass_time(0.2)
    assert wire.closed == ["a message does not end"]
    loop.close()


async def test_a_registered_connection_that_owes_keep_alives_is_closed_and_counted(make_node, dial) -> None:
    """RFC 5626 5.4, as the registrar asks for it."""
    server = make_node()
    await server.listen_on_both()
    server.sip.keeps = lambda flow: True
    server.user.answer = _answer_and(server, lambda transaction: server.engine.limit_silence(transaction.flow, 0.1))
    wire = await dial(server.port)
    await served(wire, 1)
    assert await wire.rest() == b""
    assert server.engine.counters["connections_silent"] == 1
    assert server.engine.counters["connections_idle"] == 0


async def test_a_connection_with_a_registration_stays_and_an_idle_one_does_not(make_node, dial) -> None:
    server = make_node(limits=TcpLimits(idle=0.1))
    await server.listen_on_both()
    registered = []
    server.sip.keeps = registered.__contains__
    server.user.answer = _answer_and(server, lambda transaction: registered.append(transaction.flow))
    kept = await dial(server.port)
    await served(kept, 1)
    quiet = await dial(server.port)
    assert await quiet.rest() == b""
    assert server.engine.counters["connections_idle"] == 1
    await asyncio.sleep(0.2)
    await served(kept, 2)
    registered.clear()
    assert await kept.rest() == b""
    assert server.engine.counters["connections_idle"] == 2


async def test_what_one_peer_can_bring_about_at_will_is_one_line_in_the_log(make_node, dial, caplog) -> None:
    server = make_node()
    await server.listen_on_both()
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            wire = await dial(server.port)
            wire.write(b"GET / HTTP/1.1\r\n\r\n")
            await wire.rest()
    assert len([record for record in caplog.records if record.getMessage() == "broken stream"]) == 1


def _answer_and(server, then):
    usual = server.user.answer

    def answer(transaction, request, now) -> None:
        then(transaction)
        usual(transaction, request, now)

    return answer
