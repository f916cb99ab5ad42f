"""The end of a registration, by core and PoC server as processes: everybody who has to know of it is told.

A user has two clients. What the core says to watchers is RFC 3680 5.1, that the server forgets what a client published
when the client goes is design of ours.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from killable import WITHIN, Killable, configure
from scripted_client import ScriptedClient
from scripted_core import instance

pytestmark = pytest.mark.acceptance

PHONE = "sip:+12025550101@ims.example;user=phone"
ALICE = ["sip:alice@ims.example", PHONE, "tel:+12025550101"]


class World:
    """Core, server, and both clients of alice, registered, watching, and with settings published."""

    def __init__(self, directory: Path, transport: str) -> None:
        self.core = Killable("core", directory, "--listen", "--listen-servers", transport=transport)
        self.server = Killable("server", directory, transport=transport)
        configure(
            directory,
            hosts={
                "ims.example": self.core.place("--listen"),
                "scscf.ims.example": self.core.place("--listen-servers"),
                "poc.ims.example": self.server.place(),
            },
            core={"expires_min": 1, "notify_interval": 0},
            server={"notify_interval": 0, "xcap_root": "http://127.0.0.1:9/"},
        )
        self.one, self.two = (
            ScriptedClient(self.core.address("--listen"), transport, f"{private}@ims.example", "alice", "alice", name)
            for private, name in (("alice", "one"), ("alice-2", "two"))
        )

    async def start(self) -> None:
        await self.server.start()
        await self.core.start()
        for client in (self.one, self.two):
            await client.wire.open()
            await client.register()
        for client, mode in ((self.one, "manual"), (self.two, "automatic")):
            for event in ("reg", "poc-settings"):
                assert (await client.subscribe(event)).status == 200
            assert (await client.publish(mode)).status == 200
        for client in (self.one, self.two):
            await client.until(lambda told=client: len(told.entities()) == 2)
            await client.until(lambda told=client: told.reginfo())
        async with asyncio.timeout(WITHIN):  # until the reg event has told the server whose they are
            while not all(each["contact"] for each in await self.publications()):
                pass

    async def publications(self) -> list[dict[str, str]]:
        users = (await self.server.show())["users"]
        return [each for user in users for each in user["publications"]]

    async def registered(self) -> list[str]:
        return [each["user"] for each in (await self.server.show())["registrations"]]

    async def close(self) -> None:
        for client in (self.one, self.two):
            await client.wire.close()
        for daemon in (self.core, self.server):
            await daemon.close()
            assert "Traceback" not in daemon.log(), daemon.log()
            assert "internal error" not in daemon.log(), daemon.log()


@pytest.fixture(params=["udp", "tcp"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, request.param)
    try:
        await made.start()
        yield made
    finally:
        await made.close()


def told(watcher: ScriptedClient, contact: str, event: str) -> bool:
    """Whether the last document says of a contact, under every identity, that it ended, and how."""
    last = watcher.reginfo()[-1]
    found = [(each.state, each.event) for known in last.registrations for each in known.contacts if each.uri == contact]
    return found == [("terminated", event)] * len(ALICE)


async def ends_for(watcher: ScriptedClient, event: str, *contacts: str) -> None:
    """The last contacts are gone, and so the subscription is over."""
    for contact in contacts:
        await watcher.until(partial(told, watcher, contact, event))
    assert watcher.notifies("reg")[-1].get("Subscription-State") == "terminated;reason=deactivated"
    assert [known.aor for known in watcher.reginfo()[-1].registrations] == ALICE
    assert {known.state for known in watcher.reginfo()[-1].registrations} == {"terminated"}


def counts_up(watcher: ScriptedClient) -> bool:
    """Every document is full, and the next one of its dialog."""
    documents = watcher.reginfo()
    return [(each.version, each.state) for each in documents] == [(n, "full") for n in range(len(documents))]


@pytest.mark.parametrize("event", ["unregistered", "expired"])
async def test_one_of_two_clients_goes_and_then_the_other(world: World, event: str) -> None:
    one, two = world.one, world.two
    await one.register(expires=0 if event == "unregistered" else 1)
    await two.until(lambda: told(two, one.contact, event))
    last = two.reginfo()[-1]
    assert [known.state for known in last.registrations] == ["active"] * 3
    assert all(
        ("active", two.contact) in [(each.state, each.uri) for each in known.contacts] for known in last.registrations
    )
    assert (two.notifies("reg")[-1].get("Subscription-State") or "").startswith("active;")
    await two.until(lambda: two.entities() == {instance("two"): "automatic"})
    assert [each["contact"] for each in await world.publications()] == [instance("two")]
    assert await world.registered() == ["sip:alice@ims.example"]
    assert "expires=0" not in world.server.log()

    await two.register(expires=0 if event == "unregistered" else 1)
    for watcher in (one, two):
        await ends_for(watcher, event, two.contact)
        assert counts_up(watcher)
    await farewell(world)


async def test_wildcard_of_one_client_ends_both(world: World) -> None:
    one, two = world.one, world.two
    answer = await one.register(expires=0, contact="*")
    assert answer.get("Contact") is None
    for watcher in (one, two):
        await ends_for(watcher, "unregistered", one.contact, two.contact)
        assert counts_up(watcher)
    await farewell(world)


async def farewell(world: World) -> None:
    """The server is told by REGISTER with Expires 0, and has nobody left; the reg event may have told it before."""
    async with asyncio.timeout(WITHIN):
        while await world.registered() or not farewells(world):
            pass
    assert len(farewells(world)) == 1
    assert farewells(world) == accepted(world)[-1:]
    assert await world.publications() == []


def accepted(world: World) -> list[str]:
    return [line for line in world.server.log().splitlines() if "third-party REGISTER accepted" in line]


def farewells(world: World) -> list[str]:
    return [line for line in accepted(world) if "expires=0" in line]
