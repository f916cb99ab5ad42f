"""A daemon as a process: the ready line, signals, exit codes, and what is said when it can not start."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from talkburst.obs.frame import Frame
from talkburst.obs.hep import HepCollector

TOY = Path(__file__).with_name("toy.py")
TIMEOUT = 20.0

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the toy with its own state directory; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, fault: str = "", stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        listen = () if "--listen" in arguments or fault == "default" else ("--listen", "udp:127.0.0.1:0")
        environ = {key: value for key, value in os.environ.items() if not key.startswith("TALKBURST")}
        process = subprocess.Popen(
            [sys.executable, "-P", str(TOY), "--state", str(tmp_path / "s"), *listen, *arguments],
            env={**environ, "TOY_FAULT": fault},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ready(process: subprocess.Popen[str]) -> str:
    """The address in the ready line, for which it waits."""
    assert process.stdout is not None
    words = process.stdout.readline().split()
    assert words[:2] == ["ready", "core"]
    return words[2]


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and standard error."""
    _, errors = process.communicate(timeout=TIMEOUT)
    return process.returncode, errors


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read standard error up to a line that holds the text."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"the daemon ended without {text!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("fault", "loop"), [("", "uvloop"), ("no uvloop", "asyncio")])
def test_it_says_ready_answers_and_ends_when_told(start: Start, number: int, fault: str, loop: str) -> None:
    daemon = start("--domain", "x.example", fault=fault)
    assert ready(daemon).startswith("udp:127.0.0.1:")
    show = start("show", "--json")
    shown, _ = show.communicate(timeout=TIMEOUT)
    assert '"domain": "x.example"' in shown
    assert f'"loop": "{loop}' in shown
    daemon.send_signal(number)
    code, log = ended(daemon)
    assert code == 0
    assert "info    core: stopped" in log
    assert "Traceback" not in log


def test_a_further_command_asks_the_running_daemon(start: Start, tmp_path: Path) -> None:
    ready(start("--control", str(tmp_path / "c.sock")))
    for arguments in (["--control", str(tmp_path / "c.sock"), "say"], ["say", "--control", str(tmp_path / "c.sock")]):
        say = start(*arguments)
        assert say.communicate(timeout=TIMEOUT)[0] == "hello\n"
        assert say.returncode == 0


def test_asking_when_nothing_runs_is_one_line_and_exit_code_1(start: Start) -> None:
    code, errors = ended(start("show"))
    assert code == 1
    assert errors.startswith("core: nothing answers on ")
    assert errors.count("\n") == 1


def test_a_signal_before_ready_ends_it_too(start: Start) -> None:
    daemon = start(fault="start hangs")
    wait_for(daemon, "starting")
    daemon.terminate()
    assert ended(daemon)[0] == 0


def test_a_drain_that_takes_too_long_is_cut_off(start: Start) -> None:
    daemon = start(fault="stop hangs, short drain")
    ready(daemon)
    daemon.terminate()
    code, log = ended(daemon)
    assert code == 1
    assert "not drained in time, ended all the same seconds=0.2" in log


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    daemon = start(fault="stop hangs")
    ready(daemon)
    daemon.terminate()
    wait_for(daemon, "stop hangs")
    daemon.terminate()
    code, log = ended(daemon)
    assert code == 1
    assert "second signal, ending at once signal=SIGTERM" in log


def test_a_daemon_that_sees_no_sense_in_going_on_says_why(start: Start, tmp_path: Path) -> None:
    daemon = start(fault="ends")
    ready(daemon)
    code, log = ended(daemon)
    assert code == 1
    assert log.splitlines()[-1] == "core: the password is wrong"
    assert list((tmp_path / "s").iterdir()) == []


def test_a_fault_while_stopping_is_logged_and_the_socket_removed(start: Start, tmp_path: Path) -> None:
    daemon = start(fault="stop fails")
    ready(daemon)
    daemon.terminate()
    code, log = ended(daemon)
    assert code == 1
    assert "core: fault while stopping" in log
    assert list((tmp_path / "s").iterdir()) == []


@pytest.mark.parametrize("fault", ["", "no uvloop"])
def test_an_occupied_address_is_one_line_that_says_what_to_do(start: Start, tmp_path: Path, fault: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        code, errors = ended(start("--listen", f"udp:127.0.0.1:{port}", fault=fault))
    assert code == 1
    assert "address already in use (another program holds it; stop that one, or give another" in errors.lower()
    assert errors.startswith("core: cannot listen on ")
    assert f"127.0.0.1:{port}" in errors
    assert errors.count("\n") == 1
    assert list((tmp_path / "s").iterdir()) == []


def test_a_second_instance_is_told_of_the_first_which_goes_on(start: Start) -> None:
    first = start()
    ready(first)
    code, errors = ended(start())
    assert code == 1
    assert errors.startswith("core: a core is running already, it answers on ")
    assert start("show").communicate(timeout=TIMEOUT)[0] != ""


@pytest.mark.parametrize(
    ("arguments", "fault", "said"),
    [
        (["--listen", "x"], "", 'core: --listen: core.listen[0] = "x": must be udp:HOST:PORT'),
        (["--listen", "udp:0.0.0.0:0"], "", "core: --listen: core.listen: udp:0.0.0.0:0 listens on every address"),
        (["--config", "/nowhere.toml"], "", "core: /nowhere.toml: cannot read this configuration file"),
        ([], "make", "core: core.profiles: /nowhere is no directory"),
        (["--log-level", "loud"], "", "Usage: "),
        (["--no-such-flag"], "", "Usage: "),
    ],
)
def test_wrong_usage_and_configuration_are_exit_code_2(
    start: Start, arguments: list[str], fault: str, said: str
) -> None:
    code, errors = ended(start(*arguments, fault=fault))
    assert code == 2
    assert errors.startswith(said)
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pcap", "/dev/full"], "core: cannot write the capture /dev/full: no space left on device (--pcap FILE"),
        (["--pcap", "/nowhere/x.pcap"], "core: cannot write the capture /nowhere/x.pcap: no such file or directory"),
        (["--state", "/dev/null/x"], "core: cannot make the state directory /dev/null/x: Not a directory; name"),
        (["--control", "/nowhere/x.sock"], "core: cannot make the control socket /nowhere/x.sock: No such file"),
    ],
)
def test_what_else_keeps_it_from_starting_is_one_line_and_exit_code_1(
    start: Start, arguments: list[str], said: str
) -> None:
    code, errors = ended(start(*arguments))
    assert (code, errors.count("\n")) == (1, 1)
    assert errors.startswith(said)


def test_a_fault_of_ours_is_a_log_line_with_its_traceback(start: Start) -> None:
    code, errors = ended(start(fault="bug"))
    assert code == 1
    assert "error   core: ended by a fault\nTraceback (most recent call last):" in errors


def test_nobody_has_to_read_the_ready_line(start: Start) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    daemon = start(stdout=writing)
    os.close(writing)
    wait_for(daemon, "ready")
    daemon.terminate()
    code, errors = ended(daemon)
    assert code == 0
    assert "Broken" not in errors


def test_nobody_has_to_read_the_log(start: Start) -> None:
    daemon = start()
    assert daemon.stderr is not None
    daemon.stderr.close()
    daemon.stderr = None
    ready(daemon)
    daemon.terminate()
    assert daemon.wait(TIMEOUT) == 0


@pytest.mark.parametrize("fault", ["", "no uvloop"])
async def test_every_message_reaches_a_collector_up_to_the_last(start: Start, fault: str, tmp_path: Path) -> None:
    frames: list[Frame] = []
    collector = HepCollector(frames.append)
    host, port = await collector.listen()
    capture = tmp_path / "{name}.pcap"
    daemon = start("--hep", f"tcp:{host}:{port}", "--pcap", str(capture), fault=fault)
    await asyncio.to_thread(ready, daemon)
    daemon.terminate()
    assert (await asyncio.to_thread(ended, daemon))[0] == 0
    async with asyncio.timeout(TIMEOUT):
        while len(frames) < 2:  # noqa: ASYNC110 - the collector's callback is the event
            await asyncio.sleep(0.01)
    assert [frame.payload[:18] for frame in frames] == [b"OPTIONS sip:start ", b"OPTIONS sip:stop S"]
    assert {frame.node for frame in frames} == {"core"}
    assert b"sip:stop" in (tmp_path / "core.pcap").read_bytes()
    await collector.close()
