"""The Makefile on machines that lack something."""

import sys
from pathlib import Path

import pytest

from harness import command, need

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).parents[2]


def pretend_python(directory: Path, without: str) -> Path:
    """A Python that fails where the one-line program it is given mentions `without`."""
    script = directory / "python3"
    script.write_text(f'#!/bin/sh\ncase "$*" in *"{without}"*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return script


async def make_demo(python: str, tmp_path: Path) -> tuple[int, str]:
    arguments = ("-C", str(ROOT), f"VENV={tmp_path / 'venv'}", f"PYTHON={python}", "demo")
    status, out, err = await command(need("make"), *arguments)
    assert not (tmp_path / "venv").exists()
    return status, out + err


async def test_python_without_venv_module_is_told_what_to_install(tmp_path: Path) -> None:
    status, said = await make_demo(str(pretend_python(tmp_path, "import venv")), tmp_path)
    assert status == 2
    assert "apt-get install python3-venv" in said


async def test_python_that_is_too_old_is_told_which_one_is_needed(tmp_path: Path) -> None:
    status, said = await make_demo(str(pretend_python(tmp_path, "version_info")), tmp_path)
    assert status == 2
    assert "needs Python 3.11 or newer" in said


async def test_missing_python_is_named(tmp_path: Path) -> None:
    status, said = await make_demo("no-such-python", tmp_path)
    assert status == 2
    assert "no-such-python" in said
