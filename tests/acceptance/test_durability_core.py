"""`talkburst core` is killed with signal 9 under load and started again: what it said 200 to is so."""

import asyncio
import contextlib
import random
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tomli_w

import talkburst_core
from core_user import EXPIRES, User, Watch
from killable import Killable, configure, seeds
from sip_peer import Peer
from talkburst.sip.message import Message, Request, Response

pytestmark = pytest.mark.acceptance

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
TCP_LONGER = pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.longer)])

BOB = Path(talkburst_core.__file__).parent / "world" / "profiles" / "bob.xml"
USERS = 12


@dataclass
class World:
    """The core, the application server and the users that a test plays, each on an address of its own."""

    core: Killable
    server: Peer
    users: list[User]
    watches: dict[str, Watch] = field(default_factory=dict)  # of the server, by user
    messages: int = 0
    _moment: int = sys.maxsize
    _struck: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, message: Message) -> None:
        self.messages += 1
        if self.messages >= self._moment:
            self._moment = sys.maxsize
            self.core.strike()
            self._struck.set()

    async def struck_after(self, messages: int) -> None:
        """Killed at the moment when peers have received that many messages more."""
        self._struck.clear()
        self._moment = self.messages + messages
        await asyncio.wait_for(self._struck.wait(), 60)

    def told(self, user: User) -> list[Request]:
        """The third-party REGISTER requests about a user, in the order in which they came."""
        return [each for each in self.server.requests if _is_about(user, each)]

    def watch(self, user: User) -> Watch:
        """The server's subscription to the reg event of a user."""
        made = Watch(self.server, user.aor, "sip:poc.ims.example", f"server-{user.name}", asserted=True)
        return self.watches.setdefault(user.aor, made)


@contextlib.asynccontextmanager
async def world(
    directory: Path, transport: str, users: int = USERS, prefix: tuple[str, ...] = (), **core: object
) -> AsyncIterator[World]:
    daemon = Killable("core", directory, "--listen", "--listen-servers", transport=transport, prefix=prefix)
    made = World(daemon, Peer(daemon.address("--listen-servers"), transport=transport), [])
    made.server.on_message = made.count
    await made.server.start()
    _configure(directory, daemon, made.server, **core)
    for number in range(users):
        peer = Peer(daemon.address(), made.count, transport)
        await peer.start()
        made.users.append(User(number, peer))
    try:
        await daemon.start()
        yield made
    finally:
        await daemon.close()
        for peer in (made.server, *(user.peer for user in made.users)):
            await peer.close()
    assert "Traceback" not in daemon.log()
    assert "internal error" not in daemon.log(), daemon.log()


def _configure(directory: Path, core: Killable, server: Peer, **options: object) -> None:
    (directory / "profiles").mkdir(parents=True)
    passwords = {}
    for number in range(USERS):
        tree = ElementTree.parse(BOB)
        for element in tree.iter():
            if element.text and element.tag in ("PrivateID", "Identity"):
                element.text = element.text.replace("bob", f"user{number}").replace("0102", f"1{number:03}")
        tree.write(directory / "profiles" / f"user{number}.xml", encoding="UTF-8", xml_declaration=True)
        passwords[f"user{number}@ims.example"] = {"password": "secret"}
    (directory / "credentials.toml").write_text(tomli_w.dumps(passwords))
    configure(
        directory,
        hosts={
            "ims.example": core.place(),
            "scscf.ims.example": core.place("--listen-servers"),
            "poc.ims.example": server.wire.uri().removeprefix("sip:"),
        },
        core={
            "profiles": str(directory / "profiles"),
            "credentials": str(directory / "credentials.toml"),
            "notify_interval": 0.0,
            **options,
        },
    )


async def _live(user: User, chance: random.Random) -> None:
    """Registers, watches, refreshes both, deregisters and comes back, without an end."""
    while True:
        assert (await user.register()).status == 200
        assert (await user.watch.subscribe()).status == 200
        for _ in range(chance.randrange(2, 12)):
            answer = await (user.register() if chance.random() < 0.5 else user.watch.subscribe())
            assert answer.status == 200, answer.to_bytes()
        assert (await user.register(expires=0)).status == 200


def _is_about(user: User, request: Request) -> bool:
    return request.method == "REGISTER" and user.aor in (request.get("To") or "")


async def _serve(it: World, user: User) -> None:
    """The application server watches a user from the first third-party REGISTER on, until the user leaves."""
    await it.server.until(lambda: it.told(user))
    watch = it.watch(user)
    while (await watch.subscribe()).status == 200:
        await it.server.request(partial(_is_about, user), len(it.server.requests))
    watch.tag = None


@pytest.mark.parametrize("seed", seeds(2, 20))
@BOTH
async def test_what_was_promised_under_load_is_kept(tmp_path: Path, transport: str, seed: int) -> None:
    chance = random.Random(seed)
    async with world(tmp_path, transport) as it:
        load = [asyncio.create_task(_live(user, random.Random(chance.random()))) for user in it.users]
        load += [asyncio.create_task(_serve(it, user)) for user in it.users]
        await it.struck_after(chance.randrange(10, 900))
        for task in load:
            task.cancel()
        outcomes = await asyncio.gather(*load, return_exceptions=True)
        assert all(outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes
        await it.core.restart()
        await asyncio.gather(*(_kept(it, user) for user in it.users))


async def _kept(it: World, user: User) -> None:
    """All that a 2xx said; of what was not answered, all or nothing."""
    if user.registered is not None and not user.asked:
        await it.server.until(lambda: _knows(it, user))  # also when it was owed
    fetched = await user.register(expires=None)
    assert fetched.status == 200
    bound = [str(contact.uri) for contact in fetched.contacts]
    assert bound in ([], [user.peer.wire.uri(user.name)])
    if not user.asked:
        assert bool(bound) == bool(user.registered), (user.registered, bound)
    for contact in fetched.contacts:
        assert 0 < int(contact.params["expires"] or 0) <= EXPIRES
    certain = bool(user.registered) and not user.asked
    already = len(it.told(user))
    assert (await user.register()).status == 200  # and over TCP who it is on this connection
    if user.watch.tag is not None and certain:
        await user.watch.goes_on(lost=1)
    await it.server.until(lambda: len(it.told(user)) > already)
    by_dialog: dict[str, list[int]] = {}
    for each in it.told(user):
        by_dialog.setdefault(each.call_id, []).append(each.cseq.number)
    assert all(numbers == sorted(set(numbers)) for numbers in by_dialog.values())


def _knows(it: World, user: User) -> bool:
    """Whether the server was told last what is so."""
    told = it.told(user)
    return bool(told) and (told[-1].get("Expires") != "0") == user.registered


@BOTH
async def test_a_refresh_a_nonce_and_the_telling_go_on(tmp_path: Path, transport: str) -> None:
    async with world(tmp_path, transport, users=1) as it:
        [user] = it.users
        assert (await user.register()).status == 200
        assert (await user.watch.subscribe()).status == 200
        watch = it.watch(user)
        await it.server.request(lambda each: each.method == "REGISTER")
        assert (await watch.subscribe()).status == 200
        await user.peer.until(user.watch.notified)
        await it.server.until(watch.notified)
        nonce = user.nonce
        it.core.strike()
        await it.core.restart()
        assert (await user.register()).status == 200
        assert user.nonce != nonce, "the old nonce was stale once"
        told = await it.server.request(lambda each: each.method == "REGISTER" and each.cseq.number == 2)
        assert told.call_id == it.told(user)[0].call_id
        await user.watch.goes_on()
        await watch.goes_on()


def _on(matches: Callable[[Message], bool], core: Killable) -> Callable[[Message], None]:
    """Kills the core when such a message arrives, at that moment."""

    def strike(message: Message) -> None:
        if not core.strikes and matches(message):
            core.strike()

    return strike


def _is_200(method: str) -> Callable[[Message], bool]:
    return lambda message: isinstance(message, Response) and message.status == 200 and message.cseq.method == method


@BOTH
async def test_killed_between_4_and_5_it_tells_the_server_after_all(tmp_path: Path, transport: str) -> None:
    """Whether step 5 had left by then is all the same: nobody answered it."""
    async with world(tmp_path, transport, users=2) as it:
        user, other = it.users
        assert (await other.register()).status == 200
        await it.server.until(lambda: it.told(other))
        it.server.silent_about.add("REGISTER")
        user.peer.on_message = _on(_is_200("REGISTER"), it.core)
        assert (await user.register()).status == 200
        it.server.silent_about.clear()
        before = len(it.server.requests)
        await it.core.restart()
        told = await it.server.request(partial(_is_about, user), before)
        first = it.told(user)[0]
        assert (told.method, told.call_id, told.cseq.number) == ("REGISTER", first.call_id, 2)
        assert 0 < int(told.get("Expires") or 0) <= EXPIRES
        assert len(it.told(other)) == 1, "who was told is not told again"


@pytest.mark.parametrize("steps", ["8 and 9", "13 and 14"])
@BOTH
async def test_killed_between_a_200_and_its_notify_it_notifies_after_all(
    tmp_path: Path, transport: str, steps: str
) -> None:
    async with world(tmp_path, transport, users=1) as it:
        [user] = it.users
        assert (await user.register()).status == 200
        await it.server.until(lambda: it.told(user))
        watch = it.watch(user) if steps == "8 and 9" else user.watch
        watch.peer.silent_about.add("NOTIFY")
        watch.peer.on_message = _on(_is_200("SUBSCRIBE"), it.core)
        assert (await watch.subscribe()).status == 200
        watch.peer.silent_about.clear()
        await it.core.restart()
        await watch.peer.until(lambda: any(each.cseq == 2 for each in watch.notified()))
        owed = watch.notified()[-1]
        assert (owed.cseq, owed.version) == (2, 1)
        assert owed.state.startswith("active;expires=")
        # Over TCP who it is on this connection has to be shown first, which is told.
        assert (await user.register()).status == 200
        await watch.peer.until(lambda: watch.notified()[-1].cseq == 3)
        await watch.goes_on(lost=1)


@BOTH
async def test_owed_notify_waits_for_a_server_that_is_down(tmp_path: Path, transport: str) -> None:
    """It is refused when the core is there again, and leaves when the server listens again."""
    async with world(tmp_path, transport, users=1) as it:
        [user] = it.users
        assert (await user.register()).status == 200
        await it.server.until(lambda: it.told(user))
        watch = it.watch(user)
        assert (await watch.subscribe()).status == 200
        await it.server.until(watch.notified)
        await it.server.wire.close()
        assert (await user.register()).status == 200
        it.core.strike()
        await it.core.restart()
        await it.core.said("NOTIFY failed, trying again")
        await it.server.wire.open_again()
        await it.server.until(lambda: len(watch.notified()) > 1)
        assert watch.notified()[-1].cseq > 2
        await it.server.until(lambda: len(it.told(user)) > 1)


@TCP_LONGER
async def test_what_expires_after_the_restart_is_told(tmp_path: Path, transport: str) -> None:
    async with world(tmp_path, transport, users=1, expires_min=1) as it:
        [user] = it.users
        assert (await user.register(expires=2)).status == 200
        assert (await user.watch.subscribe()).status == 200
        it.core.strike()
        await it.core.restart()
        farewell = await it.server.request(lambda each: each.get("Expires") == "0")
        assert farewell.call_id == it.told(user)[0].call_id
        await user.peer.request(
            lambda each: each.get("Subscription-State") == "terminated;reason=deactivated" and b"expired" in each.body
        )


@pytest.mark.skipif(sys.platform != "linux", reason="needs the file size limit of another process (prlimit)")
@BOTH
async def test_a_full_disk_is_answered_500_and_nothing_is_half_done(tmp_path: Path, transport: str) -> None:
    async with world(tmp_path, transport, users=2) as it:
        user, other = it.users
        assert (await user.register()).status == 200
        assert (await user.watch.subscribe()).status == 200
        await it.server.request(lambda each: each.method == "REGISTER")
        assert (await other.register(expires=None)).status == 200
        watch = user.watch
        it.core.disk(full=True)
        assert (await other.register()).status == 500
        if transport == "udp":  # over TCP nothing is retransmitted
            assert (await other.peer.repeat(other.peer.last_sent)).status == 500
        assert (await watch.subscribe(expires=0)).status == 500
        assert (await user.register(expires=0)).status == 500
        it.core.disk(full=False)
        assert (await watch.subscribe()).status == 200
        [contact] = (await user.register(expires=None)).contacts
        assert str(contact.uri) in user.contact
        assert (await other.register(expires=None)).get("Contact") is None
        assert (await other.register()).status == 200
        it.core.strike()
        await it.core.restart()
        assert len((await other.register(expires=None)).contacts) == 1
        assert it.told(user)[-1].get("Expires") != "0"


@TCP_LONGER
async def test_a_file_that_is_no_store_is_a_clear_error(tmp_path: Path, transport: str) -> None:
    core = Killable("core", tmp_path, "--listen", "--listen-servers", transport=transport)
    configure(tmp_path)
    core.state.mkdir()
    (core.state / "core.db").write_bytes(b"something else entirely" * 100)
    said = "core.db: file is not a database; move the file away, or name another place with --state DIR"
    with pytest.raises(AssertionError, match=said):
        await core.start()
    shutil.rmtree(core.state)
    await core.restart()
    await core.close()
