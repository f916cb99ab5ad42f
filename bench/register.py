"""What a registration with digest costs `talkburst core`, and what it costs Kamailio on the same machine.

REGISTER, 401, REGISTER with credentials, 200 is one registration; a load generator in C keeps 64 of them under way from
one core, the registrar has another one to itself. Every round drives each registrar in turn, so that whatever else the
machine does meets all of them; what is compared is the CPU time that the kernel counted for the registrar's threads.
Ours is read when the last transaction is gone (Timer J, 32 s), so that what its end costs is in the figure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import report
import users
from measured import Measured, UnmeasurableError, free_port, on_core
from registrars import BUILD, DOMAIN, HERE, kamailio, need_kamailio, sink, talkburst, tool

PAGE = HERE.parent / "docs" / "bench-register.md"
TIMER_J = 33.0  # seconds until a transaction of ours is gone, and one
KAMAILIO_TRANSACTION = 6.0
POC = ";+g.poc.talkburst"


@dataclass(slots=True)
class Round:
    """One drive of one registrar: what the load generator saw, and the CPU seconds that it cost."""

    done: int
    failed: int
    rate: float
    p50: float
    p99: float
    cpu: float = 0.0

    @property
    def cost(self) -> float:
        """Microseconds of CPU for one registration."""
        return self.cpu * 1e6 / max(self.done, 1)


@dataclass(slots=True)
class Candidate:
    """`settle`: seconds after a drive until nothing of it is left to be done. `peer`: whom it is compared to."""

    name: str
    server: Measured
    settle: float
    full_names: bool
    peer: str = ""
    rounds: list[Round] = field(default_factory=list)

    def median(self, what: str) -> float:
        return statistics.median(getattr(each, what) for each in self.rounds)

    @property
    def failed(self) -> int:
        return sum(each.failed for each in self.rounds)


def drive(candidate: Candidate, arguments: argparse.Namespace, *limit: str) -> Round:
    """Lets the load generator loose on a registrar."""
    command = [tool("regload"), "-p", str(candidate.server.port), "-D", DOMAIN, "-P", users.PASSWORD]
    command += ["-u", str(arguments.users), "-w", str(arguments.window), *limit]
    if candidate.full_names:
        command += ["-U", "-x", POC]
    done = subprocess.run(on_core(1, command), capture_output=True, text=True, check=False)
    if not done.stdout:
        raise UnmeasurableError(f"the load generator failed: {done.stderr.strip()}")
    seen = json.loads(done.stdout)
    return Round(seen["done"], seen["failed"], seen["rate"], seen["p50_ms"], seen["p99_ms"])


def measure(candidate: Candidate, arguments: argparse.Namespace, settled: list[threading.Timer]) -> None:
    """One round of one registrar; its CPU time is filled in when everything has settled."""
    limit = ("-c", str(arguments.registrations)) if arguments.registrations else ("-d", str(arguments.seconds))
    before = candidate.server.cpu()
    made = drive(candidate, arguments, *limit)
    candidate.rounds.append(made)

    def read() -> None:
        made.cpu = candidate.server.cpu() - before

    timer = threading.Timer(min(candidate.settle, arguments.settle), read)
    timer.start()
    settled.append(timer)


def run(candidates: list[Candidate], arguments: argparse.Namespace) -> None:
    """Registers every user once, then drives the registrars in turn, round by round."""
    for candidate in candidates:
        drive(candidate, arguments, "-c", str(arguments.users))
    time.sleep(min(arguments.settle, max(candidate.settle for candidate in candidates)))
    for number in range(1, arguments.rounds + 1):
        settled: list[threading.Timer] = []
        for candidate in candidates:
            measure(candidate, arguments, settled)
        for timer in settled:
            timer.join()
        shown = ", ".join(f"{each.name} {each.rounds[-1].cost:.0f}" for each in candidates)
        print(f"round {number} of {arguments.rounds} (µs): {shown}", file=sys.stderr, flush=True)


def start(arguments: argparse.Namespace, place: Path, opened: contextlib.ExitStack) -> list[Candidate]:
    """Every registrar that is compared, up and answering."""
    application_server = f"sip:127.0.0.1:{(port := free_port())}"
    plain, told = place / "users", place / "told-users"
    users.write(plain, arguments.users, domain=DOMAIN, server=None)
    users.write(told, arguments.users, domain=DOMAIN, server=application_server)
    server = sink(port)
    opened.callback(server.wait)
    opened.callback(server.terminate)

    def added(candidate: Candidate) -> Candidate:
        opened.callback(candidate.server.stop)
        return candidate

    def pair(rival: Candidate, name: str, files: Path, store: str) -> list[Candidate]:
        """A Kamailio, and every build of ours that does what it does."""
        return [
            added(rival),
            *(
                added(Candidate(f"{name}, {build}", talkburst(python, place / f"{name}-{build}", files, store), TIMER_J,
                                True, rival.name))
                for build, python in builds(arguments)
            ),
        ]  # fmt: skip

    in_memory = Candidate("Kamailio, memory", kamailio(place / "k-memory"), 0.5, False)
    durable = Candidate("Kamailio, SQLite (db_mode 1)", kamailio(place / "k-sqlite", durable=True), 0.5, False)
    telling = kamailio(place / "k-told", server=application_server)
    third_party = Candidate("Kamailio, memory, third-party REGISTER", telling, KAMAILIO_TRANSACTION, False)
    return [
        *pair(in_memory, "talkburst core, memory", plain, "memory"),
        *pair(durable, "talkburst core, SQLite", plain, "sqlite"),
        *pair(third_party, "talkburst core, memory, third-party REGISTER", told, "memory"),
    ]


def builds(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """What is measured of ours: names of builds, and the interpreters that have them."""
    found = [("plain", arguments.python)]
    if arguments.compiled:
        found.append(("compiled", arguments.compiled))
    return found


def ratios(candidates: list[Candidate]) -> str:
    by_name = {candidate.name: candidate for candidate in candidates}
    rows = []
    for ours in candidates:
        if ours.peer:
            peer = by_name[ours.peer]
            costs = statistics.median(a.cost / b.cost for a, b in zip(ours.rounds, peer.rounds, strict=True))
            rates = statistics.median(a.rate / b.rate for a, b in zip(ours.rounds, peer.rounds, strict=True))
            rows.append((f"{ours.name} : {peer.name}", f"{costs:.2f}", f"{rates:.2f}"))
    return report.table(("median of the rounds' ratios", "CPU", "rate"), rows)


def figures(candidates: list[Candidate]) -> str:
    columns = ("median of the rounds", "CPU µs", "per second", "p50 ms", "p99 ms", "failed", "of")
    rows = [
        (
            each.name,
            f"{each.median('cost'):.0f}",
            f"{each.median('rate'):.0f}",
            f"{each.median('p50'):.1f}",
            f"{each.median('p99'):.1f}",
            each.failed,
            each.failed + sum(one.done for one in each.rounds),
        )
        for each in candidates
    ]
    return report.table(columns, rows)


def publish(candidates: list[Candidate], arguments: argparse.Namespace) -> None:
    version = subprocess.run(["kamailio", "-v"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    version = version.removeprefix("version: ").strip()
    length = f"{arguments.registrations} registrations" if arguments.registrations else f"{arguments.seconds:g} s"
    report.publish(
        arguments.page,
        "The cost of a registration",
        [
            f"`make bench-register`: {'; '.join(report.build(python) for _, python in builds(arguments))};"
            f" {version}; {report.machine()}.",
            ratios(candidates),
            figures(candidates),
            "REGISTER, 401, REGISTER with credentials, 200 is one registration. CPU: what the kernel counted for all"
            " threads of the registrar, per registration, transactions to the end of their Timer J included. Rate: at"
            f" saturation, {arguments.window} registrations under way at a time. {arguments.rounds} rounds of {length}"
            f" for each registrar in turn, {arguments.users} users, all registered before; registrar on one core, load"
            " on the other.",
            'The daemon is `talkburst core` as anybody starts it, with `log.level = "warning"`, as Kamailio logs'
            ' nothing either. Memory: `store = "memory"` against usrloc in memory. SQLite: the default, the 200 leaves'
            " after the commit that holds the binding is on disk, against usrloc with db_mode 1; both files in WAL mode"
            " and on the same disk. The users of these rows have no filter criteria, as Kamailio has none. Third-party"
            " REGISTER: a criterion on REGISTER names an application server, which is told of each registration,"
            " against tm and uac.",
        ],
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--python", default=sys.executable, help="the interpreter that has talkburst (default: this one)"
    )
    parser.add_argument("--compiled", default="", help="an interpreter that has the compiled wheel, measured beside it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of load, for each registrar and round (default 5)")
    parser.add_argument("--registrations", type=int, default=0, help="so many instead of --seconds")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--window", type=int, default=64, help="registrations under way at a time (default 64)")
    parser.add_argument("--settle", type=float, default=TIMER_J, help="wait at most so long for transactions to end")
    parser.add_argument(
        "--page", type=Path, default=PAGE, help="where the report goes (default docs/bench-register.md)"
    )
    return parser.parse_args()


def main() -> int:
    arguments = options()
    BUILD.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=BUILD))
    try:
        need_kamailio()
        tool("regload")
        with contextlib.ExitStack() as opened:
            candidates = start(arguments, directory, opened)
            run(candidates, arguments)
            publish(candidates, arguments)
    except UnmeasurableError as error:
        print(f"bench-register: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if any(candidate.failed for candidate in candidates) else 0


if __name__ == "__main__":
    sys.exit(main())
