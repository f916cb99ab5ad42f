"""What it costs to read and write a message, beside sipmessage, aiosipua and sippy; and a transaction over UDP and TCP.

Rounds are interleaved: each measures the others' and our plain build in one interpreter, then our compiled build in
another process of the same interpreter. Every figure is the median of its rounds. CPU time, not elapsed time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import report
from echo_load import TRANSPORTS, Transactions, transactions
from measured import UnmeasurableError
from message_texts import MESSAGES

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "bench-messages.md"
OTHERS = ("sipmessage", "aiosipua", "sippy")
OPERATIONS = {"parse": "parse", "hot": "parse and read the hot headers", "serialise": "serialise"}
USERS = 500
STRANGERS = 6000  # with two or three URIs each, more than are remembered

INTRODUCTION = """\
CPU microseconds, medians of {rounds} interleaved rounds. `make bench` repeats it. Each message comes from {users} users
in turn, who differ in name, tag, branch, Call-ID, nonce and port. *Hot headers* are Request-URI, Via, From, To,
Call-ID, CSeq, Contact with its parameters, Max-Forwards, Expires, Route and the directives of Authorization. Every
reader reads the same leaves, and what they read is compared before anything is measured. Ours includes the validation
that comes before it acts (`defects`): mandatory and repeated headers, and the grammar of every header that a user agent
reads."""

STRANGERS_NOTE = """\
URIs that come again are read once and remembered, {most} of them. With {strangers} users in turn nobody's is met again
before it is forgotten; this is what reading costs then:"""

TRANSACTIONS_NOTE = """\
A transaction is OPTIONS and 200 through socket, node, engine, server transaction and user agent server in one process,
the load from SIPp (64 at once). CPU is that of the process to the end of the last transaction (Timer J; T1 is 50 ms
here), the rate is what SIPp saw and has SIPp's own start and end in it."""

Figures = dict[str, float]


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--rounds", type=int, default=5)
    wanted.add_argument("--compiled", help="the interpreter in whose environment the compiled wheel is")
    wanted.add_argument("--transactions", type=int, default=20_000, help="for each transport and build; 0: none")
    wanted.add_argument("--page", type=Path, default=PAGE)
    asked = wanted.parse_args()
    builds = {"plain": sys.executable} | ({"compiled": asked.compiled} if asked.compiled else {})
    figures, strangers, versions = messages(builds, asked.rounds)
    parts = [
        INTRODUCTION.format(rounds=asked.rounds, users=USERS),
        "; ".join([*[f"{name}: {report.build(python)}" for name, python in builds.items()], report.machine()]),
        "Beside: " + ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "## Ratios",
        ratios(figures),
        *[part for operation in OPERATIONS for part in costs(figures, operation)],
        "## Users who never come again",
        STRANGERS_NOTE.format(most=remembered(), strangers=STRANGERS),
        report.table(["µs, hot headers", *strangers], of_strangers(strangers, figures)),
    ]
    if asked.transactions:
        try:
            seen = {
                (name, transport): transactions(python, transport, asked.transactions)
                for name, python in builds.items()
                for transport in TRANSPORTS
            }
            parts += ["## Transactions", TRANSACTIONS_NOTE, of_transactions(seen)]
        except UnmeasurableError as error:
            sys.exit(f"bench: {error}")
    report.publish(asked.page, "What a message costs", parts)


def messages(builds: dict[str, str], rounds: int) -> tuple[Figures, dict[str, Figures], dict[str, str]]:
    """The medians; those of users who never come again, by build; the versions of the readers."""
    seen: dict[str, list[float]] = {}
    strange: dict[str, dict[str, list[float]]] = {name: {} for name in builds}
    versions: dict[str, str] = {}
    for _ in range(rounds):
        for name, python in builds.items():
            measured = one_round(python, USERS, ["talkburst", *(OTHERS if name == "plain" else ())])
            versions |= measured["versions"]
            for what, cost in measured["figures"].items():
                seen.setdefault(what.replace("talkburst", name), []).append(cost)
            for what, cost in one_round(python, STRANGERS, ["talkburst"])["figures"].items():
                strange[name].setdefault(what.removeprefix("talkburst "), []).append(cost)
    return medians(seen), {name: medians(each) for name, each in strange.items()}, versions


def one_round(python: str, users: int, readers: Iterable[str]) -> dict[str, dict[str, float]]:
    command = [python, "-P", str(HERE / "message_round.py"), str(users), *readers]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(HERE)})
    if done.returncode:
        sys.exit(f"bench: {done.stderr.strip().splitlines()[-1]}")
    read: dict[str, dict[str, float]] = json.loads(done.stdout)
    return read


def medians(seen: dict[str, list[float]]) -> Figures:
    return {what: statistics.median(costs) for what, costs in seen.items()}


def ratios(figures: Figures) -> str:
    """How many times as fast ours is, hot headers and validation included; the targets are in the heads."""
    compiled = "compiled REGISTER hot" in figures
    columns = ["hot headers, validation included", *[f"plain : {name}" for name in OTHERS]]
    rows = []
    for kind in MESSAGES:
        plain = figures[f"plain {kind} hot"]
        row = [kind, *[f"{figures[f'{name} {kind} hot'] / plain:.2f}" for name in OTHERS]]
        if compiled:
            fast = figures[f"compiled {kind} hot"]
            row += [f"{plain / fast:.2f}", f"{figures[f'sipmessage {kind} hot'] / fast:.2f}"]
        rows.append(row)
    return report.table([*columns, *(["compiled : plain", "compiled : sipmessage"] if compiled else [])], rows)


def costs(figures: Figures, operation: str) -> list[str]:
    readers = [name for name in ("compiled", "plain", *OTHERS) if f"{name} REGISTER {operation}" in figures]
    rows = [[kind, *[f"{figures[f'{name} {kind} {operation}']:.1f}" for name in readers]] for kind in MESSAGES]
    return [f"## To {OPERATIONS[operation]}", report.table(["µs", *readers], rows)]


def of_strangers(strangers: dict[str, Figures], figures: Figures) -> list[list[str]]:
    return [
        [
            kind,
            *[
                f"{each[f'{kind} hot']:.1f} (of a known user {figures[f'{name} {kind} hot']:.1f})"
                for name, each in strangers.items()
            ],
        ]
        for kind in MESSAGES
    ]


def of_transactions(seen: dict[tuple[str, str], Transactions]) -> str:
    rows = [
        [f"{transport}, {name}", f"{each.cpu:.0f}", f"{each.rate:,.0f}", each.failed]
        for (name, transport), each in seen.items()
    ]
    return report.table(["OPTIONS", "CPU µs each", "a second", "failed"], rows)


def remembered() -> int:
    from talkburst.sip.remembered import MOST

    return MOST


if __name__ == "__main__":
    main()
