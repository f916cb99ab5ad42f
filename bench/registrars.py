"""The registrars that the benches compare, `talkburst core` and Kamailio, and the programs in C that keep them busy."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from measured import Measured, UnmeasurableError, free_port, on_core

HERE = Path(__file__).parent
DOMAIN = "ims.test"
BUILD = Path(os.environ.get("BENCH_BUILD", HERE.parent / "build" / "bench"))
SCHEMAS = Path("/usr/share/kamailio/db_sqlite")

CONFIGURATION = """\
state = "{state}"
store = "{store}"

[log]
level = "warning"

[core]
domain = "{domain}"
domains = []
uri = "sip:scscf.{domain}"
listen = ["udp:127.0.0.1:{port}", "tcp:127.0.0.1:{port}"]
listen_servers = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
profiles = "{users}/profiles"
credentials = "{users}/credentials.toml"
"""


def tool(name: str) -> str:
    """The path of a load generator, compiled where need be. Raises UnmeasurableError."""
    source, made = HERE / "load" / f"{name}.c", BUILD / name
    newest = max(path.stat().st_mtime for path in (HERE / "load").iterdir())
    if made.exists() and made.stat().st_mtime >= newest:
        return str(made)
    if shutil.which("cc") is None:
        raise UnmeasurableError(
            "there is no cc to compile the load generator with (Debian: apt-get install gcc libc6-dev)"
        )
    made.parent.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-O2", "-Wall", "-Wextra", "-o", str(made), str(source), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnmeasurableError(f"cannot compile {source.name}: {' | '.join(done.stderr.splitlines()[-3:])}")
    return str(made)


def need_kamailio() -> None:
    """Raises UnmeasurableError."""
    packages = "apt-get install kamailio kamailio-sqlite-modules"
    if shutil.which("kamailio") is None:
        raise UnmeasurableError(f"there is no kamailio to compare with (Debian: {packages})")
    if not (SCHEMAS / "usrloc-create.sql").exists():
        raise UnmeasurableError(f"kamailio has no SQLite: {SCHEMAS} is not there (Debian: {packages})")


def talkburst(python: str, directory: Path, users: Path, store: str) -> Measured:
    """`talkburst core`, its state in `directory`; `store` is where it keeps it, "memory" or "sqlite"."""
    port = free_port()
    directory.mkdir()
    file = directory / "talkburst.toml"
    file.write_text(CONFIGURATION.format(state=directory, store=store, domain=DOMAIN, port=port, users=users))
    command = [python, "-P", "-m", "talkburst", "core", "--config", str(file)]
    return Measured(command, port, directory / "core.log")


def kamailio(directory: Path, *, durable: bool = False, server: str = "", shared_mib: int = 512) -> Measured:
    """Kamailio with one worker; `durable`: each binding is written through to SQLite in WAL mode, as ours is."""
    port = free_port()
    directory.mkdir()
    definitions = [f"PORT={port}"]
    if durable:
        file = directory / "kamailio.sqlite"
        _make_database(file)
        definitions.append(f'DBURL="sqlite:///{file}"')
    if server:
        definitions.append(f'SINK="{server}"')
    flags = f"-DD -E -m {shared_mib} -M 16 -P {directory}/pid -Y {directory} -w {directory}"
    command = ["kamailio", "-f", str(HERE / "kamailio" / "registrar.cfg"), *flags.split()]
    for definition in definitions:
        command += ["-A", definition]
    return Measured(command, port, directory / "kamailio.log")


def _make_database(file: Path) -> None:
    database = sqlite3.connect(file)
    for name in ("standard", "usrloc"):
        database.executescript((SCHEMAS / f"{name}-create.sql").read_text())
    database.execute("PRAGMA journal_mode = WAL")
    database.close()


def sink(port: int) -> subprocess.Popen[bytes]:
    """An application server on the core of the load."""
    return subprocess.Popen(on_core(1, [tool("sink"), str(port)]), stdout=subprocess.DEVNULL)
