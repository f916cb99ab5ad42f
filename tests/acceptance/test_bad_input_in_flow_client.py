"""Damage in the middle of a flow at the client: in the dialogs that it subscribed, in the answers to what it asks."""

import random
from pathlib import Path

import pytest

from answers import ANSWERED_WITHIN, DatagramPeer, branch_to_be_answered
from damage import damage
from hostile_xml import hostile
from scripted_network import ROOTS, TYPES, Network
from watched import free, watched

pytestmark = pytest.mark.acceptance

SEED = 20261126
BATCH = 40  # damaged messages between two good ones in each dialog
GROWTH = 24 * 1024  # KiB that the client may grow between the first tenth and the end
DATAGRAM = 50_000  # bytes that one surely carries
HOSTILE = {event: [each for _, each in hostile(*root) if len(each) < DATAGRAM] for event, root in ROOTS.items()}


def next_damage(network: Network) -> bytes:
    """A NOTIFY that is damaged, or whose document is hostile."""
    dice = network.dice
    event = dice.choice([*network.dialogs])
    request = network.notify(event)
    if dice.random() < 0.3:
        request.set_body(dice.choice(HOSTILE[event]), dice.choice([*TYPES.values(), "text/plain"]))
        return request.to_bytes()
    return damage(request.to_bytes(), dice)


@pytest.mark.parametrize("count", [2000, pytest.param(8000, marks=pytest.mark.longer)])
async def test_damage_in_the_middle_of_a_flow_leaves_the_client_as_able_as_before(count: int, tmp_path: Path) -> None:
    network = Network(random.Random(SEED))
    awaited: dict[str, bytes] = {}
    early = 0
    async with DatagramPeer.open(network.on_request) as peer:
        network.peer = peer
        config = free(client={"hosts": {"ims.example": "{}:{}".format(*peer.address)}, "registrar": "sip:ims.example"})
        async with watched("client", tmp_path, config) as client:
            target = client.address()
            await peer.until(lambda: network.dialogs.keys() == TYPES.keys())
            for number in range(count):
                if number % BATCH == 0:
                    network.spoils = False
                    await peer.probe(target)
                    await network.make_good(target)
                    network.spoils = True
                data = next_damage(network)
                branch = branch_to_be_answered(data, peer.address[1])
                if branch is not None:
                    awaited[branch] = data
                peer.transport.sendto(data, target)
                if number == count // 10:
                    early = client.memory
            network.spoils = False
            await network.make_good(target)
            await peer.until(lambda: awaited.keys() <= peer.statuses.keys(), ANSWERED_WITHIN)
            unanswered = [data for branch, data in awaited.items() if branch not in peer.statuses]
            assert len(awaited) > count // 4
            assert not unanswered, f"{len(unanswered)} of {len(awaited)}, such as {unanswered[0]!r}"
            assert client.memory - early < GROWTH
