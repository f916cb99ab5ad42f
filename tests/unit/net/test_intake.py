"""The queue before an engine that cannot keep up, on virtual time: who is served, who is sent away, when it is over."""

import asyncio
from collections import Counter

import pytest

import damage
from talkburst.daemon.log import Log
from talkburst.net.intake import FEW, PIECE, READ, Intake, QueueLimits
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow
from talkburst.sip.parser import parse_message
from virtual_loop import VirtualLoop

THERE = ("192.0.2.9", 5070)
FLOW = Flow("UDP", ("192.0.2.1", 5060), THERE, listener="main")
STREAM = Flow("TCP", ("192.0.2.1", 5060), THERE, 1, "main")
COST = 0.001  # seconds to serve one
LIMITS = QueueLimits(delay=0.2, waiting=500)


class Shell:
    """What serves takes its time. Its engine is only asked what has begun."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.engine = Engine(None, token=iter("abc").__next__)
        self.served: list[bytes] = []
        self.refused: list[bytes] = []
        self.handed_on: list[bytes] = []
        self.commit = (0.0, 0)
        self.ahead: list[bool] = []
        self.cost = COST
        self.busy = 0.0  # seconds of work, which the loop has not seen
        self.intake = Intake(self, LIMITS, Log("test"))

    def now(self) -> float:
        return self.loop.time() + self.busy

    def pump(self) -> None:
        """The loop gets to know how long it took."""
        self.loop._leaping.now += self.busy
        self.busy = 0.0

    def serve(self, data: bytes, flow: Flow, now: float, *, overloaded: bool = False) -> None:
        (self.handed_on if overloaded else self.served).append(data)
        self.busy += self.cost

    def perform(self, send) -> None:
        self.refused.append(send.data)

    def commit_behind(self) -> tuple[float, int]:
        return self.commit

    def read_ahead(self, wanted: bool) -> None:
        self.ahead.append(wanted)

    def come(self, *messages: bytes) -> None:
        for data in messages:
            self.intake.take(data, FLOW, self.now())

    def fall_behind(self) -> None:
        self.intake.batch_was_full("main", self.now())
        self.intake.batch_was_full("main", self.now() + LIMITS.delay)
        assert self.intake.behind


def new(number: int, shape: int = 6) -> bytes:
    return damage.request(number, shape, THERE)


def begun(number: int) -> bytes:
    return new(number).replace(b"To: <sip:alice@ims.example>", b"To: <sip:alice@ims.example>;tag=x")


def news(count: int, first: int = 0) -> list[bytes]:
    return [new(number) for number in range(first, first + count)]


@pytest.fixture
def loop():
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    yield loop
    loop.close()


@pytest.fixture
def shell(loop):
    async def made() -> Shell:
        return Shell(loop)

    shell = loop.run_until_complete(made())
    yield shell
    shell.intake.close()


def run(shell: Shell, call, *arguments) -> None:
    async def inside() -> None:
        call(*arguments)

    shell.loop.run_until_complete(inside())


def test_a_socket_that_is_read_empty_in_time_leaves_no_queue(shell) -> None:
    for _ in range(100):
        shell.intake.batch_was_full("main", shell.now())
        shell.loop.pass_time(0.09)
        shell.intake.batch_was_full("main", shell.now())
        shell.intake.read_empty("main")
    assert not shell.intake.behind
    assert shell.ahead == []


def test_a_socket_that_is_full_for_half_the_delay_makes_one_until_it_is_empty(shell) -> None:
    shell.intake.batch_was_full("main", shell.now())
    shell.loop.pass_time(0.1)
    shell.intake.batch_was_full("main", shell.now())
    assert shell.intake.behind
    run(shell, shell.come, new(1))
    shell.loop.pass_time(0.01)
    assert shell.served == [new(1)]
    assert shell.intake.behind, "the socket is still full"
    shell.intake.read_empty("main")
    run(shell, shell.come, new(2))
    shell.loop.pass_time(0.01)
    assert not shell.intake.behind
    assert shell.ahead == [True, False]


def test_datagrams_that_the_kernel_had_no_room_for_make_one_however_soon_the_socket_is_empty(shell) -> None:
    run(shell, shell.intake.some_were_lost)
    assert shell.intake.behind
    shell.intake.read_empty("main")
    run(shell, shell.come, new(1))
    shell.loop.pass_time(0.2)
    assert shell.served == [new(1)]
    assert not shell.intake.behind


def test_a_loop_that_is_late_makes_one_until_it_is_not(shell, loop) -> None:
    run(shell, shell.intake.awake)
    loop._leaping.now += 0.2
    loop.pass_time(0.001)
    assert shell.intake.behind
    loop.pass_time(0.1)
    assert not shell.intake.behind


def test_without_messages_nobody_looks_at_the_clock(shell, loop) -> None:
    run(shell, shell.intake.awake)
    loop.pass_time(0.2)
    assert shell.intake._probe is None
    loop._leaping.now += 5.0
    run(shell, shell.intake.awake)
    loop.pass_time(0.01)
    assert not shell.intake.behind


def test_what_was_begun_goes_first_and_something_new_now_and_then(shell) -> None:
    shell.fall_behind()
    response = b"SIP/2.0 200 OK\r\n\r\n"
    repeated = new(50)
    shell.engine.receive(repeated, FLOW, shell.now())
    first = [begun(1), response, repeated, new(2).replace(b"OPTIONS", b"ACK"), new(3).replace(b"OPTIONS", b"CANCEL")]
    run(shell, shell.come, *news(3, 10), *first, *(begun(number) for number in range(60, 64)))
    shell.loop.pass_time(0.1)
    served = shell.served
    assert served[:4] == first[:4]
    assert served[4] == new(10)
    assert served[5:9] == [first[4], begun(60), begun(61), begun(62)]
    assert served[9:] == [new(11), begun(63), new(12)]


def test_the_one_that_would_wait_too_long_is_told_when_to_ask_again(shell) -> None:
    shell.fall_behind()
    run(shell, shell.come, *news(400))
    while shell.now() < LIMITS.delay + 0.01:
        assert shell.refused == []
        shell.loop.pass_time(0.001)
    run(shell, shell.come, new(900), begun(901))
    (answer,) = map(parse_message, shell.refused)
    assert (answer.status, answer.call_id) == (503, "damage-900")
    assert 5 <= int(answer.get("Retry-After")) <= 10
    assert shell.engine.counters["overload"] == 1
    shell.intake.read_empty("main")
    shell.loop.pass_time(1.0)
    assert set(shell.served) == {*news(400), begun(901)}
    assert not shell.intake.behind


def test_few_are_served_however_long_they_were_held_up(shell) -> None:
    """A machine that stops us for seconds does not make two requests too many."""
    shell.fall_behind()
    run(shell, shell.come, *news(FEW - 1))
    shell.busy += 10.0
    run(shell, shell.come, *news(1, 100))
    shell.loop.pass_time(1.0)
    assert shell.refused == []
    assert len(shell.served) == FEW


def test_a_full_queue_refuses_at_once_and_drops_what_nobody_waits_for(shell) -> None:
    shell.fall_behind()
    run(shell, shell.come, *news(LIMITS.waiting + 10))
    assert len(shell.refused) == 10
    run(shell, shell.come, *[begun(1)] * (4 * LIMITS.waiting + 3))
    assert shell.engine.counters["overload_dropped"] == 3


def test_a_quick_engine_leaves_some_of_what_fills_a_socket_until_who_comes_last_is_refused(shell) -> None:
    shell.cost = COST / 1000
    shell.fall_behind()

    async def rounds() -> None:
        served = []
        while not shell.refused and len(served) < 20:
            shell.come(*news(200, len(served) * 200))
            await asyncio.sleep(0)  # one round of serving
            served.append(len(shell.served))
        assert served == [150 * number for number in range(1, 9)]  # 50 more wait each time, and 500 may
        shell.intake.read_empty("main")
        await asyncio.sleep(0)
        assert len(shell.served) + len(shell.refused) == 200 * len(served)

    shell.loop.run_until_complete(rounds())


def test_large_messages_count_by_their_bytes(shell) -> None:
    shell.fall_behind()
    large = new(1) + b"x" * (1 << 20)
    run(shell, shell.come, *[large] * 30, begun(2))
    refused = len(shell.refused)
    assert 12 <= refused <= 15
    shell.loop.pass_time(0.1)
    run(shell, shell.come, *[large] * 10)
    assert len(shell.refused) == refused, "what was served counts no more"
    assert shell.engine.counters["overload_dropped"] == 1


def test_a_slow_commit_that_many_wait_for_refuses_what_is_new(shell, loop) -> None:
    shell.commit = (1.5, FEW)
    run(shell, shell.intake.awake)
    loop.pass_time(0.06)
    run(shell, shell.come, new(1), begun(2))
    loop.pass_time(0.01)
    assert (len(shell.refused), shell.served) == (1, [begun(2)])
    shell.commit = (0.0, 0)
    loop.pass_time(0.06)
    assert not shell.intake.behind


@pytest.mark.parametrize("commit", [(10.0, FEW - 1), (0.9, 1000)])
def test_a_commit_that_is_slow_or_that_many_wait_for_refuses_nobody(shell, loop, commit: tuple[float, int]) -> None:
    shell.commit = commit
    run(shell, shell.intake.awake)
    loop.pass_time(0.06)
    assert not shell.intake.behind


def test_what_the_short_way_cannot_read_goes_the_long_one(shell) -> None:
    shell.fall_behind()
    odd = new(1).replace(b"Via: SIP/2.0/UDP ", b"Via: SIP / 2.0 / UDP ")
    run(shell, shell.come, *news(LIMITS.waiting), odd)
    assert shell.handed_on == [odd]


def test_streams_are_read_in_turns_while_there_is_work(shell, loop) -> None:
    class Stream:
        def pause(self) -> None:
            assert shell.intake.behind

        def resume(self) -> None:
            resumed.append(len(shell.served))

    resumed: list[int] = []
    shell.fall_behind()

    def read() -> None:
        shell.come(*news(400))
        for _ in range(20):
            shell.intake.hold(Stream(), PIECE)

    run(shell, read)
    loop.pass_time(1.0)
    assert list(Counter(resumed).values()) == [2, 4, 8, 6], "more after each slice of serving that nothing came in"
    assert max(resumed) < 100, "and not after all of the work"


def test_fewer_streams_are_read_at_a_time_when_they_bring_much(shell, loop) -> None:
    class Stream:
        def pause(self) -> None: ...

        def resume(self) -> None:
            shell.come(*[b"SIP/2.0 200 OK\r\n\r\n"] * (READ // 2))
            shell.intake.hold(self, PIECE)
            rounds.append(len(shell.served))

    rounds: list[int] = []
    shell.fall_behind()
    for _ in range(20):
        run(shell, shell.intake.hold, Stream(), PIECE)
    loop.pass_time(0.5)
    per_round = list(Counter(rounds).values())[5:]
    assert len(per_round) > 10
    assert max(per_round) * READ // 2 <= 2 * READ


def test_a_stream_that_brings_little_is_not_held(shell) -> None:
    shell.fall_behind()
    shell.intake.hold(object(), PIECE - 1)  # has nothing that could be called


def test_a_stream_that_brought_nothing_whole_is_read_again(shell, loop) -> None:
    class Stream:
        reading = True

        def pause(self) -> None:
            self.reading = False

        def resume(self) -> None:
            self.reading = True

    shell.fall_behind()
    stream = Stream()
    run(shell, shell.intake.hold, stream, PIECE)
    loop.pass_time(0.01)
    assert stream.reading


def test_a_flood_is_one_line_in_the_log(shell, caplog) -> None:
    shell.fall_behind()
    run(shell, shell.come, *news(LIMITS.waiting + 300))
    assert len(shell.refused) == 300
    (line,) = caplog.records
    assert line.getMessage() == "overloaded, new requests are answered 503"
    assert line.fields["waiting"] == LIMITS.waiting
