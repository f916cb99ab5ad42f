"""An engine that is fed what was damaged goes on, answers a request once at most, and forgets it all in time."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sip_damage import damaged
from sip_messages import messages
from talkburst.sip.engine import Engine, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.transaction.server import ServerTransaction

OURS, PEER = ("192.0.2.1", 5060), ("192.0.2.9", 5070)
DATAGRAMS = st.one_of(damaged(), damaged(), messages().map(lambda written: written.data), st.binary(max_size=60))


class Answering:
    """Answers each request 200, the way most users do."""

    def __init__(self) -> None:
        self.engine: Engine | None = None

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        assert self.engine is not None
        self.engine.respond(transaction, response_to(request, 200, to_tag=transaction.to_tag), now)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        pass

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        pass


class Told:
    """One engine, its clock and what it sent."""

    def __init__(self) -> None:
        user, numbers = Answering(), itertools.count()
        self.engine = user.engine = Engine(user, token=lambda: f"t{next(numbers)}", software="talkburst/test")
        self.engine.add_listener(Listener("main", "UDP", *OURS, advertised=OURS))
        self.now = 0.0

    def receive(self, data: bytes) -> list[Send]:
        self.engine.receive(data, Flow("UDP", OURS, PEER, listener="main"), self.now)
        return [action for action in self.engine.take() if isinstance(action, Send)]

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.engine.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.engine.handle_timer(self.now)
            self.engine.take()
        self.now = end


@given(st.lists(DATAGRAMS, min_size=1, max_size=4))
def test_each_datagram_is_answered_once_at_most_and_to_where_it_came_from(datagrams: list[bytes]) -> None:
    told, before = Told(), set[bytes]()
    for data in datagrams:
        sent = told.receive(data)
        assert len(sent) <= 1
        for send in sent:
            assert isinstance(send.message, Response), "nobody asked for a request"
            assert send.flow.remote[0] == PEER[0]
            assert send.data == send.message.to_bytes() or send.data in before
            before.add(send.data)
    told.wait(200)
    assert not told.engine.servers
    assert told.engine.next_deadline() is None


@given(damaged(kind="request"), st.integers(1, 3))
def test_a_damaged_request_that_is_repeated_gets_the_same_answer_or_none(data: bytes, times: int) -> None:
    told = Told()
    answers = [send.data for _ in range(times + 1) for send in told.receive(data)]
    assert len(set(answers)) <= 1


@given(st.lists(damaged(kind="response"), min_size=1, max_size=3))
def test_no_response_is_answered_and_none_makes_a_transaction(datagrams: list[bytes]) -> None:
    told = Told()
    for data in datagrams:
        if data.lstrip(b"\r\n")[:4].upper() == b"SIP/":
            assert told.receive(data) == []
    assert not told.engine.servers
    assert not told.engine.clients
