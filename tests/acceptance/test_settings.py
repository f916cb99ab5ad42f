"""`talkburst client settings`: changed while the client runs, published, told, kept, taken back. Real daemons."""

import json
import resource
import socket
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness import talkburst
from staying import Staying

pytestmark = pytest.mark.acceptance

QUICK = {"t1": 0.1, "t2": 0.4, "t4": 0.5}
TOLD_AT_ONCE = {"server": {"notify_interval": 0.0}, "core": {"notify_interval": 0.0}}
Mode = tuple[str, bool]


def told(shown: dict[str, Any]) -> dict[str, Mode]:
    """What a client was told of each entity: answer mode and barring."""
    entities = (shown["settings"] or {}).get("entities") or []
    return {entity["id"]: (entity["answer_mode"], entity["barring"]) for entity in entities}


def effective(shown: dict[str, Any]) -> dict[str, Any]:
    """The settings that count for alice at the server."""
    [user] = shown["users"]
    found: dict[str, Any] = user["effective"] or {}
    return found


def publishes(directory: Path) -> int:
    return (directory / "client.pcap").read_bytes().count(b"PUBLISH sip:")


async def settled(world: Staying, name: str, mode: str, barring: bool) -> None:
    """The server and both clients show these settings, for that client alone."""
    entity = (await world.show(name))["instance"]
    other = (await world.show("client-2" if name == "client" else "client"))["instance"]
    shown = await world.until("server", lambda shown: effective(shown).get("entity") == entity)
    assert (effective(shown)["answer_mode"], effective(shown)["barring"]) == (mode, barring)
    for watcher in ("client", "client-2"):
        shown = await world.until(watcher, lambda shown: told(shown).get(entity) == (mode, barring))
        assert set(told(shown)) == {entity, other}
    assert effective(await world.show("server"))["entity"] == entity


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_change_reaches_the_server_and_both_clients_as_the_one_that_made_it(
    tmp_path: Path, transport: str
) -> None:
    demo = ("--scenario", "second-client", "--transport", transport)
    async with Staying(tmp_path, *demo, **TOLD_AT_ONCE) as world:
        first = (await world.show("client"))["settings"]["etag"]
        for arguments, mode, barring in (
            (("--answer-mode", "manual"), "manual", False),
            (("--barring", "on"), "manual", True),
            (("--answer-mode", "automatic", "--barring", "off"), "automatic", False),
        ):
            status, out, err = await world.ask("client", "settings", *arguments)
            word = "on" if barring else "off"
            assert (status, out, err) == (0, f"published: answer mode {mode}, barring {word}\n", "")
            await settled(world, "client", mode, barring)
        status, out, _ = await world.ask("client-2", "settings", "--barring", "on", "--json")
        answer = json.loads(out)
        assert (status, answer["outcome"], answer["why"]) == (0, "published", "")
        await settled(world, "client-2", answer["wishes"]["answer_mode"], True)
    assert f"SIP-If-Match: {first}".encode() in (tmp_path / "demo.pcap").read_bytes()  # a modification, no second one


async def test_what_is_wrong_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    async with Staying(tmp_path, trace={"pcap": str(tmp_path / "{name}.pcap")}) as world:
        before = await world.show("client")
        sent = publishes(tmp_path)
        for arguments, said in (
            (("--answer-mode", "maybe"), "'automatic', 'manual'"),
            (("--barring", "perhaps"), "'on'"),
            (("--barring", "on", "--reset"), "--reset"),
            (("--mode", "manual"), "--mode"),
            (("manual",), "manual"),
        ):
            status, out, err = await world.ask("client", "settings", *arguments)
            assert (status, out) == (2, ""), arguments
            assert said in err
        status, out, _ = await world.ask("client", "settings")
        assert status == 0
        assert "answer mode  automatic" in out
        after = await world.show("client")
        assert (after["settings"], publishes(tmp_path)) == (before["settings"], sent)
        assert not [file for file in world.state.rglob("client-*.json") if "manual" in file.read_text()]


async def test_without_a_running_client_the_socket_is_named_with_what_to_do(tmp_path: Path) -> None:
    status, out, err = await talkburst("client", "settings", "--answer-mode", "manual", "--state", str(tmp_path))
    assert (status, out) == (1, "")
    assert err == (
        f"client: nothing answers on {tmp_path}/client.sock; is the daemon running with this state directory? "
        "--state DIR or --control PATH names another\n"
    )
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "client.sock"))
    status, _, err = await talkburst("client", "settings", "--barring", "on", "--state", str(tmp_path))
    assert status == 1
    assert "nothing answers" in err


async def test_a_refused_change_says_so_exits_with_1_and_leaves_what_was(tmp_path: Path) -> None:
    async with Staying(tmp_path, timers=QUICK, **TOLD_AT_ONCE) as world:
        assert (await world.ask("client", "settings", "--answer-mode", "manual"))[0] == 0
        distrustful = tmp_path / "distrustful.toml"
        configured = tomllib.loads((world.state / "talkburst.toml").read_text())
        distrustful.write_text(tomli_w.dumps({**configured, "trust": {"peers": ["192.0.2.1"]}}))
        await world.kill("server")
        await world.start("server", config=distrustful)
        status, out, err = await world.ask("client", "settings", "--barring", "on")
        assert (status, out) == (1, "")
        assert err.startswith("client: the server refused the settings: 403 "), err
        assert err.endswith("; they are what they were\n")
        shown = await world.show("client")
        assert shown["wishes"] == {"answer_mode": "manual", "barring": False}
        kept = json.loads(next(world.state.glob("client-*.json")).read_text())["choice"]
        assert (kept["answer_mode"], kept["barring"]) == ("manual", False)
        await world.kill("server")
        await world.start("server")
        assert effective(await world.show("server"))["answer_mode"] == "manual"


@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.longer)])
async def test_a_change_before_the_core_is_there_is_kept_and_published_when_it_is(
    tmp_path: Path, transport: str
) -> None:
    async with Staying(tmp_path, "--transport", transport, timers=QUICK, **TOLD_AT_ONCE) as world:
        for name in ("client", "core", "server"):
            await world.kill(name)
        for file in world.state.glob("server.db*"):
            file.unlink()
        await world.start("client")
        status, out, err = await world.ask("client", "settings", "--answer-mode", "manual")
        assert (status, err) == (0, "")
        kept, why = out.splitlines()
        assert kept == "kept: answer mode manual, barring off"
        assert why.startswith("not published yet: the client is not registered")
        assert why.endswith("; it will be as soon as the server takes it")
        await world.start("server")
        await world.start("core")
        await world.until("server", lambda shown: shown["users"] and effective(shown).get("answer_mode") == "manual")


async def test_a_change_while_the_server_is_away_is_kept_and_published_when_it_is_back(tmp_path: Path) -> None:
    async with Staying(tmp_path, timers=QUICK, **TOLD_AT_ONCE) as world:
        await world.kill("server")
        status, out, _ = await world.ask("client", "settings", "--barring", "on")
        assert status == 0
        assert out.startswith("kept: answer mode automatic, barring on\nnot published yet: 5")
        await world.start("server")
        await world.until("server", lambda shown: effective(shown)["barring"])


# What is left after a restart


async def test_a_change_survives_kill_9_until_it_is_reset(tmp_path: Path) -> None:
    async with Staying(tmp_path, **TOLD_AT_ONCE) as world:
        assert (await world.show("client"))["wishes_from"] == "the configuration"
        assert (await world.ask("client", "settings", "--answer-mode", "manual", "--barring", "on"))[0] == 0
        await world.kill("client")
        await world.start("client")
        shown = await world.until("client", lambda shown: told(shown) == {shown["instance"]: ("manual", True)})
        assert shown["wishes_from"].startswith("client settings, 20")
        assert "settings as chosen with client settings, not as configured" in world.log("client")
        assert effective(await world.show("server"))["answer_mode"] == "manual"
        status, out, _ = await world.ask("client", "settings", "--reset")
        assert (status, out) == (0, "published: answer mode automatic, barring off\n")
        await world.until("server", lambda shown: effective(shown)["answer_mode"] == "automatic")
        assert (await world.show("client"))["wishes_from"] == "the configuration"


async def test_a_configuration_that_has_changed_since_wins_and_the_log_says_so(tmp_path: Path) -> None:
    async with Staying(tmp_path, **TOLD_AT_ONCE) as world:
        assert (await world.ask("client", "settings", "--answer-mode", "manual"))[0] == 0
        await world.kill("client")
        await world.start("client", "--barring", "on")
        shown = await world.until("client", lambda shown: told(shown) == {shown["instance"]: ("automatic", True)})
        assert shown["wishes_from"] == "the configuration"
        assert "the configuration has changed since others were chosen" in world.log("client")


async def test_a_change_that_cannot_be_kept_is_not_made(tmp_path: Path) -> None:
    async with Staying(tmp_path) as world:
        files = sorted(file.name for file in world.state.iterdir())
        _, hard = resource.prlimit(world.pid("client"), resource.RLIMIT_FSIZE)
        resource.prlimit(world.pid("client"), resource.RLIMIT_FSIZE, (0, hard))  # as on a full disk
        status, out, err = await world.ask("client", "settings", "--answer-mode", "manual")
        assert (status, out) == (1, "")
        assert err.startswith("client: nothing changed, cannot keep it in ")
        assert err.endswith(": File too large\n")
        assert (await world.show("client"))["wishes"]["answer_mode"] == "automatic"
        assert sorted(file.name for file in world.state.iterdir()) == files
