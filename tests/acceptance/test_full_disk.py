"""A disk that is really full: 500, nothing half, and on again when there is room, also with a kill -9 between."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from killable import Killable, configure
from scripted_core import ScriptedCore, shown
from small_disk import SmallDisk
from test_durability_core import world
from xcap_user import LISTS, XcapUser, lists

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(sys.platform != "linux", reason="needs a mount namespace of its own"),
]
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.longer)])


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[SmallDisk]:
    made = SmallDisk(tmp_path / "state")
    await made.open()
    yield made
    await made.close()


async def restart(daemon: Killable, disk: SmallDisk) -> None:
    """Kill -9 while the disk is full. Without room the daemon may say so and end; with room it comes back."""
    daemon.strike()
    why = ""
    try:
        await daemon.restart()
    except AssertionError:
        why = daemon.log().splitlines()[-1]
    disk.free()
    if why:
        assert f"{daemon.name}: cannot open {daemon.state}" in why
        await daemon.restart()


@TRANSPORTS
async def test_core_on_a_full_disk(tmp_path: Path, disk: SmallDisk, transport: str) -> None:
    async with world(tmp_path, transport, users=2, prefix=disk.prefix) as it:
        user, other = it.users
        assert (await user.register()).status == 200
        assert (await user.watch.subscribe()).status == 200
        assert (await other.register(expires=None)).status == 200
        disk.fill()
        assert (await other.register()).status == 500
        assert (await user.watch.subscribe(expires=0)).status == 500
        assert (await user.register(expires=0)).status == 500
        disk.free()
        assert (await other.register()).status == 200
        assert len((await user.register(expires=None)).contacts) == 1
        assert (await other.register(expires=0)).status == 200
        disk.fill()
        assert (await other.register()).status == 500
        await restart(it.core, disk)
        assert len((await user.register(expires=None)).contacts) == 1
        assert (await other.register(expires=None)).contacts == []
        assert (await other.register()).status == 200


@TRANSPORTS
async def test_server_on_a_full_disk(tmp_path: Path, disk: SmallDisk, transport: str) -> None:
    server = Killable("server", tmp_path, transport=transport, prefix=disk.prefix)
    core = await ScriptedCore.open(server.address(), transport)
    hosts = {"scscf.ims.example": core.wire.uri().removeprefix("sip:"), "poc.ims.example": server.place()}
    configure(tmp_path, hosts=hosts, server={"notify_interval": 0, "xcap_root": "http://127.0.0.1:9/"})
    try:
        await server.start()
        assert (await core.register("alice")).status == 200
        watch = await core.watch("alice")
        etag = (await core.publish("alice", "manual")).get("SIP-ETag")
        await core.until(lambda: shown(watch.last))
        disk.fill()
        assert (await core.publish("alice", "automatic", etag)).status == 500
        assert (await core.register("bob")).status == 500
        disk.free()
        etag = (await core.publish("alice", "automatic", etag)).get("SIP-ETag")
        await core.until(lambda: shown(watch.last) == {"urn:uuid:alice": "automatic"})
        disk.fill()
        assert (await core.publish("alice", "manual", etag)).status == 500
        await restart(server, disk)
        answer = await core.publish("alice", etag=etag)
        if answer.status == 500:  # it came behind a commit of the start that was tried before there was room
            answer = await core.publish("alice", etag=etag)
        assert answer.status == 200
        assert (await core.subscribe(watch)).status == 200
        known = await server.show()
        assert [each["user"] for each in known["registrations"]] == ["sip:alice@ims.example"]
    finally:
        await core.close()
        await server.close()
    assert "Traceback" not in server.log()


async def test_xdms_on_a_full_disk(tmp_path: Path, disk: SmallDisk) -> None:
    xdms = Killable("xdms", tmp_path, prefix=disk.prefix)
    configure(tmp_path, xdms={"asserted_peers": ["127.0.0.1"]})
    alice = XcapUser("alice", xdms.address())
    index, other = alice.document(LISTS, "index"), alice.document(LISTS, "other")
    try:
        await xdms.start()
        await alice.write(index, lists("before"))
        disk.fill()
        for document in (index, other):
            assert (await alice.ask("PUT", document, lists("after" * 20))).status == 500
        assert (await alice.ask("DELETE", index)).status == 500
        await alice.check()
        disk.free()
        await alice.write(index, lists("between"))
        disk.fill()
        assert (await alice.ask("PUT", other, lists("after" * 20))).status == 500
        await restart(xdms, disk)
        await alice.hang_up()
        alice.known[other] = None
        await alice.check()
        await alice.write(other, lists("after"))
    finally:
        await alice.hang_up()
        await xdms.close()
    assert "Traceback" not in xdms.log()
