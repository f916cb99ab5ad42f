"""Damaged messages and noise over TCP: what is whole is answered on its connection, what breaks a stream ends it."""

import random
from pathlib import Path

import pytest

from answers import DatagramPeer, StreamPeer, has_to_be_answered, probe_stream
from damage import damaged, framed, noise
from watched import Address, watched

pytestmark = pytest.mark.acceptance

SEED = 20261123
DAMAGED, NOISE = 8000, 2000
ON_ONE_CONNECTION = 19  # damaged messages that are framed well; one that is not follows them
GROWTH = 24 * 1024  # KiB that a daemon may grow between the first tenth and the end


class Outcome:
    """What had to be answered, and what of it was not."""

    def __init__(self) -> None:
        self.awaited = 0
        self.unanswered: list[bytes] = []


async def send_damaged(target: Address, first: int, dice: random.Random, outcome: Outcome) -> None:
    """One connection: messages that are damaged but whole, then one whose damage may reach the framing."""
    awaited: dict[str, bytes] = {}
    async with StreamPeer.open(target) as peer:
        for number in range(first, first + ON_ONE_CONNECTION):
            data = framed(damaged(number, peer.address, dice, "TCP"))
            call_id = has_to_be_answered(data)
            if call_id is not None:
                awaited[call_id] = data
            peer.send(data)
        await peer.until_answered(awaited)
        peer.send(damaged(first + ON_ONE_CONNECTION, peer.address, dice, "TCP"))
    outcome.awaited += len(awaited)
    outcome.unanswered += [awaited[call_id] for call_id in peer.missing]


async def send_noise(target: Address, dice: random.Random) -> None:
    """One connection with no SIP, or with the beginning of a message; closed in one of the ways that there are."""
    async with StreamPeer.open(target) as peer:
        data = noise(dice) if dice.random() < 0.5 else damaged(dice.randrange(9), peer.address, dice, "TCP")
        peer.send(data[: dice.randrange(len(data))])
        if dice.random() < 0.3:
            peer.reset()


@pytest.mark.parametrize("name", ["core", "server", "client"])
async def test_damaged_streams_and_noise_are_answered_or_closed_and_leave_no_trace(name: str, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    outcome = Outcome()
    early = 0
    rounds = DAMAGED // (ON_ONE_CONNECTION + 1)
    async with watched(name, tmp_path) as daemon, DatagramPeer.open() as peer:
        for number in range(rounds):
            side = number % len(daemon.listeners("tcp"))
            target = daemon.address("tcp", side)
            await send_damaged(target, number * (ON_ONE_CONNECTION + 1), dice, outcome)
            for _ in range(NOISE // rounds):
                await send_noise(target, dice)
            await probe_stream(target)
            await peer.probe(daemon.address("udp", side))
            if number == rounds // 10:
                early = daemon.memory
            assert not outcome.unanswered, f"unanswered, of {outcome.awaited}: {outcome.unanswered[0]!r}"
        await daemon.until_descriptors_are_back()
        assert outcome.awaited > DAMAGED // 4
        assert daemon.memory - early < GROWTH
