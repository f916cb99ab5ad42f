"""Reports as JUnit XML, the form that CI servers read: a flow is a testsuite, a step is a testcase."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from talkburst.flow.printable import printable
from talkburst.flow.report import Report, StepVerdict
from talkburst.flow.roles import LANES
from talkburst.flow.steps import BY_NUMBER

_SKIPPED: Final = frozenset({"not-observed", "not-needed"})


def junit(reports: Sequence[Report]) -> str:
    """The document, well-formed whatever the packets held."""
    suites = Element("testsuites", name="talkburst")
    for report in reports:
        _suite(suites, report)
    _count(suites, [step for report in reports for step in report.steps])
    suites.set("time", _seconds(sum(report.elapsed_s for report in reports)))
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _suite(suites: Element, report: Report) -> None:
    suite = SubElement(suites, "testsuite", name=_text(report.title))
    _count(suite, report.steps)
    suite.set("time", _seconds(report.elapsed_s))
    times = {step.step: step.time for step in report.steps if step.time is not None}
    if times:
        suite.set("timestamp", datetime.fromtimestamp(min(times.values()), UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    properties = SubElement(suite, "properties")
    for name, value in (
        ("verdict", report.verdict),
        ("first_failure", "" if report.first_failure is None else str(report.first_failure)),
        ("elapsed_s", f"{report.elapsed_s:.6f}"),
        ("identity", report.identity),
        ("contact", report.contact),
        ("call_id", report.call_id),
    ):
        if value:
            SubElement(properties, "property", name=name, value=_text(value))
    for step in report.steps:
        _case(suite, step, times, first=step.step == report.first_failure)


def _case(suite: Element, step: StepVerdict, times: dict[int, float], *, first: bool) -> None:
    """The time of a step is what passed since its latest cause."""
    rule = BY_NUMBER[step.step]
    caused = max((times[cause] for cause in rule.causes if cause in times), default=None)
    took = step.time - caused if step.time is not None and caused is not None else 0.0
    name = f"{step.step:02d} {LANES[step.sender]}>{LANES[step.receiver]} {rule.message}"
    case = SubElement(suite, "testcase", classname="talkburst.flow", name=name, time=_seconds(max(0.0, took)))
    why = _text(step.why)
    if step.verdict in _SKIPPED:
        SubElement(case, "skipped", message=f"{step.verdict}: {why}" if why else step.verdict)
    elif step.verdict != "pass":
        failure = SubElement(case, "failure", message=why or step.verdict, type=step.verdict)
        failure.text = f"first failure: {why}" if first else why
    said = [*([step.message] if step.message else []), *(f"note: {note}" for note in step.notes)]
    if said:
        SubElement(case, "system-out").text = "\n".join(map(_text, said))


def _count(element: Element, steps: Sequence[StepVerdict]) -> None:
    skipped = sum(step.verdict in _SKIPPED for step in steps)
    failures = sum(step.verdict != "pass" for step in steps) - skipped
    counts = {"tests": len(steps), "failures": failures, "errors": 0, "skipped": skipped}
    for name, count in counts.items():
        element.set(name, str(count))


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}"


def _text(text: str) -> str:
    """XML has no way to write most control characters."""
    return printable(text)
