"""What the flow costs: registration with its third-party REGISTER, reg event, XDM documents, poc-settings.

Real daemons with their state in SQLite, one process that is the users. CPU is that of the daemons, from /proc.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
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
LINGER = 33.0  # seconds: 64*T1, for which transactions are kept (RFC 3261 17.2.2), and a little


HOW = """\
`make bench-flow` writes this page (`USERS=100000` for the largest size, `FLOW=--peers` to run Kamailio too). Daemons
run as always, with their state in SQLite, but log only warnings; they share one processor. CPU is that of all threads
of a daemon, from `/proc`, until {linger:g} s after the last user was done (transactions end after 32 s), divided by
the users. {at_once} of them are at it at a time, so a flow takes as long as {at_once} do, and as the disk takes for its
commits."""


@dataclass(slots=True)
class Window:
    """The flows of some users, measured while `known` users are registered."""

    known: int
    outcome: Outcome
    cpu: dict[str, float]

    def row(self) -> list[str]:
        count = max(1, len(self.outcome.took))
        each = {name: seconds * 1e6 / count for name, seconds in self.cpu.items()}
        return [
            f"{self.known:,}",
            *(f"{each[name]:,.0f}" for name in ("core", "server", "xdms")),
            f"{sum(each.values()):,.0f}",
            f"{self.outcome.rate:,.0f}",
            f"{self.outcome.percentile(50) * 1e3:,.1f}",
            f"{self.outcome.percentile(99) * 1e3:,.1f}",
            str(len(self.outcome.faults)),
        ]


COLUMNS = ("users", "core µs", "server µs", "xdms µs", "all µs", "flows/s", "p50 ms", "p99 ms", "failures")


class FlowBench:
    """The flow of many users, in windows at the end of each of `sizes`."""

    def __init__(self, directory: Path, sizes: list[int], linger: float, at_once: int, store: str) -> None:
        self.directory, self.sizes, self.linger, self.at_once, self.store = directory, sizes, linger, at_once, store
        self.windows: list[Window] = []
        self.memory: dict[str, float] = {}
        self.faults: list[str] = []

    def run(self) -> None:
        world = World(self.directory / "flow", self.directory / "users", store=self.store)
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
                self.windows.append(Window(size, outcome, cpu))
                done = size
                print(report.table(COLUMNS, [self.windows[-1].row()]), file=sys.stderr, flush=True)
            grown = {name: server.memory() - empty[name] for name, server in running.items()}
            self.memory = {name: each / (done - begun) for name, each in grown.items()}
        finally:
            world.stop()
            load.close()

    def _pass(self, load: Load, place: Place, numbers: range) -> int:
        """Users whose flow is not measured; the number of the next."""
        if numbers:
            outcome = load.run(numbers, lambda number: PocUser(place, number), self.at_once)
            self.faults += outcome.faults
        return numbers.stop

    def _idle(self, load: Load, running: dict[str, Measured]) -> None:
        """Until everything that follows from the flows has been done, the end of their transactions too."""
        load.serve(self.linger)
        rest(list(running.values()))

    def parts(self) -> list[str]:
        memory = [[name, f"{each:,.0f}"] for name, each in self.memory.items()]
        return [
            "## The flow",
            "CPU of each daemon for one user's flow, when so many users are registered (the last 1,000 of them).",
            report.table(COLUMNS, [window.row() for window in self.windows]),
            "Memory that a user takes who registered, subscribed and published, after all that:",
            report.table(("daemon", "bytes a user"), memory),
        ]


def sizes(users: int) -> list[int]:
    """With how many users registered a flow is measured: 1,000, 10,000 and so on up to `users`."""
    return [*(size for size in (1_000, 10_000, 100_000) if size < users), users]


def parts_of(directory: Path, extent: parts.Extent, with_peers: bool) -> tuple[list[str], list[str]]:
    """The parts of the report on single jobs, and what went wrong."""
    files = directory / "users"
    core, core_durable = (
        parts.talkburst_core(directory / f"core-{store}", files, store, extent) for store in ("memory", "sqlite")
    )
    server, server_durable = (
        parts.talkburst_server(directory / f"server-{store}", files, store, extent) for store in ("memory", "sqlite")
    )
    scscf = presence = written = parts.Measured()
    if with_peers:
        places = [directory / name for name in ("scscf", "presence", "written")]
        for place in places:
            place.mkdir()
        scscf = parts.kamailio_scscf(places[0], extent)
        presence = parts.kamailio_presence(places[1], False, extent)
        written = parts.kamailio_presence(places[2], True, extent)
    pairs = [
        (", in memory", scscf, core),
        (", durable", parts.Measured(), core_durable),
        (", in memory", presence, server),
        (", durable", written, server_durable),
    ]
    who = f"Kamailio {peers.version()}" if with_peers else "Kamailio was not run (`make bench-flow FLOW=--peers`)"
    report_of = [
        "## Its parts",
        f"One daemon alone, the load is everybody else. {who}; ratios below 1 are cheaper, rates above 1 quicker. "
        'In memory is Kamailio without a database and ours with `store = "memory"`; durable is SQLite on one disk.',
        report.table(parts.COLUMNS, parts.rows(pairs)),
    ]
    return report_of, [fault for _, *both in pairs for each in both for fault in each.faults]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000, help="up to so many are registered (default 10000)")
    parser.add_argument("--only", choices=("flow", "parts"), help="one half of the bench (default: both)")
    parser.add_argument("--peers", action="store_true", help="the parts also at Kamailio, which has to be installed")
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
    where = f"{report.build()}, {report.machine()}"
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # the daemons are not to outlive us
    directory = Path(tempfile.mkdtemp(prefix="talkburst-bench-flow-"))
    page, faults = [where, HOW.format(linger=asked.linger, at_once=asked.at_once)], list[str]()
    try:
        extent = parts.Extent.of(asked.users, asked.linger)
        users.write(directory / "users", max(asked.users, extent.warm_up + extent.registrants))
        if asked.only != "parts":
            bench = FlowBench(directory, sizes(asked.users), asked.linger, asked.at_once, asked.store)
            bench.run()
            page, faults = [*page, *bench.parts()], faults + bench.faults
        if asked.only != "flow":
            found, wrong = parts_of(directory, extent, asked.peers)
            page, faults = [*page, *found], faults + wrong
    except UnmeasurableError as error:
        sys.exit(f"make bench-flow: {error}")
    finally:
        if asked.keep:
            print(f"logs and state: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory)
    report.publish(asked.page, "What the flow costs", page)
    for fault in faults[:10]:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
