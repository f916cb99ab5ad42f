"""`make bench-flow` with few users: flow and parts run at real daemons, nobody fails, and the page has it all."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench" / "flow.py"

pytestmark = [pytest.mark.acceptance, pytest.mark.longer]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_flow_of_a_hundred_users_is_measured_without_a_failure(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    command = [sys.executable, str(BENCH), "--users", "100", "--linger", "0.2", "--page", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [cells(line) for line in page.read_text().splitlines() if line.startswith("|")]
    assert "## The flow with 100 users, " in page.read_text()
    columns = next(row for row in rows if row[0] == "build")
    measured = dict(zip(columns, next(row for row in rows if row[0] in ("plain", "compiled")), strict=True))
    assert measured["failures"] == "0"
    assert all(float(measured[f"{daemon} µs"].replace(",", "")) > 0 for daemon in ("core", "server", "xdms"))
    for part in ("first registration", "re-registration", "PUBLISH and one NOTIFY", "each further NOTIFY"):
        assert [row for row in rows if row[0].startswith(part)], part


def test_a_number_of_users_that_makes_no_sense_is_wrong_usage(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH), "--users", "0", "--page", str(tmp_path / "page.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "--users: at least one" in done.stderr


def test_the_daemons_do_not_outlive_a_bench_that_is_told_to_end(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH), "--only", "flow", "--users", "5000", "--page", str(tmp_path / "page.md")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bench:
        children = Path(f"/proc/{bench.pid}/task/{bench.pid}/children")
        deadline = time.monotonic() + 120
        while len(daemons := children.read_text().split()) < 3:
            assert bench.poll() is None
            assert time.monotonic() < deadline, "the daemons did not come up"
            time.sleep(0.1)
        bench.terminate()
        assert bench.wait(60) == 1
    assert not [pid for pid in daemons if Path(f"/proc/{pid}").exists()]
    assert not (tmp_path / "page.md").exists()
