"""What a user does wrong, and what dies under them: a clear message each, the right exit status, no traceback."""

import asyncio
import os
import re
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import talkburst_core
from harness import TALKBURST, Demo, environment, talkburst

pytestmark = pytest.mark.acceptance

QUICK = {"t1": 0.05, "t2": 0.4, "t4": 0.5}


async def test_wrong_password_is_named_with_its_private_id(demo: Demo) -> None:
    ran = await demo(config={"timers": QUICK, "client": {"password": "mallory"}})
    assert ran.status == 1
    assert re.search(r"wrong password.*alice@ims\.example", ran.log("core"))
    assert "alice@ims.example" in ran.log("client").splitlines()[-1]
    assert "password" in ran.log("client").splitlines()[-1]


async def test_unknown_user_is_named(demo: Demo) -> None:
    config = {"timers": QUICK, "client": {"private_id": "erin@ims.example", "public_id": "sip:erin@ims.example"}}
    ran = await demo(config=config)
    assert ran.status == 1
    assert "erin@ims.example" in ran.log("core")
    assert "erin" in ran.log("client").splitlines()[-1]


@pytest.mark.parametrize("name", ["core", "server", "xdms", "client"])
async def test_wrong_configuration_key_is_named_with_what_would_be_right(name: str, tmp_path: Path) -> None:
    path = tmp_path / "talkburst.toml"
    path.write_text('[core]\ndomian = "ims.example"\n')
    status, out, err = await talkburst(name, "--config", str(path))
    assert (status, out) == (2, "")
    assert str(path) in err
    assert "core.domian" in err
    assert "domain" in err.replace("core.domian", "")
    assert "Traceback" not in err


async def test_wrong_configuration_value_is_named_with_what_would_be_right(tmp_path: Path) -> None:
    path = tmp_path / "talkburst.toml"
    path.write_text("[timers]\nt1 = -1\n")
    status, _, err = await talkburst("core", "--config", str(path))
    assert status == 2
    assert "timers.t1" in err
    assert "-1" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "kind", "flag"),
    [
        ("core", "udp", "--listen"),
        ("core", "tcp", "--listen"),
        ("core", "udp", "--listen-servers"),
        ("core", "tcp", "--listen-servers"),
        ("server", "udp", "--listen"),
        ("server", "tcp", "--listen"),
        ("client", "udp", "--listen"),
        ("client", "tcp", "--listen"),
        ("xdms", "tcp", "--listen"),
    ],
)
async def test_occupied_port_is_named_with_what_names_another_and_exits_with_1(
    name: str, kind: str, flag: str, tmp_path: Path
) -> None:
    socket_kind = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, socket_kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if kind == "tcp":
            holder.listen()
        port = holder.getsockname()[1]
        free = ("--listen", "udp:127.0.0.1:0") if flag != "--listen" else ()
        taken = (flag, f"{kind}:127.0.0.1:{port}")
        status, _, err = await talkburst(name, *free, *taken, "--state", str(tmp_path))
    assert status == 1, err
    assert f"{kind}:127.0.0.1:{port}" in err
    assert "in use" in err
    key = flag.removeprefix("--").replace("-", "_")
    assert f"with {flag}, {name}.{key} or TALKBURST_{name.upper()}__{key.upper()})" in err
    assert "Traceback" not in err


async def test_dead_server_is_named_in_the_core_log_and_the_client_stays_registered(
    demo: Demo, free_port: Callable[[], int]
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    ran = await demo(config={"timers": QUICK, "core": {"hosts": {"poc.ims.example": nobody}}})
    assert ran.status == 1
    assert ran.step(4)["verdict"] == "pass"
    assert re.search(r"sip:poc\.ims\.example.*(refused|unreachable|no answer)", ran.log("core"))


async def test_dead_xdms_fails_step_11_alone(demo: Demo, free_port: Callable[[], int]) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/xcap-root"
    ran = await demo(config={"timers": QUICK, "server": {"xcap_root": nobody}})
    assert ran.status == 1, ran.explain()
    assert ran.report["first_failure"] == 11
    failed = [step["step"] for step in ran.report["steps"] if step["verdict"] != "pass"]
    assert failed == [11]
    assert nobody in ran.log("server")


async def test_daemon_that_dies_at_start_is_shown_with_its_last_words(demo: Demo) -> None:
    ran = await demo(config={"core": {"profiles": "/nowhere/at/all"}})
    assert ran.status == 1
    assert "core" in ran.err
    assert "/nowhere/at/all" in ran.err


async def test_paths_in_a_configuration_of_the_demo_are_relative_to_it(demo: Demo, tmp_path: Path) -> None:
    shutil.copytree(Path(talkburst_core.__file__).parent / "world" / "profiles", tmp_path / "subscribers")
    ran = await demo(config={"core": {"profiles": "subscribers"}})
    assert ran.status == 0, ran.explain()
    assert str(tmp_path / "subscribers") in (ran.directory / "talkburst.toml").read_text()


async def test_configuration_of_the_demo_may_be_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = asyncio.create_task(asyncio.to_thread(pipe.write_text, '[client]\npassword = "mallory"\n'))
    status, out, _ = await talkburst("demo", "--config", str(pipe), "--state", str(tmp_path / "state"))
    await writing
    assert status == 1
    assert "step 3" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo", "--transport", "sctp"), "sctp"),
        (("demo", "--scenario", "third-client"), "third-client"),
        (("check",), "CAPTURE"),
        (("check", "/nowhere.pcap"), "/nowhere.pcap"),
        (("serve",), "serve"),
        (("core", "--listen", "127.0.0.1:5060"), "udp:HOST:PORT"),
        (("core", "--listen", "udp:0.0.0.0:5060"), "advertise"),
    ],
)
async def test_wrong_usage_exits_with_2_and_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    status, _, err = await talkburst(*arguments)
    assert status == 2, err
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["demo", "core", "server", "xdms", "client", "check", "ladder"])
async def test_every_command_has_help(command: str) -> None:
    status, out, _ = await talkburst(command, "--help")
    assert status == 0
    assert "Usage:" in out
    assert "--help" in out


async def line_with(stream: asyncio.StreamReader, text: str, within: float = 60) -> str:
    """The next line that has this text in it."""
    while text not in (line := (await asyncio.wait_for(stream.readline(), within)).decode()):
        assert line, f"ended before it said {text!r}"
    return line


async def test_a_daemon_that_dies_while_the_demo_stays_is_named_and_can_be_started_again(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *TALKBURST, "demo", "--stay", "--state", str(tmp_path), stdout=asyncio.subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    try:
        await line_with(process.stdout, "Ctrl-C")
        status, out, err = await talkburst("core", "show", "--state", str(tmp_path))
        assert status == 0, err
        assert "sip:alice@ims.example" in out
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        core = next(pid for pid in children if b"talkburst_core" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(int(core), signal.SIGKILL)
        assert "SIGKILL" in await line_with(process.stdout, "the core ended")
        again = (await line_with(process.stdout, "start it again: talkburst core")).partition("talkburst ")[2].split()
        second = await asyncio.create_subprocess_exec(
            *TALKBURST, *again, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment()
        )
        assert second.stdout is not None
        await line_with(second.stdout, "ready core", 20)
        status, out, err = await talkburst("core", "show", "--state", str(tmp_path))
        second.terminate()
        assert (await second.wait(), status) == (0, 0), err
        assert "sip:alice@ims.example" in out
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), 30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_demo_ends_its_daemons(number: signal.Signals, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *TALKBURST, "demo", "--stay", "--state", str(tmp_path), stdout=asyncio.subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    await line_with(process.stdout, "32 of 32")
    await line_with(process.stdout, "Ctrl-C")
    children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert len(children) >= 4
    process.send_signal(number)
    await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
