"""An engine on a bench: literal SIP text in and out, a clock that moves when told to."""

import itertools
from collections.abc import Callable

import pytest

from stream_bench import Stream
from talkburst.sip.engine import Action, Engine, Resolve, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message
from talkburst.sip.timers import Timers
from talkburst.sip.transaction.client import Outcome
from talkburst.sip.transaction.server import ServerTransaction

OURS = ("192.0.2.1", 5060)
PEER = ("192.0.2.9", 5070)


def wire(text: str) -> bytes:
    """SIP text as it is written in these tests: lines without CR, indented, no Content-Length needed."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Recorder:
    """A transaction user that writes down what it is told and answers when the test says so."""

    def __init__(self) -> None:
        self.requests: list[ServerTransaction] = []
        self.acks: list[Request] = []
        self.cancelled: list[ServerTransaction] = []
        self.answer: Callable[[ServerTransaction, Request, float], None] = lambda transaction, request, now: None

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.requests.append(transaction)
        self.answer(transaction, request, now)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        self.acks.append(request)

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        self.cancelled.append(transaction)


class Bench:
    def __init__(
        self, transport: str = "UDP", timers: Timers | None = None, hosts: dict[str, str] | None = None
    ) -> None:
        numbers = itertools.count(1)
        self.user = Recorder()
        self.engine = Engine(
            self.user,
            timers=timers,
            token=lambda: f"token{next(numbers)}",
            hosts=hosts or {},
            software="talkburst/test",
        )
        listener = Listener("main", transport, *OURS, advertised=OURS)
        self.engine.add_listener(listener)
        self.flow = Flow("UDP", OURS, PEER, listener="main")
        if transport == "TCP":
            self.flow = self.engine.accepted(listener, PEER)
        self.now = 1000.0
        self.sent: list[tuple[float, Send]] = []
        self.resolves: list[Resolve] = []
        self.outcomes: list[tuple[float, Outcome]] = []

    # What the shell does

    def receive(self, text: str, source: tuple[str, int] = PEER) -> list[str]:
        """Feed one message and return the start lines of what was sent because of it."""
        self.engine.receive(wire(text), self.flow._replace(remote=source), self.now)
        return self.collect()

    def collect(self) -> list[str]:
        lines = []
        for action in self.take():
            if isinstance(action, Send):
                self.sent.append((self.now, action))
                lines.append(action.message.start_line)
            else:
                self.resolves.append(action)
        return lines

    def take(self) -> list[Action]:
        return self.engine.take()

    def advance(self, seconds: float) -> list[str]:
        """Let time pass, deadline by deadline, and return the start lines of what was sent."""
        end, lines = self.now + seconds, []
        while (deadline := self.engine.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.engine.handle_timer(self.now)
            lines += self.collect()
        self.now = end
        return lines

    # What the user does

    def send(self, text: str, **options: object) -> None:
        request = parse_message(wire(text))
        assert isinstance(request, Request)
        self.transaction = self.engine.send_request(
            request,
            lambda outcome, now: self.outcomes.append((now, outcome)),
            self.now,
            **options,  # type: ignore[arg-type]  # keywords of send_request
        )
        self.collect()

    def respond(self, status: int, **options: str) -> list[str]:
        """Answer the last request that came."""
        transaction = self.user.requests[-1]
        self.engine.respond(transaction, response_to(transaction.request, status, **options), self.now)
        return self.collect()

    # What the test looks at

    @property
    def last(self) -> Request | Response:
        return self.sent[-1][1].message

    def send_times(self) -> list[float]:
        return [round(at - 1000.0, 6) for at, _ in self.sent]

    def results(self) -> list[object]:
        """Statuses and failures the handler was told."""
        return [outcome.status if isinstance(outcome, Response) else outcome.name for _, outcome in self.outcomes]

    def answer_to_last(self, status: str, to_tag: str = "peer") -> str:
        """The peer's response to the last request we sent, as text."""
        request = self.last
        to = request.get("To") or ""
        return "\n".join(
            [
                f"SIP/2.0 {status}",
                *(f"Via: {value}" for value in request.get_all("Via")),
                f"From: {request.get('From')}",
                f"To: {to};tag={to_tag}" if to_tag and ";tag=" not in to else f"To: {to}",
                f"Call-ID: {request.call_id}",
                f"CSeq: {request.get('CSeq')}",
                "Content-Length: 0",
            ]
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def make_bench() -> type[Bench]:
    return Bench


@pytest.fixture
def stream() -> Stream:
    return Stream()
