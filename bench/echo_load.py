"""OPTIONS from SIPp to `echo.py`: the CPU that each of them costs, and how many there are in a second."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from echo import T1
from measured import Measured, UnmeasurableError, free_port, on_core, rest

HERE = Path(__file__).parent
TRANSPORTS = ("UDP", "TCP")
AT_ONCE = 64
LONGEST = 120.0  # seconds


class Transactions(NamedTuple):
    cpu: float  # microseconds of CPU each
    rate: float  # a second
    failed: int


def transactions(python: str, transport: str, number: int) -> Transactions:
    """Raises UnmeasurableError where there is no SIPp, and when the server does not answer."""
    if shutil.which("sipp") is None:
        raise UnmeasurableError(
            "no sipp for the transactions (Debian: apt-get install sip-tester; or --transactions 0)"
        )
    port = free_port()
    with tempfile.TemporaryDirectory() as kept:
        server = Measured([python, "-P", str(HERE / "echo.py"), str(port)], port, Path(kept, "echo.log"))
        try:
            rest([server])
            before, began = server.cpu(), time.monotonic()
            drive = subprocess.run(
                on_core(1, [*sipp(port, transport), "-m", str(number)]), cwd=kept, capture_output=True, timeout=LONGEST
            )
            took = time.monotonic() - began
            time.sleep(64 * T1)
            rest([server])
            used = server.cpu() - before
        finally:
            server.stop()
    if drive.returncode not in (0, 1):
        raise UnmeasurableError(f"sipp ended with {drive.returncode}: {drive.stderr.decode(errors='replace')[-200:]}")
    return Transactions(used / number * 1e6, number / took, failures(drive.stdout.decode(errors="replace")))


def sipp(port: int, transport: str) -> list[str]:
    scenario = str(HERE / "load" / "options.xml")
    mode = "u1" if transport == "UDP" else "t1"
    return [
        *(
            "sipp",
            f"127.0.0.1:{port}",
            "-sf",
            scenario,
            "-i",
            "127.0.0.1",
            "-t",
            mode,
            "-nostdin",
            "-deadcall_wait",
            "0",
        ),
        *("-r", "50000", "-l", str(AT_ONCE)),
    ]


def failures(screen: str) -> int:
    """The last number of SIPp's row "Failed call"."""
    rows = [line for line in screen.splitlines() if "Failed call" in line]
    return int(rows[-1].split("|")[-1]) if rows else 0
