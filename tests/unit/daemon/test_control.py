"""The control socket."""

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from talkburst.daemon.control import LONGEST_ANSWER, LONGEST_REQUEST, Answer, ControlError, ControlServer, ask
from talkburst.daemon.log import Log
from talkburst.daemon.start_error import StartError


async def echo(arguments: Answer) -> Answer:
    return arguments


async def refuse(_: Answer) -> Answer:
    raise ValueError("answer_mode must be automatic or manual")


async def fail(_: Answer) -> Answer:
    raise RuntimeError("a bug")


async def flood(_: Answer) -> Answer:
    return {"users": "x" * LONGEST_ANSWER}


COMMANDS = {"echo": echo, "refuse": refuse, "fail": fail, "flood": flood}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "core.sock"


@pytest.fixture
async def server(path: Path) -> AsyncIterator[ControlServer]:
    server = ControlServer("core", path, Log("core"))
    server.bind()
    await server.serve(COMMANDS)
    yield server
    await server.close()


async def asked(path: Path, command: str, **arguments: object) -> Answer:
    return await asyncio.to_thread(ask, path, command, **arguments)


async def exchange(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """What comes back for raw lines, until the server closes or all have been answered."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"".join(lines))
    writer.write_eof()
    answers = [json.loads(line) for line in (await asyncio.wait_for(reader.read(), 5)).splitlines()]
    writer.close()
    return answers


async def test_a_command_gets_its_arguments_and_its_result_comes_back(path: Path, server: ControlServer) -> None:
    assert await asked(path, "echo", mode="manual", count=1, text="Zoë\n") == {
        "mode": "manual",
        "count": 1,
        "text": "Zoë\n",
    }


async def test_a_connection_carries_many_commands(path: Path, server: ControlServer) -> None:
    line = b'{"command": "echo", "n": %d}\n'
    assert await exchange(path, line % 1, b"\n", line % 2) == [
        {"ok": True, "result": {"n": 1}},
        {"ok": True, "result": {"n": 2}},
    ]


async def test_a_refusal_is_told_in_its_own_words(path: Path, server: ControlServer) -> None:
    with pytest.raises(ControlError, match="answer_mode must be automatic or manual"):
        await asked(path, "refuse")


async def test_an_unknown_command_hints_at_the_right_one(path: Path, server: ControlServer) -> None:
    with pytest.raises(ControlError, match='no command "ecko"; did you mean "echo"'):
        await asked(path, "ecko")
    with pytest.raises(ControlError, match='no command "zzz"; there are echo, fail, flood, refuse'):
        await asked(path, "zzz")


async def test_a_fault_in_a_command_is_logged_and_the_socket_lives_on(
    path: Path, server: ControlServer, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ControlError, match="its log says how"):
        await asked(path, "fail")
    assert "a bug" in caplog.text
    assert await asked(path, "echo") == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"show\n", "the line is not JSON"),
        (b"\xff\xfe\n", "the line is not JSON"),
        (b"[" * 10_000 + b"\n", "the line is not JSON"),
        (b"[1]\n", 'must be an object with "command"'),
        (b'{"command": 1}\n', 'must be an object with "command"'),
        (b'{"a": "' + b"x" * LONGEST_REQUEST + b'"}\n', f"the line is longer than {LONGEST_REQUEST} octets"),
    ],
)
async def test_a_bad_line_is_answered(path: Path, server: ControlServer, line: bytes, said: str) -> None:
    (answer,) = await exchange(path, line)
    assert answer["ok"] is False
    assert said in answer["error"]
    assert await asked(path, "echo") == {}


async def test_the_socket_is_for_its_owner_alone_and_goes_with_the_daemon(path: Path, server: ControlServer) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await server.close()
    assert not path.exists()


async def test_the_socket_of_a_dead_process_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = ControlServer("core", path, Log("core"))
    server.bind()
    await server.serve(COMMANDS)
    assert await asked(path, "echo") == {}
    await server.close()


async def test_a_live_socket_is_a_clear_error_and_stays(path: Path, server: ControlServer) -> None:
    second = ControlServer("core", path, Log("core"))
    with pytest.raises(StartError, match=r"a core is running already, it answers on .*/core\.sock; stop it"):
        second.bind()
    await second.close()
    assert await asked(path, "echo") == {}


async def test_a_socket_that_another_took_over_is_not_removed(path: Path, server: ControlServer) -> None:
    path.unlink()
    path.touch()
    await server.close()
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 120, "the path is too long for a socket; give --control PATH"),
        ("no/such.sock", "No such file or directory"),
    ],
)
def test_a_path_that_can_not_be_is_a_clear_error(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(StartError, match=said):
        ControlServer("core", tmp_path / name, Log("core")).bind()


def test_a_file_in_its_place_is_a_clear_error_and_stays(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(StartError, match="a file of that name is there"):
        ControlServer("core", path, Log("core")).bind()
    assert path.read_text() == "precious"


def test_asking_nobody_is_a_clear_error(path: Path) -> None:
    with pytest.raises(ControlError, match=r"nothing answers on .*; is the daemon running"):
        ask(path, "show")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match="nothing answers on"):
        ask(path, "show")
    with pytest.raises(ControlError, match="cannot ask on"):
        ask(path.with_name("x" * 120), "show")


async def test_a_daemon_that_ends_while_asked_is_a_clear_error(path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_unix_server(hang_up, path):
        with pytest.raises(ControlError, match=r"closed the connection|cannot ask on"):
            await asked(path, "show")


async def test_close_does_not_wait_for_a_silent_asker(path: Path, server: ControlServer) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await server.close()
        assert await reader.read() == b""
    writer.close()


async def test_an_answer_that_is_too_long_says_how_to_ask_for_less(path: Path, server: ControlServer) -> None:
    with pytest.raises(ControlError, match="longer than 16 MiB; ask for less with --limit N or for one identity"):
        await asked(path, "flood")
