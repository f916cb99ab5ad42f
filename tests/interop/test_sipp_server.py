"""SIPp as the application server of our core, with our client as the UE: steps 5 to 10, and 17 to 32."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sipp_how_to import SCENARIOS, Sipp
from sipp_world import World

FreePort = Callable[[], int]
ORDERS = ["200-first", "NOTIFY-first"]
# Nobody fetches documents here.
EXPECTED = {**dict.fromkeys(range(1, 33), "pass"), 11: "not-observed"}


def tables(transport: str) -> dict[str, Any]:
    """What the how-to has the core configured with."""
    return tomllib.loads((SCENARIOS / "as-tcp.toml").read_text()) if transport == "TCP" else {}


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("notify_first", [False, pytest.param(True, marks=pytest.mark.longer)], ids=ORDERS)
async def test_server_serves_our_core_and_client(
    tmp_path: Path, free_port: FreePort, transport: str, notify_first: bool
) -> None:
    core = {"core": {"notify_first": notify_first}}
    async with World(tmp_path, free_port, "core", **tables(transport), **core) as world:
        async with Sipp(f"An application server over {transport}", tmp_path, world) as sipp:
            await sipp.listens(world.ports[5070])
            await world.start("client")
            assert await sipp.ended() == 0, sipp.errors + world.explain()
        assert await world.verdicts() == EXPECTED, world.explain()
    order = ["NOTIFY", "SIP/2.0"] if notify_first else ["SIP/2.0", "NOTIFY"]
    assert sipp.received_after("SUBSCRIBE sip:alice@ims.example") == [order], sipp.messages
    assert f"Via: SIP/2.0/{transport} " in sipp.messages
    route = f"^Route: <sip:{world.place(5054)}[^>]*>, <sip:{world.place(5060)}[^>]*>\\s*$"
    assert len(re.findall(route, sipp.messages, flags=re.MULTILINE)) == 2, "both NOTIFYs pass both sides of the core"


# What a negative control changes in the scenario, what SIPp says then, and the step that the checker names.
FAULTS = [
    pytest.param(
        {"P-Asserted-Identity: <[own]>": "P-Asserted-Identity: <sip:eve@ims.example>"},
        "403",
        8,
        id="another's identity",
    ),
    pytest.param(
        {"Event: poc-settings\n    Subscription": "Event: poc\n    Subscription"},
        "489",
        20,
        id="NOTIFY of another event",
        marks=pytest.mark.longer,
    ),
]


@pytest.mark.parametrize(("alter", "status", "step"), FAULTS)
async def test_altered_server_fails_at_its_step(
    tmp_path: Path, free_port: FreePort, alter: dict[str, str], status: str, step: int
) -> None:
    async with World(tmp_path, free_port, "core") as world:
        async with Sipp("An application server over UDP", tmp_path, world, alter) as sipp:
            await sipp.listens(world.ports[5070])
            await world.start("client")
            await sipp.fails_but_stays(f"while expecting '200' .*received 'SIP/2.0 {status} ")
        await world.verdicts()
    assert world.report["first_failure"] == step, world.explain()
