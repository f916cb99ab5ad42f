"""The four machines against their figures in RFC 3261 17 and RFC 6026: every state, event and timer, over UDP and TCP.

The tables in `figures/` are written from the RFCs' figures and their table of timers; each row is played to an engine.
The second half proves that they can fail: whatever is changed in the machines or in the timers breaks a row.
"""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from talkburst.sip.timers import DURATIONS, Timer
from talkburst.sip.transaction.states import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Machine,
    Signal,
    State,
)

FIGURES = Path(__file__).parent / "figures"
MACHINES = {
    "invite-client": INVITE_CLIENT,
    "non-invite-client": NON_INVITE_CLIENT,
    "invite-server": INVITE_SERVER,
    "non-invite-server": NON_INVITE_SERVER,
}
STEP = 0.1  # seconds between two events
ASKED = """
    {method} sip:bob@192.0.2.9:5070 SIP/2.0
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:bob@ims.example>
    Call-ID: call-1
    CSeq: 7 {method}
"""
RECEIVED = """
    {method} sip:bob@192.0.2.1 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKinv;rport
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:bob@ims.example>
    Call-ID: call-1
    CSeq: 7 {method}
    Content-Length: 0
"""
STATUS = {"1xx": 180, "2xx": 200, "3xx-6xx": 486, "100": 100, "408": 408}
REASONS = {180: "180 Ringing", 200: "200 OK", 486: "486 Busy Here"}
NOT_SENT = ("unacknowledged", "abandoned", "withheld_408", "withheld_provisional", "late_answer")
SHOWN = {Timer.INVITE_TRYING: "100", Timer.TRYING: "100", Timer.ABANDON: "abandon"}


@dataclass(frozen=True)
class Row:
    figure: str
    transport: str
    situation: str
    event: str
    expected: tuple[str, str, str, str]
    steps: tuple[str, ...]  # that lead to the situation

    @property
    def id(self) -> str:
        return f"{self.figure} over {self.transport}: {self.situation}, {self.event}"

    @property
    def state(self) -> str:
        return self.situation.partition(",")[0]


def rows_of(figure: str) -> list[Row]:
    rows, ways, transport = [], {"-": ()}, ""
    for line in (FIGURES / f"{figure}.txt").read_text().splitlines():
        if line.startswith("to reach "):
            situation, _, steps = line.removeprefix("to reach ").partition(": ")
            ways[situation] = tuple(steps.split("; "))
        elif line.startswith("["):
            transport = line.strip("[]")
        elif transport and line:
            situation, event, *expected = (cell.strip() for cell in line.split("|"))
            rows.append(Row(figure, transport, situation, event, tuple(expected), ways[situation]))
    return rows


ROWS = {figure: rows_of(figure) for figure in MACHINES}
EVERY_ROW = [row for rows in ROWS.values() for row in rows]


class Player:
    """Plays events to one transaction in an engine, and shows it as a row does."""

    def __init__(self, bench: Any, figure: str) -> None:
        self.bench = bench
        self.is_client = figure.endswith("client")
        self.method = "OPTIONS" if figure.startswith("non") else "INVITE"
        self.answers: dict[str, str] = {}

    @property
    def transaction(self) -> Any:
        return self.bench.transaction if self.is_client else self.bench.user.requests[0]

    def play(self, event: str) -> list[str]:
        """What was sent because of the event, by method or status."""
        kind, _, name = event.partition(" ")
        if kind == "timer":
            return self._wait_for(name)
        if event != "start":
            self.bench.advance(STEP)
        before = len(self.bench.sent)
        self._happen(event)
        self.bench.collect()
        return [_word(send.message.start_line) for _, send in self.bench.sent[before:]]

    def _happen(self, event: str) -> None:
        bench = self.bench
        match event.split():
            case ["start"] if self.is_client:
                bench.send(ASKED.format(method=self.method), **({"flow": bench.flow} if bench.flow.reliable else {}))
                self.answers = {each: bench.answer_to_last(REASONS[STATUS[each]]) for each in ("1xx", "2xx", "3xx-6xx")}
            case ["start"] | ["request"]:
                bench.receive(RECEIVED.format(method=self.method))
            case ["ACK"]:
                bench.receive(RECEIVED.format(method="ACK"))
            case ["TU", status]:
                bench.respond(STATUS[status], to_tag="t1")
            case ["cancel"]:
                self.transaction.cancel(bench.now)
            case ["transport", "error"]:
                bench.engine.transport_failed(bench.flow, bench.now)
            case [status]:
                bench.receive(self.answers[status])

    def _wait_for(self, name: str) -> list[str]:
        """Lets time pass until that timer fires; what was sent at that very moment."""
        bench = self.bench
        while (deadline := bench.engine.next_deadline()) is not None and deadline < self._due(name) - 1e-9:
            bench.advance(deadline - bench.now)
        before = len(bench.sent)
        bench.advance(self._due(name) - bench.now + 1e-9)
        return [_word(send.message.start_line) for _, send in bench.sent[before:]]

    def _due(self, name: str) -> float:
        (due,) = [at for timer, at in self._running() if shown(timer) == name]
        return float(due)

    def told(self) -> list[str]:
        """All that the user was told so far, and what it said in vain."""
        bench = self.bench
        return [
            *map(str, bench.results()),
            *["request" for _ in bench.user.requests],
            *["ACK" for _ in bench.user.acks],
            *[name for name in NOT_SENT for _ in range(bench.engine.counters[name])],
        ]

    def state(self) -> str:
        transaction, engine = self.transaction, self.bench.engine
        living = (engine.clients if self.is_client else engine.servers).get(transaction.key) is transaction
        assert living is not transaction.terminated, "it is forgotten the instant that it is terminated"
        return str(transaction.state.name)

    def _running(self) -> list[tuple[Timer, float]]:
        """The timers that run, and when each is due."""
        running, each = [], self.transaction._timers
        while each is not None:
            running.append((each.timer, each.at))
            each = each.another
        return running

    def timers(self) -> str:
        alarms = sorted((shown(timer), at - self.bench.now) for timer, at in self._running())
        return ", ".join(f"{name} {round(due, 3):g}" for name, due in alarms) or "-"


def shown(timer: Timer) -> str:
    return SHOWN.get(timer, timer.name)


def _word(start_line: str) -> str:
    return start_line.split()[1 if start_line.startswith("SIP/") else 0]


def played(row: Row, make_bench: Callable[[str], Any]) -> tuple[str, str, str, str]:
    """What comes of a row: new state, sent, told, timers."""
    player = Player(make_bench(row.transport), row.figure)
    for step in row.steps:
        player.play(step)
    before = player.told() if row.steps else []
    sent = player.play(row.event)
    told = player.told()
    for each in before:
        told.remove(each)
    return player.state(), " ".join(sent) or "-", " ".join(told) or "-", player.timers()


@pytest.mark.parametrize("row", EVERY_ROW, ids=lambda row: row.id)
def test_a_transaction_does_what_its_figure_says(row: Row, make_bench: Callable[[str], Any]) -> None:
    assert played(row, make_bench) == row.expected


# The tables are whole

OF_CLIENTS = {"1xx", "2xx", "3xx-6xx", "transport error"}
OF_SERVERS = {"request", "TU 1xx", "TU 2xx", "TU 3xx-6xx", "transport error"}
EVENTS = {
    "invite-client": OF_CLIENTS | {"cancel"},
    "non-invite-client": OF_CLIENTS,
    "invite-server": OF_SERVERS | {"ACK"},
    "non-invite-server": OF_SERVERS,
}
# A request that comes after the end begins a transaction; the engine's tests have that.
NOT_THERE = {("invite-server", "TERMINATED", "request"), ("non-invite-server", "TERMINATED", "request")}
# Timer "abandon" of TRYING is due long after the 100; the server is in PROCEEDING by then.
NOT_THERE |= {("non-invite-server", "TRYING", "timer abandon"), ("non-invite-server", "TERMINATED", "TU 1xx")}
# Timer B runs in PROCEEDING when a CANCEL was sent; its row has that situation.


@pytest.mark.parametrize("figure", MACHINES)
def test_every_state_has_a_row_for_every_event_and_timer(figure: str) -> None:
    machine = MACHINES[figure]
    wanted = {(state.name, event) for state in machine.table for event in EVENTS[figure]}
    wanted |= {(state.name, f"timer {shown(timer)}") for state, timers in machine.timers.items() for timer in timers}
    listed = {(row.state, row.event) for row in ROWS[figure] if row.transport == "UDP"}
    assert {(figure, *each) for each in wanted - listed} <= NOT_THERE


def test_every_situation_is_in_some_row_and_no_row_comes_twice() -> None:
    ids = [row.id for row in EVERY_ROW]
    assert len(set(ids)) == len(ids)
    for figure in MACHINES:
        text = (FIGURES / f"{figure}.txt").read_text()
        reached = {line[9:].partition(": ")[0] for line in text.splitlines() if line.startswith("to reach")}
        assert reached == {row.situation for row in ROWS[figure]} - {"-"}


# The tables can fail


def broken_rows(figure: str, make_bench: Callable[[str], Any], state: str) -> Iterator[Row]:
    """The rows that do not come out as they should, those that are about `state` first."""
    for row in sorted(ROWS[figure], key=lambda row: row.state != state):
        try:
            if played(row, make_bench) != row.expected:
                yield row
        except Exception:  # noqa: BLE001 - whatever a broken machine does is noticed
            yield row


@contextmanager
def instead(mapping: MutableMapping[Any, Any], key: object, value: object) -> Iterator[None]:
    """Another value for a while; None for none at all."""
    before = mapping.get(key)
    if value is None:
        del mapping[key]
    else:
        mapping[key] = value
    try:
        yield
    finally:
        if before is None:
            del mapping[key]
        else:
            mapping[key] = before


def row_of(machine: Machine, state: State) -> MutableMapping[Any, Any]:
    return cast(MutableMapping[Any, Any], machine.table[state])


TRANSITIONS = [
    pytest.param(figure, state, event, id=f"{figure}: {state.name}, {event.name}")
    for figure, machine in MACHINES.items()
    for state, row in machine.table.items()
    for event in row
    if (figure, state.name, f"timer {shown(event) if isinstance(event, Timer) else ''}") not in NOT_THERE
]
# Where nothing tells the two apart: in the figure a late 1xx of the user cannot be, and a response after the final one
# is stopped before the machine is asked.
IGNORED = [
    pytest.param(figure, state, event, id=f"{figure}: {state.name}, {event.name}")
    for figure, machine in MACHINES.items()
    for state, events in machine.ignored.items()
    for event in sorted(events, key=lambda each: each.name)
    if state is not State.TERMINATED
    and not (figure.endswith("server") and event in (Signal.PROVISIONAL, Signal.SUCCESS, Signal.REJECTION))
    and not (figure.endswith("server") and event is Signal.TRANSPORT_ERROR)
]


@pytest.mark.parametrize(("figure", "state", "event"), TRANSITIONS)
def test_a_transition_to_another_state_or_without_its_actions_breaks_a_row(
    figure: str, state: State, event: Signal | Timer, make_bench: Callable[[str], Any]
) -> None:
    machine = MACHINES[figure]
    target, actions = machine.table[state][event]
    others = [other for other in machine.table if other is not target]
    for changed in [*((other, actions) for other in others), *([(target, ())] if actions else [])]:
        with instead(row_of(machine, state), event, changed):
            assert next(broken_rows(figure, make_bench, state.name), None) is not None, f"nobody notices {changed}"


@pytest.mark.parametrize(("figure", "state", "event"), IGNORED)
def test_an_ignored_event_that_ends_the_transaction_breaks_a_row(
    figure: str, state: State, event: Signal, make_bench: Callable[[str], Any]
) -> None:
    with instead(row_of(MACHINES[figure], state), event, (State.TERMINATED, ())):
        assert next(broken_rows(figure, make_bench, state.name), None) is not None


@pytest.mark.parametrize(
    ("figure", "state", "timer"),
    [
        pytest.param(figure, state, timer, id=f"{figure}: {state.name}, {timer.name}")
        for figure, machine in MACHINES.items()
        for state, timers in machine.timers.items()
        for timer in timers
    ],
)
def test_a_timer_that_does_not_run_or_not_as_long_breaks_a_row(
    figure: str, state: State, timer: Timer, make_bench: Callable[[str], Any]
) -> None:
    timers = cast(MutableMapping[Any, Any], MACHINES[figure].timers)
    durations = cast(MutableMapping[Any, Any], DURATIONS)
    with instead(timers, state, tuple(each for each in timers[state] if each is not timer)):
        assert next(broken_rows(figure, make_bench, state.name), None) is not None
    usual = durations[timer]
    with instead(durations, timer, lambda each: usual(each) * 1.1):
        assert next(broken_rows(figure, make_bench, state.name), None) is not None
