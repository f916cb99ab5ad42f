"""Two engines back to back on virtual time, over a path that loses what the test wants lost."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkburst.sip.engine import Engine, Failure, Send
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.transaction.server import ServerTransaction

ALICE, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
DELAY = 0.02  # seconds one way

Lose = Callable[[int, Send], bool]


class Answering:
    """Bob: answers each request with the next status, INVITE with 180 first."""

    def __init__(self, statuses: list[int]) -> None:
        self.statuses = statuses
        self.engine: Engine
        self.seen: list[str] = []
        self.open: list[ServerTransaction] = []
        self.acks = 0
        self.cancelled = 0

    def on_request(self, transaction, request, now) -> None:
        self.seen.append(request.method)
        self.open.append(transaction)
        for status in self.statuses:
            self.engine.respond(transaction, response_to(request, status, to_tag=transaction.to_tag), now)

    def stop_ringing(self, now: float) -> None:
        for transaction in self.open:
            if transaction.request.method == "INVITE" and not transaction.final_sent:
                answer = response_to(transaction.request, 480, to_tag=transaction.to_tag)
                self.engine.respond(transaction, answer, now)

    def on_ack(self, request, flow, now) -> None:
        self.acks += 1

    def on_cancel(self, transaction, now) -> None:
        self.cancelled += 1
        answer = response_to(transaction.request, 487, to_tag=transaction.to_tag)
        self.engine.respond(transaction, answer, now)


class Path:
    """Carries datagrams between the two with a delay; `lose(number, send)` decides about each one."""

    def __init__(self, statuses: list[int], lose: Lose = lambda number, send: False) -> None:
        tokens = (f"t{number}" for number in itertools.count())
        self.bob_user = Answering(statuses)
        self.engines = {}
        for address, user in ((ALICE, None), (BOB, self.bob_user)):
            engine = Engine(user, token=lambda: next(tokens))
            engine.add_listener(Listener("main", "UDP", *address, advertised=address))
            self.engines[address] = engine
        self.alice, self.bob = self.engines[ALICE], self.engines[BOB]
        self.bob_user.engine = self.bob
        self.lose = lose
        self.now = 0.0
        self.carried = 0
        self.in_flight: list[tuple[float, int, Send]] = []
        self.outcomes: list[int | str] = []

    def send(self, method: str):
        request = Request(
            method,
            "sip:bob@192.0.2.2",
            [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", "c1"), ("CSeq", f"1 {method}")],
        )
        return self.alice.send_request(request, self.on_outcome, self.now)

    def on_outcome(self, outcome: Response | Failure, now: float) -> None:
        self.outcomes.append(outcome.status if isinstance(outcome, Response) else outcome.name)

    def run(self, until: float) -> None:
        while True:
            for engine in self.engines.values():
                for send in engine.take():
                    self.carried += 1
                    if not self.lose(self.carried, send):
                        self.in_flight.append((self.now + DELAY, self.carried, send))
            deadlines = [engine.next_deadline() for engine in self.engines.values()]
            moments = [at for at, _, _ in self.in_flight] + [at for at in deadlines if at is not None]
            if not moments or min(moments) > until:
                self.now = until
                return
            self.now = min(moments)
            due = [entry for entry in self.in_flight if entry[0] <= self.now]
            self.in_flight = [entry for entry in self.in_flight if entry[0] > self.now]
            for _, _, send in due:
                flow = Flow("UDP", send.flow.remote, send.flow.local, listener="main")
                self.engines[send.flow.remote].receive(send.data, flow, self.now)
            for engine in self.engines.values():
                engine.handle_timer(self.now)

    def assert_nothing_is_left(self) -> None:
        for engine in self.engines.values():
            assert not engine.clients
            assert not engine.servers
            assert engine.next_deadline() is None


@pytest.mark.parametrize("lost", [{1}, {2}, {1, 2, 3}, {1, 3, 5, 7, 9}, set()], ids=str)
@pytest.mark.parametrize("status", [200, 404])
def test_a_non_invite_survives_loss_and_reaches_the_user_once(lost: set[int], status: int) -> None:
    path = Path([status], lambda number, send: number in lost)
    path.send("OPTIONS")
    path.run(100)
    assert path.outcomes == [status]
    assert path.bob_user.seen == ["OPTIONS"]
    path.assert_nothing_is_left()


def test_a_non_invite_nobody_hears_ends_by_timer_f() -> None:
    path = Path([200], lambda number, send: True)
    path.send("OPTIONS")
    path.run(31.9)
    assert path.outcomes == []
    path.run(32)
    assert path.outcomes == ["TIMEOUT"]
    path.assert_nothing_is_left()


def test_a_non_invite_whose_answers_are_all_lost_ends_by_timer_f_and_is_handled_once() -> None:
    path = Path([200], lambda number, send: isinstance(send.message, Response))
    path.send("OPTIONS")
    path.run(100)
    assert path.outcomes == ["TIMEOUT"]
    assert path.bob_user.seen == ["OPTIONS"]
    path.assert_nothing_is_left()


def test_a_silent_user_is_covered_by_a_100_after_3_5_seconds() -> None:
    path = Path([])
    path.send("OPTIONS")
    path.run(100)
    assert set(path.outcomes[:-1]) == {100}, "once more for each retransmission"
    assert path.outcomes[-1] == "TIMEOUT"
    path.assert_nothing_is_left()


@pytest.mark.parametrize("lost", [{1}, {2}, {3}, {4}, {1, 2, 3, 4}, set()], ids=str)
def test_a_rejected_invite_survives_loss_of_any_message(lost: set[int]) -> None:
    path = Path([486], lambda number, send: number in lost)
    path.send("INVITE")
    path.run(200)
    assert path.outcomes == [486]
    assert path.bob_user.seen == ["INVITE"]
    assert path.bob_user.acks == 0
    assert path.bob.counters["unacknowledged"] == 0
    path.assert_nothing_is_left()


def test_a_rejection_whose_ack_never_comes_ends_by_timer_h() -> None:
    path = Path([486], lambda number, send: send.message.start_line.startswith("ACK"))
    path.send("INVITE")
    path.run(200)
    assert path.outcomes == [486]
    assert path.bob.counters["unacknowledged"] == 1
    path.assert_nothing_is_left()


def test_an_accepted_invite_ends_by_timers_l_and_m() -> None:
    path = Path([180, 200])
    path.send("INVITE")
    path.run(31)
    assert path.outcomes == [180, 200]
    assert path.alice.clients
    assert path.bob.servers
    path.run(33)
    path.assert_nothing_is_left()


@pytest.mark.parametrize("lost", [set(), {3}, {4}, {5}, {6}], ids=str)
def test_cancel_survives_loss_and_ends_the_invite_with_487(lost: set[int]) -> None:
    path = Path([180], lambda number, send: number in lost)
    invite = path.send("INVITE")
    path.run(1)
    invite.cancel(path.now)
    path.run(200)
    assert path.outcomes == [180, 487]
    assert path.bob_user.cancelled == 1
    path.assert_nothing_is_left()


def test_duplicated_datagrams_change_nothing() -> None:
    path = Path([200])
    path.send("OPTIONS")
    for send in path.alice.take():
        path.in_flight += [(DELAY, 1, send), (DELAY, 2, send), (4.0, 3, send)]
    path.run(100)
    assert path.outcomes == [200]
    assert path.bob_user.seen == ["OPTIONS"]
    path.assert_nothing_is_left()


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["OPTIONS", "INVITE"]),
    statuses=st.sampled_from([[], [200], [486], [180, 486], [180, 200]]),
    lost=st.sets(st.integers(1, 30)),
)
def test_whatever_is_lost_the_user_is_asked_once_and_told_one_outcome(method, statuses, lost) -> None:
    if method == "OPTIONS":
        statuses = [status for status in statuses if status >= 200]
    path = Path(statuses, lambda number, send: number in lost)
    transaction = path.send(method)
    path.run(100)
    if method == "INVITE" and not finals(path):
        transaction.cancel(path.now)  # it rings, or its 2xx was lost, which only Bob's user would repeat
    path.run(200)
    path.bob_user.stop_ringing(path.now)
    path.run(400)
    assert len(finals(path)) == 1
    assert len(path.bob_user.seen) <= 1
    path.assert_nothing_is_left()


def finals(path: Path) -> list[int | str]:
    return [outcome for outcome in path.outcomes if isinstance(outcome, str) or outcome >= 200]
