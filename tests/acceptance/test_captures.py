"""The same verdicts from what the daemons report, from the pcap that the demo writes, and from the wire itself."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo_capture import Capture
from harness import Demo, need, talkburst
from tshark import Tshark

pytestmark = pytest.mark.acceptance


def verdicts(report: dict[str, Any]) -> dict[int, str]:
    return {step["step"]: step["verdict"] for step in report["steps"]}


async def check(capture: Path, report: Path) -> tuple[int, dict[str, Any]]:
    status, out, err = await talkburst("check", str(capture), "--report", str(report))
    assert "Traceback" not in out + err
    read: dict[str, Any] = json.loads(report.read_text())
    assert verdicts(read)[28] == "pass", out + err
    return status, read


def both(address: str) -> list[str]:
    """UDP and TCP on one port, as a daemon's `listen` has it."""
    return [f"udp:{address}", f"tcp:{address}"]


class Dumpcap:
    """`dumpcap -i lo` of some ports, while a demo runs on them."""

    def __init__(self, program: str, file: Path, ports: list[int]) -> None:
        self.program, self.file = program, file
        self.filter = " or ".join(f"port {port}" for port in ports)

    async def __aenter__(self) -> "Dumpcap":
        self.process = await asyncio.create_subprocess_exec(
            self.program, "-q", "-i", "lo", "-f", self.filter, "-w", str(self.file), stderr=asyncio.subprocess.PIPE
        )
        assert self.process.stderr is not None
        while line := await asyncio.wait_for(self.process.stderr.readline(), 20):
            if b"File:" in line:  # it says so when the capture is under way
                return self
        pytest.fail("dumpcap ended before it captured")

    async def __aexit__(self, *_: object) -> None:
        self.process.terminate()
        await self.process.communicate()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_demo_pcap_and_dumpcap_give_the_verdicts_of_the_live_run(
    demo: Demo, tmp_path: Path, free_port: Callable[[], int], transport: str
) -> None:
    dumpcap = need("dumpcap")
    written, captured = tmp_path / "demo.pcap", tmp_path / "wire.pcapng"
    ports = [free_port() for _ in range(5)]
    clients, servers, server, client, xdms = (f"127.0.0.1:{port}" for port in ports)
    config = {
        "core": {"listen": both(clients), "listen_servers": both(servers)},
        "server": {"listen": both(server)},
        "client": {"listen": both(client)},
        "xdms": {"listen": [f"tcp:{xdms}"]},
    }
    async with Dumpcap(dumpcap, captured, ports):
        ran = await demo("--pcap", str(written), "--transport", transport, config=config)
    assert ran.status == 0, ran.explain()
    assert list(Tshark(Capture(captured, frozenset(ports[:-1]))).complaints()) == [], "what really was on the wire"
    if transport == "tcp":
        assert b"SIP/2.0/UDP" not in written.read_bytes()
    for capture in (written, captured):
        status, report = await check(capture, tmp_path / f"{capture.stem}.json")
        assert status == 0, capture
        assert verdicts(report) == verdicts(ran.report), capture
        assert [step["message"] for step in report["steps"]] == [step["message"] for step in ran.report["steps"]]


async def test_failing_run_has_its_first_failure_in_its_capture_too(
    demo: Demo, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    written = tmp_path / "demo.pcap"
    ran = await demo("--pcap", str(written), config={"timers": {"t1": 0.05}, "client": {"password": "wrong"}})
    assert ran.status == 1, ran.explain()
    status, out, err = await talkburst("check", str(written), "--report", str(tmp_path / "check.json"))
    report = json.loads((tmp_path / "check.json").read_text())
    assert status == 1, out + err
    assert report["first_failure"] == 4  # the demo knows the password and says 3; a capture does not tell
    assert ran.report["first_failure"] == 3


async def test_damaged_capture_is_a_clear_error(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(b"not a capture at all")
    status, out, err = await talkburst("check", str(damaged))
    assert status == 2, out + err
    assert "damaged.pcap" in err
    assert "Traceback" not in err
