"""The report of one flow: 32 verdicts, and what they come to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from talkburst.flow.roles import Role

StepResult = Literal["pass", "fail", "not-reached", "not-observed", "not-needed"]
RunResult = Literal["pass", "fail", "partial"]


@dataclass(slots=True)
class StepVerdict:
    """The verdict on one step. What its texts quote of packets is made printable.

    `time` is in seconds since the epoch, `message` the start line (none for step 28, or where nothing came). `pending`
    says that what is still to come may change it; it is not part of the report.
    """

    step: int
    verdict: StepResult
    time: float | None
    sender: Role
    receiver: Role
    message: str | None
    why: str = ""
    notes: list[str] = field(default_factory=list)
    pending: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "verdict": self.verdict,
            "time": self.time,
            "from": self.sender,
            "to": self.receiver,
            "message": self.message,
            "why": self.why,
            "notes": list(self.notes),
        }


@dataclass(slots=True)
class Report:
    """The verdicts on one flow and whose flow it is. `first_failure` is the step to look at, None where all is well.

    `started` is the time of the capture's first frame, from which the reasons count.
    """

    verdict: RunResult
    first_failure: int | None
    elapsed_s: float
    steps: list[StepVerdict]
    identity: str = ""
    contact: str = ""
    call_id: str = ""
    started: float | None = None

    @property
    def exit_code(self) -> int:
        return {"pass": 0, "fail": 1, "partial": 3}[self.verdict]

    @property
    def title(self) -> str:
        """Whose flow it is, in a line."""
        return f"{self.identity or 'unknown user'}, {self.contact or 'unknown contact'}, Call-ID {self.call_id or '-'}"

    @property
    def pending(self) -> bool:
        """Whether messages that are still to come may change anything."""
        return any(step.pending for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "first_failure": self.first_failure,
            "elapsed_s": self.elapsed_s,
            "flow": {"identity": self.identity, "contact": self.contact, "call_id": self.call_id},
            "steps": [step.to_dict() for step in self.steps],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2)


def run_verdict(steps: Sequence[StepVerdict]) -> RunResult:
    """Pass if every step is pass or not-needed, partial if only not-observed remain besides, else fail."""
    results = {step.verdict for step in steps}
    if results <= {"pass", "not-needed"}:
        return "pass"
    return "partial" if results <= {"pass", "not-needed", "not-observed"} else "fail"


def elapsed(steps: Sequence[StepVerdict]) -> float:
    """Seconds from the first to the last step that came, to the microsecond."""
    times = [step.time for step in steps if step.time is not None]
    return round(max(times) - min(times), 6) if times else 0.0
