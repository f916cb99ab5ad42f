"""What the flow costs: registration with its third-party REGISTER, reg event, XDM documents, poc-settings.

Real daemons with their state in SQLite, one process that is the users. CPU is that of the daemons, from /proc.
"""

from __future__ import annotations

import argparse
import math
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import parts
import peers
import report
import users
from flow_load import Load, Outcome
from measured import Measured, UnmeasurableError, rest
from poc_users import Place, PocUser
from world import World

PAGE = Path(__file__).resolve().parent.parent / "docs" / "bench-flow.md"
WARM_UP = 100  # users whose flow is not measured
FILL_AT_ONCE = 96  # of those at a time: they share commits, and are not so many that the core sends any away
LINGER = 33.0  # seconds: 64*T1, for which transactions are kept (RFC 3261 17.2.2), and a little


HOW = """\
`make bench-flow` measures both builds and writes this page, of each run the sections it has measured; the others stay:
`USERS=100000` for the largest size (a section for each power of ten up to it), `FLOW=--peers` to run Kamailio too,
`FLOW="--peers --only parts"` or `FLOW="--only flow"` for one half. Each section says what it was measured with.

Daemons run as always, with their state in SQLite, but log only warnings; they share one processor, the load has the
other. CPU is that of all threads of a daemon, from `/proc`, divided by the users; the end of their transactions, which
comes after 32 s, is in it when the run waits so long after the last user, as it does unless it is told otherwise."""


@dataclass(slots=True)
class Window:
    """The flows of some users, measured while `known` users are registered."""

    known: int
    outcome: Outcome
    cpu: dict[str, float]
    memory: dict[str, float]  # bytes a user, of all that are registered

    def row(self, build: str) -> list[str]:
        count = max(1, len(self.outcome.took))
        each = {name: seconds * 1e6 / count for name, seconds in self.cpu.items()}
        return [
            build,
            *(f"{each[name]:,.0f}" for name in ("core", "server", "xdms")),
            f"{sum(each.values()):,.0f}",
            f"{self.outcome.rate:,.0f}",
            f"{self.outcome.percentile(50) * 1e3:,.1f}",
            f"{self.outcome.percentile(99) * 1e3:,.1f}",
            str(len(self.outcome.faults)),
            *(f"{self.memory[name]:,.0f}" for name in ("core", "server", "xdms")),
        ]


COLUMNS = (
    *("build", "core µs", "server µs", "xdms µs", "all µs", "flows/s", "p50 ms", "p99 ms", "failures"),
    *("core bytes", "server bytes", "xdms bytes"),
)


class FlowBench:
    """The flow of many users, in windows at the end of each of `sizes`."""

    def __init__(
        self, directory: Path, files: Path, sizes: list[int], python: str, linger: float, at_once: int, store: str
    ) -> None:
        self.sizes, self.linger, self.at_once = sizes, linger, at_once
        self.world = World(directory, files, store=store, python=python)
        self.windows: list[Window] = []
        self.faults: list[str] = []

    def run(self) -> None:
        world = self.world
        load = Load(("127.0.0.1", world.ports["clients"]))
        place = Place(load.port, users.DOMAIN, "f")
        try:
            world.start("xdms", "server", "core")
            running = world.servers
            done = self._pass(load, place, range(min(WARM_UP, self.sizes[0] // 10)))
            self._idle(load, running)
            empty = {name: server.memory() for name, server in running.items()}
            begun = done
            for size in self.sizes:
                first = max(done, size - 1000)
                if done < first:
                    done = self._pass(load, place, range(done, first))
                    self._idle(load, running)
                before = {name: server.cpu() for name, server in running.items()}
                outcome = load.run(range(first, size), lambda number: PocUser(place, number), self.at_once)
                self.faults += outcome.faults
                self._idle(load, running)
                cpu = {name: server.cpu() - before[name] for name, server in running.items()}
                grown = {name: server.memory() - empty[name] for name, server in running.items()}
                memory = {name: each / (size - begun) for name, each in grown.items()}
                self.windows.append(Window(size, outcome, cpu, memory))
                done = size
                print(report.table(COLUMNS, [self.windows[-1].row(f"{size:,}")]), file=sys.stderr, flush=True)
        finally:
            world.stop()
            load.close()

    def _pass(self, load: Load, place: Place, numbers: range) -> int:
        """Users whose flow is not measured; the number of the next."""
        if numbers:
            outcome = load.run(numbers, lambda number: PocUser(place, number), max(self.at_once, FILL_AT_ONCE))
            self.faults += outcome.faults
        return numbers.stop

    def _idle(self, load: Load, running: dict[str, Measured]) -> None:
        """Until everything that follows from the flows has been done, the end of their transactions too."""
        load.serve(self.linger)
        rest(list(running.values()))


def sizes(users: int) -> list[int]:
    """With how many users registered a flow is measured: 1,000, 10,000 and so on up to `users`."""
    return [*(size for size in (1_000, 10_000, 100_000) if size < users), users]


def flow_sections(benches: dict[str, FlowBench], what: str) -> dict[str, str]:
    """A section of the page for each size, with a row for each build."""
    found: dict[str, str] = {}
    for windows in zip(*(bench.windows for bench in benches.values()), strict=True):
        rows = [window.row(build) for build, window in zip(benches, windows, strict=True)]
        measured = f"CPU of each daemon for one user's flow, the last of {windows[0].known:,} to register: "
        found[f"The flow with {windows[0].known:,} users"] = "\n\n".join(
            [what, f"{measured}its bytes are what each of them takes after all that.", report.table(COLUMNS, rows)]
        )
    return found


def parts_of(
    directory: Path, builds: dict[str, str], extent: parts.Extent, with_peers: bool
) -> tuple[list[str], list[str]]:
    """The parts of the report on single jobs, and what went wrong."""
    files = directory / "users"
    scscf = presence = written = parts.Measured()
    if with_peers:
        places = [directory / name for name in ("scscf", "presence", "written")]
        for place in places:
            place.mkdir()
        scscf = parts.kamailio_scscf(places[0], extent)
        presence = parts.kamailio_presence(places[1], False, extent)
        written = parts.kamailio_presence(places[2], True, extent)

    def ours(job: Callable[[Path, Path, str, parts.Extent, str], parts.Measured], store: str) -> list[parts.Measured]:
        places = {build: directory / f"{job.__name__}-{store}-{build}" for build in builds}
        return [job(places[build], files, store, extent, python) for build, python in builds.items()]

    compared = [
        (", in memory", scscf, ours(parts.talkburst_core, "memory")),
        (", durable", parts.Measured(), ours(parts.talkburst_core, "sqlite")),
        (", in memory", presence, ours(parts.talkburst_server, "memory")),
        (", durable", written, ours(parts.talkburst_server, "sqlite")),
    ]
    who = f"Kamailio {peers.version()}" if with_peers else "Kamailio was not run (`make bench-flow FLOW=--peers`)"
    report_of = [
        f"One daemon alone, the load is everybody else, 8 at a time, until {extent.linger:g} s after the last. {who}; "
        "ratios are ours to Kamailio's: of µs, below 1 is cheaper, of rates, above 1 is quicker. In memory is Kamailio "
        'without a database and ours with `store = "memory"`; durable is SQLite on one disk.',
        report.table(parts.columns(list(builds)), parts.rows(compared)),
    ]
    all_of_them = [each for _, peer, own in compared for each in (peer, *own)]
    return report_of, [fault for each in all_of_them for fault in each.faults]


def section_order(heading: str) -> tuple[float, str]:
    """By the number of users in a heading, then the rest."""
    digits = "".join(character for character in heading if character.isdigit())
    return (float(digits) if digits else math.inf), heading


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000, help="up to so many are registered (default 10000)")
    parser.add_argument("--only", choices=("flow", "parts"), help="one half of the bench (default: both)")
    parser.add_argument("--peers", action="store_true", help="the parts also at Kamailio, which has to be installed")
    parser.add_argument("--compiled", default="", help="an interpreter that has the compiled wheel, measured beside it")
    parser.add_argument("--store", choices=("sqlite", "memory"), default="sqlite", help="of the flow (default sqlite)")
    parser.add_argument("--at-once", type=int, default=48, help="users whose flow runs at the same time (default 48)")
    parser.add_argument("--linger", type=float, default=LINGER, help="seconds after each window (default 33)")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the report goes (default docs/bench-flow.md)")
    parser.add_argument("--keep", action="store_true", help="leave logs, state and configuration where they are")
    asked = parser.parse_args()
    if asked.users < 1:
        parser.error("--users: at least one")
    if asked.peers and not peers.installed():
        parser.error(
            "--peers: Kamailio is not here: apt-get install kamailio kamailio-ims-modules "
            "kamailio-presence-modules kamailio-sqlite-modules kamailio-utils-modules"
        )
    return asked


def measure(directory: Path, asked: argparse.Namespace) -> list[str]:
    """Runs what is asked for, and writes each half of the page as soon as it is there; what went wrong."""
    builds = {"compiled" if "compiled" in report.build() else "plain": sys.executable}
    if asked.compiled:
        builds["compiled"] = asked.compiled
    where = f"{'; '.join(report.build(python) for python in builds.values())}; {report.machine()}."
    extent = parts.Extent.of(asked.users, asked.linger)
    users.write(directory / "users", max(asked.users, extent.warm_up + extent.registrants))
    faults: list[str] = []

    def publish(sections: dict[str, str]) -> None:
        if not asked.compiled:  # what was measured of both stays
            sections = {f"{heading}, {next(iter(builds))} alone": text for heading, text in sections.items()}
        report.publish_sections(asked.page, "What the flow costs", HOW, sections, section_order)

    if asked.only != "parts":
        benches: dict[str, FlowBench] = {}
        for build, python in builds.items():
            bench = benches[build] = FlowBench(
                directory / f"flow-{build}",
                directory / "users",
                sizes(asked.users),
                python,
                asked.linger,
                asked.at_once,
                asked.store,
            )
            bench.run()
            faults += bench.faults
        publish(flow_sections(benches, f"{where} {asked.at_once} at a time, until {asked.linger:g} s after the last."))
    if asked.only != "flow":
        found, wrong = parts_of(directory, builds, extent, asked.peers)
        publish({"Its parts": "\n\n".join([where, *found])})
        faults += wrong
    return faults


def main() -> None:
    asked = options()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # the daemons are not to outlive us
    directory = Path(tempfile.mkdtemp(prefix="talkburst-bench-flow-"))
    try:
        faults = measure(directory, asked)
    except UnmeasurableError as error:
        sys.exit(f"make bench-flow: {error}")
    finally:
        if asked.keep:
            print(f"logs and state: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory)
    for fault in faults[:10]:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
