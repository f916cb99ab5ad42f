"""An XDMS on a free loopback port, and a plain HTTP client that asks it."""

import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from talkburst.obs.frame import Frame
from talkburst.obs.trace import Trace
from talkburst.sip.digest import DigestVerifier
from talkburst.store import DocumentStore, SqliteDocuments
from talkburst_xdms.accounts import Account, Accounts
from talkburst_xdms.http_server import HttpServer
from talkburst_xdms.xcap_server import XcapServer

ROOT = "/xcap-root"
ACCOUNTS = (
    Account("sip:alice@ims.example", "alice", ("sip:+12025550101@ims.example;user=phone", "tel:+12025550101")),
    Account("sip:bob@ims.example", "bob"),
    Account("sip:carol@other.example", "carol"),
    Account("sip:poc.ims.example", "poc", reader=True),
)


@dataclass
class Recorder:
    """A sink of the trace that keeps the frames."""

    frames: list[Frame] = field(default_factory=list)

    async def start(self) -> None: ...

    def frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def flush(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Xdms:
    """The server under test. `now` is what its clock says; `decisions` and `alarms` what it logged."""

    port: int
    session: aiohttp.ClientSession
    store: DocumentStore
    server: XcapServer
    now: list[float]
    decisions: list[tuple[str, Mapping[str, object]]]
    alarms: list[tuple[str, Mapping[str, object]]]
    faults: list[str]
    http: HttpServer
    recorder: Recorder
    trace: Trace

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{ROOT}/{path}"

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        user: str | None = "sip:alice@ims.example",
        **headers: str,
    ) -> Answer:
        """One request as `user`, asserted by a trusted peer; underscores in header names stand for hyphens."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if user is not None:
            given["X-XCAP-Asserted-Identity"] = f'"{user}"'
        url = URL(self.url(path) if not path.startswith("/") else f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self.session.request(
            method, url, data=body, headers=given, skip_auto_headers=["Content-Type"]
        ) as response:
            return Answer(response.status, response.headers, await response.read())


@pytest.fixture
async def xdms(tmp_path: Path) -> AsyncIterator[Xdms]:
    now = [1763812921.5]
    decisions: list[tuple[str, Mapping[str, object]]] = []
    alarms: list[tuple[str, Mapping[str, object]]] = []
    faults: list[str] = []
    recorder = Recorder()
    trace = Trace("xdms", [recorder])
    await trace.start()
    store = SqliteDocuments(tmp_path / "xdms.db")
    tags = itertools.count(1)
    server = XcapServer(
        ROOT,
        Accounts(ACCOUNTS),
        store,
        now=lambda: now[0],
        decide=lambda message, fields: decisions.append((message, fields)),
        alarm=lambda message, fields: alarms.append((message, fields)),
        verifier=DigestVerifier(b"key", 300.0),
        asserted_peers=["127.0.0.1/32"],
        token=lambda: f"tag-{next(tags)}",
    )
    http = HttpServer(
        server.answer,
        trace,
        lambda: now[0],
        lambda message, error: faults.append(f"{message}: {error!r}"),
        patience=2.0,
        linger=0.05,
    )
    _, port = await http.listen(host="127.0.0.1")
    async with aiohttp.ClientSession() as session:
        yield Xdms(port, session, store, server, now, decisions, alarms, faults, http, recorder, trace)
    await http.close()
    await store.close()
    await trace.close()
    assert faults == []
