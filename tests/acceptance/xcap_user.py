"""A user of the XDMS who remembers what it was promised: which document, in which version, under which entity-tag."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree import ElementTree

LISTS = "resource-lists"
GROUPS = "org.openmobilealliance.poc-groups"
MEDIA_TYPES = {LISTS: "application/resource-lists+xml", GROUPS: "application/vnd.oma.poc.groups+xml"}
ROOT = "/xcap-root"
DIRECTORY = "org.openmobilealliance.xcap-directory"


class Answer(NamedTuple):
    status: int
    etag: str
    body: bytes


class Version(NamedTuple):
    etag: str
    body: bytes


def lists(name: str) -> bytes:
    """A document of a few hundred octets to many thousands."""
    entries = "".join(f'<entry uri="sip:{name}-{number}@ims.example"/>' for number in range(len(name) * 20))
    return (
        f'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="{name}">{entries}</list>'
        "</resource-lists>"
    ).encode()


def group(name: str) -> bytes:
    """A group with an address that it alone may have."""
    return (
        f'<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="sip:{name}@ims.example"/></group>'
    ).encode()


@dataclass
class XcapUser:
    """`known` is what the last 2xx said of each document; `asked` what was asked and not answered: None to remove."""

    name: str
    xdms: tuple[str, int]
    known: dict[str, Version | None] = field(default_factory=dict)
    asked: dict[str, bytes | None] = field(default_factory=dict)
    written: int = 0
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def identity(self) -> str:
        return f"sip:{self.name}@ims.example"

    def document(self, auid: str, name: str) -> str:
        return f"{auid}/users/{self.identity}/{name}"

    async def ask(self, method: str, document: str, body: bytes = b"", **conditions: str) -> Answer:
        """One request on the connection that is open, so that it is not for a later life of the daemon. Raises OSError
        or IncompleteReadError when there is no whole answer; the next request has a new connection then."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self.xdms)
        headers = {
            "Host": "{}:{}".format(*self.xdms),
            "X-3GPP-Asserted-Identity": f'"{self.identity}"',
            "Content-Length": str(len(body)),
            **({"Content-Type": MEDIA_TYPES[document.partition("/")[0]]} if body else {}),
            **{name.replace("_", "-"): value for name, value in conditions.items()},
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        reader, writer = self._streams
        try:
            writer.write(f"{method} {ROOT}/{document} HTTP/1.1\r\n{head}\r\n".encode() + body)
            start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            answered = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            return Answer(
                int(start.split()[1]),
                answered.get("etag", ""),
                await reader.readexactly(int(answered.get("content-length", "0"))),
            )
        except (OSError, asyncio.IncompleteReadError):
            await self.hang_up()
            raise

    async def hang_up(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def write(self, document: str, body: bytes) -> None:
        """PUT over the version that is known, or over none."""
        known = self.known.get(document)
        condition = {"If_None_Match": "*"} if known is None else {"If_Match": known.etag}
        self.asked[document] = body
        answer = await self.ask("PUT", document, body, **condition)
        assert answer.status == (201 if known is None else 200), answer
        assert answer.etag
        assert known is None or answer.etag != known.etag
        del self.asked[document]
        self.known[document] = Version(answer.etag, body)
        self.written += 1

    async def remove(self, document: str) -> None:
        self.asked[document] = None
        answer = await self.ask("DELETE", document)
        assert answer.status == 200, answer
        del self.asked[document]
        self.known[document] = None

    async def live(self, chance: random.Random) -> None:
        """Writes, rewrites and removes documents without an end."""
        while True:
            auid, name = chance.choice([(LISTS, "index"), (GROUPS, "crew"), (GROUPS, "staff")])
            document = self.document(auid, name)
            if self.known.get(document) is not None and chance.random() < 0.25:
                await self.remove(document)
            elif auid == LISTS:
                await self.write(document, lists(f"v{chance.randrange(10 ** chance.randrange(1, 6))}"))
            else:
                await self.write(document, group(f"{self.name}-{name}-{chance.randrange(3)}"))

    async def check(self) -> None:
        """What was promised is there; what was asked and not answered is there as a whole, or not at all."""
        for document in {*self.known, *self.asked}:
            self.known[document] = await self._found(document, self.known.get(document))
        self.asked.clear()
        listed = await self._listed()
        there = {document: version.etag.strip('"') for document, version in self.known.items() if version is not None}
        assert listed == there

    async def _found(self, document: str, known: Version | None) -> Version | None:
        answer = await self.ask("GET", document)
        found = Version(answer.etag, answer.body) if answer.status == 200 else None
        assert found is not None or answer.status == 404, answer
        if document not in self.asked or found == known:
            assert found == known, (document, found, known)
            return found
        wanted = self.asked[document]
        assert (None if found is None else found.body) == wanted, (document, found, wanted)
        assert found is None or known is None or found.etag != known.etag
        return found

    async def _listed(self) -> dict[str, str]:
        """Entity-tags by document, as the directory has them."""
        answer = await self.ask("GET", f"{DIRECTORY}/users/{self.identity}/directory.xml")
        assert answer.status == 200, answer
        entries = ElementTree.fromstring(answer.body).iter("{urn:oma:xml:xdm:xcap-directory}entry")
        return {each.attrib["uri"].partition(f"{ROOT}/")[2]: each.attrib["etag"].strip('"') for each in entries}
