"""`talkburst xdms` is killed with signal 9 while users write: what it said 200 and 201 to is there, nothing is half."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from killable import Killable, configure, seeds
from xcap_user import GROUPS, LISTS, XcapUser, group, lists

pytestmark = pytest.mark.acceptance

NAMES = [f"user{number}" for number in range(8)]


@pytest.fixture
async def xdms(tmp_path: Path) -> AsyncIterator[Killable]:
    daemon = Killable("xdms", tmp_path)
    accounts = {f"sip:{name}@ims.example": {"password": name} for name in NAMES}
    configure(tmp_path, xdms={"accounts": accounts, "asserted_peers": ["127.0.0.1"]})
    await daemon.start()
    yield daemon
    await daemon.close()
    assert "Traceback" not in daemon.log(), daemon.log()


@pytest.fixture
async def users(xdms: Killable) -> AsyncIterator[list[XcapUser]]:
    made = [XcapUser(name, xdms.address()) for name in NAMES]
    yield made
    for user in made:
        await user.hang_up()


async def killed_under_load(xdms: Killable, users: list[XcapUser], chance: random.Random) -> None:
    """All write, until one is about to be told of a write that is the seeded one."""
    moment = sum(user.written for user in users) + chance.randrange(1, 250)
    lives = [asyncio.ensure_future(user.live(random.Random(chance.random()))) for user in users]
    while sum(user.written for user in users) < moment:
        done, _ = await asyncio.wait(lives, timeout=0.001, return_when=asyncio.FIRST_COMPLETED)
        assert not done, [each.exception() for each in done]
    xdms.strike()
    ends = await asyncio.wait_for(asyncio.gather(*lives, return_exceptions=True), 20)
    assert all(isinstance(end, OSError | asyncio.IncompleteReadError) for end in ends), ends


@pytest.mark.parametrize("seed", seeds(2, 20))
async def test_what_was_promised_under_load_is_kept(xdms: Killable, users: list[XcapUser], seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(2):
        await killed_under_load(xdms, users, chance)
        await xdms.restart()
        await asyncio.gather(*(user.check() for user in users))
    alice, bob = users[:2]
    for user in (alice, bob):  # every tag that was given is a condition that holds
        for document, version in list(user.known.items()):
            if version is not None:
                await user.write(document, version.body)
    # An address is taken as long as its group is there, and no longer.
    crew = alice.document(GROUPS, "crew")
    if alice.known.get(crew) is not None:
        await alice.remove(crew)
    await alice.write(crew, group("theirs"))
    refused = await bob.ask("PUT", bob.document(GROUPS, "other"), group("theirs"))
    assert (refused.status, b"uniqueness-failure" in refused.body) == (409, True)
    await alice.remove(crew)
    await bob.write(bob.document(GROUPS, "other"), group("theirs"))


async def test_full_disk_is_500_and_leaves_nothing_half_done(xdms: Killable, users: list[XcapUser]) -> None:
    alice, bob, *_ = users
    index, crew = alice.document(LISTS, "index"), alice.document(GROUPS, "crew")
    await alice.write(index, lists("before"))
    await alice.write(crew, group("crew"))
    xdms.disk(full=True)
    before = alice.known[index]
    assert before is not None
    for answer in (
        await alice.ask("PUT", index, lists("after"), If_Match=before.etag),
        await alice.ask("PUT", crew, group("other")),
        await alice.ask("DELETE", crew),
        await bob.ask("PUT", bob.document(GROUPS, "crew"), group("free")),
    ):
        assert (answer.status, b"nothing was changed" in answer.body) == (500, True)
    await alice.check()
    bob.known[bob.document(GROUPS, "crew")] = None
    await bob.check()
    xdms.disk(full=False)
    await alice.write(index, lists("after"))
    xdms.strike()
    await xdms.restart()
    for user in (alice, bob):
        await user.hang_up()
    await alice.check()
    refused = await bob.ask("PUT", bob.document(GROUPS, "crew"), group("crew"))
    assert refused.status == 409  # the address was not let go by the PUT and the DELETE that failed
    await bob.write(bob.document(GROUPS, "crew"), group("free"))
