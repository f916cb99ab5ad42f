"""The checker: frames in, verdicts on the 32 steps out. No socket, no clock; it is told the time."""

from collections.abc import Iterable
from dataclasses import dataclass

from talkburst.daemon.address import show_host_port
from talkburst.flow.capture import Capture
from talkburst.flow.evidence import Evidence, Hints
from talkburst.flow.flows import Flow, Flows
from talkburst.flow.http_traffic import HttpSighting
from talkburst.flow.message import ObservedMessage, address_of_record
from talkburst.flow.printable import printable
from talkburst.flow.report import Report
from talkburst.flow.roles import Role, Roles
from talkburst.flow.verdicts import Judge
from talkburst.obs.frame import Frame

DEFAULT_WAIT = 10.0


@dataclass(slots=True, frozen=True)
class StepEvent:
    """A message as it is observed for the first time, and which steps it is, as far as is known by then.

    `message` is its start line. What tells SIP messages with the same one apart: method, event package, CSeq number,
    Call-ID; they are empty for HTTP. All of it is made printable.
    """

    time: float
    sender: Role
    receiver: Role
    message: str
    steps: tuple[int, ...] = ()
    method: str = ""
    event: str = ""
    cseq: int = 0
    call_id: str = ""


class Checker:
    """Judges the traffic it is fed.

    `wait` is how long a step may follow its cause, in seconds; callers scale it with T1. Roles that are not named are
    found out from the traffic.
    """

    def __init__(self, roles: Roles | None = None, wait: float = DEFAULT_WAIT, hints: Hints | None = None) -> None:
        self._capture = Capture(roles or Roles())
        self._flows = Flows(self._capture)
        self._wait = wait
        self._hints = hints or Hints()
        self._passed: set[int] = set()

    @property
    def unreadable(self) -> int:
        """How many frames were no SIP message, or too broken to be told apart."""
        return self._capture.unreadable

    @property
    def passed_over(self) -> str:
        """What is to be said of those, and of the first of them; nothing where there is none."""
        if self._capture.first_unreadable is None:
            return ""
        frame, why = self._capture.first_unreadable
        count = f"{self.unreadable} SIP messages" if self.unreadable > 1 else "1 SIP message"
        ends = f"{show_host_port(*frame.source)} to {show_host_port(*frame.destination)}"
        line = frame.payload.lstrip(b"\r\n").partition(b"\r\n")[0].decode(errors="surrogateescape")
        return (
            f"{count} could not be read and {'were' if self.unreadable > 1 else 'was'} passed over, "
            f"{'the first ' if self.unreadable > 1 else ''}from {ends}: {printable(line[:80])}: {printable(why)}"
        )

    @property
    def flow_count(self) -> int:
        """How many registrations have begun. What others go on with before any client comes is none."""
        awaits_client = not self._flows.all and self._capture.is_captured("C-I", self._hints.reporting)
        return 0 if awaits_client else len(self._current_flows().all)

    def add(self, frame: Frame) -> list[ObservedMessage | HttpSighting]:
        """Take one frame in without asking which step it is; what was seen in it for the first time."""
        news = self._capture.add(frame)
        for item in news:
            if isinstance(item, ObservedMessage):
                self._flows.add(item)
        return news

    def feed(self, frame: Frame) -> list[StepEvent]:
        """Take one frame in, for a live display: the messages it brought to light, with their steps."""
        news = self.add(frame)
        if not news:
            return []
        found = []
        flows = self._current_flows()
        for flow in _flows_of(news, flows):
            if id(flow) in self._passed:
                continue
            report, evidence = self._judge(flow, flows, frame.time, ended=False)
            found.append(evidence)
            if report.verdict == "pass" and not report.pending:
                self._passed.add(id(flow))
        return [_event(item, found) for item in news]

    def reports(self, now: float, ended: bool) -> list[Report]:
        """A report for each flow, in the order in which they began; one about nothing where there is none.

        With `ended` nothing is waited for any more.
        """
        flows = self._current_flows()
        if not flows.all:
            opened = self._hints.started if self._hints.started is not None else (self._capture.started or now)
            nothing = Flow(opened=opened, registered_identity="")
            return [self._judge(nothing, flows, now, ended=ended)[0]]
        ordered = sorted(flows.all, key=lambda flow: flow.opened)
        return [self._judge(flow, flows, now, ended=ended)[0] for flow in ordered]

    def decided(self, now: float) -> bool:
        """Whether nothing that may still come can change a verdict: all passed, or every wait ran out."""
        if not self._current_flows().all and self._hints.started is None:
            return False
        return not any(report.pending for report in self.reports(now, ended=False))

    def _current_flows(self) -> Flows:
        if self._flows.all or "C-I" in self._capture.hops:
            return self._flows
        return self._flows.without_registers()

    def _judge(self, flow: Flow, flows: Flows, now: float, *, ended: bool) -> tuple[Report, Evidence]:
        evidence = Evidence(self._capture, flows, flow, self._hints)
        return Judge(evidence, self._wait, now, ended).report(), evidence


def _flows_of(news: Iterable[ObservedMessage | HttpSighting], flows: Flows) -> list[Flow]:
    """The flows that these messages may be part of."""
    found: dict[int, Flow] = {}
    for item in news:
        if isinstance(item, ObservedMessage):
            belonging = flows.of_message(item)
        else:
            target = item.exchange.target
            belonging = flows.of_user([address_of_record(target.user)]) if target is not None else []
        found.update((id(flow), flow) for flow in belonging)
    return list(found.values())


def _event(item: ObservedMessage | HttpSighting, found: Iterable[Evidence]) -> StepEvent:
    if isinstance(item, HttpSighting):
        asks = (item.sender, item.receiver, item.exchange.head.method) == ("server", "xdms", "GET")
        is_step = asks and not item.is_answer
        line = printable(item.start_line)
        return StepEvent(item.time, item.sender, item.receiver, line, (11,) if is_step else ())
    steps = sorted({number for evidence in found for number in evidence.found if evidence.message(number) is item})
    facts = item.facts
    return StepEvent(
        item.time,
        item.sender,
        item.receiver,
        printable(item.start_line),
        tuple(steps),
        printable(facts.method),
        printable(facts.event),
        facts.cseq,
        printable(facts.call_id),
    )
