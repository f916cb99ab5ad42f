"""Two engines on virtual time, and between them a network that loses, repeats and reorders what a test wants it to."""

import itertools
from dataclasses import dataclass, field

from talkburst.sip.engine import ClientTransaction, Engine, Failure, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import Malformed, parse_message
from talkburst.sip.timers import Timers
from talkburst.sip.transaction.key import ClientKey, ServerKey, client_key, server_key
from talkburst.sip.transaction.server import ServerTransaction

ALICE, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
TIMERS = Timers()
LIFETIME = 64 * TIMERS.t1
USUAL_DELAY = 0.05
OF_THE_USER = "X-Of-The-User"  # marks an ACK that no transaction sends
LONGEST_DELAY = 2.0  # less than T4, the longest that a message stays in the network (RFC 3261 17.1.1.1)


@dataclass
class Call:
    """One request of Alice's and all she was told of it."""

    number: int
    method: str
    transaction: ClientTransaction | None = None
    outcomes: list[Response | Failure] = field(default_factory=list)
    ended_at: float | None = None

    @property
    def call_id(self) -> str:
        return f"call-{self.number}"

    @property
    def finals(self) -> list[Response | Failure]:
        return [each for each in self.outcomes if isinstance(each, Failure) or each.status >= 200]


class Bob:
    """Takes requests and answers them when the test says so."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, ServerTransaction]] = []
        self.cancelled: list[ServerTransaction] = []
        self.acks = 0
        self.said: dict[str, set[int]] = {}  # Call-ID to the statuses that were sent

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.taken.append((now, transaction))
        self.said.setdefault(request.call_id, set()).add(100)  # the engine says that for him

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        self.acks += 1

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        assert not transaction.final_sent, "a CANCEL that came too late is told nobody (RFC 3261 9.2)"
        self.cancelled.append(transaction)


@dataclass
class InFlight:
    arrives: float
    number: int
    send: Send


class Network:
    def __init__(self) -> None:
        tokens = (f"t{number}" for number in itertools.count())
        self.user = Bob()
        self.alice, self.bob = Engine(None, token=lambda: next(tokens)), Engine(self.user, token=lambda: next(tokens))
        self.engines = {ALICE: self.alice, BOB: self.bob}
        for address, engine in self.engines.items():
            engine.add_listener(Listener("main", "UDP", *address, advertised=address))
        self.now = 0.0
        self.calls: list[Call] = []
        self.in_flight: list[InFlight] = []
        self._numbers = itertools.count()
        self._alive: dict[Engine, set[ClientKey | ServerKey]] = {self.alice: set(), self.bob: set()}

    # What the users do

    def send(self, method: str, timeout: float | None) -> None:
        call = Call(len(self.calls), method)
        headers = [("From", f"<sip:a@x>;tag={call.number}"), ("To", "<sip:b@x>"), ("Call-ID", call.call_id)]
        request = Request(method, "sip:bob@192.0.2.2", [*headers, ("CSeq", f"{call.number} {method}")])
        self.calls.append(call)

        def told(outcome: Response | Failure, now: float) -> None:
            call.outcomes.append(outcome)
            if call.ended_at is None and call.finals:
                call.ended_at = now
            if isinstance(outcome, Response) and method == "INVITE" and 200 <= outcome.status < 300:
                ack = Request("ACK", "sip:bob@192.0.2.2", [*headers[:1], ("To", outcome.get("To")), *headers[2:]])
                ack.set("CSeq", f"{call.number} ACK")
                ack.set(OF_THE_USER, "yes")
                self.alice.send_stateless(ack, now)

        call.transaction = self.alice.send_request(request, told, self.now, timeout=timeout)
        self.collect()

    def respond(self, transaction: ServerTransaction, status: int, call_id: str) -> bool:
        answer = response_to(transaction.request, status, to_tag=transaction.to_tag)
        sent = self.bob.respond(transaction, answer, self.now)
        if sent:
            self.user.said[call_id].add(status)
        self.collect()
        return sent

    # What the network does

    def collect(self) -> None:
        """Takes what the engines send; only a transaction that lives, or lived a moment ago, sends anything."""
        for engine in (self.alice, self.bob):
            before, living = self._alive[engine], {*engine.clients, *engine.servers}
            for send in engine.take():
                assert isinstance(send, Send), send
                assert _sender(send) is None or _sender(send) in before | living, f"{send.message} of one that ended"
                self.in_flight.append(InFlight(self.now + USUAL_DELAY, next(self._numbers), send))
            self._alive[engine] = living

    def advance(self, seconds: float) -> None:
        """Lets time pass, event by event."""
        end = self.now + seconds
        while (moment := self._next_event()) <= end:
            self.now = max(self.now, moment)
            due = sorted((each for each in self.in_flight if each.arrives <= self.now), key=lambda each: each.arrives)
            self.in_flight = [each for each in self.in_flight if each.arrives > self.now]
            for each in due:
                flow = Flow("UDP", each.send.flow.remote, each.send.flow.local, listener="main")
                self.engines[each.send.flow.remote].receive(each.send.data, flow, self.now)
                self.collect()
            for engine in self.engines.values():
                engine.handle_timer(self.now)
                deadline = engine.next_deadline()
                assert deadline is None or deadline > self.now, "a timer is in the past after all timers were handled"
                self.collect()
        self.now = end

    def _next_event(self) -> float:
        deadlines = [engine.next_deadline() for engine in self.engines.values()]
        moments = [each.arrives for each in self.in_flight] + [each for each in deadlines if each is not None]
        return min(moments, default=float("inf"))


def _sender(send: Send) -> ClientKey | ServerKey | None:
    """The transaction that a message is of; None for the ACK of a 2xx, which has none (RFC 3261 17.1.1.3)."""
    message = parse_message(send.data)  # a response that is repeated is kept as bytes alone
    assert not isinstance(message, Malformed), message
    if isinstance(message, Request):
        branch, _, method = client_key(message).rpartition(" ")
        return None if method == "ACK" and message.get(OF_THE_USER) else f"{branch} {_asked(method)}"
    return server_key(Request(message.cseq.method, "", [("Via", message.via), ("CSeq", message.cseq)]))


def _asked(method: str) -> str:
    return "INVITE" if method == "ACK" else method
