"""Application servers that are dead, and the core as a process: what its clients hear of it, over UDP and over TCP.

With DefaultHandling 1 it is 504 when the server is silent for longer than `core.liveness`, and 500 when nobody listens
there; with 0 the next server is asked. A user whose REGISTER such a server has to hear of loses the registration.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import tomli_w

import talkburst_core
from killable import Killable, configure
from scripted_client import ScriptedClient
from talkburst.sip.message import Message, Request, Response, response_to
from wire import Send, Wire

pytestmark = pytest.mark.acceptance

BOB = Path(talkburst_core.__file__).parent / "world" / "profiles" / "bob.xml"
CRITERION = """<InitialFilterCriteria><Priority>{}</Priority>
  <TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group>{}</SPT></TriggerPoint>
  <ApplicationServer><ServerName>{}</ServerName><DefaultHandling>{}</DefaultHandling></ApplicationServer>
</InitialFilterCriteria>"""
REGISTER = "<Method>REGISTER</Method>"
EVENT = "<SIPHeader><Header>^Event$</Header><Content>^{}$</Content></SIPHeader>"
CRITERIA = (
    (REGISTER, "sip:living.ims.example", 1),
    (EVENT.format("poc-settings"), "sip:dead.ims.example", 1),
    (EVENT.format("presence"), "sip:dead.ims.example", 0),
    (EVENT.format("presence"), "sip:living.ims.example", 1),
)


class World:
    """The core, bob, a server that hears and says nothing, and one that says 200 to everything."""

    def __init__(self, directory: Path, transport: str) -> None:
        self.directory = directory
        self.transport = transport
        self.core = Killable("core", directory, "--listen", "--listen-servers", transport=transport)
        servers = self.core.address("--listen-servers")
        self.dead = Wire(servers, transport, lambda message, answer: None)
        self.living = Wire(servers, transport, self._agree)
        self.heard: list[str] = []
        self.bob = ScriptedClient(
            self.core.address("--listen"), transport, "bob@ims.example", "bob", "bob", "bobs-device"
        )

    def _agree(self, message: Message, answer: Send) -> None:
        assert isinstance(message, Request | Response)
        if isinstance(message, Request):
            self.heard.append(message.method)
            headers = [("Contact", f"<{self.living.uri()}>"), ("Expires", message.get("Expires") or 0)]
            answer(response_to(message, 200, to_tag="living", headers=headers).to_bytes())

    async def start(self) -> None:
        await self.dead.open()
        await self.living.open()
        profiles = self.directory / "profiles"
        profiles.mkdir()
        text = BOB.read_text("utf-8")
        criteria = "".join(CRITERION.format(number, *each) for number, each in enumerate(CRITERIA))
        head = text[: text.index("<!-- REGISTER")]
        (profiles / "bob.xml").write_text(f"{head}{criteria}</ServiceProfile></IMSSubscription>")
        (self.directory / "credentials.toml").write_text(tomli_w.dumps({"bob@ims.example": {"password": "bob"}}))
        configure(
            self.directory,
            hosts={
                "ims.example": self.core.place("--listen"),
                "scscf.ims.example": self.core.place("--listen-servers"),
                "dead.ims.example": self.dead.uri().removeprefix("sip:"),
                "living.ims.example": self.living.uri().removeprefix("sip:"),
            },
            core={
                "profiles": str(profiles),
                "credentials": str(self.directory / "credentials.toml"),
                "liveness": 0.5,
                "notify_interval": 0,
            },
        )
        await self.core.start()
        await self.bob.wire.open()
        await self.bob.register()

    async def close(self) -> None:
        for wire in (self.bob.wire, self.dead, self.living):
            await wire.close()
        await self.core.close()
        assert "Traceback" not in self.core.log(), self.core.log()
        assert "internal error" not in self.core.log(), self.core.log()


@pytest.fixture(params=["udp", "tcp"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, request.param)
    try:
        await made.start()
        yield made
    finally:
        await made.close()


async def test_silence_is_504_a_closed_port_500_and_with_default_handling_0_the_next_server_answers(
    world: World,
) -> None:
    bob = world.bob
    for answer in (await bob.subscribe("poc-settings"), await bob.publish("manual")):
        assert (answer.status, answer.reason) == (504, "sip:dead.ims.example does not answer")
    assert (await bob.subscribe("presence")).status == 200
    assert world.heard[-1] == "SUBSCRIBE"

    await world.dead.close()
    for answer in (await bob.subscribe("poc-settings"), await bob.publish("manual")):
        assert answer.status == 500
    assert (await bob.subscribe("presence")).status == 200
    log = world.core.log()
    for what in ("no answer", "unreachable"):
        for method in ("SUBSCRIBE", "PUBLISH"):
            assert f"dead.ims.example failed for {method}: {what}, DefaultHandling is SESSION_TERMINATED" in log
        assert f"dead.ims.example failed for SUBSCRIBE: {what}, DefaultHandling is SESSION_CONTINUED" in log


async def test_registration_ends_with_the_server_that_has_to_know_of_it(world: World) -> None:
    bob = world.bob
    assert (await bob.subscribe("reg")).status == 200
    await bob.until(bob.reginfo)
    # With this answer the core has the one to its REGISTER too, which came before it.
    assert (await bob.subscribe("presence")).status == 200
    assert world.heard == ["REGISTER", "SUBSCRIBE"]
    await world.living.close()
    await bob.register()
    last = await bob.until(
        lambda: [each for each in bob.notifies("reg") if "terminated" in (each.get("Subscription-State") or "")]
    )
    assert last[0].get("Subscription-State") == "terminated;reason=deactivated"
    for known in bob.reginfo()[-1].registrations:
        assert known.state == "terminated"
        assert [(each.uri, each.state, each.event) for each in known.contacts] == [
            (bob.contact, "terminated", "deactivated")
        ]
    assert (await bob.register(expires=None)).get("Contact") is None
    assert "living.ims.example failed, DefaultHandling is SESSION_TERMINATED" in world.core.log()
