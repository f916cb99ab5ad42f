"""From what was found to 32 verdicts: causes, order, waits, rows, and which failure is the first."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from talkburst.flow.evidence import Evidence, Found
from talkburst.flow.message import ObservedMessage
from talkburst.flow.printable import printable
from talkburst.flow.report import Report, StepResult, StepVerdict, elapsed, run_verdict
from talkburst.flow.roles import Role
from talkburst.flow.rows_settings import shows_another_clients
from talkburst.flow.steps import BY_NUMBER, PUBLICATION, STEPS, Step


@dataclass(slots=True)
class Judge:
    """Judges one flow at a time `now`; `ended` says that nothing more will come. `wait` is in seconds."""

    evidence: Evidence
    wait: float
    now: float
    ended: bool
    _not_needed: bool = False
    _verdicts: dict[int, StepVerdict] = field(default_factory=dict)

    def report(self) -> Report:
        """Find every step, judge every step, sum up."""
        for step in STEPS:
            self._look_for(step)
        self._not_needed = self._publication_not_needed()
        for step in STEPS:
            self._verdicts[step.number] = self._judge(step)
        steps = list(self._verdicts.values())
        flow = self.evidence.flow
        return Report(
            verdict=run_verdict(steps),
            first_failure=self._first_failure(steps),
            elapsed_s=elapsed(steps),
            steps=steps,
            identity=printable(flow.registered_identity),
            contact=printable(str(flow.contact.uri)) if flow.contact is not None else "",
            call_id=printable(flow.call_ids[-1]) if flow.call_ids else "",
            started=self.evidence.capture.started,
        )

    def causes(self, step: Step) -> tuple[int, ...]:
        """The causes of a step in this flow.

        A hop that is not captured hides causes: theirs take their place. A client without an ISIM has its PoC Address
        from step 14; a core that never challenges goes on after step 1.
        """
        causes: list[int] = []
        for cause in self._own_causes(step):
            if self.evidence.is_captured(BY_NUMBER[cause].hop):
                causes.append(cause)
            else:
                causes += self.causes(BY_NUMBER[cause])
        return tuple(dict.fromkeys(causes))

    def _own_causes(self, step: Step) -> tuple[int, ...]:
        if step.number == 16 and self.evidence.is_barred:
            return (*step.causes, 14)
        if self.evidence.unchallenged and 3 in step.causes:
            return (1,)
        return step.causes

    def _look_for(self, step: Step) -> None:
        found = self.evidence.found[step.number] = step.find(self.evidence)
        if found.message is not None:
            for row in step.rows:
                row(self.evidence, found.message, found)
            self._note_sightings(found, found.message)

    def _note_sightings(self, found: Found, message: ObservedMessage) -> None:
        if message.sights > 1:
            found.notes.append(f"seen {message.sights} times")
        if message.altered:
            found.notes.append("altered on the way: what was received is not what was sent")

    def _publication_not_needed(self) -> bool:
        shown = self.evidence.message(20) or self.evidence.message(21)
        return shows_another_clients(shown, self.evidence) and not self.evidence.found[24].came

    def _judge(self, step: Step) -> StepVerdict:
        found = self.evidence.found[step.number]
        deadline = self._deadline(step)
        open_ = not self.ended and self.now < deadline
        if self._not_needed and step.number in PUBLICATION:
            why = "step 20 showed another client's settings, and this client published nothing"
            waiting = not self.ended and self.evidence.hints.publishes is not False and self._is_open(BY_NUMBER[24])
            return self._verdict(step, "not-needed", why, pending=waiting)
        if not self.evidence.is_captured(step.hop):
            why = f"nothing of the hop {step.hop} is in the capture"
            # Where it is known who reports, nobody will yet tell of that hop.
            return self._verdict(step, "not-observed", why, pending=open_ and not self.evidence.hints.reporting)
        missing = [cause for cause in self.causes(step) if not self._came(cause)]
        if missing:
            why = f"its cause, step {missing[0]}, did not come"
            if found.came:
                why += f" (though this one did, at {self.evidence.at(self._time(found, step.sender))})"
            elif found.why:
                why += f"; {found.why}"
            return self._verdict(step, "not-reached", why, pending=self._verdicts[missing[0]].pending)
        if not found.came:
            return self._verdict(step, "not-reached", self._why_not(step, found, deadline), pending=open_)
        if found.message is not None and not self.evidence.arrived(found.message):
            return self._verdict(step, "not-reached", self._lost(found.message), pending=open_)
        early = self._too_early(step, found)
        if early:
            return self._verdict(step, "fail", early)
        late = self._too_late(step, found, deadline)
        if late:
            return self._verdict(step, "not-reached", late)
        if found.faults:
            return self._verdict(step, "fail", "; ".join(found.faults), pending=open_ and not found.is_final)
        return self._verdict(step, "pass")

    def _is_open(self, step: Step) -> bool:
        return self.now < self._deadline(step)

    def _verdict(self, step: Step, result: StepResult, why: str = "", *, pending: bool = False) -> StepVerdict:
        found = self.evidence.found[step.number]
        message = found.message.start_line if found.message is not None else found.line
        time = self._time(found, step.sender) if found.came else None
        return StepVerdict(
            step=step.number,
            verdict=result,
            time=time,
            sender=step.sender,
            receiver=step.receiver,
            message=printable(message) if message is not None else None,
            why=printable(why),
            notes=[printable(note) for note in found.notes],
            pending=pending,
        )

    def _time(self, found: Found, role: Role) -> float:
        """When a step came: first seen, by anybody. Rule 1 compares at one role's clock, see `_too_early`."""
        assert found.came
        if found.message is not None:
            return found.message.time
        return found.time or 0.0

    def _came(self, step: int) -> bool:
        found = self.evidence.found[step]
        return found.came and (found.message is None or self.evidence.arrived(found.message))

    def _deadline(self, step: Step) -> float:
        """Until when a step is waited for: `wait` after the last of its causes that came, by its sender's clock."""
        times = [
            self._at_role(self.evidence.found[cause], step.sender)
            for cause in (*self.causes(step), *step.after)
            if self._came(cause)
        ]
        if times:
            return max(times) + self.wait
        flow, started = self.evidence.flow, self.evidence.hints.started
        if step.number == 1 and not flow.registers:
            return math.inf if started is None else started + self.wait
        return flow.opened + self.wait

    def _at_role(self, found: Found, role: Role) -> float:
        return found.message.time_at(role) if found.message is not None else found.time or 0.0

    def _too_early(self, step: Step, found: Found) -> str:
        """A message before its cause. Both are compared by the clock of the role that the cause makes act."""
        own = self._at_role(found, step.sender)
        for cause in self.causes(step):
            before = self._at_role(self.evidence.found[cause], step.sender)
            before = before if found.cause_time is None else found.cause_time
            if own < before:
                return f"came at {self.evidence.at(own)}, before its cause, step {cause}, at {self.evidence.at(before)}"
        return ""

    def _too_late(self, step: Step, found: Found, deadline: float) -> str:
        own = self._at_role(found, step.sender)
        if own <= deadline or not self.causes(step):
            return ""
        return f"came {own - deadline + self.wait:.3f} s after {self._causes_text(step)}; {self.wait:g} s are allowed"

    def _why_not(self, step: Step, found: Found, deadline: float) -> str:
        parts = [found.why] if found.why else []
        causes = self._causes_text(step)
        if self.now >= deadline:
            parts.append(f"{step.message} did not come within {self.wait:g} s" + (f" of {causes}" if causes else ""))
        elif self.ended and self.evidence.capture.started is None:
            parts.append(f"{step.message} did not come")
        elif self.ended:
            end = self.evidence.at(self.now)
            parts.append(
                f"{step.message} did not come before the capture ended at {end}"
                + (f", after {causes}" if causes else "")
            )
        else:
            parts.append(f"{step.message} has not come yet" + (f" after {causes}" if causes else ""))
        return "; ".join(parts)

    def _causes_text(self, step: Step) -> str:
        texts = [
            f"step {cause} ({self.evidence.at(self._at_role(self.evidence.found[cause], step.sender))}"
            + (", which failed)" if self._verdicts[cause].verdict == "fail" else ")")
            for cause in self.causes(step)
        ]
        return f"its cause, {' and '.join(texts)}" if texts else ""

    def _lost(self, message: ObservedMessage) -> str:
        sent = self.evidence.at(message.time)
        return f"{message.title} sent by {message.sender} at {sent} never received by {message.receiver}"

    def _first_failure(self, steps: Sequence[StepVerdict]) -> int | None:
        good = {step.step for step in steps if step.verdict in ("pass", "not-needed", "not-observed")}
        for step in steps:
            if step.step not in good and all(cause in good for cause in self.causes(BY_NUMBER[step.step])):
                return step.step
        return None
