"""Kamailio, where it is installed, doing parts of the flow: an S-CSCF with an HSS beside it, a presence server."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from measured import Measured, UnmeasurableError, free_port, on_core
from registrars import HERE, SCHEMAS

MODULES = Path("/usr/lib/x86_64-linux-gnu/kamailio/modules")
NEEDED = ("ims_registrar_scscf.so", "presence.so", "presence_xml.so", "db_sqlite.so")
DOMAIN = "ims.test"
CONNECTED_WITHIN = 20.0  # seconds; the S-CSCF looks for its HSS every five


def installed() -> bool:
    """Whether Kamailio is here with the modules that its configurations load."""
    return shutil.which("kamailio") is not None and all((MODULES / name).exists() for name in NEEDED)


def version() -> str:
    shown = subprocess.run(["kamailio", "-v"], capture_output=True, text=True, check=False).stdout
    return next((word for word in shown.split() if word[:1].isdigit()), "")


@dataclass(slots=True)
class Kamailio:
    """One Kamailio with one worker, its files in `directory`. Starting it raises UnmeasurableError."""

    directory: Path
    port: int = field(default_factory=free_port)
    _hss: subprocess.Popen[bytes] | None = field(init=False, default=None)

    def scscf(self, server: str) -> Measured:
        """The S-CSCF; `server` is the URI of the application server that is told of every registration."""
        at_hss = free_port()
        self._write("scscf.cfg")
        self._write("scscf.xml", HSS=at_hss, DIAMETER=free_port())
        said = self.directory / "hss.log"
        with said.open("w") as log:
            command = [sys.executable, str(HERE / "kamailio" / "hss.py"), str(at_hss), server]
            self._hss = subprocess.Popen(on_core(1, command), stdout=log)
        started = self._start("scscf.cfg", [])
        until = time.monotonic() + CONNECTED_WITHIN
        while "a peer" not in said.read_text():
            if time.monotonic() > until:
                raise UnmeasurableError("the S-CSCF did not connect to its HSS")
            time.sleep(0.1)
        return started

    def presence(self, durable: bool) -> Measured:
        """The presence server, in memory or written through to SQLite."""
        self._write("presence.cfg")
        return self._start("presence.cfg", ["PMODE_DB"] if durable else [])

    def stop(self) -> None:
        """Ends the HSS; the rest is for who started it."""
        if self._hss is not None:
            self._hss.terminate()
            self._hss.wait()

    def _write(self, name: str, **ports: int) -> None:
        text = (HERE / "kamailio" / name).read_text()
        for key, value in {"DIRECTORY": str(self.directory), "PORT": str(self.port), **ports}.items():
            text = text.replace(f"@{key}@", str(value))
        (self.directory / name).write_text(text)

    def _start(self, file: str, defines: list[str]) -> Measured:
        self._make_database()
        run = self.directory / "run"
        run.mkdir(exist_ok=True)
        command = ["kamailio", "-f", str(self.directory / file), "-DD", "-E", "-m", "1024", "-M", "16"]
        command += ["-P", str(run / "pid"), "-Y", str(run), "-w", str(run)]
        command += [argument for define in defines for argument in ("-A", define)]
        return Measured(command, self.port, self.directory / f"{file}.log")

    def _make_database(self) -> None:
        """Anew, in WAL mode from the beginning: Kamailio's children can not agree on it later."""
        folder = self.directory / "db"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with sqlite3.connect(folder / "kam.sqlite") as database:
            for table in ("standard", "presence"):
                database.executescript((SCHEMAS / f"{table}-create.sql").read_text())
            database.execute("PRAGMA journal_mode = WAL")
        database.close()
