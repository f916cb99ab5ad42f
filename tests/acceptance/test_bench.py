"""The benches run from end to end: a few registrations, one round. Their figures are nobody's concern here."""

import re
import sys
from pathlib import Path

import pytest

from harness import command, need

BENCH = Path(__file__).parents[2] / "bench"

pytestmark = [pytest.mark.acceptance, pytest.mark.longer]


async def test_bench_register_compares_three_ways_of_registering_and_loses_none(tmp_path: Path) -> None:
    need("cc")
    need("kamailio")
    page = tmp_path / "bench-register.md"
    few = ("--users", "100", "--registrations", "200", "--rounds", "1", "--settle", "1")
    status, out, err = await command(sys.executable, str(BENCH / "register.py"), *few, "--page", str(page))
    assert status == 0, err
    text = page.read_text()
    assert text.strip() == out.strip()
    assert len(re.findall(r"\| talkburst core, .* : Kamailio, .* \| +\d+\.\d\d \| +\d+\.\d\d \|", text)) == 3
    assert len(re.findall(r"(?m)^\| (?:talkburst core|Kamailio), .* \| +0 \| 200 \|$", text)) == 6
    assert re.search(r"CPython [0-9.]+ \(.*PGO\), (plain|compiled) talkburst\.sip", text)


async def test_bench_memory_registers_everybody_and_writes_a_table(tmp_path: Path) -> None:
    need("cc")
    need("kamailio")
    page = tmp_path / "bench-memory.md"
    few = ("--users", "100", "--rest", "1", "--page", str(page))
    status, _, err = await command(sys.executable, str(BENCH / "memory.py"), *few)
    assert status == 0, err
    rows = re.findall(r"(?m)^\| (talkburst core, SQLite|Kamailio, memory) +\| +[0-9,]+ \|", page.read_text())
    assert rows == ["talkburst core, SQLite", "Kamailio, memory"]


@pytest.mark.parametrize(("missing", "word"), [("cc", "cc"), ("kamailio", "kamailio")])
async def test_bench_without_what_it_needs_says_so_in_one_line(tmp_path: Path, missing: str, word: str) -> None:
    found = {name: need(name) for name in ("cc", "kamailio", "taskset") if name != missing}
    for name, path in found.items():
        (tmp_path / name).symlink_to(path)
    env = {"PATH": str(tmp_path), "BENCH_BUILD": str(tmp_path / "build")}
    status, out, err = await command(sys.executable, str(BENCH / "register.py"), "--rounds", "1", env=env)
    assert (status, out) == (2, "")
    assert err.startswith(f"bench-register: there is no {word} ")
    assert len(err.splitlines()) == 1
