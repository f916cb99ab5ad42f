"""How long the flow takes: `talkburst demo` several times, the median of `elapsed_s` and of the whole command.

`elapsed_s` is from the first REGISTER to the last step; the command also starts and ends four processes.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run_once(directory: Path) -> tuple[float, float]:
    """`elapsed_s` of one demo and the seconds the command took. Ends the program if the demo fails."""
    report = directory / "report.json"
    started = time.monotonic()
    command = [sys.executable, "-P", "-m", "talkburst", "demo", "--report", str(report), "--state", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    whole = time.monotonic() - started
    if done.returncode != 0:
        sys.exit(f"the demo failed (exit {done.returncode}):\n{done.stdout}{done.stderr}")
    return json.loads(report.read_text())["elapsed_s"], whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="how many demos (default 5)")
    runs = parser.parse_args().runs
    if runs < 1:
        parser.error("--runs: at least one")
    print(f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}")
    measured = []
    for number in range(1, runs + 1):
        with tempfile.TemporaryDirectory(prefix="talkburst-bench-") as directory:
            elapsed, whole = run_once(Path(directory))
        measured.append((elapsed, whole))
        print(f"run {number}: flow {elapsed:.3f} s, command {whole:.2f} s", flush=True)
    flow, command = (statistics.median(column) for column in zip(*measured, strict=True))
    print(f"median of {runs}: flow {flow:.3f} s, command {command:.2f} s")


if __name__ == "__main__":
    main()
