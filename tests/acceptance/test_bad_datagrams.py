"""Damaged messages and noise in datagrams: answered where they can be, survived always."""

import random
from pathlib import Path

import pytest

from answers import DatagramPeer, has_to_be_answered
from damage import damaged, noise
from watched import watched

pytestmark = pytest.mark.acceptance

SEED = 20261122
DAMAGED, NOISE = 8000, 2000
BATCH = 40  # datagrams between two probes; what the socket buffer of a busy machine holds
GROWTH = 24 * 1024  # KiB that a daemon may grow between the first tenth and the end


@pytest.mark.parametrize("name", ["core", "server", "client"])
async def test_damaged_datagrams_and_noise_are_answered_or_dropped_and_leave_no_trace(
    name: str, tmp_path: Path
) -> None:
    dice = random.Random(SEED)
    awaited: dict[str, bytes] = {}
    early = 0
    async with watched(name, tmp_path) as daemon, DatagramPeer.open() as peer:
        source = peer.address
        targets = [daemon.address("udp", number) for number in range(len(daemon.listeners("udp")))]
        for number in range(DAMAGED + NOISE):
            target = targets[number // BATCH % len(targets)]
            data = noise(dice) if number % 5 == 4 else damaged(number, source, dice)
            call_id = has_to_be_answered(data)
            # What the damage sends elsewhere is no answer to us.
            if call_id is not None and f"{source[1]}".encode() in data.partition(b"\r\n\r\n")[0]:
                awaited[call_id] = data
            peer.transport.sendto(data, target)
            if number % BATCH == BATCH - 1:
                await peer.probe(target)
            if number == (DAMAGED + NOISE) // 10:
                early = daemon.memory
        await peer.probe(targets[0])
        unanswered = {call_id: data for call_id, data in awaited.items() if call_id not in peer.answered}
        assert len(awaited) > DAMAGED // 4
        assert not unanswered, f"{len(unanswered)} of {len(awaited)}, such as {next(iter(unanswered.values()))!r}"
        assert daemon.memory - early < GROWTH
