"""Reports as one HTML page that needs nothing else: what failed, the ladder of the steps, all verdicts."""

from collections.abc import Sequence
from html import escape
from typing import Final

from talkburst.flow.ladder import failures, summary
from talkburst.flow.printable import printable
from talkburst.flow.report import Report, StepVerdict
from talkburst.flow.roles import LANES, Role
from talkburst.flow.steps import BY_NUMBER

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --faint: #77808c; --line: #d5dae0;
  --pass: #15803d; --fail: #c81e1e; --partial: #b45309; --wash: #fdf1f0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --paper: #14181d; --faint: #8f99a6; --line: #343c46;
  --pass: #4ade80; --fail: #f87171; --partial: #fbbf24; --wash: #2a1c1e; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; }
section + section { border-top: 2px solid var(--line); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.hop, td.verdict { white-space: nowrap; } code { font: 13px ui-monospace, monospace; }
.pass { color: var(--pass); } .fail, .not-reached { color: var(--fail); } .partial { color: var(--partial); }
.not-observed, .not-needed, .note { color: var(--faint); }
.failures { background: var(--wash); border-left: 4px solid var(--fail); padding: .5rem 1rem; overflow-wrap: anywhere; }
.failures p { margin: .35rem 0; }
svg { width: 100%; height: auto; font: 12px ui-monospace, monospace; }
svg line.lane { stroke: var(--line); } svg text { fill: var(--ink); } svg text.time { fill: var(--faint); }
svg .arrow { stroke: var(--ink); fill: none; } svg .head { fill: var(--ink); stroke: none; }
svg .bad .arrow { stroke: var(--fail); } svg .missing .arrow { stroke-dasharray: 5 4; }
svg .bad .head, svg .bad text { fill: var(--fail); }
svg .quiet .arrow { stroke: var(--faint); stroke-dasharray: 2 4; }
svg .quiet .head, svg .quiet text { fill: var(--faint); }
svg rect { fill: var(--paper); }
"""
_NAMES: Final[dict[Role, str]] = {"client": "client", "core": "SIP/IP core", "server": "PoC server", "xdms": "XDMS"}
_LANES: Final[dict[Role, int]] = {"client": 110, "core": 410, "server": 710, "xdms": 960}  # of 1000
_ROW: Final = 26
_LONGEST_LABEL: Final = 34
_KINDS: Final[dict[str, str]] = {
    "pass": "good",
    "fail": "bad",
    "not-reached": "bad missing",
    "not-observed": "quiet",
    "not-needed": "quiet",
}


def page(reports: Sequence[Report]) -> str:
    """The document; everything that packets held is escaped."""
    count = f"{len(reports)} flows" if len(reports) > 1 else "1 flow"
    body = "\n".join(_flow(report) for report in reports)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Talkburst: {escape(', '.join(sorted({report.verdict for report in reports})))}, {count}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Registration and Subscription to Registration Events: {count}</h1>\n{body}\n</body>\n</html>\n"
    )


def _flow(report: Report) -> str:
    parts = [
        f"<section>\n<h2>{_text(report.title)}</h2>",
        f'<p class="{report.verdict}"><strong>{_text(summary(report))}</strong></p>',
    ]
    wrong = failures(report)
    if wrong:
        parts.append('<div class="failures">' + "".join(f"<p>{_text(line)}</p>" for line in wrong) + "</div>")
    parts += ["<h3>Ladder</h3>", _ladder(report), "<h3>Verdicts</h3>", _table(report), "</section>"]
    return "\n".join(parts)


def _table(report: Report) -> str:
    head = "<tr><th>Step</th><th>Hop</th><th>Verdict</th><th>Time, s</th><th>Message</th></tr>"
    return f"<table>\n{head}\n" + "\n".join(_row(step, report) for step in report.steps) + "\n</table>"


def _row(step: StepVerdict, report: Report) -> str:
    time = "" if step.time is None else f"{step.time - (report.started or 0.0):.3f}"
    message = f"<code>{_text(step.message)}</code>" if step.message else _text(BY_NUMBER[step.step].message)
    said: list[tuple[str, str]] = [(step.verdict, step.why)] if step.why else []
    said += [("note", f"note: {note}") for note in step.notes]
    more = "".join(f'<br><span class="{kind}">{_text(text)}</span>' for kind, text in said)
    hop = LANES[step.sender] if step.sender == step.receiver else f"{LANES[step.sender]} → {LANES[step.receiver]}"
    return (
        f'<tr><td class="number">{step.step}</td><td class="hop">{hop}</td>'
        f'<td class="verdict {step.verdict}">{step.verdict}</td>'
        f'<td class="number">{time}</td><td>{message}{more}</td></tr>'
    )


def _ladder(report: Report) -> str:
    """An arrow for each step in the order of time; one that did not come stands after the one before it."""
    steps = _ordered(report.steps)
    height = 40 + _ROW * len(steps) + 10
    lines = [f'<svg viewBox="0 0 1000 {height}" role="img" aria-label="ladder of the steps">']
    for role, column in _LANES.items():
        anchor = "end" if role == "xdms" else "middle"
        at = column + 36 if role == "xdms" else column
        lines.append(f'<text x="{at}" y="18" text-anchor="{anchor}">{LANES[role]} {_NAMES[role]}</text>')
        lines.append(f'<line class="lane" x1="{column}" y1="28" x2="{column}" y2="{height}"/>')
    lines += [_arrow(step, 44 + _ROW * row, report) for row, step in enumerate(steps)]
    return "\n".join([*lines, "</svg>"])


def _ordered(steps: Sequence[StepVerdict]) -> list[StepVerdict]:
    at, placed = 0.0, []
    for step in steps:
        at = at if step.time is None else step.time
        placed.append((at, step.step, step))
    return [step for _, _, step in sorted(placed, key=lambda each: each[:2])]


def _arrow(step: StepVerdict, y: int, report: Report) -> str:
    start, end = _LANES[step.sender], _LANES[step.receiver]
    label = _label(step)
    width = 7.4 * len(label) + 8
    middle = (start + end) / 2 if start != end else start + width / 2 + 10
    time = ""
    if step.time is not None:
        time = f'<text class="time" x="4" y="{y + 4}">{step.time - (report.started or 0.0):.3f}</text>'
    shaft = f'<circle class="head" cx="{start}" cy="{y}" r="4"/>'
    if start != end:
        shaft = (
            f'<line class="arrow" x1="{start}" y1="{y}" x2="{end}" y2="{y}"/>'
            f'<path class="head" d="M{end} {y} l{8 if end < start else -8} -4 v8 z"/>'
        )
    return (
        f'<g class="{_KINDS[step.verdict]}"><title>{_text(step.message or step.why or label)}</title>{time}{shaft}'
        f'<rect x="{middle - width / 2:.0f}" y="{y - 9}" width="{width:.0f}" height="18"/>'
        f'<text x="{middle:.0f}" y="{y + 4}" text-anchor="middle">{_text(label)}</text></g>'
    )


def _label(step: StepVerdict) -> str:
    """Number and message; where a wrong response came, that one."""
    what, status = BY_NUMBER[step.step].message, (step.message or "").partition("SIP/2.0 ")
    if step.verdict == "fail" and not status[0] and status[2]:
        what = status[2]
    mark = "✗ " if _KINDS[step.verdict].startswith("bad") else ""
    return f"{mark}{step.step} {what}"[:_LONGEST_LABEL]


def _text(text: str) -> str:
    return escape(printable(text))
