"""Two transaction layers over a bad network: whatever happens between them, each request has one end (RFC 3261 17)."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lossy_network import BOB, LIFETIME, LONGEST_DELAY, TIMERS, InFlight, Network
from talkburst.sip.engine import Failure
from talkburst.sip.flow import Flow
from talkburst.sip.message import Response
from talkburst.sip.transaction.server import ServerTransaction

STATUSES = [100, 180, 183, 200, 202, 302, 404, 408, 487, 503, 603]
WAITS = [0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 3.5, 5.0, 10.0, 31.9, 32.1, 100.0]


class TransactionLayers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.network = Network()
        self.call_ids: dict[int, str] = {}  # of transactions whose request is let go after the answer
        self.answered_at: dict[int, float] = {}

    # Rules: the users

    @rule(
        method=st.sampled_from(["INVITE", "INVITE", "REGISTER", "OPTIONS"]),
        timeout=st.sampled_from([None, None, None, 0.5, 6.0]),
    )
    def send(self, method: str, timeout: float | None) -> None:
        self.network.send(method, None if method == "INVITE" else timeout)  # an INVITE is given up by CANCEL

    @precondition(lambda self: self.network.user.taken)
    @rule(which=st.integers(0), status=st.sampled_from(STATUSES))
    def respond(self, which: int, status: int) -> None:
        taken = self.network.user.taken
        self.answer(taken[-1 - which % len(taken)][1], status)

    def answer(self, transaction: ServerTransaction, status: int) -> None:
        call_id = self.call_ids.setdefault(id(transaction), transaction.request.get("Call-ID") or "")
        was_final, was_over = transaction.final_sent, transaction.terminated
        sent = self.network.respond(transaction, status, call_id)
        if was_over or (was_final and not (transaction.request.method == "INVITE" and 200 <= status < 300)):
            assert not sent, "a second final response"
        if sent and status >= 200:
            self.answered_at.setdefault(id(transaction), self.network.now)

    @precondition(lambda self: any(call.method == "INVITE" for call in self.network.calls))
    @rule(which=st.integers(0))
    def cancel(self, which: int) -> None:
        invites = [call for call in self.network.calls if call.method == "INVITE"]
        transaction = invites[which % len(invites)].transaction
        assert transaction is not None
        transaction.cancel(self.network.now)
        self.network.collect()

    # Rules: the network

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: float) -> None:
        self.network.advance(seconds)

    @precondition(lambda self: self.network.in_flight)
    @rule(which=st.integers(0))
    def lose(self, which: int) -> None:
        in_flight = self.network.in_flight
        del in_flight[which % len(in_flight)]

    @precondition(lambda self: self.network.in_flight)
    @rule()
    def lose_all(self) -> None:
        self.network.in_flight.clear()

    @precondition(lambda self: self.network.in_flight)
    @rule(which=st.integers(0), late=st.floats(0, LONGEST_DELAY / 2))
    def repeat(self, which: int, late: float) -> None:
        in_flight = self.network.in_flight
        one = in_flight[which % len(in_flight)]
        in_flight.append(InFlight(self.network.now + late, one.number, one.send))

    @precondition(lambda self: self.network.in_flight)
    @rule(which=st.integers(0), late=st.floats(0, LONGEST_DELAY / 2))
    def hold_back(self, which: int, late: float) -> None:
        in_flight = self.network.in_flight
        one = in_flight[which % len(in_flight)]
        one.arrives = max(one.arrives, self.network.now + late)

    @precondition(lambda self: self.network.alice.clients)
    @rule()
    def unreachable(self) -> None:
        """ICMP tells Alice that nobody is there."""
        self.network.alice.transport_failed(Flow("UDP", ("192.0.2.1", 5060), BOB, listener="main"), self.network.now)
        self.network.collect()

    # What holds at any time

    @invariant()
    def each_request_has_one_final_outcome_at_most(self) -> None:
        for call in self.network.calls:
            finals = call.finals
            successes = [each for each in finals if isinstance(each, Response) and 200 <= each.status < 300]
            if call.method == "INVITE" and len(successes) == len(finals):
                continue  # a 2xx may come again, for the user to acknowledge again (RFC 3261 13.2.2.4)
            assert len(finals) <= 1, f"{call.method}: {call.outcomes}"

    @invariant()
    def nothing_follows_the_final_outcome_but_a_2xx_of_invite(self) -> None:
        for call in self.network.calls:
            first = next((index for index, each in enumerate(call.outcomes) if each in call.finals), None)
            if first is not None:
                assert call.outcomes[first:] == call.finals

    @invariant()
    def each_response_is_one_that_was_given_to_this_request(self) -> None:
        for call in self.network.calls:
            for outcome in call.outcomes:
                if isinstance(outcome, Response):
                    assert outcome.call_id == call.call_id
                    assert outcome.status in self.network.user.said[call.call_id]

    @invariant()
    def no_transaction_is_kept_longer_than_64_t1_and_t4_after_its_end(self) -> None:
        network = self.network
        for call in network.calls:
            living = (
                call.transaction is not None and network.alice.clients.get(call.transaction.key) is call.transaction
            )
            if living and call.ended_at is not None:
                assert network.now <= call.ended_at + LIFETIME + TIMERS.t4
        for _, transaction in network.user.taken:
            living = network.bob.servers.get(transaction.key) is transaction
            if living and id(transaction) in self.answered_at:
                assert network.now <= self.answered_at[id(transaction)] + LIFETIME + TIMERS.t4

    @invariant()
    def no_request_is_handed_to_the_user_twice_while_its_copies_can_arrive(self) -> None:
        seen: dict[object, float] = {}
        for at, transaction in self.network.user.taken:
            assert at - seen.get(transaction.key, -LIFETIME) >= LIFETIME
            seen[transaction.key] = at

    @invariant()
    def what_was_cancelled_is_an_invite_and_once(self) -> None:
        assert all(each.request.method == "INVITE" for each in self.network.user.cancelled)
        assert len(set(map(id, self.network.user.cancelled))) == len(self.network.user.cancelled)

    def teardown(self) -> None:
        """The network is good from now on, Bob answers what he has, Alice waits for no INVITE any longer."""
        network = self.network
        network.advance(LONGEST_DELAY)
        for _, transaction in network.user.taken:
            if not transaction.final_sent and not transaction.terminated:
                self.answer(transaction, 480)
        network.advance(LIFETIME + LONGEST_DELAY)
        for call in network.calls:
            if call.method == "INVITE" and not call.finals and call.transaction is not None:
                call.transaction.cancel(network.now)
                network.collect()
        network.advance(4 * LIFETIME)
        self.each_request_has_one_final_outcome_at_most()
        for call in network.calls:
            assert call.finals, f"{call.method} has no end"
            assert isinstance(call.finals[0], Failure | Response)
        assert not network.alice.clients
        assert not network.bob.servers
        assert network.alice.next_deadline() is None
        assert network.bob.next_deadline() is None


TestTransactionLayers = TransactionLayers.TestCase
TestTransactionLayers.settings = settings(stateful_step_count=30, max_examples=3 * settings().max_examples)
