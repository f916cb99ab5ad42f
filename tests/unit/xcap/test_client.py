import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from talkburst.net import Resolver
from talkburst.obs.frame import Frame
from talkburst.obs.trace import Trace
from talkburst.sip.digest import DigestVerifier, Verdict, challenge
from talkburst.sip.headers.auth import parse_auth
from talkburst.xcap import XcapAnswer, XcapClient, XcapUnreachableError, user_document
from zone_server import ZoneServer

INDEX = user_document("resource-lists", "sip:alice@ims.example", "index")
PATH = "/xcap-root/resource-lists/users/sip:alice@ims.example/index"

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Recorder:
    """A sink of the trace that keeps the frames."""

    frames: list[Frame] = field(default_factory=list)

    async def start(self) -> None: ...

    def frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def flush(self) -> None: ...

    async def close(self) -> None: ...


@dataclass
class Origin:
    """A web server on a free port whose answers the test decides."""

    port: int
    handler: Handler
    requests: list[web.BaseRequest] = field(default_factory=list)


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        found.requests.append(request)
        return await found.handler(request)

    async def nothing(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=404)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found = Origin(runner.addresses[0][1], nothing)
    yield found
    await runner.cleanup()


@pytest.fixture
async def client(origin: Origin) -> AsyncIterator[XcapClient]:
    made = XcapClient(f"http://127.0.0.1:{origin.port}/xcap-root", "sip:poc.ims.example", "poc", timeout=2)
    yield made
    await made.close()


class Protected:
    """Asks for Digest as an XCAP server does."""

    def __init__(self, *, says_stale: bool = True) -> None:
        self.verifier = DigestVerifier(b"key")
        self.says_stale = says_stale
        self.verdicts: list[Verdict] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        given = request.headers.get("Authorization")
        verdict = self.verifier.verify(
            parse_auth(given) if given else None, request.method, "poc", 1000.0, private_id="ims.example"
        )
        self.verdicts.append(verdict)
        if verdict is Verdict.OK:
            return web.Response(body=b"<x/>", headers={"ETag": '"e1"', "Content-Type": "application/x+xml; charset=y"})
        asked = challenge(
            realm="ims.example",
            nonce=self.verifier.issue("ims.example", 1000.0),
            stale=self.says_stale and verdict is Verdict.STALE,
        )
        return web.Response(status=401, headers={"WWW-Authenticate": str(asked)})


async def test_a_document_is_fetched_with_digest_and_the_nonce_is_used_again(
    origin: Origin, client: XcapClient
) -> None:
    origin.handler = protected = Protected()
    assert await client.get(INDEX) == XcapAnswer(200, "e1", b"<x/>", "application/x+xml")
    assert (await client.get(INDEX)).status == 200
    assert protected.verdicts == [Verdict.NO_CREDENTIALS, Verdict.OK, Verdict.OK]
    assert [request.raw_path for request in origin.requests] == [PATH] * 3
    authorization = parse_auth(origin.requests[2].headers["Authorization"]).params
    assert authorization["username"] == "sip:poc.ims.example"
    assert authorization["uri"] == PATH
    assert authorization["nc"] == "00000002"


@pytest.mark.parametrize("says_stale", [True, False])
async def test_a_spent_nonce_is_replaced_by_the_fresh_one(origin: Origin, client: XcapClient, says_stale: bool) -> None:
    origin.handler = Protected()
    await client.get(INDEX)
    origin.handler = restarted = Protected(says_stale=says_stale)
    restarted.verifier = DigestVerifier(b"another key")
    assert (await client.get(INDEX)).status == 200
    assert restarted.verdicts == [Verdict.STALE, Verdict.OK]


async def test_parallel_requests_use_nonces_of_their_own(origin: Origin, client: XcapClient) -> None:
    origin.handler = protected = Protected()
    answers = await asyncio.gather(*(client.get(INDEX) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert Verdict.STALE not in protected.verdicts
    protected.verdicts.clear()
    await asyncio.gather(*(client.get(INDEX) for _ in range(20)))
    assert set(protected.verdicts) == {Verdict.OK}


async def test_a_wrong_password_ends_with_the_401(origin: Origin) -> None:
    origin.handler = protected = Protected()
    client = XcapClient(f"http://127.0.0.1:{origin.port}/xcap-root", "sip:poc.ims.example", "wrong")
    assert (await client.get(INDEX)).status == 401
    assert protected.verdicts == [Verdict.NO_CREDENTIALS, Verdict.WRONG]
    await client.close()


async def test_conditions_and_bodies_are_sent_as_given(origin: Origin, client: XcapClient) -> None:
    bodies: list[bytes] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        bodies.append(await request.read())
        return web.Response(status=304 if request.method == "GET" else 201, headers={"ETag": '"e2"'})

    origin.handler = handle
    assert await client.get(INDEX, etag="e1") == XcapAnswer(304, "e2")
    assert (await client.put(INDEX, b"<y/>", "application/resource-lists+xml", if_match="e1")).etag == "e2"
    await client.put(INDEX, b"<z/>", "application/resource-lists+xml", if_none_match="*")
    await client.delete(INDEX, if_match="e1")
    assert [(request.method, bodies[index]) for index, request in enumerate(origin.requests)] == [
        ("GET", b""),
        ("PUT", b"<y/>"),
        ("PUT", b"<z/>"),
        ("DELETE", b""),
    ]
    heads = [request.headers for request in origin.requests]
    assert heads[0]["If-None-Match"] == '"e1"'
    assert (heads[1]["If-Match"], heads[1]["Content-Type"]) == ('"e1"', "application/resource-lists+xml")
    assert heads[2]["If-None-Match"] == "*"
    assert heads[3]["If-Match"] == '"e1"'


async def test_every_message_is_traced_between_the_true_sockets(origin: Origin) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"e1"'})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"<x")
        await response.write(b"/>")
        return response

    origin.handler = handle
    sink = Recorder()
    trace = Trace("server", [sink])
    await trace.start()
    root = f"http://127.0.0.1:{origin.port}/xcap-root"
    client = XcapClient(root, "u", "p", trace=trace, now=lambda: 1763812921.5)
    assert (await client.put(INDEX, b"<y/>", "application/resource-lists+xml")).body == b"<x/>"
    await trace.close()
    await client.close()
    asked, answered = sink.frames
    assert asked.destination == ("127.0.0.1", origin.port)
    assert (answered.source, answered.destination) == (asked.destination, asked.source)
    assert asked.source[1] not in (0, origin.port)
    assert (asked.time, asked.protocol, asked.transport, asked.outbound, answered.outbound) == (
        1763812921.5,
        "http",
        "TCP",
        True,
        False,
    )
    lines = asked.payload.split(b"\r\n")
    assert lines[0] == f"PUT {PATH} HTTP/1.1".encode()
    assert f"Host: 127.0.0.1:{origin.port}".encode() in lines
    assert b"Content-Length: 4" in lines
    assert asked.payload.endswith(b"\r\n\r\n<y/>")
    assert answered.payload.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answered.payload.endswith(b"\r\n\r\n<x/>")
    assert b"Content-Length: 4\r\n" in answered.payload
    assert b"chunked" not in answered.payload


async def test_a_name_is_looked_up_in_the_hosts_table(origin: Origin) -> None:
    hosts = {"xdms.ims.example": f"127.0.0.1:{origin.port};transport=tcp"}
    client = XcapClient("http://XDMS.ims.example/xcap-root", "u", "p", hosts=hosts)
    assert (await client.get(INDEX)).status == 404
    assert origin.requests[0].headers["Host"] == "XDMS.ims.example"
    await client.close()


async def test_a_name_that_no_table_has_is_asked_for_as_the_configuration_says(origin: Origin) -> None:
    with ZoneServer("ims.test", "xdms 60 IN AAAA ::1\nxdms 60 IN A 127.0.0.1") as names:
        resolver = Resolver([names.address])
        root = f"http://xdms.ims.test:{origin.port}/xcap-root"
        client = XcapClient(root, "u", "p", hosts={"x.ims.test": "127.0.0.1"}, resolver=resolver)
        assert (await client.get(INDEX)).status == 404, "the origin listens on IPv4 alone"
        nowhere = XcapClient(root.replace("xdms", "gone"), "u", "p", resolver=resolver)
        with pytest.raises(XcapUnreachableError, match=r"gone\.ims\.test"):
            await nowhere.get(INDEX)
        await nowhere.close()
        await client.close()
        assert set(names.asked) == {
            f"{name}.ims.test {kind} udp" for name in ("xdms", "gone") for kind in ("A", "AAAA")
        }


async def test_no_server_and_silence_are_told_with_place_and_reason(origin: Origin) -> None:
    released = asyncio.Event()

    async def silent(_: web.BaseRequest) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    origin.handler = silent
    root = f"http://127.0.0.1:{origin.port}/xcap-root"
    client = XcapClient(root, "u", "p", timeout=0.05)
    with pytest.raises(XcapUnreachableError, match=f"GET {root}/resource-lists/.*/index: no answer in time"):
        await client.get(INDEX)
    released.set()
    await client.close()

    probe = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    client = XcapClient(f"http://127.0.0.1:{port}/xcap-root", "u", "p")
    with pytest.raises(XcapUnreachableError, match=r"[Cc]onnect"):
        await client.get(INDEX)
    await client.close()


async def test_an_answer_without_end_is_cut_off(origin: Origin, client: XcapClient) -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65536)
        except ConnectionError:
            return response

    origin.handler = endless
    with pytest.raises(XcapUnreachableError, match="more than 1048576 bytes"):
        await client.get(INDEX)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (XcapAnswer(200), ""),
        (XcapAnswer(404, body=b"no such document\nmore"), "no such document"),
        (XcapAnswer(500), "status 500"),
        (
            XcapAnswer(
                409,
                None,
                b'<xcap-error xmlns="urn:ietf:params:xml:ns:xcap-error">'
                b'<not-well-formed phrase="line 3"/></xcap-error>',
                "application/xcap-error+xml",
            ),
            "not-well-formed: line 3",
        ),
    ],
)
def test_the_reason_of_a_refusal_is_given_in_the_words_of_the_server(answer: XcapAnswer, problem: str) -> None:
    assert answer.problem == problem
