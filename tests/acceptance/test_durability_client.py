"""The client is killed with SIGKILL and started again, and the others while it runs: four real daemons."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import talkburst
from killable import WITHIN, Killable, configure, seeds
from talkburst.obs.frame import Frame
from talkburst.obs.hep import HepCollector

pytestmark = pytest.mark.acceptance

ALICE = "sip:alice@ims.example"


@dataclass
class World:
    """The four daemons of the demo world, on free ports."""

    directory: Path
    xdms: Killable
    core: Killable
    server: Killable
    client: Killable

    def __post_init__(self) -> None:
        self.collector = HepCollector(self._on_frame)
        self._left = 0
        self._struck = asyncio.Event()
        self._news = asyncio.Event()

    def _on_frame(self, frame: Frame) -> None:
        self._news.set()
        if frame.node == "client" and self._left:
            self._left -= 1
            if not self._left:
                self.client.strike()
                self._struck.set()

    async def client_life(self, messages: int) -> None:
        """One that ends with kill -9 when the client has sent and received so many messages."""
        self._struck.clear()
        self._left = messages
        await self.client.restart()
        await asyncio.wait_for(self._struck.wait(), WITHIN)

    @property
    def daemons(self) -> list[Killable]:
        return [self.xdms, self.core, self.server, self.client]

    async def configure(self) -> None:
        collector = "tcp:{}:{}".format(*await self.collector.listen())
        configure(
            self.directory,
            hosts={
                "ims.example": self.core.place(),
                "ims.mnc001.mcc001.3gppnetwork.org": self.core.place(),
                "scscf.ims.example": self.core.place("--listen-servers"),
                "poc.ims.example": self.server.place(),
            },
            core={"notify_interval": 0},
            server={"notify_interval": 0, "xcap_root": f"http://{self.xdms.place()}/xcap-root"},
            client={"transport": self.client.transport},
            trace={"pcap": str(self.directory / "{name}.pcap"), "hep": collector},
        )

    async def until(self, daemon: Killable, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Asks a daemon until it shows what is awaited: when a message has passed, and now and then."""
        shown: dict[str, Any] = {}
        try:
            async with asyncio.timeout(2 * WITHIN):
                while not condition(shown := await daemon.show()):
                    self._news.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), 0.1)
        except TimeoutError:
            pytest.fail(f"{daemon.name} shows {shown}\n" + "\n".join(each.log() for each in self.daemons))
        return shown

    async def change(self, answer_mode: str) -> None:
        """The user changes a setting, and the server has it."""
        control = str(self.client.control)
        status, _, err = await talkburst("client", "settings", "--control", control, "--answer-mode", answer_mode)
        assert status == 0, err
        await self.until(self.server, lambda shown: answer_modes(shown) == [answer_mode])
        await self.until(self.client, lambda shown: [each["answer_mode"] for each in entities(shown)] == [answer_mode])

    def passed(self, words: bytes) -> bool:
        """Whether the server has seen a message with these words."""
        return words in (self.directory / "server.pcap").read_bytes()


def entities(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """The settings that the client was told."""
    return (shown.get("settings") or {}).get("entities") or []


def alice(shown: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next((user for user in shown.get("users", []) if ALICE in user["addresses"]), {})
    return found


def answer_modes(shown: dict[str, Any]) -> list[str]:
    """The answer mode that counts at the server, none when nothing is published."""
    effective = alice(shown).get("effective")
    return [effective["answer_mode"]] if effective else []


@pytest.fixture(params=["udp", pytest.param("tcp", marks=pytest.mark.longer)])
async def network(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """All but the client run; they and it speak SIP by that transport."""
    transport: str = request.param
    made = World(
        tmp_path,
        Killable("xdms", tmp_path),
        Killable("core", tmp_path, "--listen", "--listen-servers", transport=transport),
        Killable("server", tmp_path, transport=transport),
        Killable("client", tmp_path, transport=transport),
    )
    try:
        await made.configure()
        for daemon in made.daemons[:-1]:
            await daemon.start()
        yield made
    finally:
        for daemon in reversed(made.daemons):
            await daemon.close()
        await made.collector.close()
    for daemon in made.daemons:
        assert "Traceback" not in daemon.log(), daemon.log()
        assert "internal error" not in daemon.log(), daemon.log()


@pytest.fixture
async def world(network: World) -> World:
    """The daemons run, and alice's client has published."""
    await network.client.start()
    await network.until(network.client, entities)
    return network


async def test_client_comes_back_as_the_device_it_was(world: World) -> None:
    before = await world.client.show()
    world.client.strike()
    await world.client.restart()
    after = await world.until(world.client, entities)
    assert [after[name] for name in ("instance", "contact")] == [before[name] for name in ("instance", "contact")]
    etag = before["settings"]["etag"]
    await world.until(world.client, lambda shown: (shown["settings"] or {}).get("etag") not in (None, etag))
    assert world.passed(b"SIP-If-Match: " + etag.encode())
    assert [each["id"] for each in entities(after)] == [before["instance"]]
    # One binding, and the dialogs of the life before are gone: their next NOTIFY was answered 481.
    shown = await world.until(
        world.core, lambda shown: len([each for each in shown["subscriptions"] if each["subscriber"] == ALICE]) == 1
    )
    assert [len(each["contacts"]) for each in shown["registrations"]] == [1]
    shown = await world.until(world.server, lambda shown: len(alice(shown)["watchers"]) == 1)
    assert len(alice(shown)["publications"]) == 1
    assert world.passed(b"SIP/2.0 481")


@pytest.mark.parametrize("seed", seeds(1, 10))
async def test_client_killed_at_any_moment_is_the_device_it_was(network: World, seed: int) -> None:
    """Killed twice while it registers, subscribes and publishes; the third life gets through."""
    chance = random.Random(seed)
    world, ids = network, set[str]()
    for _ in range(2):
        await world.client_life(chance.randrange(1, 17))
        ids.add(kept(world)["instance"])
    await world.client.restart()

    def settled(shown: dict[str, Any]) -> bool:
        etags = kept(world).get("etags", {}).values()
        return bool(entities(shown)) and shown["settings"]["etag"] in etags

    after = await world.until(world.client, settled)
    assert ids == {after["instance"]}
    shown = await world.until(
        world.core, lambda shown: len([each for each in shown["subscriptions"] if each["subscriber"] == ALICE]) == 1
    )
    [registration] = shown["registrations"]
    [contact] = registration["contacts"]
    assert after["instance"] in contact["contact"]
    # One publication, which is the one whose tag is kept: it can be modified.
    [publication] = alice(await world.server.show())["publications"]
    assert publication["entities"] == [after["instance"]]
    await world.change("manual")
    [publication] = alice(await world.server.show())["publications"]
    assert publication["entities"] == [after["instance"]]
    # Dialogs of lives before were told of the change, and ended with 481.
    await world.until(world.server, lambda shown: len(alice(shown)["watchers"]) == 1)


def kept(world: World) -> dict[str, Any]:
    """What the client keeps between its lives."""
    read: dict[str, Any] = json.loads((world.client.state / "client-alice@ims.example.json").read_text())
    return read


async def test_tag_that_the_server_does_not_know_any_more_leads_to_an_initial_publication(world: World) -> None:
    etag = (await world.client.show())["settings"]["etag"]
    world.client.strike()
    world.server.strike()
    for file in world.server.state.glob("server.db*"):
        file.unlink()
    await world.server.restart()
    await world.client.restart()
    await world.until(world.server, answer_modes)
    shown = await world.until(
        world.client, lambda shown: (shown["settings"] or {}).get("etag") not in (None, etag) and entities(shown)
    )
    assert [each["id"] for each in entities(shown)] == [shown["instance"]]
    assert world.passed(b"SIP/2.0 412")


@pytest.mark.parametrize("struck", [["server"], ["core", "server"]], ids="-".join)
async def test_client_notices_nothing_of_a_server_that_was_killed(world: World, struck: list[str]) -> None:
    before = await world.client.show()
    for name in struck:
        getattr(world, name).strike()
    for name in struck:
        await getattr(world, name).restart()
    await world.change("manual")
    await world.change("automatic")
    after = await world.client.show()
    assert after["registration"] == before["registration"] == "registered"
    assert "subscription ended" not in world.client.log()
    assert not world.passed(b"SIP/2.0 412")
    assert not world.passed(b"SIP/2.0 481")
    shown = await world.server.show()
    assert len(alice(shown)["publications"]) == len(alice(shown)["watchers"]) == 1
    [registration] = [each for each in shown["registrations"] if each["user"] == ALICE]
    assert registration["reg_subscription"] == "active"
