"""Hostile documents for the XDMS: refused as RFC 4825 says, cheaply, and nothing of them is stored."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from hostile_xml import MOST, heavy, hostile
from http_damage import USAGES, Reply, Usage, XdmUser
from talkburst.xml.xcap_error import MEDIA_TYPE as XCAP_ERROR
from watched import Watched, watched

pytestmark = [pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

ROOTS = {
    "resource-lists": ("urn:ietf:params:xml:ns:resource-lists", "resource-lists"),
    "poc-groups": ("urn:oma:xml:poc:list-service", "group"),
    "poc-rules": ("urn:ietf:params:xml:ns:common-policy", "ruleset"),
}
# Seconds of processor time. A good request costs a few milliseconds; a document that no parser may see is as cheap
# as its octets, one that is read to its end is bounded by the limit on them.
UNREAD, READ = 0.1, 2.0
GROWTH = 64 * 1024  # KiB; what the tree of one document may have taken and the allocator keeps
ENCODINGS = {b"not-utf-8", b"not-well-formed"}


class Xdms(NamedTuple):
    daemon: Watched
    alice: XdmUser
    bob: XdmUser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def xdms(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Xdms]:
    async with watched("xdms", tmp_path_factory.mktemp("xdms")) as daemon:
        alice, bob = (XdmUser(name, daemon.address("tcp")) for name in ("alice", "bob"))
        for usage in USAGES.values():
            assert (await put(alice, usage, usage.document.encode())).status == 201
        await bob.probe()
        yield Xdms(daemon, alice, bob)
        await daemon.until_descriptors_are_back()


async def put(user: XdmUser, usage: Usage, document: bytes, *headers: str) -> Reply:
    fields = headers or (f"Content-Type: {usage.media_type}",)
    return await user.ask("PUT", user.path(usage.path), document, *fields)


async def tried(xdms: Xdms, usage: Usage, document: bytes, *headers: str) -> tuple[Reply, float]:
    """The answer to a document and the processor time it took; meanwhile and afterwards another user is served."""
    before = await xdms.alice.ask("GET", xdms.alice.path(usage.path))
    memory, spent = xdms.daemon.memory, xdms.daemon.processor
    putting = asyncio.ensure_future(put(xdms.alice, usage, document, *headers))
    await asyncio.sleep(0)
    await xdms.bob.probe()
    reply = await putting
    spent = xdms.daemon.processor - spent
    await xdms.bob.probe()
    assert xdms.daemon.memory - memory < GROWTH
    after = await xdms.alice.ask("GET", xdms.alice.path(usage.path))
    if reply.status >= 400:
        assert (after.headers["etag"], after.body) == (before.headers["etag"], before.body)
    else:
        assert after.body == document
    return reply, spent


CASES = [pytest.param(name, what, id=f"{name}-{what}") for name, root in ROOTS.items() for what, _ in hostile(*root)]
HEAVY = [pytest.param(name, what, id=f"{name}-{what}") for name, root in ROOTS.items() for what, _ in heavy(*root)]


@pytest.mark.parametrize(("name", "what"), CASES)
async def test_a_hostile_document_is_refused_and_leaves_the_one_before(xdms: Xdms, name: str, what: str) -> None:
    document = dict(hostile(*ROOTS[name]))[what]
    reply, spent = await tried(xdms, USAGES[name], document)
    if len(document) > MOST:
        assert reply.status == 413
    else:
        assert reply.status == 409
        assert reply.headers["content-type"].startswith(XCAP_ERROR)
        assert reply.body.startswith(b"<?xml")
        conditions = (b"not-utf-8", b"not-well-formed", b"schema-validation-error")
        assert sum(b"<" + condition in reply.body for condition in conditions) == 1, reply.body
    assert len(reply.body) < 2000
    assert spent < (READ if what.startswith("deep") else UNREAD)


@pytest.mark.parametrize(("name", "what"), HEAVY)
async def test_a_heavy_document_costs_no_more_than_its_length(xdms: Xdms, name: str, what: str) -> None:
    document = dict(heavy(*ROOTS[name]))[what]
    assert len(document) <= MOST
    reply, spent = await tried(xdms, USAGES[name], document)
    assert reply.status in (200, 409)
    assert len(reply.body) < 2000
    assert spent < READ


@pytest.mark.parametrize("name", USAGES)
async def test_a_document_under_the_type_of_another_or_compressed_is_refused(xdms: Xdms, name: str) -> None:
    usage = USAGES[name]
    document = usage.document.encode()
    bomb = zlib.compress(b" " * (64 << 20), wbits=31)
    reply, spent = await tried(xdms, usage, bomb, f"Content-Type: {usage.media_type}", "Content-Encoding: gzip")
    assert reply.status == 415
    assert spent < UNREAD
    for other in ("application/sdp", "text/xml", "application/xcap-el+xml", "application/gzip"):
        reply, _ = await tried(xdms, usage, document, f"Content-Type: {other}")
        assert reply.status == 415
