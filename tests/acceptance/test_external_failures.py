"""Programs from outside that do something wrong: the demo names the step, says what refused them, and fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from harness import talkburst
from second_installation import ExternalDemo, Installation, address_in, server_config, xdms_config
from sip_peer import Peer
from talkburst.sip.digest import DigestClient
from talkburst.sip.headers import parse_auth
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message

pytestmark = pytest.mark.acceptance

QUICK = {"timers": {"t1": 0.05, "t2": 0.4, "t4": 0.5}}  # the wait of the checker is scaled with T1: one second
ALICE = "sip:alice@ims.example"


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[ExternalDemo]:
    demo = ExternalDemo(tmp_path)
    yield demo
    await demo.kill()


class OwnClient:
    """A client that registers alice with a Contact and a password of its choice, and does no more."""

    def __init__(self, told: dict[str, str]) -> None:
        host, _, port = address_in(told["reached at"]).partition(":")
        self.told = told
        self.peer = Peer((host, int(port)))

    async def register(self, contact: str, password: str) -> Response:
        await self.peer.start()
        try:
            first = await self.peer.ask(self._register(1, contact))
            digest = DigestClient(self.told["private id"], password)
            offered = [parse_auth(value) for value in first.get_all("WWW-Authenticate")]
            again = self._register(2, contact)
            again.set("Authorization", digest.authorization(offered, "REGISTER", again.uri, b"", lambda: "cnonce"))
            return await self.peer.ask(again)
        finally:
            await self.peer.close()

    def _register(self, cseq: int, contact: str) -> Request:
        host, port = self.peer.wire.address
        return Request(
            "REGISTER",
            self.told["registrar"],
            [
                ("From", f"<{ALICE}>;tag=own"),
                ("To", f"<{ALICE}>"),
                ("Call-ID", "own-client"),
                ("CSeq", f"{cseq} REGISTER"),
                ("Contact", contact.replace("HOST:PORT", f"{host}:{port}")),
                ("Expires", "600"),
            ],
        )


async def test_client_with_a_wrong_password_is_told_so_and_fails_step_3(demo: ExternalDemo) -> None:
    await demo.start("--external", "client", config=QUICK)
    await demo.said("waiting for a REGISTER")
    answer = await OwnClient(demo.told("client")).register("<sip:alice@HOST:PORT>;+g.poc.talkburst", "mallory")
    assert answer.status == 401
    ran = await demo.ended()
    assert ran.status == 1, ran.explain()
    assert ran.report["first_failure"] == 3
    assert "the digest response is wrong for this user's password" in ran.out
    ladder = ran.out.partition("\n  1  C>I")[0]
    assert "core: 401 to REGISTER: wrong password for alice@ims.example" in ladder
    assert "no credentials" not in ladder  # that the first REGISTER is challenged is step 2


async def test_client_without_the_tag_is_told_why_step_5_is_not_sent(demo: ExternalDemo) -> None:
    await demo.start("--external", "client", config=QUICK)
    await demo.said("waiting for a REGISTER")
    answer = await OwnClient(demo.told("client")).register("<sip:alice@HOST:PORT>", "alice")
    assert answer.status == 200
    ran = await demo.ended()
    assert ran.status == 1, ran.explain()
    assert ran.report["first_failure"] == 1
    assert "Contact of the REGISTER has no +g.poc.talkburst" in ran.step(1)["why"]
    ladder = ran.out.partition("\n  1  C>I")[0]
    assert "core: no third-party REGISTER: criterion 0, group 1: Contact has no +g.poc.talkburst" in ladder
    assert "the core logged last" in ran.out


async def test_client_that_does_not_come_is_waited_for_as_long_as_it_was_said(demo: ExternalDemo) -> None:
    await demo.start("--external", "client", "--patience", "0.5")
    ran = await demo.ended()
    assert ran.status == 1, ran.explain()
    assert "waited 0.5 s for a REGISTER of your client" in ran.out
    assert ran.report["first_failure"] == 1
    assert ran.step(1)["why"] == "REGISTER did not come"


async def test_second_client_that_does_not_come_is_not_judged_by_the_first_one(demo: ExternalDemo) -> None:
    await demo.start("--external", "client", "--scenario", "second-client", "--patience", "0.5")
    ran = await demo.ended()
    assert ran.status == 1, ran.explain()
    assert {step["verdict"] for step in ran.report["steps"]} == {"not-reached"}
    assert ran.step(1)["why"] == "REGISTER did not come"


async def test_ctrl_c_ends_the_wait_with_the_verdicts_so_far(demo: ExternalDemo) -> None:
    await demo.start("--external", "client", "--wait", "60")
    await demo.said("waiting for a REGISTER")
    await OwnClient(demo.told("client")).register("<sip:alice@HOST:PORT>;+g.poc.talkburst", "alice")
    await demo.said("11 GET lists")
    demo.interrupt()
    ran = await demo.ended()
    assert ran.status == 1, ran.explain()
    assert [step["step"] for step in ran.report["steps"] if step["verdict"] == "pass"] == list(range(1, 12))
    assert ran.report["first_failure"] == 12
    assert ran.out.endswith("interrupted\n")


async def test_server_that_refuses_connections_fails_the_step_that_it_should_take(
    demo: ExternalDemo, free_port: Callable[[], int]
) -> None:
    here = f"127.0.0.1:{free_port()}"
    await demo.start("--external", f"server={here}", "--patience", "0.2", config=QUICK)
    ran = await demo.ended()
    assert ran.status == 1, ran.explain()
    assert f"your server at udp {here} is not there after 0.2 s (connection refused)" in ran.out
    assert ran.step(5)["verdict"] == "pass"
    assert ran.report["first_failure"] == 6
    assert "core: third-party REGISTER to sip:poc.ims.example failed: unreachable" in ran.out


class Refuser(asyncio.DatagramProtocol):
    """Answers 403 to whatever it is asked."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        if isinstance(message, Request):
            self._transport.sendto(response_to(message, 403, to_tag="no").to_bytes(), addr)


async def test_server_that_answers_403_fails_step_6(demo: ExternalDemo) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Refuser, local_addr=("127.0.0.1", 0))
    host, port = transport.get_extra_info("sockname")
    try:
        await demo.start("--external", f"server={host}:{port}", config=QUICK)
        ran = await demo.ended()
    finally:
        transport.close()
    assert ran.status == 1, ran.explain()
    assert ran.report["first_failure"] == 6
    assert "403 Forbidden came in place of 200" in ran.step(6)["why"]
    assert "core: third-party REGISTER to sip:poc.ims.example failed: 403 Forbidden" in ran.out


async def test_server_that_sends_from_an_address_that_was_not_named_is_told_so(
    demo: ExternalDemo, free_port: Callable[[], int], tmp_path: Path
) -> None:
    here = f"127.0.0.1:{free_port()}"
    away = f"127.0.0.2:{free_port()}"
    await demo.start("--external", f"server={here}", config=QUICK)
    await demo.said("waiting for your server")
    server = Installation("server", tmp_path)
    config = server_config(demo.told("server"), here)
    # Its first listener is where it sends from.
    config["server"]["listen"] = [f"udp:{away}", f"udp:{here}"]
    try:
        await server.start(config)
        ran = await demo.ended()
    finally:
        await server.stop()
    assert ran.status == 1, ran.explain()
    assert "core: 403 to SUBSCRIBE: 127.0.0.2 is not in trust.peers" in ran.out
    assert ran.report["first_failure"] == 8


async def test_a_port_that_is_taken_is_named(free_port: Callable[[], int]) -> None:
    taken = free_port()
    held = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", taken)
    try:
        status, _, err = await talkburst("demo", "--external", "client", "--port", f"core={taken}")
    finally:
        held.close()
    assert status == 1
    assert err == f"demo: cannot listen on 127.0.0.1:{taken}: address already in use (--port names another)\n"


async def test_xdms_that_refuses_documents_is_named_and_the_flow_goes_on_without(
    demo: ExternalDemo, free_port: Callable[[], int], tmp_path: Path
) -> None:
    here = f"127.0.0.1:{free_port()}"
    await demo.start("--external", f"xdms={here}", config=QUICK)
    await demo.said("waiting for your xdms")
    config = xdms_config(demo.told("xdms"))
    config["xdms"]["accounts"] = {ALICE: {"password": "not-alice"}}
    xdms = Installation("xdms", tmp_path)
    try:
        await xdms.start(config)
        ran = await demo.ended()
    finally:
        await xdms.stop()
    assert ran.status == 0, ran.explain()  # that nothing is stored is no failure
    assert "the XDMS refused org.openmobilealliance.poc-rules of sip:alice@ims.example: 401" in ran.out
    assert ran.step(11)["notes"][-1] == "resource-lists: 404"
