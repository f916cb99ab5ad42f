"""Damage in the middle of a flow at the PoC server: in its dialogs, in publications, in answers to what it asks."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import pytest

from answers import ANSWERED_WITHIN, DatagramPeer, branch_to_be_answered
from damage import damage, framed
from hostile_xml import hostile
from scripted_core import ScriptedCore, Watch
from talkburst.sip import Message, Request, Response
from watched import free, watched

pytestmark = pytest.mark.acceptance

SEED = 20261125
BATCH = 40  # damaged messages before the flow is made good again
GROWTH = 24 * 1024  # KiB that the server may grow between the first tenth and the end
DATAGRAM = 50_000  # bytes that one surely carries
ROOTS = {
    "NOTIFY": ("urn:ietf:params:xml:ns:reginfo", "reginfo"),
    "PUBLISH": ("urn:oma:params:xml:ns:poc:poc-settings", "poc-settings"),
}
DOCUMENTS = {
    method: [document for _, document in hostile(*root) if len(document) < DATAGRAM] for method, root in ROOTS.items()
}


class Flow:
    """Alice as the core shows her to the server: registered, watched and with settings of her own."""

    def __init__(self, core: ScriptedCore, dice: random.Random) -> None:
        self.core = core
        self.dice = dice
        self.awaited: dict[str, bytes] = {}
        self.answered: set[str] = set()
        self.watch: Watch | None = None
        self.etag: str | None = None
        core.on_message = self._on_message

    def _on_message(self, message: Message) -> None:
        with suppress(ValueError):  # an answer to what has a broken Via
            if isinstance(message, Response):
                self.answered.add(message.via.branch or "")

    async def make_good(self) -> None:
        """Everything that the server does for a user still works; what the damage began is ended."""
        self.core.spoil = lambda answer: answer
        if self.watch is not None:
            self.watch.cseq += 2 * BATCH
            assert (await self.core.subscribe(self.watch, 0)).status in (200, 481)
        assert (await self.core.register("alice", 0)).status == 200
        assert (await self.core.register("alice")).status == 200
        self.watch = await self.core.watch("alice")
        stored = await self.core.publish("alice", "automatic")
        assert stored.status == 200, stored.start_line
        self.etag = stored.get("SIP-ETag")
        self.core.spoil = self._spoil

    def _spoil(self, answer: bytes) -> bytes:
        return self._damage(answer) if self.dice.random() < 0.3 else answer

    def _damage(self, message: bytes) -> bytes:
        data = damage(message, self.dice)
        return framed(data) if self.core.wire.transport == "tcp" else data

    def next_request(self) -> Request:
        """The next good request of one kind or another."""
        core, watch = self.core, self.watch
        assert watch is not None
        kind = self.dice.randrange(6)
        if kind == 0:
            return core.third_party_register("alice", self.dice.choice((0, 60, 3600)))
        if kind == 1:
            return core.next_subscribe(watch, self.dice.choice((0, 60, 3600)))
        if kind in (2, 3):
            return core.settings_publish("alice", "manual", self.etag if kind == 2 else None)
        return core.reg_notify("alice", contact=kind == 4)

    def next_damage(self) -> bytes:
        request = self.next_request()
        if request.method in DOCUMENTS and self.dice.random() < 0.3:
            request.set_body(self.dice.choice(DOCUMENTS[request.method]), request.get("Content-Type"))
            return request.to_bytes()
        return self._damage(request.to_bytes())

    def send(self, data: bytes) -> None:
        """What has to be answered here is noted under the branch of its Via: its Call-ID is that of a whole dialog."""
        branch = branch_to_be_answered(data, self.core.port if self.core.wire.transport == "udp" else 0)
        if branch is not None:
            self.awaited[branch] = data
        self.core.wire.send(data)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("count", [2000, pytest.param(8000, marks=pytest.mark.longer)])
async def test_damage_in_the_middle_of_a_flow_leaves_the_server_as_able_as_before(
    transport: str, count: int, tmp_path: Path
) -> None:
    config = free(server={"notify_interval": 0.0})
    async with watched("server", tmp_path, config) as server, DatagramPeer.open() as peer:
        core = await ScriptedCore.open(server.address(transport), transport)
        flow = Flow(core, random.Random(SEED))
        early = 0
        for number in range(count):
            if number % BATCH == 0:
                await flow.make_good()
                await peer.probe(server.address())
            flow.send(flow.next_damage())
            if number == count // 10:
                early = server.memory
        await flow.make_good()
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERED_WITHIN):
                await core.until(lambda: flow.awaited.keys() <= flow.answered)
        await core.close()
        unanswered = [data for branch, data in flow.awaited.items() if branch not in flow.answered]
        assert len(flow.awaited) > count // 4
        assert not unanswered, f"{len(unanswered)} of {len(flow.awaited)}, such as {unanswered[0]!r}"
        assert server.memory - early < GROWTH
