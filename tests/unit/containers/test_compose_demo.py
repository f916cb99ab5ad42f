"""`make compose-demo` where it cannot run: docker/compose-demo says why, and starts nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "docker" / "compose-demo"
LIMIT = 20.0  # seconds


@pytest.fixture
def run(tmp_path):
    """Runs it on a machine that has neither docker nor apt-get."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "env", "dirname", "id", "mkdir", "cat", "make", "sh"):
        found = shutil.which(name)
        assert found is not None, name
        (tools / name).symlink_to(found)

    def command(*arguments: str) -> tuple[int, str, str]:
        ended = subprocess.run(
            arguments,
            env={"PATH": str(tools), "ENGINE_DIR": str(tmp_path / "engine"), "HOME": str(tmp_path)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr

    return command


@pytest.mark.parametrize("arguments", [[], ["--stay"], ["compose", "ps"]])
def test_without_docker_and_without_a_way_to_get_it_it_says_so(run, arguments):
    status, out, err = run(str(SCRIPT), *arguments)
    assert (status, out) == (1, "")
    assert err == "compose-demo: no docker engine answers here, and only on Debian as root one could be installed\n"


def test_make_passes_it_on(run):
    status, _, err = run("make", "compose-demo", "COMPOSE=--stay")
    assert status == 2  # as make says of every failure
    assert "no docker engine answers here" in err


def test_help_says_what_the_exit_code_means(run):
    status, out, err = run(str(SCRIPT), "--help")
    assert (status, err) == (0, "")
    assert "Exit code 0: every step of both clients passed, 1: one failed" in out


def test_an_unknown_word_is_wrong_usage(run):
    status, out, err = run(str(SCRIPT), "bogus")
    assert (status, out) == (2, "")
    assert "docker/compose-demo [--stay]" in err


def test_it_is_a_program():
    assert os.access(SCRIPT, os.X_OK)
