"""SIPp in a demo, in the place of our client, our server and our core: the commands that its how-to prints."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from harness import Ran
from second_installation import ExternalDemo
from sipp_how_to import Sipp
from sipp_world import World

pytestmark = pytest.mark.acceptance

# What passes between core and server, and what the server fetches.
BEHIND_THE_CORE = {5, 6, 7, 8, 9, 10, 11, 17, 18, 20, 23, 25, 26, 28, 29, 32}


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[ExternalDemo]:
    demo = ExternalDemo(tmp_path)
    yield demo
    await demo.kill()


@pytest.fixture
def ports(tmp_path: Path, free_port: Callable[[], int]) -> World:
    """Stand-ins for the default ports; none of its daemons is started."""
    return World(tmp_path, free_port)


def at(world: World, *outside: str) -> list[str]:
    """Where the demo's own daemons listen, so that SIPp finds them; `outside` are not the demo's own."""
    names = {"core": 5060, "core-servers": 5054, "server": 5070, "xdms": 8080}
    return [f"--port={name}={world.ports[default]}" for name, default in names.items() if name not in outside]


def passed(ran: Ran) -> set[int]:
    return {step["step"] for step in ran.report["steps"] if step["verdict"] == "pass"}


@pytest.mark.parametrize("transport", ["UDP", pytest.param("TCP", marks=pytest.mark.longer)])
async def test_sipp_as_the_client_passes_every_step(
    demo: ExternalDemo, ports: World, tmp_path: Path, transport: str
) -> None:
    await demo.start("--external=client", "--stay", *at(ports))
    await demo.said("waiting for a REGISTER")
    async with Sipp(f"A client over {transport}", tmp_path, ports) as sipp:
        await demo.said("Ctrl-C ends them")
        assert await sipp.ended() == 0, sipp.errors
    demo.interrupt()
    ran = await demo.ended()
    assert (ran.status, len(passed(ran))) == (0, 32), ran.explain()


async def test_sipp_as_the_server_passes_every_step_but_the_documents_that_it_does_not_fetch(
    demo: ExternalDemo, ports: World, tmp_path: Path
) -> None:
    await demo.start(f"--external=server={ports.place(5070)}", "--wait=2", *at(ports, "server"))
    await demo.said("waiting for your server")
    async with Sipp("An application server over UDP", tmp_path, ports) as sipp:
        ran = await demo.ended()
        assert await sipp.ended() == 0, sipp.errors
    assert ran.status == 1, ran.explain()
    assert passed(ran) == set(range(1, 33)) - {11}, ran.explain()
    assert ran.report["first_failure"] == 11


@pytest.mark.longer
async def test_documents_are_not_observed_where_the_xdms_is_not_ours_either(
    demo: ExternalDemo, ports: World, tmp_path: Path
) -> None:
    await demo.start("--external=xdms", f"--external=server={ports.place(5070)}", *at(ports, "xdms", "server"))
    await demo.said("waiting for your server")
    async with Sipp("An application server over UDP", tmp_path, ports):
        ran = await demo.ended()
    assert ran.status == 3, ran.explain()
    assert passed(ran) == set(range(1, 33)) - {11}, ran.explain()


async def test_sipp_as_the_core_passes_what_our_server_sees(demo: ExternalDemo, ports: World, tmp_path: Path) -> None:
    await demo.start("--external=client", f"--external=core={ports.place(5054)}", *at(ports, "core", "core-servers"))
    await demo.said("waiting for a third-party REGISTER")
    async with Sipp("A core over UDP", tmp_path, ports) as sipp:
        ran = await demo.ended()
    assert ran.status == 3, ran.explain() + sipp.messages
    assert passed(ran) == BEHIND_THE_CORE, ran.explain()
