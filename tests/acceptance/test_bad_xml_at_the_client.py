"""Hostile documents for the client, in the NOTIFYs of what it watches: answered, cheap, and without effect."""

import random
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from answers import DatagramPeer, StreamPeer, probe_stream
from hostile_xml import heavy, hostile
from scripted_network import ROOTS, TYPES, Network
from watched import Watched, free, watched

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

MOST = 1 << 20  # bytes; a stream carries a body of that length and no more
COST = 2.0  # seconds of processor time for one document, of which most take milliseconds
DOCUMENTS = {
    (event, what): document
    for event, root in ROOTS.items()
    for what, document in (*hostile(*root), *heavy(*root))
    if len(document) <= MOST
}


class Bench(NamedTuple):
    client: Watched
    network: Network


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    network = Network(random.Random(0))
    async with DatagramPeer.open(network.on_request) as peer:
        network.peer = peer
        config = free(client={"hosts": {"ims.example": "{}:{}".format(*peer.address)}, "registrar": "sip:ims.example"})
        async with watched("client", tmp_path_factory.mktemp("client"), config) as client:
            await peer.until(lambda: network.dialogs.keys() == TYPES.keys())
            yield Bench(client, network)


@pytest.mark.parametrize(("event", "what"), DOCUMENTS)
async def test_a_hostile_document_that_the_client_is_told_changes_nothing(bench: Bench, event: str, what: str) -> None:
    client, network = bench
    notify = network.notify(event, "TCP")
    notify.set_body(DOCUMENTS[event, what], TYPES[event])
    dialogs = {each: subscribe.call_id for each, subscribe in network.dialogs.items()}
    spent = client.processor
    async with StreamPeer.open(client.address("tcp")) as peer:
        peer.send(notify.to_bytes())
        await peer.until_answered({notify.call_id})
        assert [answer.status in (200, 400) for answer in peer.answers] == [True]
    assert client.processor - spent < COST
    await network.peer.probe(client.address())
    await probe_stream(client.address("tcp"))
    await network.make_good(client.address())
    assert {each: subscribe.call_id for each, subscribe in network.dialogs.items()} == dialogs
