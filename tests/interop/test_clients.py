"""Clients that others wrote, in the place of ours: the demo judges how far each comes."""

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness import DEMO_WITHIN, TALKBURST, command, environment, need, need_module

pytestmark = pytest.mark.acceptance

STRANGERS = Path(__file__).parent / "strangers"


@dataclass
class Judged:
    """What a demo that waits for a client says of it."""

    port: int
    report: dict[str, Any] = field(default_factory=dict)
    log: str = ""

    @property
    def passed(self) -> list[int]:
        return [step["step"] for step in self.report["steps"] if step["verdict"] == "pass"]


@pytest.fixture
def waiting_demo(tmp_path: Path, free_port: Callable[[], int]) -> Callable[[], Any]:
    """`talkburst demo --external client`: entered when it waits, left when it has judged."""

    @asynccontextmanager
    async def start() -> Any:
        clients, servers, server, xdms = (f"127.0.0.1:{free_port()}" for _ in range(4))
        config, report, state = tmp_path / "demo.toml", tmp_path / "report.json", tmp_path / "state"
        tables = {
            "core": {"listen": both(clients), "listen_servers": both(servers)},
            "server": {"listen": both(server)},
            "xdms": {"listen": [f"tcp:{xdms}"]},
        }
        config.write_text(tomli_w.dumps(tables))
        options = ["--external", "client", "--patience", "60", "--wait", "3", "--report", str(report)]
        process = await asyncio.create_subprocess_exec(
            *(*TALKBURST, "demo", "--config", str(config), "--state", str(state), *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(),
        )
        assert process.stdout is not None
        printed = b""
        while b"waiting for a REGISTER" not in printed:
            line = await asyncio.wait_for(process.stdout.readline(), DEMO_WITHIN)
            assert line, printed.decode()
            printed += line
        judged = Judged(int(clients.rpartition(":")[2]))
        try:
            yield judged
        except BaseException:
            process.terminate()
            await process.communicate()
            raise
        rest, _ = await asyncio.wait_for(process.communicate(), DEMO_WITHIN)
        assert b"Traceback" not in rest, rest.decode()
        judged.report = json.loads(report.read_text())
        judged.log = (state / "core.log").read_text()

    return start


def both(address: str) -> list[str]:
    return [f"udp:{address}", f"tcp:{address}"]


async def run(client: str, transport: str, port: int) -> None:
    """A client in a process of its own, to its end, which has to be a good one."""
    status, out, err = await command(sys.executable, str(STRANGERS / client), transport, "127.0.0.1", str(port))
    assert status == 0, out + err


@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.longer)])
async def test_asyncsip_goes_through_the_whole_flow(waiting_demo: Callable[[], Any], transport: str) -> None:
    async with waiting_demo() as judged:
        await run("asyncsip_client.py", transport, judged.port)
    assert judged.passed == list(range(1, 33)), judged.report
    assert "tolerated bare-username" in judged.log
    assert "tolerated short-nonce-count" in judged.log


async def test_aiosip_registers_and_its_missing_tag_is_named(waiting_demo: Callable[[], Any]) -> None:
    async with waiting_demo() as judged:
        await run("aiosip_client.py", "udp", judged.port)
    assert judged.passed == [2, 4], judged.report
    assert judged.report["first_failure"] == 1
    assert "has no +g.poc.talkburst" in judged.report["steps"][0]["why"]
    assert "tolerated qop-without-count" in judged.log


@pytest.mark.longer
async def test_aiosipua_registers_with_the_tag_and_the_poc_server_is_told(waiting_demo: Callable[[], Any]) -> None:
    async with waiting_demo() as judged:
        await run("aiosipua_client.py", "udp", judged.port)
    assert judged.passed == list(range(1, 12)), judged.report
    assert judged.report["first_failure"] == 12
    assert "tolerated" not in judged.log


@pytest.mark.longer
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_baresip_registers_and_its_missing_tag_is_named(waiting_demo: Callable[[], Any], transport: str) -> None:
    need_module("baresip")
    async with waiting_demo() as judged:
        await run("baresip_client.py", transport, judged.port)
    assert judged.passed == [2, 4], judged.report
    assert "has no +g.poc.talkburst" in judged.report["steps"][0]["why"]
    assert "tolerated" not in judged.log


# Files, because sipsak 0.9.8.1 cuts the last digit off a port of five digits when it makes the Request-URI itself.
SIPSAK = """{method} sip:ims.example SIP/2.0
From: <sip:alice@ims.example>;tag=sipsak
To: <sip:alice@ims.example>
Call-ID: {method}-{transport}@127.0.0.1
CSeq: 1 {method}
Contact: <sip:alice@127.0.0.1:9>;+g.poc.talkburst
Max-Forwards: 70
Content-Length: 0

"""


async def test_sipsak_registers_with_the_tag_and_gets_options_answered(
    waiting_demo: Callable[[], Any], tmp_path: Path
) -> None:
    sipsak = need("sipsak")
    async with waiting_demo() as judged:
        for method, transport in (("OPTIONS", "udp"), ("OPTIONS", "tcp"), ("REGISTER", "udp")):
            file = tmp_path / "message.sip"
            file.write_text(SIPSAK.format(method=method, transport=transport))
            target = ("-E", transport, "-s", f"sip:alice@127.0.0.1:{judged.port}")
            credentials = ("-a", "alice", "-u", "alice@ims.example")
            status, out, err = await command(sipsak, "-f", str(file), *credentials, *target)
            assert status == 0, out + err
    assert judged.passed == list(range(1, 12)), judged.report
    assert "tolerated" not in judged.log
