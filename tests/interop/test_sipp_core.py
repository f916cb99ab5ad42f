"""SIPp as the core toward our PoC server: steps 5 to 11, 17 to 32 as seen there, then the end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sipp_how_to import Sipp
from sipp_world import World

FreePort = Callable[[], int]
ORDERS = ["200-first", "NOTIFY-first"]
BEHIND_THE_CORE = (1, 2, 3, 4, 12, 13, 14, 15, 16, 19, 21, 22, 24, 27, 30, 31)
EXPECTED = {**dict.fromkeys(range(1, 33), "pass"), **dict.fromkeys(BEHIND_THE_CORE, "not-observed")}


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("notify_first", [False, pytest.param(True, marks=pytest.mark.longer)], ids=ORDERS)
async def test_core_gets_all_it_asks_of_our_server(
    tmp_path: Path, free_port: FreePort, transport: str, notify_first: bool
) -> None:
    server = {"notify_first": notify_first}
    async with World(tmp_path, free_port, "xdms", "server", server=server) as world:
        async with Sipp(f"A core over {transport}", tmp_path, world) as sipp:
            assert await sipp.ended() == 0, sipp.errors + world.explain()
        assert await world.verdicts() == EXPECTED, world.explain()
    assert "UDP message" not in sipp.messages or transport == "UDP"
    expected = ["NOTIFY", "SIP/2.0"] if notify_first else ["SIP/2.0", "NOTIFY"]
    assert sipp.received_after("SUBSCRIBE sip:alice@ims.example") == [expected], sipp.messages


# What a negative control changes in the scenario, what SIPp says then, and the step that the checker names.
FAULTS = [
    pytest.param(
        {"    P-Asserted-Identity: <sip:[field0]@[field1]>\n    Content-Type": "    Content-Type"},
        "403",
        26,
        id="PUBLISH without identity",
    ),
    pytest.param(
        {"Event: poc-settings\n    Accept": "Event: presence\n    Accept"},
        "489",
        17,
        id="SUBSCRIBE of another event",
        marks=pytest.mark.longer,
    ),
]


@pytest.mark.parametrize(("alter", "status", "step"), FAULTS)
async def test_altered_core_fails_at_its_step(
    tmp_path: Path, free_port: FreePort, alter: dict[str, str], status: str, step: int
) -> None:
    async with World(tmp_path, free_port, "xdms", "server") as world:
        async with Sipp("A core over UDP", tmp_path, world, alter) as sipp:
            await sipp.fails(f"received 'SIP/2.0 {status} ")
        await world.verdicts()
    assert world.report["first_failure"] == step, world.explain()


async def test_core_that_the_server_does_not_trust_is_refused(tmp_path: Path, free_port: FreePort) -> None:
    async with World(tmp_path, free_port, "server", trust={"peers": ["192.0.2.1"]}) as world:
        async with Sipp("A core over UDP", tmp_path, world) as sipp:
            await sipp.fails("received 'SIP/2.0 403 Peer is not trusted")
        await world.verdicts()
    assert world.report["first_failure"] == 6, world.explain()
