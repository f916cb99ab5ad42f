"""An event state compositor that takes literal PUBLISH requests, alone or with a publishing agent at the other end.

The package keeps words: a document is one word of text/plain, "bad" is none.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from talkburst.sip.compositor import EventStateCompositor, Publication
from talkburst.sip.defects import Defect
from talkburst.sip.engine import Engine, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.headers import parse_name_addr
from talkburst.sip.journal import Journal
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message
from talkburst.sip.publisher import Publisher
from talkburst.sip.requester import Requester
from talkburst.sip.transaction.client import Failure
from talkburst.sip.uas import Uas

START = 1_763_800_000.0
ESC = ("192.0.2.70", 5070)
EPA = ("192.0.2.90", 5090)


@dataclass
class Words:
    """The package: sip:SOMEBODY@example.com is watched over, anything else is not ours."""

    name: str = "words"
    media_type: str = "text/plain"
    min_expires: int = 60
    default_expires: int = 3600
    max_expires: int = 7200
    max_publications: int = 3
    max_bytes: int = 100
    happened: list[tuple[str, str]] = field(default_factory=list)

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        address = request.parsed_uri.addr_of_record()
        if not address.endswith("@example.com"):
            return 404, "Not Found"
        return (403, "Go away") if "mallory" in address else address

    def read(self, body: bytes) -> str | Defect:
        word = body.decode()
        return Defect("words 1", "this is no word", 400) if word == "bad" else word

    def published(self, publication: Publication[str], now: float) -> None:
        self.happened.append(("published", publication.content))

    def withdrawn(self, publication: Publication[str], why: str, now: float) -> None:
        self.happened.append((why, publication.content))


class Compositor:
    """The compositor's end."""

    def __init__(self, journal: Journal | None = None, numbers: Iterator[int] | None = None) -> None:
        numbers = numbers or itertools.count(1)
        self.package = Words()
        self.engine = Engine(None, token=lambda: f"e{next(numbers)}")
        self.engine.add_listener(Listener("main", "UDP", *ESC, advertised=ESC))
        uas = Uas(self.engine, lambda: f"e{next(numbers)}", allow_events=("words",))
        self.esc: EventStateCompositor[str] = EventStateCompositor(
            uas, self.engine.agenda, self.package, lambda: f"tag{next(numbers)}", journal=journal
        )
        uas.serve("PUBLISH", self.esc.on_publish)
        self.engine.user = uas
        self.now = START
        self._branches = itertools.count(1)

    def publish(
        self,
        body: str = "",
        *,
        to: str = "sip:alice@example.com",
        event: str | None = "words",
        etag: str | None = None,
        expires: object = None,
        content_type: str | None = "text/plain",
        more: str = "",
    ) -> Response:
        """The answer to one PUBLISH."""
        number = next(self._branches)
        lines = [
            f"PUBLISH {to} SIP/2.0",
            f"Via: SIP/2.0/UDP {EPA[0]}:{EPA[1]};branch=z9hG4bK{number}",
            "Max-Forwards: 70",
            f"From: <{to}>;tag=f",
            f"To: <{to}>",
            f"Call-ID: call{number}",
            "CSeq: 1 PUBLISH",
        ]
        given = {"Event": event, "SIP-If-Match": etag, "Expires": expires}
        lines += [f"{name}: {value}" for name, value in given.items() if value is not None]
        lines += more.splitlines()
        if body and content_type:
            lines.append(f"Content-Type: {content_type}")
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self.engine.receive(text.encode(), Flow("UDP", ESC, EPA, listener="main"), self.now)
        (action,) = self.engine.take()
        assert isinstance(action, Send)
        answer = parse_message(action.data)
        assert isinstance(answer, Response)
        return answer

    def etag(self, answer: Response) -> str:
        assert answer.status == 200, answer.start_line
        return answer.get("SIP-ETag") or ""

    def stored(self, address: str = "sip:alice@example.com") -> list[str]:
        return [publication.content for publication in self.esc.publications(address)]

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.engine.next_deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            self.engine.handle_timer(self.now)
        self.now = end


class Pair:
    """A publishing agent and a compositor back to back. `answer` may take a PUBLISH in the compositor's stead."""

    def __init__(self) -> None:
        self.compositor = Compositor()
        numbers = itertools.count(1)
        self.engine = Engine(None, token=lambda: f"p{next(numbers)}")
        self.engine.add_listener(Listener("main", "UDP", *EPA, advertised=EPA))
        self.sent: list[Request] = []
        self.got: list[Response] = []
        self.stored: list[str] = []
        self.failed: list[tuple[Response | Failure, float | None]] = []
        self.answer: Callable[[Request], int | None] = lambda request: None
        self.headers: list[tuple[str, object]] = []
        self.deliver = True
        self.now = START
        self.publisher = self.agent()

    def agent(self, *, expires: int = 3600, etag: str | None = None) -> Publisher:
        return Publisher(
            Requester(self.engine, None, self.engine.token),
            self.engine.agenda,
            self.engine.token,
            package="words",
            media_type="text/plain",
            target="sip:alice@example.com",
            identity=parse_name_addr("<sip:alice@example.com>"),
            expires=expires,
            headers=[("Accept-Contact", "*;+g.poc.talkburst;require;explicit")],
            route=[f"<sip:{ESC[0]}:{ESC[1]};lr>"],
            etag=etag,
            on_stored=lambda etag, now: self.stored.append(etag),
            on_failed=lambda outcome, delay, now: self.failed.append((outcome, delay)),
        )

    def run(self, seconds: float = 0.0) -> None:
        """Let messages pass and time go by, deadline by deadline."""
        end = self.now + seconds
        while True:
            if self._exchange():
                continue
            deadlines = [each.next_deadline() for each in (self.engine, self.compositor.engine)]
            due = min((at for at in deadlines if at is not None), default=None)
            if due is None or due > end:
                break
            self.now = max(due, self.now)
            self.engine.handle_timer(self.now)
            self.compositor.engine.handle_timer(self.now)
        self.now = self.compositor.now = end

    def _exchange(self) -> bool:
        passed = False
        for action in self.engine.take():
            assert isinstance(action, Send)
            passed = True
            request = parse_message(action.data)
            assert isinstance(request, Request)
            self.sent.append(request)
            status = self.answer(request)
            if status is not None:
                self._reply(request, status)
            elif self.deliver:
                self.compositor.engine.receive(action.data, Flow("UDP", ESC, EPA, listener="main"), self.now)
        for action in self.compositor.engine.take():
            assert isinstance(action, Send)
            passed = True
            self._receive(action.data)
        return passed

    def _reply(self, request: Request, status: int) -> None:
        self._receive(response_to(request, status, to_tag="x", headers=self.headers).to_bytes())

    def _receive(self, data: bytes) -> None:
        answer = parse_message(data)
        assert isinstance(answer, Response)
        self.got.append(answer)
        self.engine.receive(data, Flow("UDP", EPA, ESC, listener="main"), self.now)

    @property
    def operations(self) -> list[tuple[str, str | None, str | None]]:
        """Body, SIP-If-Match and Expires of every PUBLISH sent."""
        return [(each.body.decode(), each.get("SIP-If-Match"), each.get("Expires")) for each in self.sent]


@pytest.fixture
def compositor() -> Compositor:
    return Compositor()


@pytest.fixture
def make_compositor() -> Callable[[Journal], Compositor]:
    """Compositors with a journal; no two give the same entity-tag."""
    numbers = itertools.count(1)
    return lambda journal: Compositor(journal, numbers)


@pytest.fixture
def pair() -> Pair:
    return Pair()
