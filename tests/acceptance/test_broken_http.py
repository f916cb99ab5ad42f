"""HTTP streams that break off, lie about their length or have no end: the XDMS ends each, and serves the others."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from http_damage import DIRECTORY, LISTS, USAGES, Reply, XdmUser, close, exchange, hang_up, offer, read_reply
from watched import Watched, watched

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

GROWTH = 12 * 1024  # KiB that one hostile stream may cost the XDMS
ENDLESS = 16 << 20  # bytes; what a peer is willing to send of what has no end
SOON = 10.0  # seconds
AT_ONCE = 300  # connections


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    async with watched("xdms", tmp_path_factory.mktemp("xdms")) as daemon:
        yield daemon


@pytest_asyncio.fixture(loop_scope="module")
async def alice(daemon: Watched) -> AsyncIterator[XdmUser]:
    """After the test the XDMS still answers her, and has let go of what the test did."""
    alice = XdmUser("alice", daemon.address("tcp"))
    await alice.probe()
    before = daemon.memory
    yield alice
    await alice.probe()
    await daemon.until_descriptors_are_back()
    assert daemon.memory - before < GROWTH


def put(alice: XdmUser, *headers: str) -> bytes:
    """The head of a request that stores her list."""
    usage = USAGES["resource-lists"]
    return alice.request("PUT", alice.path(usage.path), b"", f"Content-Type: {usage.media_type}", *headers)


def places_to_stop(data: bytes) -> list[int]:
    """In the request line, behind it, in a header, in a line break, before the body and in it."""
    start, head = data.index(b"\r\n"), data.index(b"\r\n\r\n")
    return [1, start // 2, start + 1, start + 2, data.index(b"Host") + 3, head, head + 2, head + 4, len(data) - 1]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_request_whose_end_never_comes_stores_nothing(alice: XdmUser, reset: bool) -> None:
    data = put(alice, f"Content-Length: {len(LISTS)}") + LISTS.encode()
    for place in places_to_stop(data):
        reply = await offer(alice.server, data[:place], reset=reset)
        assert reply is None or reply.status == 400
    assert (await alice.ask("GET", alice.path(USAGES["resource-lists"].path))).status == 404


@pytest.mark.parametrize(
    ("lengths", "statuses"),
    [
        pytest.param(["Content-Length: -1"], {400}, id="negative"),
        pytest.param(["Content-Length: five"], {400}, id="no number"),
        pytest.param(["Content-Length: "], {400}, id="empty"),
        pytest.param(["Content-Length: 0x5"], {400}, id="hexadecimal"),
        pytest.param(["Content-Length: 5, 6"], {400}, id="list"),
        pytest.param(["Content-Length: 5", "Content-Length: 6"], {400}, id="twice"),
        pytest.param(["Content-Length: 5", "Transfer-Encoding: chunked"], {400}, id="length and chunks"),
        pytest.param(["Transfer-Encoding: gzip, chunked"], {400, 409, 415, 501}, id="coding that is not known"),
        pytest.param(["Transfer-Encoding: chunked, gzip"], {400, 501}, id="chunks not last"),
        pytest.param(["Content-Length: 2000000"], {413}, id="beyond the limit"),
        pytest.param([f"Content-Length: {10**20}"], {400, 413}, id="beyond every number"),
    ],
)
async def test_a_length_that_cannot_be_believed_is_refused(
    alice: XdmUser, lengths: list[str], statuses: set[int]
) -> None:
    reply = await exchange(alice.server, put(alice, *lengths) + b"5\r\n<a/>x\r\n0\r\n\r\n")
    assert reply.status in statuses
    assert reply.body


@pytest.mark.parametrize(
    ("begin", "again", "statuses"),
    [
        pytest.param("nothing", b"GET" * 20_000, {400, 414}, id="method"),
        pytest.param("line", b"x" * 65_536, {400, 414}, id="path"),
        pytest.param("head", b"x" * 65_536, {400, 431}, id="header line"),
        pytest.param("head", b"x\r\nX-More: y" * 4096, {400, 431}, id="headers"),
        pytest.param("chunks", b"ffff\r\n" + b"x" * 65_535 + b"\r\n", {413}, id="chunks"),
        pytest.param("chunks", b"1\r\nx\r\n" * 8192, {400, 413}, id="tiny chunks"),
    ],
)
async def test_what_has_no_end_is_given_up_at_the_limit(
    alice: XdmUser, begin: str, again: bytes, statuses: set[int]
) -> None:
    reply = await send_without_end(alice, begin, again, SOON)
    assert reply.status in statuses


@pytest.mark.longer
@pytest.mark.parametrize(
    ("begin", "again"),
    [("chunks", b"1;" + b"x" * 65_534), ("trailers", b"X-More: y\r\n" * 4096), ("trailers", b"y" * 65_536)],
    ids=["extension", "trailers", "trailer"],
)
async def test_what_has_no_end_and_adds_nothing_is_given_up_when_patience_ends(
    alice: XdmUser, begin: str, again: bytes
) -> None:
    """Extensions and trailers of a chunked body are skipped; for 30 seconds, as any body may take."""
    assert (await send_without_end(alice, begin, again, 40.0)).status in (400, 408, 431)


async def send_without_end(alice: XdmUser, begin: str, again: bytes, within: float) -> Reply:
    """The reply to something that goes on and on."""
    chunked = put(alice, "Transfer-Encoding: chunked")
    beginnings = {
        "nothing": b"",
        "line": b"GET /xcap-root/",
        "head": chunked.removesuffix(b"\r\n\r\n") + b"\r\nX-Long: ",
        "chunks": chunked,
        "trailers": chunked + b"1\r\nx\r\n0\r\n",
    }
    reader, writer = await asyncio.open_connection(*alice.server)
    try:
        writer.write(beginnings[begin])
        reply = asyncio.ensure_future(read_reply(reader))
        sent = 0
        while not reply.done() and sent < ENDLESS:
            writer.write(again)
            sent += len(again)
            await asyncio.wait({reply}, timeout=0.001)
        return await asyncio.wait_for(reply, within)
    finally:
        await close(writer)


async def test_bytes_that_come_one_by_one_are_a_request(alice: XdmUser) -> None:
    reader, writer = await asyncio.open_connection(*alice.server)
    try:
        for octet in alice.request("GET", alice.path(DIRECTORY)):
            writer.write(bytes([octet]))
            await asyncio.sleep(0)
        assert (await asyncio.wait_for(read_reply(reader), SOON)).status == 200
    finally:
        await close(writer)


async def test_hundreds_of_connections_that_say_nothing_or_half_of_something_hold_nobody_up(
    daemon: Watched, alice: XdmUser
) -> None:
    request = alice.request("GET", alice.path(DIRECTORY))
    opened = [await asyncio.open_connection(*alice.server) for _ in range(AT_ONCE)]
    try:
        for number, (_, writer) in enumerate(opened):
            writer.write(request[: (0, 10, len(request) - 1)[number % 3]])
        await alice.probe()
        assert daemon.descriptors > AT_ONCE
    finally:
        for number, (_, writer) in enumerate(opened):
            if number % 2:
                hang_up(writer)
            await close(writer)
