"""The flow as a ladder of four lanes, a line for each message, and the table of verdicts, both as wide as the terminal.

Where four lanes have no room, a line names the ends of its message instead.
"""

import os
import shutil
from collections.abc import Iterable
from typing import Final, TextIO

from talkburst.flow.checker import StepEvent
from talkburst.flow.http_exchange import DIRECTORY, POC_GROUPS, POC_RULES, RESOURCE_LISTS, xcap_target
from talkburst.flow.report import Report, StepVerdict
from talkburst.flow.roles import LANES, ROLES, Role
from talkburst.flow.steps import BY_NUMBER

WIDTH: Final = 100  # of what is no terminal
NARROWEST: Final = 72  # for four lanes
WIDEST: Final = 112  # there is room for every label of the flow
_FIRST: Final = 10  # column of the first lane; the nine before it hold the time
_NARROW_LINE: Final = 40  # no line is cut shorter
_LAST_GAP: Final = 20  # the least that lets the names of the last two lanes stand side by side
_NAMES: Final[dict[Role, str]] = {
    "client": "C client",
    "core": "I SIP/IP core",
    "server": "S PoC server",
    "xdms": "XDMS X",
}


_DOCUMENTS: Final = {POC_RULES: "rules", POC_GROUPS: "groups", DIRECTORY: "directory", RESOURCE_LISTS: "lists"}


def needs_ascii(stream: TextIO) -> bool:
    """Whether a terminal or file cannot show line drawing characters.

    Under LC_ALL=C Python writes UTF-8 all the same, though a terminal was said to know nothing but ASCII.
    """
    if os.environ.get("LC_ALL") in ("C", "POSIX") and stream.isatty():
        return True
    encoding = (stream.encoding or "ascii").lower().replace("-", "")
    return encoding not in ("utf8", "utf16", "utf32")


def columns(stream: TextIO) -> int:
    """How wide to draw: the terminal's width (or $COLUMNS), 100 where there is none."""
    try:
        return shutil.get_terminal_size((WIDTH, 24)).columns if os.isatty(stream.fileno()) else WIDTH
    except (OSError, ValueError):
        return WIDTH


def _lanes_in(width: int) -> dict[Role, int]:
    """The column of each lane; empty where there is no room for them."""
    if width < NARROWEST:
        return {}
    room = min(width, WIDEST) - _FIRST - 2
    last = max(_LAST_GAP, round(room * 24 / 88))  # to the XDMS, whose labels are short
    gap = (room - last) // 2
    return {
        "client": _FIRST,
        "core": _FIRST + gap,
        "server": _FIRST + 2 * gap,
        "xdms": _FIRST + 2 * gap + last,
    }


_GOOD: Final = frozenset({"pass", "not-needed", "not-observed"})


class Ladder:
    """Draws messages as they come, in `width` columns. Times are seconds since the first one; "#2" is a CSeq number."""

    def __init__(self, *, ascii_only: bool = False, width: int = WIDTH) -> None:
        self._columns = _lanes_in(width)
        self._width = max(width, _NARROW_LINE) if not self._columns else max(self._columns.values()) + 1
        self._bar, self._shaft = ("|", "-") if ascii_only else ("│", "─")
        self._started: float | None = None

    def header(self) -> str:
        """The names of the lanes, and a line of lanes under them."""
        if not self._columns:
            return ", ".join(_NAMES.values())
        cells = [" "] * self._width
        for role, name in _NAMES.items():
            column = self._columns[role]
            start = column - len(name) + 1 if role == "xdms" else column
            cells[start : start + len(name)] = name
        return f"{''.join(cells).rstrip()}\n{''.join(self._lanes()).rstrip()}"

    def line(self, event: StepEvent) -> str:
        """One message: its time, an arrow from lane to lane, the step numbers and what it is on the arrow."""
        self._started = event.time if self._started is None else self._started
        time = f"{event.time - self._started:9.3f}"[:9]
        if not self._columns:
            line = f"{time} {LANES[event.sender]}>{LANES[event.receiver]} {' '.join(_label(event))}"
            return line[: self._width]
        cells = self._lanes()
        cells[:9] = time
        start, end = self._columns[event.sender], self._columns[event.receiver]
        left, right = min(start, end), max(start, end)
        room = right - left - 1
        cells[left + 1 : right] = self._shaft * room
        label = _fit(_label(event), room - 4)
        at = left + 1 + max(1, (room - len(label)) // 2)
        cells[at : at + len(label)] = label
        if start < end:
            cells[right - 1] = ">"
        else:
            cells[left + 1] = "<"
        return "".join(cells).rstrip()

    def remark(self, at: float, text: str) -> str:
        """What somebody said at that time, between the messages."""
        self._started = at if self._started is None else self._started
        return f"{at - self._started:9.3f}   {text}"

    def draw(self, events: Iterable[StepEvent]) -> str:
        """The whole ladder of a capture."""
        ordered = sorted(events, key=lambda event: event.time)
        return "\n".join([self.header(), *(self.line(event) for event in ordered)])

    def _lanes(self) -> list[str]:
        cells = [" "] * self._width
        for role in ROLES:
            cells[self._columns[role]] = self._bar
        return cells


def _label(event: StepEvent) -> list[str]:
    """What may stand on the arrow, the most telling first: the tail goes where it does not fit."""
    number = ",".join(map(str, event.steps))
    words = event.message.split()
    if words and words[0].startswith("SIP/"):
        what = " ".join(words[1:])
        more = [event.method, f"#{event.cseq}"]
    elif words and words[0].startswith("HTTP/"):
        what, more = " ".join(words[1:]), []
    elif event.call_id:
        what, more = event.method, [event.event, f"#{event.cseq}"]
    else:
        what, more = words[0] if words else "", [_document(words[1]) if len(words) > 1 else ""]
    return [part for part in (number, what, *more) if part]


def _document(target: str) -> str:
    """Which documents an XCAP path is about, in a word."""
    found = xcap_target(target)
    return _DOCUMENTS[found.usage] if found is not None else target


def _fit(parts: list[str], room: int) -> str:
    text = f" {' '.join(parts)} "
    while len(text) > room and len(parts) > 2:
        parts = parts[:-1]
        text = f" {' '.join(parts)} "
    return text[:room]


def verdict_table(report: Report, width: int = WIDTH) -> str:
    """All 32 verdicts, then what went wrong with its reason, then the sum: what matters most stands last.

    Times count from the first frame of the capture, as they do in the reasons.
    """
    zero = report.started or 0.0
    parts = ["\n".join(_row(step, zero, max(width, _NARROW_LINE)) for step in report.steps)]
    wrong = failures(report)
    if wrong:
        parts.append("\n".join(wrong))
    return "\n\n".join([*parts, summary(report)])


def summary(report: Report) -> str:
    """The run in a line."""
    passed = sum(step.verdict == "pass" for step in report.steps)
    text = f"{report.verdict}: {passed} of {len(report.steps)} steps passed"
    for verdict in ("not-needed", "not-observed", "not-reached", "fail"):
        count = sum(step.verdict == verdict for step in report.steps)
        text += f", {count} {verdict}" if count else ""
    text += f" in {report.elapsed_s:.3f} s"
    return text + (f"; first failure: step {report.first_failure}" if report.first_failure is not None else "")


def failures(report: Report) -> list[str]:
    """The steps that went wrong although their causes did not, each with its reason; the others are consequences."""
    wrong = [step for step in report.steps if step.verdict not in _GOOD]
    good = {step.step for step in report.steps if step.verdict in _GOOD}
    roots = [step for step in wrong if good.issuperset(BY_NUMBER[step.step].causes)]
    lines = []
    for step in sorted(roots, key=lambda step: (step.step != report.first_failure, step.step)):
        mark = "first failure" if step.step == report.first_failure else step.verdict
        lines.append(f"step {step.step} ({_arrow(step)} {BY_NUMBER[step.step].message}), {mark}: {step.why}")
    others = len(wrong) - len(roots)
    if others:
        lines.append(f"{others} more {'step' if others == 1 else 'steps'} failed or did not come in consequence")
    return lines


def _arrow(step: StepVerdict) -> str:
    return LANES[step.sender] if step.sender == step.receiver else f"{LANES[step.sender]}>{LANES[step.receiver]}"


def _row(step: StepVerdict, zero: float, width: int) -> str:
    time = f"{step.time - zero:9.3f}" if step.time is not None else " " * 9
    text = step.message or BY_NUMBER[step.step].message
    row = f"{step.step:3d}  {_arrow(step):3}  {step.verdict:12} {time}  {text}"
    row = row if len(row) <= width else f"{row[: width - 3]}..."
    return "\n".join([row, *(f"{'':10}note: {note}" for note in step.notes)])
