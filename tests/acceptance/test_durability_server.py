"""The PoC server is killed with SIGKILL and started again: what it promised with a 2xx holds.

The test plays the core.
"""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from killable import Killable, configure, seeds
from scripted_core import ScriptedCore, Watch, shown
from talkburst.sip.message import Message, Request, Response

pytestmark = pytest.mark.acceptance


Play = Callable[..., Awaitable[tuple[Killable, ScriptedCore]]]


BOTH = pytest.mark.parametrize("play", ["udp", "tcp"], indirect=True)
TCP_LONGER = pytest.mark.parametrize("play", ["udp", pytest.param("tcp", marks=pytest.mark.longer)], indirect=True)


@pytest.fixture
async def play(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Play]:
    """Starts a server and the core that the test plays; keyword arguments go into [server]."""
    transport: str = request.param
    server = Killable("server", tmp_path, transport=transport)
    core = await ScriptedCore.open(server.address(), transport)

    async def begin(**options: object) -> tuple[Killable, ScriptedCore]:
        configure(
            tmp_path,
            hosts={"scscf.ims.example": core.wire.uri().removeprefix("sip:"), "poc.ims.example": server.place()},
            server={"notify_interval": 0, "xcap_root": "http://127.0.0.1:9/", **options},
        )
        await server.start()
        return server, core

    yield begin
    await core.close()
    await server.close()
    assert "Traceback" not in server.log(), server.log()
    assert "internal error" not in server.log(), server.log()


def etag_of(answer: Response) -> str:
    assert answer.status == 200, answer.start_line
    return str(answer.get("SIP-ETag"))


@BOTH
async def test_dialogs_and_tags_go_on_where_they_were(play: Play) -> None:
    server, core = await play()
    await core.register("alice")
    await core.until(lambda: core.reg_subscribes["alice"])
    watch = await core.watch("alice")
    etag = etag_of(await core.publish("alice", "manual"))
    await core.until(lambda: shown(watch.last))
    before = watch.last
    [subscribe] = core.reg_subscribes["alice"]
    server.strike()
    await server.restart()
    # The server asks for the reg event again, in the dialog it has.
    await core.until(lambda: len(core.reg_subscribes["alice"]) > 1)
    refresh = core.reg_subscribes["alice"][1]
    assert (refresh.call_id, refresh.from_.tag) == (subscribe.call_id, subscribe.from_.tag)
    assert refresh.to.tag == "core"
    assert refresh.cseq.number > subscribe.cseq.number
    # The client's subscription is refreshed in its dialog, and the NOTIFY counts on.
    answer = await core.subscribe(watch)
    assert answer.status == 200
    await core.until(lambda: watch.last is not before)
    assert watch.last.cseq.number > before.cseq.number
    assert watch.last.from_.tag == before.from_.tag
    assert watch.last.get("Route") == before.get("Route")
    assert shown(watch.last) == {"urn:uuid:alice": "manual"}
    # The publication is refreshed, then changed, under the tags that were given.
    etag = etag_of(await core.publish("alice", etag=etag))
    etag_of(await core.publish("alice", "automatic", etag=etag))
    await core.until(lambda: shown(watch.last) == {"urn:uuid:alice": "automatic"})


@BOTH
async def test_settings_notify_that_was_not_answered_is_sent_again(play: Play) -> None:
    """Killed after step 26; whether step 29 had left by then is all the same."""
    server, core = await play()
    await core.register("alice")
    watch = await core.watch("alice")
    before = watch.last
    core.answers_notify = False

    def kill_after_the_200(message: Message) -> None:
        if isinstance(message, Response) and message.cseq.method == "PUBLISH":
            server.strike()

    core.on_message = kill_after_the_200
    etag = etag_of(await core.publish("alice", "manual"))
    core.on_message = lambda message: None
    told = len(watch.notifies)
    core.answers_notify = True
    await server.restart()
    await core.until(lambda: len(watch.notifies) > told)
    assert watch.last.cseq.number > before.cseq.number
    assert shown(watch.last) == {"urn:uuid:alice": "manual"}
    assert (await core.publish("alice", etag=etag)).status == 200


@BOTH
async def test_settings_notify_that_waited_for_its_turn_leaves_after_the_restart(play: Play) -> None:
    """Killed between steps 26 and 29 for certain: the rate of the package holds step 29 back."""
    server, core = await play(notify_interval=600)
    await core.register("alice")
    watch = await core.watch("alice")
    etag = etag_of(await core.publish("alice", "manual"))
    await core.until(lambda: shown(watch.last))
    told = len(watch.notifies)
    etag_of(await core.publish("alice", "automatic", etag=etag))
    assert len(watch.notifies) == told
    server.strike()
    await server.restart()
    await core.until(lambda: len(watch.notifies) > told)
    assert shown(watch.last) == {"urn:uuid:alice": "automatic"}
    assert watch.last.cseq.number > watch.notifies[-2].cseq.number


@TCP_LONGER
async def test_what_expired_while_it_was_down_is_told(play: Play) -> None:
    server, core = await play(settings_expires_max=1)
    await core.register("alice")
    lasting, passing = await core.watch("alice"), await core.watch("alice")
    etag = etag_of(await core.publish("alice", "manual"))
    await core.until(lambda: shown(lasting.last) and shown(passing.last))
    server.strike()
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_later(1.1, over.set_result, None)  # the second that was granted passes
    await over
    await server.restart()
    for watch in (lasting, passing):
        await core.until(lambda watch=watch: (watch.last.subscription_state or 0) and is_over(watch.last))
        assert str(watch.last.get("Subscription-State")) == "terminated;reason=timeout"
    assert (await core.publish("alice", etag=etag)).status == 412
    assert (await core.subscribe(lasting)).status == 481


def is_over(notify: Request) -> bool:
    return notify.subscription_state is not None and notify.subscription_state.state == "terminated"


@TCP_LONGER
async def test_user_who_left_while_it_was_down_is_not_watched_for_ever(play: Play) -> None:
    server, core = await play()
    await core.register("alice")
    await core.until(lambda: core.reg_subscribes["alice"])
    watch = await core.watch("alice")
    etag_of(await core.publish("alice", "manual"))
    await core.until(lambda: shown(watch.last))
    server.strike()
    core.unregistered.add("alice")
    await server.restart()

    def asked_anew() -> bool:
        asked = [each for each in core.log if isinstance(each, Request) and each.method == "SUBSCRIBE"]
        return len({each.call_id for each in asked}) == 2

    await core.until(asked_anew)  # 481 in the old dialog, and 480 to the one new one
    assert len(core.reg_subscribes["alice"]) == 1


@TCP_LONGER
async def test_third_party_registration_and_what_the_reg_event_told_are_there_again(play: Play) -> None:
    server, core = await play()
    for user in ("alice", "bob"):
        await core.register(user)
        await core.until(lambda user=user: core.reg_subscribes[user])
        await core.publish(user, "manual")
    await core.register("bob", expires=0)
    server.strike()
    await server.restart()
    await core.until(lambda: len(core.reg_subscribes["alice"]) > 1)
    known = await server.show()
    [registration] = known["registrations"]
    assert (registration["user"], registration["poc_addresses"]) == (
        "sip:alice@ims.example",
        ["sip:alice@ims.example"],
    )
    publications = {user["addresses"][0]: user["publications"] for user in known["users"]}
    assert publications["sip:bob@ims.example"] == []
    assert [(each["entities"], each["contact"]) for each in publications["sip:alice@ims.example"]] == [
        (["urn:uuid:alice"], "urn:uuid:alice")
    ]


class Life:
    """A client's life: it registers, watches, publishes, changes, refreshes, and remembers what it was promised."""

    def __init__(self, core: ScriptedCore, user: str, struck: Callable[[], int]) -> None:
        self.core = core
        self.user = user
        self.watch: Watch | None = None
        self.etag: str | None = None
        self.mode = ""
        self._struck = struck

    async def live(self) -> None:
        core = self.core
        assert (await core.register(self.user)).status == 200
        self.watch = await core.watch(self.user)
        await self.publish("manual")
        await self.refresh()
        await self.publish("automatic")
        assert (await core.register(self.user)).status == 200
        await self.publish("")
        await self.publish("manual")

    async def publish(self, mode: str) -> None:
        """A tag is not known any more only if the server was killed before its answer with the next one arrived."""
        struck = self._struck()
        answer = await self.core.publish(self.user, mode, self.etag)
        if answer.status == 412:
            assert self._struck() > struck, "a tag that was given is not known"
            answer = await self.core.publish(self.user, mode or self.mode)
        self.etag, self.mode = etag_of(answer), mode or self.mode

    async def refresh(self) -> None:
        assert self.watch is not None
        answer = await self.core.subscribe(self.watch)
        assert answer.status == 200, answer.start_line

    async def check(self) -> None:
        """Everything that was promised holds, and the last NOTIFY says what was published last."""
        assert self.watch is not None
        numbers = [notify.cseq.number for notify in self.watch.notifies]
        assert numbers == sorted(set(numbers)), "CSeq counts on"
        told = len(self.watch.notifies)
        await self.refresh()
        await self.core.until(lambda: len(self.watch.notifies) > told)
        assert shown(self.watch.last) == {f"urn:uuid:{self.user}": self.mode}
        assert (await self.core.publish(self.user, etag=self.etag)).status == 200


@pytest.mark.parametrize("seed", seeds(2, 20))
@BOTH
async def test_killed_at_any_moment_it_breaks_no_promise(play: Play, seed: int) -> None:
    """Three users at once; the server is killed twice, each time when a random message has come from it or gone to
    it."""
    server, core = await play()
    chance = random.Random(seed)
    strikes = sorted(chance.sample(range(1, 90), 2))
    down = asyncio.Event()
    passed = 0

    def strike_when_due(message: Message) -> None:
        nonlocal passed
        passed += 1
        if strikes and passed >= strikes[0] and not down.is_set():
            strikes.pop(0)
            server.strike()
            down.set()

    core.on_message = core.on_sent = strike_when_due
    lives = [Life(core, user, lambda: server.strikes) for user in ("alice", "bob", "carol")]
    over = asyncio.gather(*(life.live() for life in lives))
    while not over.done():
        waiting = asyncio.ensure_future(down.wait())
        await asyncio.wait([over, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if down.is_set():
            await server.restart()
            down.clear()
            core.send_again()
    await over
    if down.is_set():
        await server.restart()
    assert server.strikes == 2
    for life in lives:
        await life.check()
    for user, subscribes in core.reg_subscribes.items():
        numbers = [(each.call_id, each.cseq.number) for each in subscribes if each.call_id == subscribes[-1].call_id]
        assert numbers == sorted(numbers), (user, "CSeq counts on")
    known = await server.show()
    assert sorted(str(each["user"]) for each in known["registrations"]) == [
        f"sip:{life.user}@ims.example" for life in lives
    ]
    for user in known["users"]:
        assert len(user["publications"]) == 1, user
        assert len(user["watchers"]) == 1, user


@BOTH
async def test_full_disk_is_500_and_leaves_nothing_half_done(play: Play) -> None:
    server, core = await play()
    await core.register("alice")
    await core.until(lambda: core.reg_subscribes["alice"])
    watch = await core.watch("alice")
    etag = etag_of(await core.publish("alice", "manual"))
    await core.until(lambda: shown(watch.last))
    told = len(watch.notifies)
    server.disk(full=True)
    assert (await core.publish("alice", "automatic", etag=etag)).status == 500
    assert (await core.subscribe(watch)).status == 500
    assert (await core.register("bob")).status == 500
    assert len(watch.notifies) == told
    known = await server.show()
    assert [each["user"] for each in known["registrations"]] == ["sip:alice@ims.example"]
    [alice] = [user for user in known["users"] if "sip:alice@ims.example" in user["addresses"]]
    assert alice["effective"]["answer_mode"] == "manual"
    server.disk(full=False)
    # The tag is still the one that was given before, also after a crash.
    server.strike()
    await server.restart()
    etag = etag_of(await core.publish("alice", "automatic", etag=etag))
    await core.until(lambda: shown(watch.last) == {"urn:uuid:alice": "automatic"})
    assert (await core.subscribe(watch)).status == 200


@TCP_LONGER
async def test_disk_that_has_room_again_needs_no_restart(play: Play) -> None:
    server, core = await play()
    await core.register("alice")
    await core.until(lambda: core.reg_subscribes["alice"])
    watch = await core.watch("alice")
    server.disk(full=True)
    assert (await core.publish("alice", "manual")).status == 500
    server.disk(full=False)
    etag = etag_of(await core.publish("alice", "manual"))
    await core.until(lambda: shown(watch.last))
    # What the core told in between may be lost, so it is asked.
    await core.until(lambda: len(core.reg_subscribes["alice"]) > 1)
    assert (await core.publish("alice", etag=etag)).status == 200


@TCP_LONGER
async def test_state_of_another_version_is_refused_with_its_place(play: Play, tmp_path: Path) -> None:
    server, core = await play()
    await core.register("alice")
    server.strike()
    await server.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "server.db")) as database, database:
        database.execute("UPDATE state SET row = '{}'")
    heir = Killable("server", tmp_path)
    with pytest.raises(AssertionError, match=r"server: cannot use what .*server\.db holds: user is None"):
        await heir.start()
    await heir.close()
