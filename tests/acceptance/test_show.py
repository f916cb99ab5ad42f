"""`talkburst core show`, `server show`, `xdms show`, `client show`: for a person, for a program, without secrets."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import TALKBURST, environment, talkburst

pytestmark = pytest.mark.acceptance

DAEMONS = ("core", "server", "xdms", "client")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state directory of a demo that stays, for all tests here: they only ask."""
    directory = tmp_path_factory.mktemp("show")
    config = directory / "demo.toml"
    config.write_text(f'[trace]\npcap = "{directory}/{{name}}.pcap"\n')
    process = subprocess.Popen(
        [*TALKBURST, "demo", "--stay", "--state", str(directory / "state"), "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    try:
        assert any(b"Ctrl-C" in line for line in process.stdout), "the demo ended"
        yield directory / "state"
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def show(name: str, state: Path, *arguments: str) -> str:
    status, out, err = await talkburst(name, "show", "--state", str(state), *arguments)
    assert status == 0, err
    return out


def secrets_on_the_wire(directory: Path) -> set[str]:
    """Every nonce, digest response and cnonce that went between the daemons."""
    found = set()
    for capture in directory.glob("*.pcap"):
        text = capture.read_bytes().decode("latin-1")
        found |= set(re.findall(r'(?:nonce|response|cnonce)="([^"]{8,})"', text))
    return found


async def test_every_daemon_shows_itself_to_a_person_and_to_a_program_without_secrets(state: Path) -> None:
    secrets = secrets_on_the_wire(state.parent)
    assert len(secrets) >= 4
    for name in DAEMONS:
        text, read = await show(name, state), json.loads(await show(name, state, "--json"))
        assert "{" not in text, text
        assert "password" not in text + json.dumps(read)
        assert not [secret for secret in secrets if secret in text + json.dumps(read)], name
        assert set(read) == {line.split("  ")[0].replace(" ", "_") for line in text.splitlines() if line[0] != " "}
    client = await show("client", state)
    assert re.search(r"^registration +registered$", client, re.MULTILINE)
    assert re.search(r"^expires in +3\d\d\d s$", client, re.MULTILINE)
    assert "answer mode" in client


async def test_show_of_an_identity_tells_what_each_daemon_knows_of_that_user_alone(state: Path) -> None:
    identity = "tel:+12025550101"
    for name in (identity, "sip:+12025550101@ims.example", "sip:alice@ims.example", "alice@ims.example"):
        core = json.loads(await show("core", state, name, "--json"))
        [registration] = core["registrations"]
        assert registration["barred"] == []
        assert (registration["told"], registration["not_answered"]) == (["sip:poc.ims.example"], [])
        assert len(core["subscriptions"]) == 2
        assert "counters" not in core
    server = json.loads(await show("server", state, identity, "--json"))
    [user] = server["users"]
    assert user["effective"]["answer_mode"] == "automatic"
    xdms = json.loads(await show("xdms", state, identity, "--json"))
    [owner] = xdms["owners"]
    assert "resource-lists/index" in [each["document"] for each in owner["documents"]]


async def test_show_of_somebody_unknown_says_so_and_exits_with_1(state: Path) -> None:
    for name in ("core", "server", "xdms"):
        status, out, err = await talkburst(name, "show", "sip:nobody@ims.example", "--state", str(state))
        assert (status, out, err) == (1, "", f"{name}: nothing is known of sip:nobody@ims.example\n")
    status, out, err = await talkburst("client", "show", "sip:alice@ims.example", "--state", str(state))
    assert (status, out) == (1, "")
    assert "ask without an identity" in err


async def test_show_of_somebody_who_has_a_profile_says_that_nobody_is_registered(state: Path) -> None:
    for name in ("sip:bob@ims.example", "tel:+12025550102"):
        core = json.loads(await show("core", state, name, "--json"))
        [profile] = core["subscribers"]
        assert profile["private_ids"] == ["bob@ims.example"]
        assert profile["criteria"] == ["0: sip:poc.ims.example", "1: sip:poc.ims.example"]
        assert (profile["registered"], core["registrations"]) == (False, [])


async def test_long_lists_are_cut_and_say_how_many_entries_are_left(state: Path) -> None:
    status, out, err = await talkburst("xdms", "show", "--state", str(state), "--limit", "1")
    assert status == 0
    assert re.search(r"^more\n  owners +3$", out, re.MULTILINE), out
    assert "--limit N" in err
    assert len(json.loads(await show("xdms", state, "--json"))["owners"]) == 4
    status, _, err = await talkburst("xdms", "show", "--limit", "-1")
    assert status == 2
    assert "--limit" in err


@pytest.mark.parametrize("name", DAEMONS)
async def test_show_where_nothing_runs_names_the_socket_and_what_to_look_at(name: str, tmp_path: Path) -> None:
    status, out, err = await talkburst(name, "show", "--state", str(tmp_path))
    assert (status, out) == (1, "")
    assert str(tmp_path / f"{name}.sock") in err
    assert "is the daemon running with this state directory?" in err
