"""Damaged messages and noise against the real daemons: answered where they can be, survived always."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from damage import damaged, noise, request
from harness import TALKBURST, environment
from talkburst.sip import Malformed, Request, parse_message

pytestmark = pytest.mark.acceptance

SEED = 20261122
DAMAGED, NOISE = 8000, 2000
BATCH = 40  # datagrams between two probes; what the socket buffer of a busy machine holds
GROWTH = 24 * 1024  # KiB that a daemon may grow between the first tenth and the end


class Peer(asyncio.DatagramProtocol):
    """Sends what it is told and keeps which Call-IDs were answered."""

    def __init__(self) -> None:
        self.answered: set[str] = set()
        self.probes: dict[str, asyncio.Future[bytes]] = {}
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        call_id = getattr(message, "get", lambda name: None)("Call-ID")
        if call_id is None:
            return
        self.answered.add(call_id)
        probe = self.probes.pop(call_id, None)
        if probe is not None:
            probe.set_result(data)

    async def probe(self, number: int, target: tuple[str, int]) -> None:
        """OPTIONS, which has to be answered with 200 within a second."""
        options = request(number, 6, self.transport.get_extra_info("sockname"))
        options = options.replace(b"sip:ims.example SIP", f"sip:{target[0]}:{target[1]} SIP".encode())
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.probes[f"damage-{number}"] = future
        self.transport.sendto(options, target)
        answer = await asyncio.wait_for(future, 1.0)
        assert answer.startswith(b"SIP/2.0 200 "), answer


class Daemon:
    """One daemon as a process on a free port."""

    def __init__(self, process: asyncio.subprocess.Process, address: tuple[str, int], log: Path) -> None:
        self.process, self.address, self.log = process, address, log

    @property
    def memory(self) -> int:
        """Resident KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])


@pytest.fixture
async def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Daemon]:
    name: str = request.param
    config = tmp_path / "talkburst.toml"
    config.write_text(
        "[timers]\nt1 = 0.02\nt2 = 0.1\nt4 = 0.1\n"
        '[core]\nlisten = ["udp:127.0.0.1:0"]\nlisten_servers = ["udp:127.0.0.1:0"]\n'
        '[server]\nlisten = ["udp:127.0.0.1:0"]\n'
        '[client]\nlisten = ["udp:127.0.0.1:0"]\nregistrar = "sip:127.0.0.1:9"\n'
    )
    log = tmp_path / "log"
    with log.open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *TALKBURST,
            name,
            "--config",
            str(config),
            "--state",
            str(tmp_path / "state"),
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
            env=environment(),
        )
    assert process.stdout is not None
    ready = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().split()
    host, _, port = ready[2].removeprefix("udp:").rpartition(":")
    yield Daemon(process, (host, int(port)), log)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) == 0


def has_to_be_answered(data: bytes) -> str | None:
    """The Call-ID of what can be read well enough to be answered."""
    message = parse_message(data)
    if isinstance(message, Malformed):
        message = message.request
    if not isinstance(message, Request) or message.method in ("ACK", "CANCEL"):
        return None
    try:
        parts = (message.via.branch, message.from_, message.to, message.cseq, message.via.host)
    except ValueError:
        return None
    return message.get("Call-ID") if all(parts) and message.get("Call-ID") else None


@pytest.mark.parametrize("daemon", ["core", "server", "client"], indirect=True)
async def test_damaged_datagrams_and_noise_are_answered_or_dropped_and_leave_no_trace(daemon: Daemon) -> None:
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(Peer, local_addr=("127.0.0.1", 0))
    source = transport.get_extra_info("sockname")
    dice = random.Random(SEED)
    awaited: dict[str, bytes] = {}
    early = 0
    try:
        for number in range(DAMAGED + NOISE):
            data = noise(dice) if number % 5 == 4 else damaged(number, source, dice)
            call_id = has_to_be_answered(data)
            # What the damage sends elsewhere is no answer to us.
            if call_id is not None and f"{source[1]}".encode() in data.partition(b"\r\n\r\n")[0]:
                awaited[call_id] = data
            transport.sendto(data, daemon.address)
            if number % BATCH == BATCH - 1:
                await peer.probe(1_000_000 + number, daemon.address)
            if number == (DAMAGED + NOISE) // 10:
                early = daemon.memory
        await peer.probe(2_000_000, daemon.address)
    finally:
        transport.close()
    unanswered = {call_id: data for call_id, data in awaited.items() if call_id not in peer.answered}
    assert len(awaited) > DAMAGED // 4
    assert not unanswered, f"{len(unanswered)} of {len(awaited)}, such as {next(iter(unanswered.values()))!r}"
    assert daemon.memory - early < GROWTH
    log = daemon.log.read_text(errors="replace")
    assert "Traceback" not in log
    assert "internal error" not in log
