"""Damaged XCAP requests and noise at the XDMS: what is HTTP is answered in HTTP, and changes nothing where it fails."""

import random
from collections import Counter
from pathlib import Path

import h11
import pytest

from damage import noise
from http_damage import DIRECTORY, USAGES, Reply, XdmUser, asks_for_the_head, damaged_request, exchange, offer
from watched import watched

pytestmark = pytest.mark.acceptance

SEED = 20261124
DAMAGED, NOISE = 8000, 2000
BATCH = 40  # requests between two good ones of a user whom all this does not concern
GROWTH = 24 * 1024  # KiB that the XDMS may grow between the first tenth and the end
# What may be said to a request with a fault. 500 is none of it: that is a fault of ours.
REFUSALS = {400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 417, 431, 501, 505}


def needs_no_more(data: bytes) -> bool:
    """Whether a stranger's HTTP server sees a whole request in it, or a fault: either has to be answered.

    Empty lines before a request are no fault (RFC 9112 2.2), but h11 has them so.
    """
    connection = h11.Connection(h11.SERVER)
    request = data.lstrip(b"\r\n")
    if not request:  # for h11 that would be the end of the stream
        return False
    try:
        connection.receive_data(request)
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.EndOfMessage):
                return True
    except h11.RemoteProtocolError:
        return b"\r\n\r\n" in data.lstrip(b"\r\n")
    return False


def check(reply: Reply, data: bytes) -> None:
    """A status that fits, and of a refusal the reason in words."""
    assert reply.status in REFUSALS or reply.status in (200, 201, 304), (reply, data)
    if reply.status >= 400 and not asks_for_the_head(data):
        assert reply.body, (reply, data)
        assert b"Traceback" not in reply.body, (reply, data)


async def fill(user: XdmUser) -> None:
    """One document of each usage."""
    for usage in USAGES.values():
        document = usage.document.replace("team", f"team-of-{user.name}").encode()
        reply = await user.ask("PUT", user.path(usage.path), document, f"Content-Type: {usage.media_type}")
        assert reply.status == 201, reply


async def documents(user: XdmUser) -> list[tuple[str, bytes]]:
    """Entity tags and bytes of what `fill` stored."""
    replies = [await user.ask("GET", user.path(usage.path)) for usage in USAGES.values()]
    return [(reply.headers["etag"], reply.body) for reply in replies]


async def test_damaged_requests_and_noise_are_refused_in_words_and_change_nothing(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    statuses: Counter[int] = Counter()
    early = 0
    async with watched("xdms", tmp_path) as daemon:
        server = daemon.address("tcp")
        alice, carol = XdmUser("alice", server), XdmUser("carol", server)
        await fill(alice)
        await fill(carol)
        before = await documents(alice)
        listed = await carol.ask("GET", carol.path(DIRECTORY))
        for number in range(DAMAGED + NOISE):
            data = damaged_request(number, carol, dice)
            if number % 5 == 4:
                data = noise(dice) if dice.random() < 0.5 else data
                reply = await offer(server, data[: dice.randrange(len(data))], reset=dice.random() < 0.3)
            else:
                reply = await (exchange if needs_no_more(data) else offer)(server, data)
            if reply is not None:
                check(reply, data)
                statuses[reply.status] += 1
                now_listed = await carol.ask("GET", carol.path(DIRECTORY))
                assert reply.status < 300 or now_listed.body == listed.body, (reply, data)
                listed = now_listed
            if number % BATCH == BATCH - 1:
                await alice.probe()
            if number == (DAMAGED + NOISE) // 10:
                early = daemon.memory
        assert await documents(alice) == before
        await daemon.until_descriptors_are_back()
        assert statuses.total() > DAMAGED // 2
        # The damage got as far as to where documents and conditions are judged; how often, the nonces decide.
        assert all(statuses[deep] > 2 for deep in (200, 201, 400, 401, 404, 409, 412, 415)), statuses
        assert daemon.memory - early < GROWTH
