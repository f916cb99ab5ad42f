"""Hostile documents for the PoC server: published, told by the reg event, fetched from an XDMS."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from answers import ANSWERED_WITHIN, DatagramPeer, probe_stream
from hostile_xml import heavy, hostile
from scripted_core import ScriptedCore, settings
from watched import Watched, free, watched

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

REGINFO = ("urn:ietf:params:xml:ns:reginfo", "reginfo")
SETTINGS = ("urn:oma:params:xml:ns:poc:poc-settings", "poc-settings")
ENTITY = settings("alice", "manual").decode().partition('poc-settings">')[2].removesuffix("</poc-settings>")
DIRECTORY = ("urn:oma:xml:xdm:xcap-directory", "xcap-directory")
# A stream carries a body of 1 MiB and no more.
PUBLISHED = {what: each for what, each in (*hostile(*SETTINGS, ENTITY), *heavy(*SETTINGS)) if len(each) <= 1 << 20}
TOLD = {what: each for what, each in (*hostile(*REGINFO), *heavy(*REGINFO)) if len(each) <= 1 << 20}
FETCHED = dict((*hostile(*DIRECTORY), *heavy(*DIRECTORY)))
LARGEST_PUBLISHED = 16_384  # bytes of settings
COST = 2.0  # seconds of processor time for one document, of which most take milliseconds
MODE = "<answer-mode>automatic</answer-mode>"


class HostileXdms:
    """Says the same document to every request."""

    def __init__(self) -> None:
        self.document = b""
        self.asked = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                head = f'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: {len(self.document)}\r\n\r\n'
                writer.write(head.encode() + self.document)
                self.asked.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Bench(NamedTuple):
    server: Watched
    core: ScriptedCore
    xdms: HostileXdms


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    xdms = HostileXdms()
    listening = await asyncio.start_server(xdms.answer, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    config = free(server={"notify_interval": 0.0, "xcap_root": f"http://{host}:{port}/xcap-root"})
    async with listening, watched("server", tmp_path_factory.mktemp("server"), config) as server:
        core = await ScriptedCore.open(server.address("tcp"), "tcp")
        assert (await core.register("alice")).status == 200
        assert (await core.publish("alice", "automatic")).status == 200
        yield Bench(server, core, xdms)
        await core.close()


async def is_well(bench: Bench) -> None:
    async with DatagramPeer.open() as peer:
        await peer.probe(bench.server.address())
    await probe_stream(bench.server.address("tcp"))
    # What alice published before all this is what is shown of her.
    watch = await asyncio.wait_for(bench.core.watch("alice"), ANSWERED_WITHIN)
    assert MODE.encode() in watch.last.body
    assert (await bench.core.subscribe(watch, 0)).status == 200


@pytest.mark.parametrize("what", PUBLISHED)
async def test_a_hostile_document_that_is_published_is_refused(bench: Bench, what: str) -> None:
    publish = bench.core.settings_publish("alice", "manual")
    publish.set_body(PUBLISHED[what], "application/poc-settings+xml")
    spent = bench.server.processor
    answer = await bench.core.ask(publish)
    assert answer.status == (413 if len(PUBLISHED[what]) > LARGEST_PUBLISHED else 400), answer.start_line
    assert bench.server.processor - spent < COST
    await is_well(bench)


@pytest.mark.parametrize("what", TOLD)
async def test_a_hostile_document_of_the_reg_event_changes_nothing(bench: Bench, what: str) -> None:
    assert (await bench.core.register("alice")).status == 200
    await bench.core.until(lambda: bench.core.reg_subscribes["alice"])
    notify = bench.core.reg_notify("alice")
    notify.set_body(TOLD[what], "application/reginfo+xml")
    spent = bench.server.processor
    answer = await bench.core.ask(notify)
    assert answer.status in (200, 400), answer.start_line
    assert bench.server.processor - spent < COST
    await is_well(bench)


@pytest.mark.parametrize("what", FETCHED)
async def test_a_hostile_document_that_is_fetched_holds_nothing_up(bench: Bench, what: str) -> None:
    bench.xdms.document = FETCHED[what]
    bench.xdms.asked.clear()
    spent = bench.server.processor
    assert (await bench.core.register("alice")).status == 200
    await asyncio.wait_for(bench.xdms.asked.wait(), ANSWERED_WITHIN)
    await is_well(bench)
    assert bench.server.processor - spent < COST
