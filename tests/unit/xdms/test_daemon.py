import json
import socket
import sqlite3
from pathlib import Path

import aiohttp
import pytest
from pydantic import ValidationError

from talkburst.daemon.log import Log
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.daemon.shown import select
from talkburst.daemon.start_error import StartError
from talkburst.obs.trace import Trace
from talkburst.xcap import XcapClient, user_document
from talkburst.xcap.client import XcapAnswer
from talkburst.xml import MAX_BYTES
from talkburst_xdms.daemon import XdmsDaemon
from talkburst_xdms.http_server import MAX_BODY

INDEX = user_document("resource-lists", "sip:alice@ims.example", "index")
LISTS = b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>'
LISTS_TYPE = "application/resource-lists+xml"


def daemon(tmp_path: Path, **keys: object) -> XdmsDaemon:
    settings = Settings.model_validate({"state": str(tmp_path), "xdms": {"listen": ["tcp:127.0.0.1:0"], **keys}})
    return XdmsDaemon(settings, Trace("xdms"), Log("xdms"))


async def test_documents_survive_a_restart_and_show_counts_them(tmp_path: Path) -> None:
    etags = []
    for status in (404, 200):
        xdms = daemon(tmp_path)
        [address] = await xdms.start()
        assert address.startswith("tcp:127.0.0.1:")
        client = XcapClient(f"http://{address.removeprefix('tcp:')}/xcap-root", "alice", "alice")
        found = await client.get(INDEX)
        assert found.status == status
        etags.append(found.etag)
        if status == 404:
            etags.append((await client.put(INDEX, LISTS, LISTS_TYPE)).etag)
            shown = select(xdms.show(), of="alice@ims.example")
            assert shown["owners"] == [
                {
                    "identity": "sip:alice@ims.example",
                    "aliases": ["sip:+12025550101@ims.example;user=phone", "tel:+12025550101"],
                    "documents": [{"document": "resource-lists/index", "etag": etags[1], "size": len(LISTS)}],
                }
            ]
            shown = select(xdms.show(), limit=0)
            assert shown == {
                "root": "/xcap-root",
                "accounts": 4,
                "documents": 1,
                "users": 1,
                "answers": {"201": 1, "401": 1, "404": 1},
                "malformed": 0,
                "owners": [],
                "more": {"owners": 4},
            }
            json.dumps(select(xdms.show()))
        await client.close()
        await xdms.stop()
    assert etags[0] is None
    assert etags[1] == etags[2]


async def test_the_demo_accounts_fit_the_poc_server(tmp_path: Path) -> None:
    xdms = daemon(tmp_path)
    [address] = await xdms.start()
    client = XcapClient(f"http://{address.removeprefix('tcp:')}/xcap-root", "sip:poc.ims.example", "poc")
    for xui in ("sip:alice@ims.example", "tel:+12025550101", "sip:+12025550102@ims.example", "sip:dave@ims.example"):
        uri = user_document("org.openmobilealliance.xcap-directory", xui, "directory.xml")
        assert (await client.get(uri)).status == 200
    await client.close()
    await xdms.stop()


@pytest.mark.parametrize(("lenient", "status"), [(True, 201), (False, 415)])
async def test_the_setting_decides_about_documents_without_a_type(tmp_path: Path, lenient: bool, status: int) -> None:
    xdms = daemon(tmp_path, lenient_content_type=lenient, asserted_peers=["127.0.0.0/8"])
    [address] = await xdms.start()
    async with aiohttp.ClientSession() as session:
        answer = await session.put(
            f"http://{address.removeprefix('tcp:')}/xcap-root/{INDEX}",
            data=LISTS,
            headers={"X-XCAP-Asserted-Identity": "sip:alice@ims.example"},
            skip_auto_headers=["Content-Type"],
        )
        assert answer.status == status
    await xdms.stop()


async def test_nobody_has_more_or_larger_documents_than_the_settings_allow(tmp_path: Path) -> None:
    xdms = daemon(tmp_path, max_documents=2, max_document_size=200)
    [address] = await xdms.start()
    client = XcapClient(f"http://{address.removeprefix('tcp:')}/xcap-root", "alice", "alice")
    other = XcapClient(f"http://{address.removeprefix('tcp:')}/xcap-root", "bob", "bob")

    async def put(name: str, xui: str = "sip:alice@ims.example", body: bytes = LISTS) -> XcapAnswer:
        asker = other if "bob" in xui else client
        return await asker.put(user_document("resource-lists", xui, name), body, LISTS_TYPE)

    assert [(await put(name)).status for name in ("one", "two", "one")] == [201, 201, 200]
    refused = await put("three", "tel:+12025550101")
    assert refused.status == 507
    assert refused.body == (
        b"a user may have 2 documents here, and sip:alice@ims.example has them; delete one, or replace one\n"
    )
    assert (await put("one", "sip:bob@ims.example")).status == 201
    assert (await client.delete(user_document("resource-lists", "sip:alice@ims.example", "one"))).status == 200
    assert (await put("three")).status == 201
    assert (await put("three", body=LISTS + b" " * (200 - len(LISTS)))).status == 200
    large = await put("three", body=LISTS + b" " * (201 - len(LISTS)))
    assert (large.status, large.body) == (413, b"the body has more than 200 bytes, which is the limit here\n")
    kept = await client.get(user_document("resource-lists", "sip:alice@ims.example", "three"))
    assert len(kept.body) == 200
    for each in (client, other):
        await each.close()
    await xdms.stop()


async def test_a_lower_limit_takes_nothing_away(tmp_path: Path) -> None:
    one, two, three = (user_document("resource-lists", "sip:alice@ims.example", name) for name in "123")
    for limit, expected in ((2, {one: 201, two: 201, three: 507}), (1, {one: 200, two: 200, three: 507})):
        xdms = daemon(tmp_path, max_documents=limit)
        [address] = await xdms.start()
        client = XcapClient(f"http://{address.removeprefix('tcp:')}/xcap-root", "alice", "alice")
        assert {uri: (await client.put(uri, LISTS, LISTS_TYPE)).status for uri in expected} == expected
        await client.close()
        await xdms.stop()


def test_documents_may_be_as_large_as_xml_is_read() -> None:
    assert Settings().xdms.max_document_size == MAX_BYTES == MAX_BODY
    with pytest.raises(ValidationError, match="max_document_size"):
        Settings.model_validate({"xdms": {"max_document_size": MAX_BYTES + 1}})


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"listen": ["udp:127.0.0.1:8080"]}, "xdms.listen: udp:127.0.0.1:8080: the XDMS speaks HTTP"),
        ({"asserted_peers": ["edge.ims.example"]}, "xdms.asserted_peers: edge.ims.example is no address"),
        ({"readers": {"sip:alice@ims.example": {"password": "x"}}}, "'sip:alice@ims.example' belongs to two accounts"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path: Path, keys: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        daemon(tmp_path, **keys)


async def test_a_socket_that_was_handed_over_is_served(tmp_path: Path) -> None:
    handed = socket.create_server(("127.0.0.1", 0))
    port = handed.getsockname()[1]
    xdms = daemon(tmp_path, listen=[f"tcp:fd:{handed.detach()}", "tcp:127.0.0.1:0"])
    addresses = await xdms.start()
    assert addresses[0] == f"tcp:127.0.0.1:{port}"
    assert len(set(addresses)) == 2
    for address in addresses:
        client = XcapClient(f"http://{address.removeprefix('tcp:')}/xcap-root", "alice", "alice")
        assert (await client.get(INDEX)).status == 404
        await client.close()
    await xdms.stop()


async def test_a_peer_may_be_named_by_the_hosts_table(tmp_path: Path) -> None:
    xdms = daemon(tmp_path, asserted_peers=["ims.example", "10.0.0.0/8"])
    assert xdms._peers == ["127.0.0.1/32", "10.0.0.0/8"]
    await xdms.stop()


async def test_a_store_that_cannot_be_opened_is_told_with_a_remedy(tmp_path: Path) -> None:
    newer = sqlite3.connect(tmp_path / "xdms.db")
    newer.execute("PRAGMA user_version = 2")
    newer.close()
    xdms = daemon(tmp_path)
    with pytest.raises(StartError, match=r"xdms.db: a newer version .*--state DIR"):
        await xdms.start()
    await xdms.stop()
