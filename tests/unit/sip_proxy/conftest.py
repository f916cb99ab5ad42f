"""A proxy on a bench: two listeners, literal SIP text in and out, a clock that moves when told to."""

import itertools
from dataclasses import dataclass

import pytest

from talkburst.sip.engine import Engine, Resolve, Send, ServerTransaction
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, Response
from talkburst.sip.parser import parse_message
from talkburst.sip.proxy import Proxy, Target
from talkburst.sip.timers import Timers
from talkburst.sip.transaction.client import Outcome

CLIENTS = ("192.0.2.1", 5060)
SERVERS = ("192.0.2.1", 5054)
ALICE = ("192.0.2.10", 5090)
POC = ("192.0.2.20", 5070)
LOCAL = {"clients": CLIENTS, "servers": SERVERS}
START = 1000.0


@dataclass
class Sent:
    message: Request | Response
    listener: str
    to: tuple[str, int]
    at: float
    data: bytes

    @property
    def line(self) -> str:
        return self.message.start_line

    @property
    def heads(self) -> list[str]:
        """The header lines, Via left out."""
        lines = self.data.decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
        return [line for line in lines if not line.lower().startswith(("via:", "v:"))]


class ProxyBench:
    """What comes in is checked, relieved of our Route entries, and sent to `targets`."""

    def __init__(self, timers: Timers | None = None) -> None:
        numbers = itertools.count(1)
        hosts = {"poc.example": "192.0.2.20:5070"}
        self.engine = Engine(self, token=lambda: f"t{next(numbers)}", hosts=hosts, timers=timers)
        for name, address in LOCAL.items():
            self.engine.add_listener(Listener(name, "UDP", *address, advertised=address))
        self.proxy = Proxy(self.engine, {"scscf.example": "servers", "example": "clients"})
        self.targets = [Target("servers")]
        self.record_route = False
        self.timeout: float | None = None
        self.failures: list[Outcome] = []
        self.take_over = False
        self.own: list[str] = []
        self.now = START
        self.sent: list[Sent] = []
        self.resolving: list[Resolve] = []
        self._branches = itertools.count(1)

    # The transaction user

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        if not self.proxy.admit(transaction, now):
            return
        routed = self.proxy.take_routes(request)
        self.own = [str(uri) for uri in routed.own]
        self.proxy.forward(
            transaction,
            routed.request,
            self.targets,
            now,
            record_route=self.record_route,
            timeout=self.timeout,
            on_failure=self._on_failure,
        )

    def _on_failure(self, outcome: Outcome, now: float) -> bool:
        self.failures.append(outcome)
        return self.take_over

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        self.proxy.forward_ack(self.proxy.take_routes(request).request, self.targets[0], now)

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        self.proxy.on_cancel(transaction, now)

    # What the shell does

    def receive(self, text: str, source: tuple[str, int] = ALICE, listener: str = "clients") -> list[Sent]:
        """Feed one message: indented lines without CR, the body after an empty line."""
        lines = [line.strip() for line in text.strip().splitlines()]
        head, _, body = "\r\n".join(lines).partition("\r\n\r\n")
        flow = Flow("UDP", LOCAL[listener], source, listener=listener)
        self.engine.receive(f"{head}\r\n\r\n{body}".encode(), flow, self.now)
        return self.collect()

    def accept(self, source: tuple[str, int]) -> Flow:
        """A client opens a connection; the listener for clients has TCP from then on."""
        self.engine.add_listener(Listener("clients", "TCP", *CLIENTS, advertised=CLIENTS))
        return self.engine.accepted(self.engine.listener("clients", "TCP"), source)

    def receive_by_tcp(self, text: str, source: tuple[str, int] = (ALICE[0], 40001)) -> list[Sent]:
        """Feed one message on a new connection of a client."""
        written = "\r\n".join(line.strip() for line in text.strip().splitlines())
        self.engine.receive(f"{written}\r\n\r\n".encode(), self.accept(source), self.now)
        return self.collect()

    def request(
        self,
        method: str = "SUBSCRIBE",
        headers: str = "",
        *,
        uri: str = "sip:bob@poc.example",
        cseq: int = 1,
        branch: str | None = None,
        max_forwards: int | None = 70,
        to_tag: str = "",
        source: tuple[str, int] = ALICE,
        listener: str = "clients",
    ) -> list[Sent]:
        written = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch={branch or f'z9hG4bKa{next(self._branches)}'}",
            "From: <sip:alice@example>;tag=a",
            "To: <sip:bob@poc.example>" + (f";tag={to_tag}" if to_tag else ""),
            "Call-ID: call",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:alice@{source[0]}:{source[1]}>",
            *([] if max_forwards is None else [f"Max-Forwards: {max_forwards}"]),
            *(line.strip() for line in headers.strip().splitlines()),
            "Content-Length: 0",
        ]
        return self.receive("\n".join(written), source, listener)

    def answer(self, request: Sent, status: str, headers: str = "", to_tag: str = "b") -> list[Sent]:
        """What the next hop says to a request that the proxy sent it."""
        message = request.message
        written = [
            f"SIP/2.0 {status}",
            *(f"Via: {value}" for value in message.get_all("Via")),
            f"From: {message.get('From')}",
            f"To: {message.get('To')};tag={to_tag}",
            f"Call-ID: {message.call_id}",
            f"CSeq: {message.get('CSeq')}",
            *(line.strip() for line in headers.strip().splitlines()),
            "Content-Length: 0",
        ]
        return self.receive("\n".join(written), request.to, request.listener)

    def collect(self) -> list[Sent]:
        news = []
        for action in self.engine.take():
            if isinstance(action, Resolve):
                self.resolving.append(action)
                continue
            assert isinstance(action, Send), action
            message = parse_message(action.data)
            assert isinstance(message, Request | Response), message
            at = round(self.now - START, 3)
            news.append(Sent(message, action.flow.listener, action.flow.remote, at, action.data))
        self.sent += news
        return news

    def advance(self, seconds: float) -> list[Sent]:
        """Let time pass, deadline by deadline."""
        end, news = self.now + seconds, []
        while (deadline := self.engine.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.engine.handle_timer(self.now)
            news += self.collect()
        self.now = end
        return news

    def refuse(self, remote: tuple[str, int]) -> list[Sent]:
        self.engine.transport_failed(Flow("UDP", SERVERS, remote, listener="servers"), self.now)
        return self.collect()


@pytest.fixture
def bench() -> ProxyBench:
    return ProxyBench()


@pytest.fixture
def forking(bench: ProxyBench) -> ProxyBench:
    """Sends everything to two places."""
    bench.targets = [Target("clients", "sip:bob@192.0.2.31:5060"), Target("clients", "sip:bob@192.0.2.32:5060")]
    return bench


class Call:
    """An INVITE of alice to the targets a, b and c, told as a transcript.

    A line is what happens and, behind `>`, all that is sent because of it, in order:

        b 200 > up 200, a CANCEL      b answers 200; that goes to alice, and a gets CANCEL
        CANCEL > up 200 CANCEL        alice sends CANCEL, which is answered 200
        INVITE, ACK, ACK of 2xx       what else alice sends; INVITE for the second time is a retransmission
        a refused                     nobody listens at a
        +32                           so many seconds pass; what is only repeated meanwhile is left out
    """

    def __init__(self, bench: ProxyBench, targets: str) -> None:
        self.bench = bench
        self._places = {name: (f"192.0.2.{number}", 5060) for number, name in enumerate(targets, 31)}
        self._names = {place: name for name, place in self._places.items()} | {ALICE: "up"}
        self._invites: dict[str, Sent] = {}
        self._seen: set[bytes] = set()
        bench.targets = [Target("clients", f"sip:bob@{host}:{port}") for host, port in self._places.values()]

    def play(self, transcript: str) -> None:
        for line in filter(None, map(str.strip, transcript.splitlines())):
            event, _, expected = (part.strip() for part in line.partition(">"))
            sent = self._happen(event)
            told = [self._tell(each) for each in sent if not event.startswith("+") or each.data not in self._seen]
            self._seen.update(each.data for each in sent)
            if event.startswith("+"):
                told = list(dict.fromkeys(told))
            assert told == [each.strip() for each in expected.split(",") if expected], line

    def _happen(self, event: str) -> list[Sent]:
        who, _, what = event.partition(" ")
        if who in self._places and what == "refused":
            self.bench.engine.transport_failed(
                Flow("UDP", CLIENTS, self._places[who], listener="clients"), self.bench.now
            )
            return self.bench.collect()
        if who in self._places:
            status, _, tag = what.partition(" tag=")
            return self.bench.answer(self._invites[who], f"{status} Answer of {who}", to_tag=tag or who)
        if event.startswith("+"):
            return self.bench.advance(float(event))
        if what:  # of the 2xx of a
            return self.bench.request(who, branch="z9hG4bKack", uri="sip:bob@192.0.2.31", to_tag="a")
        return self.bench.request(who, branch="z9hG4bKcall", uri="sip:bob@poc.example")

    def _tell(self, sent: Sent) -> str:
        name, message = self._names[sent.to], sent.message
        if isinstance(message, Request):
            if message.method == "INVITE":
                self._invites[name] = sent
            return f"{name} {message.method}"
        method = message.cseq.method
        return f"{name} {message.status}" + ("" if method == "INVITE" else f" {method}")


@pytest.fixture
def make_bench() -> type[ProxyBench]:
    return ProxyBench


@pytest.fixture
def make_call() -> type[Call]:
    return Call


@pytest.fixture
def call(bench: ProxyBench) -> Call:
    return Call(bench, "ab")
