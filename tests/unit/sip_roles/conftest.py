"""Engines on one virtual network and clock.

An address without an engine is a stranger: it writes literal text, and what is sent to it is kept.
"""

import itertools
from collections.abc import Callable
from textwrap import dedent

import pytest

from talkburst.sip.engine import Engine, Resolve, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, Response
from talkburst.sip.parser import parse_message
from talkburst.sip.subscriber import SubscribeRequests

Address = tuple[str, int]
NOTIFIER, SUBSCRIBER, STRANGER = ("192.0.2.1", 5060), ("192.0.2.2", 5070), ("192.0.2.9", 5090)
DELAY = 0.01


def wire(text: str, body: bytes = b"") -> bytes:
    """SIP text as tests write it: indented, LF, no Content-Length."""
    lines = [line for line in dedent(text).strip().splitlines() if line]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}"]).encode() + b"\r\n\r\n" + body


class Net:
    """Carries datagrams. `lose` decides which are lost, `delay` gives seconds: a longer one lets others overtake."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.engines: dict[Address, Engine] = {}
        self.mail: list[Request | Response] = []
        self.log: list[tuple[float, Address, Request | Response]] = []
        self.lose: Callable[[Request | Response], bool] = lambda message: False
        self.delay: Callable[[Request | Response], float] = lambda message: DELAY
        self.tokens = itertools.count(1)
        self._flying: list[tuple[float, int, Flow, bytes]] = []
        self._order = itertools.count()

    def engine(self, address: Address) -> Engine:
        engine = Engine(None, token=self.token)
        engine.add_listener(Listener("main", "UDP", *address, advertised=address))
        self.engines[address] = engine
        return engine

    def token(self) -> str:
        return f"t{next(self.tokens)}"

    def inject(self, text: str, to: Address = NOTIFIER, body: bytes = b"", source: Address = STRANGER) -> None:
        """A stranger's datagram arrives now; what comes of it at once is carried within the next two delays."""
        self._arrive(Flow("UDP", to, source, listener="main"), wire(text, body))
        self.run(2 * DELAY)

    def answer(
        self, request: Request, status: str, *headers: str, to: Address = NOTIFIER, source: Address = STRANGER
    ) -> None:
        """A stranger's response to `request` arrives now."""
        address = request.get("To") or ""
        lines = [
            f"SIP/2.0 {status}",
            *(f"Via: {via}" for via in request.get_all("Via")),
            f"From: {request.get('From')}",
            f"To: {address}" if ";tag=" in address else f"To: {address};tag=peer",
            f"Call-ID: {request.call_id}",
            f"CSeq: {request.get('CSeq')}",
            *headers,
        ]
        self.inject("\n".join(lines), to, source=source)

    def watching_alice(self, route: str) -> SubscribeRequests:
        """What an application server asks to be told of her registration."""
        return SubscribeRequests(
            event="reg",
            target="sip:alice@ims.example",
            from_="<sip:as@ims.example>",
            to="<sip:alice@ims.example>",
            contact="<sip:as@192.0.2.2:5070>",
            accept="application/reginfo+xml",
            headers=[("P-Asserted-Identity", "<sip:as@ims.example>")],
            route=[route],
        )

    def run(self, seconds: float = 0.0) -> None:
        """Lets time pass, and performs everything in its order."""
        end = self.now + seconds
        self._collect()
        while True:
            deadlines = [at for engine in self.engines.values() if (at := engine.next_deadline()) is not None]
            due = min(deadlines + [flight[0] for flight in self._flying], default=end + 1)
            if due > end:
                break
            self.now = max(self.now, due)
            for flight in sorted(flight for flight in self._flying if flight[0] <= self.now):
                self._flying.remove(flight)
                self._arrive(flight[2], flight[3])
            for engine in self.engines.values():
                engine.handle_timer(self.now)
            self._collect()
        self.now = end

    def sent(self, what: str) -> list[Request | Response]:
        """Everything sent, retransmissions too, that is of this method or status."""
        return [message for _, _, message in self.log if is_a(message, what)]

    def times(self, what: str, since: float) -> list[float]:
        """When those were sent, in seconds after `since`."""
        return [round(at - since, 3) for at, _, message in self.log if is_a(message, what)]

    def take_mail(self) -> list[Request | Response]:
        """What came for strangers since the last time."""
        mail, self.mail = self.mail, []
        return mail

    def _arrive(self, flow: Flow, data: bytes) -> None:
        engine = self.engines.get(flow.local)
        if engine is not None:
            engine.receive(data, flow, self.now)
            self._collect()
            return
        message = parse_message(data)
        assert isinstance(message, Request | Response), message
        self.mail.append(message)

    def _collect(self) -> None:
        for address, engine in self.engines.items():
            for action in engine.take():
                assert not isinstance(action, Resolve), action
                self._depart(address, action)

    def _depart(self, address: Address, send: Send) -> None:
        parsed = parse_message(send.data)
        assert isinstance(parsed, Request | Response), parsed
        self.log.append((self.now, address, parsed))
        if not self.lose(parsed):
            flow = Flow("UDP", send.flow.remote, address, listener="main")
            self._flying.append((self.now + self.delay(parsed), next(self._order), flow, send.data))


def is_a(message: Request | Response, what: str) -> bool:
    """Whether this is a request of that method, or a response of that status."""
    return what == (message.method if isinstance(message, Request) else str(message.status))


@pytest.fixture
def net() -> Net:
    return Net()
