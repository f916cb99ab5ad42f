"""What one binding costs in memory: `talkburst core` with SQLite, and Kamailio, with as many users registered as asked.

A binding costs what the process holds when everybody is registered and every transaction gone (40 s after the last
REGISTER) less what it held before the first one, divided by the users. The profiles of the users are there before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import report
import users
from measured import Measured, UnmeasurableError, on_core
from registrars import BUILD, DOMAIN, HERE, kamailio, need_kamailio, talkburst, tool

PAGE = HERE.parent / "docs" / "bench-memory.md"
REST = 40.0  # seconds after the last REGISTER; Timer J takes 32
MEBI = 1 << 20


def register_everybody(server: Measured, count: int, full_names: bool) -> float:
    """Registers each user once; the seconds that took. Raises UnmeasurableError when one of them fails."""
    command = [tool("regload"), "-p", str(server.port), "-D", DOMAIN, "-P", users.PASSWORD]
    command += ["-u", str(count), "-c", str(count), *(["-U"] if full_names else [])]
    done = subprocess.run(on_core(1, command), capture_output=True, text=True, check=False)
    seen = json.loads(done.stdout or "{}")
    if seen.get("done") != count:
        raise UnmeasurableError(f"{seen.get('done', 0)} of {count} users were registered: {server.last_words()}")
    elapsed: float = seen["elapsed"]
    return elapsed


def measure(name: str, start: Callable[[], Measured], count: int, rest: float, full_names: bool) -> tuple[object, ...]:
    """One row of the table."""
    server = start()
    with contextlib.ExitStack() as opened:
        opened.callback(server.stop)
        before = server.memory()
        took = register_everybody(server, count, full_names)
        time.sleep(rest)
        after = server.memory()
    each = (after - before) / count
    return (
        name,
        f"{each:,.0f}",
        f"{before / MEBI:.0f}",
        f"{after / MEBI:.0f}",
        f"{server.started_in:.1f}",
        f"{took:.0f}",
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the interpreter with talkburst (default: this one)")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--rest", type=float, default=REST, help="seconds after the last REGISTER (default 40)")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the report goes (default docs/bench-memory.md)")
    return parser.parse_args()


def run(arguments: argparse.Namespace, place: Path) -> None:
    need_kamailio()
    tool("regload")
    count, rest = arguments.users, arguments.rest
    users.write(place / "users", count, domain=DOMAIN, server=None)
    ours = partial(talkburst, arguments.python, place / "ours", place / "users", "sqlite")
    peer = partial(kamailio, place / "kamailio", shared_mib=1024)
    rows = [
        measure("talkburst core, SQLite", ours, count, rest, full_names=True),
        measure("Kamailio, memory", peer, count, min(rest, 1.0), full_names=False),
    ]
    columns = (f"{count:,} users", "bytes a binding", "MiB before", "MiB after", "start s", "registering s")
    report.publish(
        arguments.page,
        "The memory of a binding",
        [
            f"`make bench-memory`: {report.build(arguments.python)}; {report.machine()}.",
            report.table(columns, rows),
            "A binding costs what the process holds 40 s after the last REGISTER, when every transaction is gone, less"
            " what it held before the first one, with the profiles of all users read. What processes of Kamailio share"
            " is counted once. Start: until OPTIONS is answered; ours reads a profile and a password for each user,"
            " Kamailio has one password for all in its configuration.",
        ],
    )


def main() -> int:
    arguments = options()
    BUILD.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=BUILD))
    try:
        run(arguments, place)
    except UnmeasurableError as error:
        print(f"bench-memory: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
