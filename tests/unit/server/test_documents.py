"""Step 11: which XDM documents are fetched, and what an XDMS that fails costs."""

import asyncio

import pytest

from talkburst.xcap.client import XcapAnswer, XcapUnreachableError
from talkburst.xml.xcap_directory import DirectoryEntry, Folder, to_xml
from talkburst_server.documents import UserDocuments

ALICE = "sip:alice@ims.example"
TEL = "tel:+12025550101"
GROUPS = "org.openmobilealliance.poc-groups"


def directory(*uris, auid=GROUPS):
    return to_xml(
        [Folder("resource-lists", [DirectoryEntry("/resource-lists/users/x/index", "e")]), folder(auid, uris)]
    )


def folder(auid, uris):
    return Folder(auid, [DirectoryEntry(uri, "e1") for uri in uris])


class Xdms:
    """Documents by their URI below the root; remembers what was asked for."""

    root_path = "/xcap-root"

    def __init__(self, documents=()):
        self.documents = dict(documents)
        self.asked = []
        self.status = None
        self.gate = None
        self.reached = asyncio.Event()

    async def get(self, uri, etag=None):
        self.asked.append((str(uri), etag))
        self.reached.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.status == "dead":
            raise XcapUnreachableError("GET http://127.0.0.1:8080/xcap-root: connection refused")
        if self.status is not None:
            return XcapAnswer(self.status)
        body = self.documents.get(str(uri))
        if body is None:
            return XcapAnswer(404)
        tag = f"e{hash(body)}"
        return XcapAnswer(304, tag) if etag == tag else XcapAnswer(200, tag, body, "text/xml")


@pytest.fixture
def poc():
    return Xdms()


@pytest.fixture
def shared():
    return Xdms()


class Said(list):
    """The decisions, and a queue for whoever waits for one."""

    def __init__(self):
        super().__init__()
        self.news = asyncio.Queue()

    def __call__(self, what, facts):
        self.append((what, facts))
        self.news.put_nowait(what)


@pytest.fixture
def said():
    return Said()


@pytest.fixture
def documents(poc, shared, said):
    return UserDocuments(poc, shared, said)


async def test_directory_rules_and_lists_are_asked_for_each_address(documents, poc, shared, said):
    await documents.fetch_now([ALICE, TEL])
    assert [uri for uri, _ in poc.asked] == [
        "org.openmobilealliance.xcap-directory/users/sip:alice@ims.example/directory.xml",
        "org.openmobilealliance.poc-rules/users/sip:alice@ims.example/pocrules",
        "org.openmobilealliance.xcap-directory/users/tel:+12025550101/directory.xml",
        "org.openmobilealliance.poc-rules/users/tel:+12025550101/pocrules",
    ]
    assert [uri for uri, _ in shared.asked] == [
        "resource-lists/users/sip:alice@ims.example/index",
        "resource-lists/users/tel:+12025550101/index",
    ]
    assert said == [("XDM documents fetched", {"user": ALICE, "new": 0, "unchanged": 0, "missing": 6})]


@pytest.mark.parametrize(
    "entry",
    [
        f"http://127.0.0.1:8080/xcap-root/{GROUPS}/users/{ALICE}/crew.xml",
        f"/xcap-root/{GROUPS}/users/{ALICE}/crew.xml",
        f"/{GROUPS}/users/{ALICE}/crew.xml",
    ],
    ids=["absolute", "path", "below the root"],
)
async def test_group_documents_of_the_directory_are_fetched(documents, poc, entry):
    poc.documents[f"org.openmobilealliance.xcap-directory/users/{ALICE}/directory.xml"] = directory(entry)
    poc.documents[f"{GROUPS}/users/{ALICE}/crew.xml"] = b"<group/>"
    await documents.fetch_now([ALICE])
    assert poc.asked[-1] == (f"{GROUPS}/users/{ALICE}/crew.xml", None)
    assert b"<group/>" in [document.body for document in documents.of(ALICE).values()]


async def test_second_round_validates_what_is_kept(documents, poc, said):
    rules = f"org.openmobilealliance.poc-rules/users/{ALICE}/pocrules"
    poc.documents[rules] = b"<ruleset/>"
    await documents.fetch_now([ALICE])
    await documents.fetch_now([ALICE])
    assert poc.asked[-1] == (rules, f"e{hash(b'<ruleset/>')}")
    assert said[-1][1] == {"user": ALICE, "new": 0, "unchanged": 1, "missing": 2}


async def test_document_that_was_removed_is_not_kept(documents, poc):
    rules = f"org.openmobilealliance.poc-rules/users/{ALICE}/pocrules"
    poc.documents[rules] = b"<ruleset/>"
    await documents.fetch_now([ALICE])
    del poc.documents[rules]
    await documents.fetch_now([ALICE])
    assert documents.of(ALICE) == {}


@pytest.mark.parametrize(("status", "why"), [("dead", "connection refused"), (401, "401"), (403, "403"), (503, "503")])
async def test_xdms_that_fails_costs_one_line_and_one_request(documents, poc, shared, said, status, why):
    poc.status = status
    await documents.fetch_now([ALICE, TEL])
    assert len(poc.asked) == 1
    assert shared.asked == []
    ((what, facts),) = said
    assert what == "XDM documents not fetched"
    assert why in facts["why"]


async def test_directory_that_is_none_is_said(documents, poc, said):
    poc.documents[f"org.openmobilealliance.xcap-directory/users/{ALICE}/directory.xml"] = b"<html/>"
    await documents.fetch_now([ALICE])
    assert "directory.xml is not understood" in said[0][1]["why"]


async def test_entry_that_names_nothing_is_passed_over(documents, poc, said):
    poc.documents[f"org.openmobilealliance.xcap-directory/users/{ALICE}/directory.xml"] = directory("/xcap-root/odd")
    await documents.fetch_now([ALICE])
    assert [what for what, _ in said] == ["directory entry passed over", "XDM documents fetched"]


async def test_what_is_asked_for_during_a_round_is_one_more_round(documents, poc, said):
    poc.gate = asyncio.Event()
    for _ in range(3):
        documents.fetch([ALICE])
    await asyncio.wait_for(poc.reached.wait(), 5)
    assert len(poc.asked) == 1
    poc.gate.set()
    for _ in range(2):
        await asyncio.wait_for(said.news.get(), 5)
    assert len(poc.asked) == 4


async def test_user_who_left_is_forgotten_also_in_the_middle_of_a_round(documents, poc):
    poc.gate = asyncio.Event()
    documents.fetch([ALICE])
    await asyncio.wait_for(poc.reached.wait(), 5)
    documents.forget([ALICE])
    poc.gate.set()
    await documents.close()
    assert documents.show() == {}


@pytest.mark.parametrize("status", ["dead", 500, 503])
async def test_xdms_that_cannot_be_reached_or_fails_is_asked_again_by_itself(documents, poc, said, status):
    poc.status = status
    documents.fetch([ALICE])
    await asyncio.wait_for(poc.reached.wait(), 5)
    poc.status = None
    poc.reached.clear()
    await asyncio.wait_for(poc.reached.wait(), 5)
    assert said[0][1]["again"] == "in 0.5 s"
    await documents.close()


async def test_closing_gives_up_the_next_attempt(documents, poc):
    poc.status = "dead"
    await documents.fetch_now([ALICE])
    await documents.close()
    assert documents._retries == {}
