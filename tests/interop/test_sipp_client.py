"""SIPp as the PoC client: steps 1-4, 12-16, 20-24 and 29-31 against our core, server and XDMS, then the end."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import TALKBURST
from sipp_how_to import Sipp, talkburst_command
from sipp_world import Process, World

FreePort = Callable[[], int]
RIGHT = "[authentication username=alice@ims.example password=alice]"
FIRST = {"core": {"notify_first": True}, "server": {"notify_first": True}}


def all_pass() -> dict[int, str]:
    return dict.fromkeys(range(1, 33), "pass")


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("tables", [{}, FIRST], ids=["200-first", "NOTIFY-first"])
async def test_client_completes_the_flow_and_takes_its_leave(
    tmp_path: Path, free_port: FreePort, transport: str, tables: dict[str, dict[str, bool]]
) -> None:
    async with World(tmp_path, free_port, "xdms", "core", "server", **tables) as world:
        async with Sipp(f"A client over {transport}", tmp_path, world) as sipp:
            assert await sipp.ended() == 0, sipp.errors + world.explain()
        assert await world.verdicts() == all_pass(), world.explain()
    expected = ["NOTIFY", "SIP/2.0"] if tables else ["SIP/2.0", "NOTIFY"]
    assert sipp.received_after("SUBSCRIBE sip:alice@ims.example") == [expected] * 2, sipp.messages
    assert f"Via: SIP/2.0/{transport} " in sipp.messages
    route = f"^Route: <sip:{world.place(5060)}[^>]*>, <sip:{world.place(5054)}[^>]*>\\s*$"
    assert len(re.findall(route, sipp.messages, flags=re.MULTILINE)) == 1, "the last SUBSCRIBE goes back the same way"
    assert sipp.messages.count("nc=00000003") == 1, "the third REGISTER with credentials is the one that ends it"


async def test_demo_judges_the_client_as_the_how_to_says(tmp_path: Path, free_port: FreePort) -> None:
    world = World(tmp_path, free_port)
    names = {"core": 5060, "core-servers": 5054, "server": 5070, "xdms": 8080}
    ports = [flag for name, port in names.items() for flag in ("--port", f"{name}={world.ports[port]}")]
    async with Process(*TALKBURST, *talkburst_command("demo"), *ports) as demo:
        await demo.says("waiting for a REGISTER of your client")
        async with Sipp("A client over UDP", tmp_path, world) as sipp:
            assert await sipp.ended() == 0, sipp.errors + demo.out
        await demo.says("pass: 32 of 32 steps passed")


async def test_three_clients_at_once_are_three_users(tmp_path: Path, free_port: FreePort) -> None:
    async with World(tmp_path, free_port, "xdms", "core", "server", flows=3) as world:
        async with Sipp("Three clients at once", tmp_path, world) as sipp:
            assert await sipp.ended() == 0, sipp.errors + world.explain()
        await world.verdicts()
    for user in ("alice", "bob", "carol"):
        assert f"sip:{user}@ims.example, sip:{user}@{world.place(5090)}" in world.checker.out, world.explain()
    assert world.checker.out.count("\npass: 32 of 32 steps passed") == 3, world.explain()


async def test_wrong_password_is_challenged_again_and_the_flow_ends_there(tmp_path: Path, free_port: FreePort) -> None:
    async with World(tmp_path, free_port, "core") as world:
        async with Sipp("A client with a wrong password", tmp_path, world) as sipp:
            assert await sipp.ended() == 0, sipp.errors + world.explain()
        verdicts = await world.verdicts()
    assert verdicts[1] == verdicts[2] == "pass"
    assert world.report["first_failure"] == 4, world.explain()
    assert "wrong password for alice@ims.example" in world.processes["core"].err


# What a negative control changes in its scenario, what SIPp says then, and the step that the checker names.
FAULTS = [
    pytest.param({";+g.poc.talkburst\n": "\n"}, "Failed regexp match", 1, id="no feature tag"),
    pytest.param({"</entity></poc-settings>": "</entity>"}, "received 'SIP/2.0 400", 24, id="document cut short"),
    pytest.param({"[field2]": "Authorization: none"}, "expecting '200'", 3, id="no digest", marks=pytest.mark.longer),
    pytest.param(
        {"Event: poc-settings\n    Expires: 3600": "Event: poc\n    Expires: 3600"},
        "received 'SIP/2.0 4",
        24,
        id="PUBLISH of another event",
        marks=pytest.mark.longer,
    ),
]


@pytest.mark.parametrize(("alter", "said", "step"), FAULTS)
async def test_altered_client_fails_at_its_step(
    tmp_path: Path, free_port: FreePort, alter: dict[str, str], said: str, step: int
) -> None:
    async with World(tmp_path, free_port, "xdms", "core", "server") as world:
        async with Sipp("A client over UDP", tmp_path, world, alter) as sipp:
            await sipp.fails(said)
        await world.verdicts()
    assert world.report["first_failure"] == step, world.explain()


async def test_right_password_fails_where_a_wrong_one_is_expected(tmp_path: Path, free_port: FreePort) -> None:
    async with World(tmp_path, free_port, "core") as world:
        async with Sipp("A client with a wrong password", tmp_path, world, {"[authentication]": RIGHT}) as sipp:
            await sipp.fails("while expecting '401'")
        verdicts = await world.verdicts()
    assert [verdicts[step] for step in (1, 2, 3, 4)] == ["pass"] * 4


@pytest.mark.parametrize("transport", ["UDP", pytest.param("TCP", marks=pytest.mark.longer)])
async def test_credentials_stand_in_for_a_registration(tmp_path: Path, free_port: FreePort, transport: str) -> None:
    async with World(tmp_path, free_port, "core", "server", "client") as world:
        await world.processes["client"].says("settings published", "err")
        async with Sipp(f"Credentials with PUBLISH over {transport}", tmp_path, world) as sipp:
            assert await sipp.ended() == 0, sipp.errors + world.explain()
        stored = "settings stored user=sip:alice@ims.example entity=sipp-alice barring=false answer_mode=manual"
        await world.processes["server"].says(stored, "err")
        await world.processes["server"].says("settings dropped user=sip:alice@ims.example entity=sipp-alice", "err")


@pytest.mark.longer
async def test_publication_with_a_wrong_password_is_challenged_again(tmp_path: Path, free_port: FreePort) -> None:
    async with World(tmp_path, free_port, "core", "server", "client") as world:
        await world.processes["client"].says("settings published", "err")
        alter = {"[field2]": "[authentication username=alice@ims.example password=wrong]"}
        async with Sipp("Credentials with PUBLISH over UDP", tmp_path, world, alter) as sipp:
            await sipp.fails("while expecting '200' .*received 'SIP/2.0 407 ")
        assert "wrong password for alice@ims.example" in world.processes["core"].err
