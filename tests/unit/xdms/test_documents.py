import asyncio
import dataclasses
import gzip
import sqlite3
import threading
from typing import TYPE_CHECKING, cast

import pytest

from talkburst.store import Claim, SqliteDocuments
from talkburst.xml import xcap_caps, xcap_directory, xcap_error
from talkburst_xdms.application_usage import RESOURCE_LISTS, USAGES, ApplicationUsage, GroupUri

if TYPE_CHECKING:
    from conftest import Xdms

LISTS = b"""<?xml version="1.0" encoding="UTF-8"?>
<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"> <!-- kept --><list name="oma_pocbuddylist">
<entry uri="sip:bob@ims.example"/></list></resource-lists>"""
RULES = b"""<cp:ruleset xmlns:cp="urn:ietf:params:xml:ns:common-policy" xmlns:poc="urn:oma:xml:poc:poc-rules">
<cp:rule id="a"><cp:actions><poc:allow-invite>pass</poc:allow-invite></cp:actions></cp:rule></cp:ruleset>"""


def group(*uris: str) -> bytes:
    services = "".join(f'<list-service uri="{uri}"/>' for uri in uris)
    return f'<group xmlns="urn:oma:xml:poc:list-service">{services}</group>'.encode()


INDEX = "resource-lists/users/sip:alice@ims.example/index"
POCRULES = "org.openmobilealliance.poc-rules/users/sip:alice@ims.example/pocrules"
GROUPS = "org.openmobilealliance.poc-groups/users/sip:alice@ims.example"
DIRECTORY = "org.openmobilealliance.xcap-directory/users/sip:alice@ims.example/directory.xml"

LISTS_TYPE = "application/resource-lists+xml"
GROUPS_TYPE = "application/vnd.oma.poc.groups+xml"
RULES_TYPE = "application/auth-policy+xml"


async def test_a_document_is_created_read_replaced_and_removed(xdms: "Xdms") -> None:
    created = await xdms.ask("PUT", INDEX, LISTS, Content_Type=LISTS_TYPE)
    assert (created.status, created.body, created.etag) == (201, b"", '"tag-1"')
    assert "Content-Type" not in created.headers
    read = await xdms.ask("GET", INDEX)
    assert (read.status, read.body, read.etag) == (200, LISTS, '"tag-1"')
    assert read.headers["Content-Type"] == LISTS_TYPE
    assert read.headers["Server"] == "XDM-serv/OMA1.1 talkburst"
    replaced = await xdms.ask("PUT", INDEX, LISTS, Content_Type=f"{LISTS_TYPE.upper()}; charset=utf-8")
    assert (replaced.status, replaced.body, replaced.etag) == (200, b"", '"tag-2"')
    head = await xdms.ask("HEAD", INDEX)
    assert (head.status, head.body, head.etag) == (200, b"", '"tag-2"')
    assert head.headers["Content-Length"] == str(len(LISTS))
    assert (await xdms.ask("DELETE", INDEX)).status == 200
    gone = await xdms.ask("GET", INDEX)
    assert (gone.status, gone.text) == (404, "no document 'index' of resource-lists in user sip:alice@ims.example\n")
    assert (await xdms.ask("DELETE", INDEX)).status == 404


@pytest.mark.parametrize(
    ("method", "stored", "condition", "status"),
    [
        ("PUT", False, {"If_None_Match": "*"}, 201),
        ("PUT", True, {"If_None_Match": "*"}, 412),
        ("PUT", True, {"If_Match": '"tag-1"'}, 200),
        ("PUT", True, {"If_Match": "tag-1"}, 200),
        ("PUT", True, {"If_Match": '"old", "tag-1"'}, 200),
        ("PUT", True, {"If_Match": '"old"'}, 412),
        ("PUT", True, {"If_Match": 'W/"tag-1"'}, 412),
        ("PUT", False, {"If_Match": '"tag-1"'}, 412),
        ("PUT", False, {"If_Match": "*"}, 412),
        ("PUT", True, {"If_None_Match": '"tag-1"'}, 412),
        ("DELETE", True, {"If_Match": '"old"'}, 412),
        ("DELETE", True, {"If_Match": "*"}, 200),
        ("DELETE", True, {"If_None_Match": '"tag-1"'}, 412),
        ("DELETE", False, {"If_Match": '"tag-1"'}, 404),
        ("GET", True, {"If_None_Match": '"tag-1"'}, 304),
        ("GET", True, {"If_None_Match": 'W/"tag-1"'}, 304),
        ("GET", True, {"If_None_Match": "*"}, 304),
        ("GET", True, {"If_None_Match": '"old"'}, 200),
        ("GET", True, {"If_Match": '"old"'}, 412),
        ("GET", False, {"If_None_Match": '"tag-1"'}, 404),
        ("HEAD", True, {"If_None_Match": '"tag-1"'}, 304),
    ],
)
async def test_conditions_decide(
    xdms: "Xdms", method: str, stored: bool, condition: dict[str, str], status: int
) -> None:
    if stored:
        await xdms.ask("PUT", INDEX, LISTS, Content_Type=LISTS_TYPE)
    body, content_type = (LISTS, {"Content_Type": LISTS_TYPE}) if method == "PUT" else (None, {})
    answer = await xdms.ask(method, INDEX, body, **content_type, **condition)
    assert answer.status == status
    if status == 304:
        assert (answer.etag, answer.body) == ('"tag-1"', b"")
    if status == 412:
        assert (await xdms.ask("GET", INDEX)).status == (200 if stored else 404)


async def test_of_many_parallel_puts_on_one_version_one_wins(xdms: "Xdms") -> None:
    await xdms.ask("PUT", INDEX, LISTS, Content_Type=LISTS_TYPE)
    answers = await asyncio.gather(
        *(xdms.ask("PUT", INDEX, LISTS, Content_Type=LISTS_TYPE, If_Match='"tag-1"') for _ in range(20))
    )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 19


@pytest.mark.parametrize(
    ("path", "content_type", "body", "condition", "phrase", "field"),
    [
        (INDEX, LISTS_TYPE, b"<resource-lists", "not-well-formed", "not well-formed XML", ""),
        (INDEX, LISTS_TYPE, b"", "not-well-formed", "not well-formed XML", ""),
        (INDEX, LISTS_TYPE, b"<!DOCTYPE a []>" + LISTS, "not-well-formed", "", ""),
        (INDEX, LISTS_TYPE, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "not-well-formed", "entities are not", ""),
        (INDEX, LISTS_TYPE, LISTS.replace(b"kept", b"\xe4"), "not-utf-8", "byte 0xe4 at offset", ""),
        (INDEX, LISTS_TYPE, LISTS.replace(b'"UTF-8"', b'"latin1"'), "not-utf-8", "encoding latin1", ""),
        (INDEX, LISTS_TYPE, RULES, "schema-validation-error", "the root element is ruleset", ""),
        (INDEX, LISTS_TYPE, LISTS.replace(b" uri=", b" url="), "schema-validation-error", "no attribute uri", ""),
        (
            INDEX,
            LISTS_TYPE,
            LISTS.replace(b"<entry ", b'<entry uri="sip:bob@ims.example"/><entry '),
            "uniqueness-failure",
            "uri 'sip:bob@ims.example' is there twice",
            "resource-lists/list/entry[2]/@uri",
        ),
        (POCRULES, RULES_TYPE, RULES.replace(b">pass<", b">never<"), "schema-validation-error", "'never'", ""),
        (f"{GROUPS}/g", GROUPS_TYPE, group("sip:g@elsewhere.example"), "constraint-failure", "not in the domain", ""),
        (f"{GROUPS}/g", GROUPS_TYPE, group("mailto:g@ims.example"), "constraint-failure", "neither a SIP nor", ""),
        (f"{GROUPS}/g", GROUPS_TYPE, group("g"), "constraint-failure", "no scheme", ""),
        (
            f"{GROUPS}/g",
            GROUPS_TYPE,
            group("sip:g@ims.example", "sip:%67@IMS.example;x=y"),
            "uniqueness-failure",
            "is there twice",
            "group/list-service[2]/@uri",
        ),
        (
            f"{GROUPS}/g",
            GROUPS_TYPE,
            group("sip:bob@ims.example"),
            "uniqueness-failure",
            "is taken",
            "group/list-service[1]/@uri",
        ),
    ],
)
async def test_an_invalid_document_gets_409_with_the_condition_and_the_place(
    xdms: "Xdms", path: str, content_type: str, body: bytes, condition: str, phrase: str, field: str
) -> None:
    answer = await xdms.ask("PUT", path, body, Content_Type=content_type)
    assert (answer.status, answer.headers["Content-Type"]) == (409, "application/xcap-error+xml")
    fault = xcap_error.from_xml(answer.body)
    assert (fault.condition, fault.field) == (condition, field)
    assert phrase in fault.phrase
    assert xdms.store.counts() == (0, 0)


async def test_a_group_address_belongs_to_one_document_of_all_users(xdms: "Xdms") -> None:
    crew = group("sip:crew@ims.example")
    assert (await xdms.ask("PUT", f"{GROUPS}/crew", crew, Content_Type=GROUPS_TYPE)).status == 201
    assert (await xdms.ask("PUT", f"{GROUPS}/crew", crew, Content_Type=GROUPS_TYPE)).status == 200
    bobs = "org.openmobilealliance.poc-groups/users/sip:bob@ims.example/mine"
    taken = await xdms.ask(
        "PUT", bobs, group("sip:new@ims.example", "sip:crew@ims.example"), user="sip:bob@ims.example",
        Content_Type=GROUPS_TYPE,
    )  # fmt: skip
    fault = xcap_error.from_xml(taken.body)
    assert (taken.status, fault.condition, fault.field) == (409, "uniqueness-failure", "group/list-service[2]/@uri")
    assert fault.alternatives == ("sip:crew-2@ims.example", "sip:crew-3@ims.example")
    await xdms.ask("DELETE", f"{GROUPS}/crew")
    freed = await xdms.ask("PUT", bobs, crew, user="sip:bob@ims.example", Content_Type=GROUPS_TYPE)
    assert freed.status == 201


async def test_a_group_is_found_by_its_address_by_owner_and_readers_only(xdms: "Xdms") -> None:
    crew = group("sip:crew@ims.example")
    await xdms.ask("PUT", f"{GROUPS}/crew", crew, Content_Type=GROUPS_TYPE)
    by_address = "org.openmobilealliance.poc-groups/global/byGroupID/sip:crew@ims.example"
    for user in ("sip:alice@ims.example", "sip:poc.ims.example"):
        found = await xdms.ask("GET", by_address, user=user)
        assert (found.status, found.body, found.etag) == (200, crew, '"tag-1"')
    assert (await xdms.ask("GET", by_address, user="sip:bob@ims.example")).status == 403
    assert (await xdms.ask("GET", by_address.replace("crew", "nobody"))).status == 404
    refused = await xdms.ask("PUT", by_address, crew, Content_Type=GROUPS_TYPE)
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_document_below_a_missing_directory_has_no_parent(xdms: "Xdms") -> None:
    answer = await xdms.ask("PUT", INDEX.replace("index", "sub/index"), LISTS, Content_Type=LISTS_TYPE)
    fault = xcap_error.from_xml(answer.body)
    assert (answer.status, fault.condition) == (409, "no-parent")
    assert fault.ancestor == "/xcap-root/resource-lists/users/sip:alice@ims.example"
    assert (await xdms.ask("GET", INDEX.replace("index", "sub/index"))).status == 404


@pytest.mark.parametrize("content_type", [{}, {"Content_Type": "application/x-www-form-urlencoded"}])
async def test_a_document_without_type_or_as_form_is_taken(xdms: "Xdms", content_type: dict[str, str]) -> None:
    assert (await xdms.ask("PUT", INDEX, LISTS, **content_type)).status == 201


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"Content_Type": "text/xml"}, "Content-Type is text/xml; a document of resource-lists is " + LISTS_TYPE),
        ({"Content_Type": RULES_TYPE}, "Content-Type is application/auth-policy+xml"),
        ({"Content_Type": LISTS_TYPE, "Content_Encoding": "gzip"}, "Content-Encoding gzip is not taken"),
    ],
)
async def test_another_type_gets_415(xdms: "Xdms", headers: dict[str, str], text: str) -> None:
    body = gzip.compress(LISTS) if "Content_Encoding" in headers else LISTS
    answer = await xdms.ask("PUT", INDEX, body, **headers)
    assert answer.status == 415
    assert answer.text.startswith(text)


async def test_the_directory_lists_documents_with_their_etags_and_changes_its_own(xdms: "Xdms") -> None:
    empty = await xdms.ask("GET", DIRECTORY)
    assert (empty.status, xcap_directory.from_xml(empty.body)) == (200, [])
    await xdms.ask("PUT", INDEX, LISTS, Content_Type=LISTS_TYPE)
    await xdms.ask("PUT", f"{GROUPS}/b%20c", group("sip:b@ims.example"), Content_Type=GROUPS_TYPE)
    await xdms.ask("PUT", f"{GROUPS}/a", group("sip:a@ims.example"), Content_Type=GROUPS_TYPE)
    listed = await xdms.ask("GET", DIRECTORY, user="sip:poc.ims.example")
    assert listed.headers["Content-Type"] == "application/vnd.oma.xcap-directory+xml"
    folders = xcap_directory.from_xml(listed.body)
    assert [(folder.auid, [(entry.uri, entry.etag) for entry in folder.entries]) for folder in folders] == [
        (
            "org.openmobilealliance.poc-groups",
            [(xdms.url(f"{GROUPS}/a"), "tag-3"), (xdms.url(f"{GROUPS}/b%20c"), "tag-2")],
        ),
        ("resource-lists", [(xdms.url(INDEX), "tag-1")]),
    ]
    assert folders[1].entries[0].size == len(LISTS)
    assert folders[1].entries[0].last_modified == 1763812921.0
    assert listed.etag != empty.etag
    assert (await xdms.ask("GET", DIRECTORY, If_None_Match=listed.etag)).status == 304
    assert (await xdms.ask("GET", folders[0].entries[1].uri.removeprefix(xdms.url("")))).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
@pytest.mark.parametrize("path", [DIRECTORY, "xcap-caps/global/index"])
async def test_what_the_server_makes_cannot_be_changed(xdms: "Xdms", method: str, path: str) -> None:
    answer = await xdms.ask(method, path, b"<x/>")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_capabilities_name_every_usage(xdms: "Xdms") -> None:
    answer = await xdms.ask("GET", "xcap-caps/global/index")
    capabilities = xcap_caps.from_xml(answer.body)
    assert answer.headers["Content-Type"] == "application/xcap-caps+xml"
    assert set(capabilities.auids) == {
        "org.openmobilealliance.poc-groups",
        "org.openmobilealliance.poc-rules",
        "org.openmobilealliance.xcap-directory",
        "resource-lists",
        "xcap-caps",
    }
    assert "urn:ietf:params:xml:ns:xcap-caps" in capabilities.namespaces
    assert "urn:oma:xml:poc:list-service" in capabilities.namespaces


@pytest.mark.parametrize("method", ["POST", "PATCH", "OPTIONS"])
async def test_other_methods_on_a_document_get_405(xdms: "Xdms", method: str) -> None:
    answer = await xdms.ask(method, INDEX)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PUT, DELETE")


@pytest.mark.parametrize("selector", ["resource-lists/list[@name=%22x%22]", 'resource-lists/list%5b@name="x"%5d', "a"])
async def test_a_node_selector_is_answered_with_501(xdms: "Xdms", selector: str) -> None:
    answer = await xdms.ask("GET", f"{INDEX}/~~/{selector}")
    assert answer.status == 501
    assert "node selectors are not served" in answer.text


async def test_all_aliases_of_a_user_name_one_home_directory(xdms: "Xdms") -> None:
    await xdms.ask("PUT", INDEX, LISTS, Content_Type=LISTS_TYPE)
    for xui in (
        "alice@ims.example",
        "sip%3Aalice%40IMS.example",
        "tel:+12025550101",
        "tel:+1-202-555-0101",
        "sip:+12025550101@ims.example",
        "sip:+12025550101@ims.example;user=phone",
    ):
        answer = await xdms.ask("GET", f"resource-lists/users/{xui}/index", user="tel:+12025550101")
        assert (answer.status, answer.etag) == (200, '"tag-1"'), xui


async def test_others_are_served_while_a_large_document_is_read(xdms: "Xdms", monkeypatch: pytest.MonkeyPatch) -> None:
    loop, begun, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def read_slowly(body: bytes, domain: str) -> list[GroupUri]:
        loop.call_soon_threadsafe(begun.set)
        if not go_on.wait(5):
            raise AssertionError("nothing else happened meanwhile")
        return []

    slow = dataclasses.replace(USAGES[RESOURCE_LISTS], check=read_slowly)
    monkeypatch.setitem(cast(dict[str, ApplicationUsage], USAGES), RESOURCE_LISTS, slow)
    large = asyncio.ensure_future(xdms.ask("PUT", INDEX, LISTS + b" " * 20_000, Content_Type=LISTS_TYPE))
    await begun.wait()
    assert (await xdms.ask("GET", INDEX)).status == 404
    assert (await xdms.ask("PUT", POCRULES, RULES, Content_Type=RULES_TYPE)).status == 201
    go_on.set()
    assert (await large).status == 201


async def test_a_large_document_is_refused_like_a_small_one(xdms: "Xdms") -> None:
    uris = [f"sip:g{number}@ims.example" for number in range(400)]
    refused = await xdms.ask("PUT", f"{GROUPS}/all", group(*uris, uris[3]), Content_Type=GROUPS_TYPE)
    assert (refused.status, xcap_error.from_xml(refused.body).condition) == (409, "uniqueness-failure")
    refused = await xdms.ask("PUT", f"{GROUPS}/all", group(*uris, "sip:bob@ims.example"), Content_Type=GROUPS_TYPE)
    fault = xcap_error.from_xml(refused.body)
    assert (fault.condition, fault.field) == ("uniqueness-failure", "group/list-service[401]/@uri")
    assert (await xdms.ask("PUT", f"{GROUPS}/all", group(*uris), Content_Type=GROUPS_TYPE)).status == 201
    assert xdms.store.holder(Claim("group-uri", uris[-1])) is not None


async def test_a_full_disk_gets_500_and_leaves_the_old_version(xdms: "Xdms") -> None:
    await xdms.ask("PUT", INDEX, LISTS, Content_Type=LISTS_TYPE)
    assert isinstance(xdms.store, SqliteDocuments)

    def fill(database: sqlite3.Connection) -> None:
        [pages] = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages + 2}")

    await xdms.store._file.run(fill)
    big = LISTS.replace(b"kept", b"x" * 100_000)
    refused = await xdms.ask("PUT", INDEX, big, Content_Type=LISTS_TYPE)
    assert (refused.status, "nothing was changed" in refused.text) == (500, True)
    kept = await xdms.ask("GET", INDEX)
    assert (kept.body, kept.etag) == (LISTS, '"tag-1"')
    assert len(xdms.alarms) == 1
    assert "full" in str(xdms.alarms[0][1]["reason"])
