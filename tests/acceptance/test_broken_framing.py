"""TCP streams that cannot be cut into messages, or that are not let to: each ends by itself, and harms no other."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from answers import StreamPeer, probe_stream
from damage import request
from watched import Address, Watched, watched

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

LISTENERS = {"core-clients": 0, "core-servers": 1, "server": 0, "client": 0}
SHAPES = {"OPTIONS": 6, "PUBLISH": 4, "MESSAGE": 8}
GROWTH = 12 * 1024  # KiB that one hostile stream may cost a daemon
AT_ONCE = 300  # connections
ENDLESS = 8 << 20  # bytes; what a peer is willing to send of what has no end
SOON = 10.0  # seconds; less than the 32 that the rest of a message may take


@pytest_asyncio.fixture(params=LISTENERS, scope="module", loop_scope="module")
async def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    async with watched(request.param.partition("-")[0], tmp_path_factory.mktemp(request.param)) as daemon:
        daemon.side = LISTENERS[request.param]
        yield daemon


@pytest_asyncio.fixture(loop_scope="module")
async def target(daemon: Watched) -> AsyncIterator[Address]:
    """Where the daemon listens. After the test it takes others, and has let go of what the test did."""
    address = daemon.address("tcp", daemon.side)
    await probe_stream(address)
    before = daemon.memory
    yield address
    await probe_stream(address)
    await daemon.until_descriptors_are_back()
    assert daemon.memory - before < GROWTH


_numbers = itertools.count()  # the daemon serves many tests; none of its messages may be taken for another one


def message(peer: StreamPeer, method: str = "OPTIONS") -> bytes:
    return request(next(_numbers), SHAPES[method], peer.address, "TCP")


def call_ids(*messages: bytes) -> list[str]:
    return [message.partition(b"Call-ID: ")[2].partition(b"\r\n")[0].decode() for message in messages]


def lengths(data: bytes, *values: str) -> bytes:
    """A message with these Content-Length fields instead of its own."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    return b"\r\n".join([*lines, *(f"Content-Length: {value}".encode() for value in values), b"", body])


def places_to_stop(data: bytes) -> list[int]:
    """In the start line, behind it, in a header, in a line break, before the body and in it."""
    start, head = data.index(b"\r\n"), data.index(b"\r\n\r\n")
    return [1, start // 2, start + 1, start + 2, data.index(b"Call-ID") + 3, head, head + 2, head + 4, len(data) - 1]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_message_whose_end_never_comes_is_forgotten_with_its_connection(target: Address, reset: bool) -> None:
    async with StreamPeer.open(target) as first:
        places = places_to_stop(message(first, "PUBLISH"))
    for place in places:
        async with StreamPeer.open(target) as peer:
            peer.send(message(peer, "PUBLISH")[:place])
            await peer.writer.drain()
            if reset:
                peer.reset()
            else:
                peer.writer.write_eof()
                await peer.until_closed(SOON)
                assert peer.answers == []


async def test_bytes_that_come_one_by_one_are_a_message(target: Address) -> None:
    async with StreamPeer.open(target) as peer:
        sent = message(peer, "PUBLISH"), message(peer)
        for octet in b"\r\n\r\n".join(sent):
            peer.send(bytes([octet]))
            await asyncio.sleep(0)
        await peer.until_answered(call_ids(*sent))
        assert not peer.missing


@pytest.mark.parametrize(
    ("before", "again", "answers"),
    [
        pytest.param("whole", b"a" * 65_536, [513], id="header line"),
        pytest.param("whole", b"X-More: and more\r\n" * 4096, [513], id="headers"),
        pytest.param("whole", b" fold\r\n" * 8192, [513], id="folds"),
        pytest.param("start", b"X-More: and more\r\n" * 4096, [], id="headers without those that an answer needs"),
        pytest.param("nothing", b"OPTIONS" * 8192, [], id="start line"),
        pytest.param("nothing", b"\x00" * 65_536, [], id="zeros"),
    ],
)
async def test_what_has_no_end_is_given_up_at_the_limit(
    target: Address, before: str, again: bytes, answers: list[int]
) -> None:
    async with StreamPeer.open(target) as peer:
        head = message(peer).removesuffix(b"\r\n\r\n") + b"\r\nX-Long: "
        peer.send({"whole": head, "start": head[: head.index(b"Via")], "nothing": b""}[before])
        closed = asyncio.ensure_future(peer.until_closed(SOON))
        sent = 0
        while not closed.done() and sent < ENDLESS:
            peer.send(again)
            sent += len(again)
            await asyncio.wait({closed}, timeout=0.001)
        await closed
        assert [answer.status for answer in peer.answers] == answers


@pytest.mark.parametrize(
    ("values", "status"),
    [
        pytest.param([], 400, id="absent"),
        pytest.param(["-1"], 400, id="negative"),
        pytest.param(["five"], 400, id="no number"),
        pytest.param([""], 400, id="empty"),
        pytest.param(["0x5"], 400, id="hexadecimal"),
        pytest.param(["5.0"], 400, id="fraction"),
        pytest.param(["5, 5"], 400, id="list"),
        pytest.param(["5", "7"], 400, id="twice"),
        pytest.param([str(10**20)], 400, id="beyond every number"),
        pytest.param([str(2**31 - 1)], 513, id="beyond the limit"),
    ],
)
async def test_a_length_that_cannot_be_believed_is_refused_and_ends_the_connection(
    target: Address, values: list[str], status: int
) -> None:
    async with StreamPeer.open(target) as peer:
        good, lying, behind = message(peer), lengths(message(peer, "MESSAGE"), *values), message(peer)
        peer.send(good + lying + behind)
        await peer.until_closed(SOON)
        before, refused = call_ids(good, lying)
        assert [(answer.call_id, answer.status) for answer in peer.answers] == [(before, 200), (refused, status)]


async def test_a_length_that_comes_twice_and_is_the_same_is_tolerated(target: Address) -> None:
    async with StreamPeer.open(target) as peer:
        sent = lengths(message(peer, "MESSAGE"), "5", "5"), message(peer)
        peer.send(b"".join(sent))
        await peer.until_answered(call_ids(*sent))
        assert not peer.missing


async def test_a_length_that_is_too_small_costs_the_message_behind_it_alone(daemon: Watched, target: Address) -> None:
    """The rest of the body is taken for the beginning of the next start line, and that for an unknown method."""
    async with StreamPeer.open(target) as peer:
        sent = lengths(message(peer, "MESSAGE"), "2"), message(peer), message(peer)
        peer.send(b"".join(sent))
        await peer.until_answered(call_ids(*sent))
        assert not peer.missing
        status = {answer.call_id: answer.status for answer in peer.answers}
        _, spoilt, well = (status[call_id] for call_id in call_ids(*sent))
        assert spoilt == (407 if daemon.name == "core" and daemon.side == 0 else 501)  # who asks comes first
        assert well == 200


async def test_a_length_that_is_too_large_swallows_what_follows(target: Address) -> None:
    async with StreamPeer.open(target) as peer:
        swallowed, behind = message(peer), message(peer)
        lying = lengths(message(peer, "MESSAGE"), str(len("hello") + len(swallowed)))
        peer.send(lying + swallowed + behind)
        await peer.until_answered(call_ids(lying, behind))
        assert not peer.missing
        assert peer.answered == {*call_ids(lying, behind)}


async def test_hundreds_of_connections_that_say_nothing_or_half_of_something_hold_nobody_up(
    daemon: Watched, target: Address
) -> None:
    peers = [StreamPeer(*await asyncio.open_connection(*target)) for _ in range(AT_ONCE)]
    try:
        messages = [message(peer) for peer in peers]
        halves = [(0, 50, 200)[number % 3] for number in range(AT_ONCE)]
        for peer, data, half in zip(peers, messages, halves, strict=True):
            peer.send(data[:half])
        await probe_stream(target)
        assert daemon.descriptors > AT_ONCE
        for peer, data, half in zip(peers, messages, halves, strict=True):
            peer.send(data[half:])
        waiting = (peer.until_answered(call_ids(data)) for peer, data in zip(peers, messages, strict=True))
        await asyncio.gather(*waiting)
        assert not [peer.missing for peer in peers if peer.missing]
    finally:
        for number, peer in enumerate(peers):
            if number % 2:
                peer.reset()
            await peer.close()


async def test_a_peer_that_does_not_read_its_answers_is_cut_off(target: Address) -> None:
    """What waits for it is bounded; the rest of what it asks is not even read."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that little of it waits in the kernel
        deaf.setblocking(False)
        await loop.sock_connect(deaf, target)

        async def ask_on() -> None:
            while True:
                data = request(next(_numbers), SHAPES["OPTIONS"], deaf.getsockname(), "TCP")
                await loop.sock_sendall(deaf, data.replace(b"Call-ID: ", b"Call-ID: " + b"x" * 8000))

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(ask_on(), SOON)
