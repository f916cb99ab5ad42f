"""`talkburst core` is killed with signal 9 under load and started again: what it said 200 to is so."""

import asyncio
import contextlib
import random
import resource
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest
import tomli_w

import talkburst_core
from harness import TALKBURST, environment
from sip_peer import Peer, challenge_of
from talkburst.sip.digest import DigestClient
from talkburst.sip.headers import parse_auth
from talkburst.sip.message import Request, Response

pytestmark = pytest.mark.acceptance

BOB = Path(talkburst_core.__file__).parent / "world" / "profiles" / "bob.xml"
USERS = 12
EXPIRES = 1800


class CoreProcess:
    """The core on sockets that outlive it, as they do under systemd; its state in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for each in self._sockets:
            each.bind(("127.0.0.1", 0))
        self.clients, self.servers = (each.getsockname() for each in self._sockets)
        self.process: asyncio.subprocess.Process | None = None
        self._profiles()

    def configure(self, server: tuple[str, int], **core: object) -> None:
        clients, servers = (f"udp:fd:{each.fileno()}" for each in self._sockets)
        table = {
            "state": str(self.directory / "state"),
            "hosts": {
                "ims.example": f"127.0.0.1:{self.clients[1]}",
                "scscf.ims.example": f"127.0.0.1:{self.servers[1]}",
                "poc.ims.example": f"127.0.0.1:{server[1]}",
            },
            "core": {
                "listen": [clients],
                "listen_servers": [servers],
                "profiles": str(self.directory / "profiles"),
                "credentials": str(self.directory / "credentials.toml"),
                "notify_interval": 0.0,
                **core,
            },
        }
        (self.directory / "core.toml").write_text(tomli_w.dumps(table))

    def _profiles(self) -> None:
        (self.directory / "profiles").mkdir(parents=True)
        passwords = {}
        for number in range(USERS):
            tree = ElementTree.parse(BOB)
            for element in tree.iter():
                if element.text and element.tag in ("PrivateID", "Identity"):
                    element.text = element.text.replace("bob", f"user{number}").replace("0102", f"1{number:03}")
            tree.write(self.directory / "profiles" / f"user{number}.xml", encoding="UTF-8", xml_declaration=True)
            passwords[f"user{number}@ims.example"] = {"password": "secret"}
        (self.directory / "credentials.toml").write_text(tomli_w.dumps(passwords))

    async def start(self) -> None:
        log = (self.directory / "core.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *(*TALKBURST, "core", "--config", str(self.directory / "core.toml")),
            pass_fds=[each.fileno() for each in self._sockets],
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=environment(),
        )
        log.close()
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        assert line.startswith(b"ready core"), self.log

    async def end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            await asyncio.wait_for(self.process.wait(), 30)

    @property
    def log(self) -> str:
        return (self.directory / "core.log").read_text()

    async def close(self) -> None:
        await self.end(signal.SIGTERM)
        for each in self._sockets:
            each.close()
        assert "Traceback" not in self.log
        assert "internal error" not in self.log, self.log


@dataclass
class Notified:
    cseq: int
    version: int
    state: str


@dataclass
class User:
    """A client that registers and watches itself; it remembers what it was promised."""

    number: int
    peer: Peer
    cseq: int = 0
    watch_cseq: int = 0
    registered: bool = False
    tag: str | None = None
    nonce: str | None = None
    last: Response | None = None
    _uses: DigestClient = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"user{self.number}"
        self.aor = f"sip:{self.name}@ims.example"
        self._uses = DigestClient(f"{self.name}@ims.example", "secret")

    @property
    def contact(self) -> str:
        return f"<sip:{self.name}@{self.peer.address[0]}:{self.peer.address[1]}>;+g.poc.talkburst"

    async def register(self, expires: int | None = EXPIRES) -> Response:
        """REGISTER, with the challenge that is known, else with the one that comes; `expires` None asks only."""
        answer = await self._register(expires)
        if answer.status == 401:
            self.nonce = challenge_of(answer)["nonce"]
            answer = await self._register(expires)
        if answer.status == 200 and expires:
            self.registered = True
        return answer

    async def _register(self, expires: int | None) -> Response:
        self.cseq += 1
        headers: list[tuple[str, object]] = [
            ("From", f"<{self.aor}>;tag=r"),
            ("To", f"<{self.aor}>"),
            ("Call-ID", f"register-{self.name}"),
            ("CSeq", f"{self.cseq} REGISTER"),
        ]
        if expires is not None:
            headers += [("Contact", self.contact), ("Expires", expires)]
        if self.nonce is not None:
            headers.append(("Authorization", self._credentials(self.nonce)))
        return await self.peer.ask(Request("REGISTER", "sip:ims.example", headers))

    def _credentials(self, nonce: str) -> object:
        challenge = parse_auth(f'Digest realm="ims.example", nonce="{nonce}", algorithm=MD5, qop="auth"')
        return self._uses.authorization([challenge], "REGISTER", "sip:ims.example", b"", lambda: "0a4f113b")

    async def watch(self, expires: int = EXPIRES) -> Response:
        """SUBSCRIBE to the reg event: a new one, or in the dialog that the last 200 named."""
        self.watch_cseq += 1
        tag = f";tag={self.tag}" if self.tag else ""
        uri = self.aor if self.tag is None else f"sip:127.0.0.1:{self.peer.core[1]}"
        headers = [
            ("From", f"<{self.aor}>;tag=w"),
            ("To", f"<{self.aor}>{tag}"),
            ("Call-ID", f"watch-{self.name}"),
            ("CSeq", f"{self.watch_cseq} SUBSCRIBE"),
            ("Event", "reg"),
            ("Contact", f"<sip:{self.name}@{self.peer.address[0]}:{self.peer.address[1]}>"),
            ("Expires", expires),
        ]
        answer = await self.peer.ask(Request("SUBSCRIBE", uri, headers))
        if answer.status == 200:
            assert self.tag in (None, answer.to.tag)
            self.tag = answer.to.tag
        return answer

    def notified(self) -> list[Notified]:
        """What NOTIFY requests of the dialog said, in the order of their numbers."""
        return sorted(
            (_notified(each) for each in self.peer.requests if each.method == "NOTIFY" and each.from_.tag == self.tag),
            key=lambda each: each.cseq,
        )


def _notified(request: Request) -> Notified:
    version = int(ElementTree.fromstring(request.body).get("version") or -1)
    return Notified(request.cseq.number, version, request.get("Subscription-State") or "")


@dataclass
class World:
    core: CoreProcess
    server: Peer
    users: list[User]
    messages: int = 0
    _awaited: tuple[int, asyncio.Event] | None = None

    def count(self) -> None:
        self.messages += 1
        if self._awaited is not None and self.messages >= self._awaited[0]:
            self._awaited[1].set()

    async def traffic(self, messages: int) -> None:
        """Wait until peers have received that many messages more."""
        self._awaited = (self.messages + messages, asyncio.Event())
        await asyncio.wait_for(self._awaited[1].wait(), 60)

    def told(self, user: User) -> list[Request]:
        """The third-party REGISTER requests about a user, in the order in which they came."""
        return [
            each for each in self.server.requests if each.method == "REGISTER" and user.aor in (each.get("To") or "")
        ]


@contextlib.asynccontextmanager
async def world(directory: Path, users: int = USERS, **core: object) -> AsyncIterator[World]:
    process = CoreProcess(directory)
    made = World(process, Peer(process.servers), [])
    made.server._on_message = made.count
    process.configure(await made.server.start(), **core)
    for number in range(users):
        peer = Peer(process.clients, made.count)
        await peer.start()
        made.users.append(User(number, peer))
    try:
        await process.start()
        yield made
    finally:
        await process.close()
        for peer in (made.server, *(user.peer for user in made.users)):
            peer.close()


async def _load(user: User, random_: random.Random) -> None:
    """Registers, watches, refreshes both, without an end."""
    assert (await user.register()).status == 200
    assert (await user.watch()).status == 200
    while True:
        answer = await (user.register() if random_.random() < 0.5 else user.watch())
        assert answer.status == 200, answer.to_bytes()


@pytest.mark.parametrize("seed", range(6))
async def test_what_was_promised_under_load_is_kept(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    async with world(tmp_path) as it:
        load = [asyncio.create_task(_load(user, random.Random(user.number))) for user in it.users]
        await it.traffic(random_.randrange(10, 600))
        await it.core.end(signal.SIGKILL)
        for task in load:
            task.cancel()
        outcomes = await asyncio.gather(*load, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes
        known = {user.number: (user.registered, user.tag, user.notified()) for user in it.users}
        before = {user.number: it.told(user) for user in it.users}
        await it.core.start()
        await asyncio.gather(*(_kept(it, user, *known[user.number], before[user.number]) for user in it.users))


async def _kept(
    it: World, user: User, registered: bool, tag: str | None, notified: list[Notified], told: list[Request]
) -> None:
    if not registered:
        assert (await user.register()).status == 200
        return
    fetched = await user.register(expires=None)
    assert fetched.status == 200
    [contact] = fetched.contacts
    assert str(contact.uri) in user.contact
    assert 0 < int(contact.params["expires"] or 0) <= EXPIRES
    if tag is not None:
        already = len(user.peer.requests)
        assert (await user.watch()).status == 200
        await user.peer.request(lambda each: each.method == "NOTIFY" and each.from_.tag == tag, already)
        after = user.notified()
        assert after[: len(notified)] == notified
        assert len(after) > len(notified)
        assert [each.version for each in after] == sorted({each.version for each in after})
    already = len(it.server.requests)
    assert (await user.register()).status == 200
    news = await it.server.request(lambda each: user.aor in (each.get("To") or ""), already)
    if told:
        assert news.call_id == told[0].call_id
        assert news.cseq.number > told[-1].cseq.number


async def test_a_refresh_a_nonce_and_the_telling_go_on(tmp_path: Path) -> None:
    async with world(tmp_path, users=1) as it:
        [user] = it.users
        assert (await user.register()).status == 200
        assert (await user.watch()).status == 200
        await it.server.request(lambda each: each.method == "REGISTER")
        await user.peer.request(lambda each: each.method == "NOTIFY")
        nonce = user.nonce
        await it.core.end(signal.SIGKILL)
        await it.core.start()
        answer = await user.register()
        assert answer.status == 200
        assert user.nonce != nonce, "the old nonce was stale once"
        assert (await user.watch()).status == 200
        await it.server.request(lambda each: each.cseq.number == 2)
        async with asyncio.timeout(20):
            while len(user.notified()) < 3:
                await user.peer.request(lambda each: True, len(user.peer.requests))
        first, *others = user.notified()
        assert (first.cseq, first.version) == (1, 0)
        assert [each.cseq - each.version for each in others] == [1] * len(others)


async def test_what_expires_after_the_restart_is_told(tmp_path: Path) -> None:
    async with world(tmp_path, users=1, expires_min=1) as it:
        [user] = it.users
        assert (await user.register(expires=2)).status == 200
        assert (await user.watch()).status == 200
        await it.core.end(signal.SIGKILL)
        await it.core.start()
        farewell = await it.server.request(lambda each: each.get("Expires") == "0")
        assert farewell.call_id == it.told(user)[0].call_id
        await user.peer.request(
            lambda each: each.get("Subscription-State") == "terminated;reason=deactivated" and b"expired" in each.body
        )


@pytest.mark.skipif(sys.platform != "linux", reason="needs the file size limit of another process (prlimit)")
async def test_a_full_disk_is_answered_500_and_nothing_is_half_done(tmp_path: Path) -> None:
    async with world(tmp_path, users=2) as it:
        user, other = it.users
        assert (await user.register()).status == 200
        assert (await user.watch()).status == 200
        await it.server.request(lambda each: each.method == "REGISTER")
        assert (await other.register(expires=None)).status == 200
        assert it.core.process is not None
        limit = resource.prlimit(it.core.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(it.core.process.pid, resource.RLIMIT_FSIZE, (0, limit[1]))
        assert (await other.register()).status == 500
        assert (await other.peer.repeat(other.peer.last_sent)).status == 500
        assert (await user.watch(expires=0)).status == 500
        assert (await user.register(expires=0)).status == 500
        resource.prlimit(it.core.process.pid, resource.RLIMIT_FSIZE, limit)
        assert (await user.watch()).status == 200
        [contact] = (await user.register(expires=None)).contacts
        assert str(contact.uri) in user.contact
        assert (await other.register(expires=None)).get("Contact") is None
        assert (await other.register()).status == 200
        await it.core.end(signal.SIGKILL)
        await it.core.start()
        assert len((await other.register(expires=None)).contacts) == 1
        assert it.told(user)[-1].get("Expires") != "0"


async def test_a_file_that_is_no_store_is_a_clear_error(tmp_path: Path) -> None:
    process = CoreProcess(tmp_path)
    process.configure(("127.0.0.1", 9))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "core.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(AssertionError):
        await process.start()
    assert process.process is not None
    assert await asyncio.wait_for(process.process.wait(), 20) == 1
    assert "core.db: file is not a database; move the file away, or name another place with --state DIR" in process.log
    shutil.rmtree(tmp_path / "state")
    await process.start()
    await process.close()
