"""Programs from outside in the place of one daemon of the demo or of several: second installations of ours."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from harness import Ran, talkburst
from second_installation import (
    ExternalDemo,
    Installation,
    client_config,
    core_config,
    server_config,
    xdms_config,
)

pytestmark = pytest.mark.acceptance

ALL_PASS = ["pass"] * 32
Start = Callable[..., Any]


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[ExternalDemo]:
    demo = ExternalDemo(tmp_path)
    yield demo
    await demo.kill()


@pytest.fixture
async def install(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a second installation of a daemon."""
    started: list[Installation] = []

    async def start(name: str, config: dict[str, Any], *flags: str) -> Installation:
        installation = Installation(name, tmp_path)
        started.append(installation)
        await installation.start(config, *flags)
        return installation

    yield start
    for installation in started:
        await installation.stop()


@pytest.fixture
def place(free_port: Callable[[], int]) -> Callable[[], str]:
    """HOST:PORT for a daemon from outside."""
    return lambda: f"127.0.0.1:{free_port()}"


def verdicts(ran: Ran) -> list[str]:
    return [step["verdict"] for step in ran.report["steps"]]


def assert_all_pass(ran: Ran) -> None:
    assert ran.status == 0, ran.explain()
    assert verdicts(ran) == ALL_PASS
    assert "pass: 32 of 32" in ran.out


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_client_from_outside_is_told_what_it_needs_and_passes(
    demo: ExternalDemo, install: Start, transport: str
) -> None:
    await demo.start("--external", "client", "--transport", transport)
    await demo.said("waiting for a REGISTER of your client")
    await install("client", client_config(demo.told("client"), transport))
    ran = await demo.ended()
    assert_all_pass(ran)
    assert not (ran.directory / "client.log").exists()  # there was no client of ours


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_server_from_outside_passes(
    demo: ExternalDemo, install: Start, place: Callable[[], str], transport: str
) -> None:
    here = place()
    await demo.start("--external", f"server={here}", "--transport", transport)
    await demo.said(f"waiting for your server at {transport} {here}, which is not there yet (connection refused)")
    await install("server", server_config(demo.told("server"), here, transport))
    ran = await demo.ended()
    assert_all_pass(ran)
    assert not (ran.directory / "server.log").exists()


async def test_core_from_outside_passes(demo: ExternalDemo, install: Start, place: Callable[[], str]) -> None:
    here = place()
    await demo.start("--external", f"core={here}")
    await demo.said(f"waiting for your core at udp {here}")
    await install("core", core_config(demo.told("core"), here, place()))
    ran = await demo.ended()
    assert_all_pass(ran)
    assert not (ran.directory / "core.log").exists()


async def test_xdms_from_outside_gets_the_users_documents_and_passes(
    demo: ExternalDemo, install: Start, place: Callable[[], str]
) -> None:
    here = place()
    await demo.start("--external", f"xdms={here}")
    await demo.said(f"waiting for your xdms at tcp {here}")
    await install("xdms", xdms_config(demo.told("xdms")))
    ran = await demo.ended()
    assert_all_pass(ran)
    assert ran.step(11)["notes"] == ["org.openmobilealliance.xcap-directory: 200", "resource-lists: 200"]
    assert not (ran.directory / "xdms.log").exists()


@pytest.mark.longer
async def test_client_and_server_from_outside_are_seen_by_the_core_between_them(
    demo: ExternalDemo, install: Start, place: Callable[[], str]
) -> None:
    here = place()
    await demo.start("--external", "client", "--external", f"server={here}")
    await demo.said("waiting for your server")
    await install("server", server_config(demo.told("server"), here))
    await demo.said("waiting for a REGISTER")
    await install("client", client_config(demo.told("client")))
    assert_all_pass(await demo.ended())


async def test_client_that_is_early_is_not_served_before_everything_is_in_place(
    demo: ExternalDemo, install: Start, place: Callable[[], str], free_port: Callable[[], int]
) -> None:
    here = place()
    await demo.start("--external=client", f"--external=xdms={here}", f"--port=core={free_port()}")
    await demo.said("waiting for your xdms")
    await install("client", client_config(demo.told("client")))
    await install("xdms", xdms_config(demo.told("xdms")))
    assert_all_pass(await demo.ended())


async def test_what_passes_between_two_programs_from_outside_is_not_observed_and_the_verdict_partial(
    demo: ExternalDemo, install: Start, place: Callable[[], str]
) -> None:
    here, servers = place(), place()
    await demo.start("--external", "client", "--external", f"core={here}")
    await demo.said("waiting for a third-party REGISTER of your core")
    await install("core", core_config(demo.told("core"), here, servers))
    await install("client", client_config(demo.told("client")))
    ran = await demo.ended()
    assert ran.status == 3, ran.explain()
    seen = {step["step"] for step in ran.report["steps"] if step["verdict"] == "pass"}
    assert seen == {5, 6, 7, 8, 9, 10, 11, 17, 18, 20, 23, 25, 26, 28, 29, 32}
    assert set(verdicts(ran)) == {"pass", "not-observed"}


@pytest.mark.parametrize("address", ["127.0.0.2", "::1"])
async def test_daemons_listen_where_the_client_reaches_them(demo: ExternalDemo, install: Start, address: str) -> None:
    await demo.start("--external", "client", "--host", address)
    await demo.said("waiting for a REGISTER")
    told = demo.told("client")
    own = f"[{address}]" if ":" in address else address
    assert told["reached at"].startswith(f"{own}:")
    config = client_config(told)
    config["client"]["listen"] = [f"udp:{own}:0", f"tcp:{own}:0"]
    await install("client", config)
    assert_all_pass(await demo.ended())


async def test_second_client_from_outside_is_judged_after_the_first_one(demo: ExternalDemo, install: Start) -> None:
    quick = {"server": {"notify_interval": 1.0}}
    await demo.start("--external", "client", "--scenario", "second-client", config=quick)
    await demo.said("waiting for a REGISTER of your client")
    told = demo.told("client")
    assert told["private id"] == "alice-2@ims.example"
    await install("client", client_config(told), "--answer-mode", "manual")
    ran = await demo.ended()
    assert_all_pass(ran)
    assert "manual" in ran.log("client")  # the first client was told of the settings of the second


@pytest.mark.longer
async def test_client_without_isim_from_outside_is_told_the_identity_of_its_imsi(
    demo: ExternalDemo, install: Start
) -> None:
    await demo.start("--external", "client", "--scenario", "no-isim")
    await demo.said("waiting for a REGISTER of your client")
    told = demo.told("client")
    assert told["public id"] == "sip:001010000000004@ims.mnc001.mcc001.3gppnetwork.org"
    assert told["also theirs"] == "sip:dave@ims.example"
    await install("client", client_config(told))
    assert_all_pass(await demo.ended())


async def test_messages_of_a_program_from_outside_are_in_the_capture(
    demo: ExternalDemo, install: Start, tmp_path: Path
) -> None:
    capture = tmp_path / "demo.pcap"
    await demo.start("--external", "client", "--pcap", str(capture), "--stay")
    await demo.said("waiting for a REGISTER")
    await install("client", client_config(demo.told("client")))
    await demo.said("Ctrl-C ends them")
    demo.interrupt()
    assert_all_pass(await demo.ended())
    status, out, err = await talkburst("check", str(capture))
    assert (status, "pass: 32 of 32" in out) == (0, True), out + err
