"""Valid XCAP requests as octets, with Digest, and a client that reads what is answered to whatever it sends."""

import asyncio
import itertools
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from damage import damage
from talkburst.sip.digest import DigestClient
from talkburst.sip.headers import AuthHeader, parse_auth
from watched import within_a_second

Address = tuple[str, int]
ROOT = "/xcap-root"
ANSWERED_WITHIN = 10.0  # seconds until any answer, of a busy machine

LISTS = """<?xml version="1.0" encoding="UTF-8"?>
<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="friends">
<entry uri="sip:bob@ims.example"><display-name>Bob</display-name></entry></list></resource-lists>"""
GROUP = """<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service"><list-service uri="sip:team@ims.example">
<display-name>Team</display-name><list><entry uri="sip:bob@ims.example"/></list></list-service></group>"""
RULES = """<?xml version="1.0" encoding="UTF-8"?>
<ruleset xmlns="urn:ietf:params:xml:ns:common-policy"><rule id="r1"><conditions/><actions/></rule></ruleset>"""


class Usage(NamedTuple):
    """Where a user keeps a document of one application usage, and one that is right."""

    path: str
    media_type: str
    document: str


USAGES = {
    "resource-lists": Usage("resource-lists/users/{}/index", "application/resource-lists+xml", LISTS),
    "poc-groups": Usage("org.openmobilealliance.poc-groups/users/{}/team", "application/vnd.oma.poc.groups+xml", GROUP),
    "poc-rules": Usage("org.openmobilealliance.poc-rules/users/{}/pocrules", "application/auth-policy+xml", RULES),
}
DIRECTORY = "org.openmobilealliance.xcap-directory/users/{}/directory.xml"


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class XdmUser:
    """A user of the XDMS who knows the password. `challenge` is the one its next request answers."""

    name: str
    server: Address
    challenge: AuthHeader | None = None
    _digest: DigestClient = field(init=False)
    _tokens: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._digest = DigestClient(self.uri, self.name)

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@ims.example"

    def path(self, template: str) -> str:
        return f"{ROOT}/{template.format(self.uri)}"

    def request(self, method: str, path: str, body: bytes = b"", *headers: str, chunked: bool = False) -> bytes:
        """A request with credentials, if there is a challenge to answer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: {}:{}".format(*self.server), *headers]
        if self.challenge is not None:
            token = lambda: f"cnonce{next(self._tokens)}"  # noqa: E731
            lines.append(f"Authorization: {self._digest.authorization([self.challenge], method, path, body, token)}")
        if chunked:
            lines.append("Transfer-Encoding: chunked")
            parts = [body[at : at + 100] for at in range(0, len(body), 100)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif body:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body

    async def ask(self, method: str, path: str, body: bytes = b"", *headers: str) -> Reply:
        """A good request; a challenge is answered."""
        reply = await exchange(self.server, self.request(method, path, body, *headers))
        if reply.status == 401:
            self.challenge = parse_auth(reply.headers["www-authenticate"])
            reply = await exchange(self.server, self.request(method, path, body, *headers))
        return reply

    async def probe(self) -> None:
        """A GET that has to be answered 200 within a second."""
        reply = await within_a_second(self.ask("GET", self.path(DIRECTORY)))
        assert reply.status == 200, reply


# Where a request goes, what it carries: method, path (with the user), document, further headers, chunked or not.
SHAPES: tuple[tuple[str, str, str, tuple[str, ...], bool], ...] = (
    ("GET", USAGES["resource-lists"].path, "", ('If-None-Match: "none", W/"other"',), False),
    ("PUT", USAGES["resource-lists"].path, LISTS, (f"Content-Type: {USAGES['resource-lists'].media_type}",), False),
    ("PUT", USAGES["poc-groups"].path, GROUP, (f"Content-Type: {USAGES['poc-groups'].media_type}",), True),
    ("PUT", USAGES["poc-rules"].path, RULES, (f"Content-Type: {USAGES['poc-rules'].media_type}", "If-Match: *"), False),
    ("DELETE", "resource-lists/users/{}/spare", "", ('If-Match: "0123456789abcdef"',), False),
    ("PUT", "resource-lists/users/{}/spare", LISTS, ("If-None-Match: *", "Expect: 100-continue"), False),
    ("GET", USAGES["resource-lists"].path + "/~~/rl:resource-lists/rl:list%5b1%5d?xmlns(rl=urn:x)", "", (), False),
    ("HEAD", DIRECTORY, "", ("Accept-Encoding: gzip;q=1.0, identity;q=0", "Connection: keep-alive"), False),
    ("GET", "xcap-caps/global/index", "", ("X-XCAP-Asserted-Identity: sip:bob@ims.example",), False),
    (
        "GET",
        "org.openmobilealliance.poc-groups/global/byGroupID/sip:team@ims.example",
        "",
        ("Range: bytes=0-9",),
        False,
    ),
    ("POST", USAGES["poc-groups"].path, "a=b", ("Content-Type: application/x-www-form-urlencoded",), True),
)


def shaped(number: int, user: XdmUser) -> bytes:
    """One of the shapes, by that user."""
    method, template, document, headers, chunked = SHAPES[number % len(SHAPES)]
    return user.request(method, user.path(template), document.encode(), *headers, chunked=chunked)


def damaged_request(number: int, user: XdmUser, dice: random.Random) -> bytes:
    """One of the shapes, damaged as a whole; or a part of it damaged first and then signed, so that it is believed."""
    if dice.random() < 0.5:
        return damage(shaped(number, user), dice)
    method, template, document, headers, chunked = SHAPES[number % len(SHAPES)]
    path, body, fields = user.path(template).encode(), document.encode(), [each.encode() for each in headers]
    part = dice.randrange(3)
    if part == 0:
        path = ROOT.encode() + damage(path.removeprefix(ROOT.encode()), dice)
    elif part == 1 and fields:
        at = dice.randrange(len(fields))
        fields[at] = damage(fields[at], dice)
    elif body:
        body = damage(body, dice)
    # Surrogates carry the octets that are no UTF-8 through the signing.
    text = [each.decode("utf-8", "surrogateescape") for each in (path, *fields)]
    return user.request(method, text[0], body, *text[1:], chunked=chunked)


def asks_for_the_head(data: bytes) -> bool:
    """Whether the answer has no body; empty lines before a request are passed over (RFC 9112 2.2)."""
    return data.lstrip(b"\r\n").startswith(b"HEAD ")


async def exchange(server: Address, data: bytes) -> Reply:
    """One request on a connection of its own, and the final reply; ConnectionError when there is none."""
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(data)
        return await asyncio.wait_for(read_reply(reader, head=asks_for_the_head(data)), ANSWERED_WITHIN)
    except TimeoutError:
        raise AssertionError(f"no answer to {data!r}") from None
    finally:
        await close(writer)


async def offer(server: Address, data: bytes, *, reset: bool = False) -> Reply | None:
    """Octets that may be no request, then the end of the stream, or a reset: the reply if one came."""
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(data)
        if reset:
            hang_up(writer)
            return None
        await writer.drain()
        writer.write_eof()
        return await asyncio.wait_for(read_reply(reader, head=asks_for_the_head(data)), ANSWERED_WITHIN)
    except ConnectionError:
        return None
    finally:
        await close(writer)


async def read_reply(reader: asyncio.StreamReader, *, head: bool = False) -> Reply:
    """The next final reply of a connection; ConnectionError when it ends before."""
    try:
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            version, status = lines[0].split(" ")[:2]
            assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
            if int(status) >= 200:
                break
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        empty = head or status in ("204", "304")
        body = b"" if empty else await reader.readexactly(int(headers["content-length"]))
        return Reply(int(status), headers, body)
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError(f"the connection ended behind {error.partial[:80]!r}") from None


def hang_up(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with a reset."""
    opened: socket.socket = writer.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
