"""Reports and captures as files, the ladder in a terminal: the commands from outside."""

import asyncio
import fcntl
import os
import pty
import struct
import termios
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness import TALKBURST, command, environment, talkburst

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pcap of a demo that passed."""
    path = tmp_path_factory.mktemp("capture") / "demo.pcap"
    status, out, err = asyncio.run(talkburst("demo", "--pcap", str(path)))
    assert status == 0, out + err
    return path


@pytest.mark.parametrize("name", ["report.txt", "report", ".json/", "report.pdf"])
async def test_unknown_ending_exits_with_2_before_anything_runs(name: str, capture: Path, tmp_path: Path) -> None:
    for arguments in (("check", str(capture)), ("demo",)):
        status, out, err = await talkburst(*arguments, "--report", str(tmp_path / name))
        assert (status, out) == (2, "")
        assert "the name has to end in .json, .xml (JUnit) or .html" in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


async def test_report_in_a_directory_that_is_not_there_exits_with_2(capture: Path, tmp_path: Path) -> None:
    status, _, err = await talkburst("check", str(capture), "--report", str(tmp_path / "no" / "report.xml"))
    assert status == 2
    assert "there is no directory" in " ".join(err.split())


async def test_demo_writes_junit_and_html(tmp_path: Path) -> None:
    junit, page = tmp_path / "report.xml", tmp_path / "report.html"
    status, out, _ = await talkburst("demo", "--report", str(junit), "--pcap", str(tmp_path / "demo.pcap"))
    assert status == 0, out
    (suite,) = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("32", "0", "0")
    status, _, _ = await talkburst("check", str(tmp_path / "demo.pcap"), "--report", str(page))
    assert status == 0
    assert "32 of 32 steps passed" in page.read_text()
    assert page.read_text().count("<tr>") == 33


async def test_report_that_cannot_be_written_whole_leaves_nothing_and_costs_the_exit_code(
    capture: Path, tmp_path: Path
) -> None:
    for name in ("report.json", "report.xml", "report.html"):
        file = tmp_path / name
        file.write_text("old\n")
        full = ("sh", "-c", 'ulimit -f 1 && exec "$@"', "sh")  # 512 octets in a file: a disk that is nearly full
        status, out, err = await command(*full, *TALKBURST, "check", str(capture), "--report", str(file))
        assert status == 1, out + err
        assert "32 steps passed" in out
        assert f"cannot write the report {file}: File too large\n" in err
        assert "Traceback" not in err
        assert file.read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "report.xml"]


async def test_demo_on_a_full_disk_says_its_verdict_and_what_it_could_not_write(tmp_path: Path) -> None:
    report, pcap = tmp_path / "report.json", tmp_path / "demo.pcap"
    for path in (report, pcap):
        path.symlink_to("/dev/full")
    status, out, err = await talkburst("demo", "--report", str(report), "--pcap", str(pcap))
    assert status == 1
    assert "pass: 32 of 32 steps passed" in out
    assert f"cannot write the report {report}: No space left on device\n" in err
    assert f"demo: cannot write {pcap}: No space left on device\n" in err
    assert "wrote" not in out
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == [pcap, report]
    status, out, _ = await talkburst("demo", "--pcap", str(pcap))
    assert (status, "pass: 32 of 32 steps passed" in out) == (1, True)


async def in_terminal(columns: int, *arguments: str, **variables: str) -> list[str]:
    """The lines that a command writes into a terminal of so many columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {key: value for key, value in environment().items() if key not in ("COLUMNS", "LC_ALL", "PYTHONIOENCODING")}
    process = await asyncio.create_subprocess_exec(
        *(*TALKBURST, *arguments), stdin=follower, stdout=follower, stderr=follower, env={**env, **variables}
    )
    os.close(follower)
    read = asyncio.create_task(asyncio.to_thread(_drain, leader))
    await asyncio.wait_for(process.wait(), 60)
    written = await read
    os.close(leader)
    return written.decode("utf-8").replace("\r\n", "\n").splitlines()


def _drain(leader: int) -> bytes:
    found = b""
    try:
        while part := os.read(leader, 65536):
            found += part
    except OSError:  # how Linux says that nobody writes any more
        pass
    return found


@pytest.mark.parametrize(("width", "widest"), [(60, 60), (80, 79), (140, 111)])
async def test_the_ladder_and_the_table_fit_the_terminal(capture: Path, width: int, widest: int) -> None:
    ladder = await in_terminal(width, "ladder", str(capture), LC_ALL="C.UTF-8")
    assert max(map(len, ladder)) <= widest
    assert any("29 NOTIFY" in line for line in ladder)
    assert ("│" in "".join(ladder)) == (width >= 72)
    table = await in_terminal(width, "check", str(capture), LC_ALL="C.UTF-8")
    assert all(len(line) <= width for line in table if " pass " in line)


async def test_a_terminal_of_the_c_locale_gets_ascii(capture: Path) -> None:
    ladder = await in_terminal(80, "ladder", str(capture), LC_ALL="C")
    assert "".join(ladder).isascii()
    assert ladder[2].startswith("    0.000 |---- 1 REGISTER #1 --->|")


async def test_a_pipe_gets_100_columns(capture: Path) -> None:
    _, out, _ = await command(*TALKBURST, "ladder", str(capture), env={**environment(), "COLUMNS": "60"})
    assert max(map(len, out.splitlines())) == 99
