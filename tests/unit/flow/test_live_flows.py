"""`talkburst check --hep --flows N` as a process, fed over TCP: each flow is shown when it is decided."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable

import pytest
from click.testing import CliRunner

from talkburst.check import check
from talkburst.obs.frame import Frame
from talkburst.obs.hep import HepSink

LIMIT = 20.0  # seconds that anything may take
ALICE = ("urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a", "false", "automatic")


class Judge:
    """The running command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen = ""

    async def send(self, frames: Iterable[Frame]) -> None:
        address = self.seen.split("tcp:")[1].partition(";")[0]
        host, _, port = address.partition(":")
        sink = HepSink("tcp", host, int(port))
        await sink.start()
        for frame in frames:
            sink.frame(frame)
        await sink.close()

    async def until(self, text: str) -> None:
        """Read up to the line that holds the text."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT):
            while text not in self.seen.rpartition("\n")[2]:
                line = await self.process.stdout.readline()
                assert line, f"ended without {text!r}:\n{self.seen}"
                self.seen = f"{self.seen}\n{line.decode().rstrip()}"

    async def end(self) -> int:
        out, err = await asyncio.wait_for(self.process.communicate(), LIMIT)
        assert err == b""
        self.seen += out.decode()
        assert self.process.returncode is not None
        return self.process.returncode


@pytest.fixture
async def judge() -> AsyncIterator[Callable[..., object]]:
    running: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str) -> Judge:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "talkburst", "check", "--hep", "tcp:127.0.0.1:0", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        running.append(process)
        judge = Judge(process)
        await judge.until("listening for HEP3 on ")
        return judge

    yield start
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def second(author, start):
    """The flow of alice's second client, which finds the settings of the first."""
    return author(
        client=("192.0.2.11", 5091),
        name="b",
        instance="urn:uuid:0b0b0b0b-0000-4000-8000-00000000000b",
        start=start,
        shown_before=(ALICE,),
        published=("false", "manual"),
    ).write()


async def test_each_flow_is_shown_as_soon_as_it_is_decided_and_once(judge, author):
    live = await judge("--flows", "2")
    await live.send(author(start=time.time() - 0.5).write().reported())
    await live.until("pass: 32 of 32 steps passed")
    assert "192.0.2.10:5090, Call-ID" in live.seen
    assert live.process.returncode is None
    await live.send(second(author, time.time() - 0.5).reported())
    assert await live.end() == 0
    assert live.seen.count("pass: 32 of 32 steps passed") == 2
    assert live.seen.count("192.0.2.10:5090, Call-ID") == 1
    assert live.seen.count("192.0.2.11:5091, Call-ID") == 1


async def test_what_core_and_server_go_on_with_from_an_earlier_registration_is_no_flow(judge, author):
    """After a restart the server may renew its subscription long before a client comes."""
    live = await judge()
    earlier = author(name="z", start=time.time() - 60).write().only(7, 8)
    await live.send(earlier.reported())
    await live.until("7 SUBSCRIBE reg")
    await live.send(author(start=time.time() - 0.5).write().reported())
    assert await live.end() == 0
    assert "pass: 32 of 32 steps passed" in live.seen


async def test_a_flow_that_failed_decides_the_exit_code_and_the_newest_is_the_report(judge, author, tmp_path):
    live = await judge("--flows", "2", "--wait", "2", "--report", str(tmp_path / "report.json"))
    await live.send(author(start=time.time() - 0.5).write().without(32).reported())
    await live.until("fail: 31 of 32 steps passed")
    await live.send(second(author, time.time() - 0.5).reported())
    assert await live.end() == 1
    assert "pass: 32 of 32 steps passed" in live.seen
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["verdict"], "192.0.2.11:5091" in report["flow"]["contact"]) == ("pass", True)


async def test_a_signal_ends_it_and_what_was_shown_is_not_shown_again(judge, author):
    live = await judge("--flows", "3")
    await live.send(author(start=time.time() - 0.5).write().reported())
    await live.until("pass: 32 of 32 steps passed")
    live.process.send_signal(signal.SIGTERM)
    assert await live.end() == 0
    assert live.seen.count("32 of 32") == 1


def test_of_a_capture_every_flow_is_judged_so_that_a_number_of_them_is_wrong_usage(tmp_path):
    result = CliRunner().invoke(check, [str(tmp_path / "flow.pcap"), "--flows", "2"])
    assert result.exit_code == 2
    assert "--flows goes with --hep; of a CAPTURE every flow is judged" in result.output
