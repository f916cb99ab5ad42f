"""Runs the product as its user does: as a command, from outside, with a time limit."""

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

DEMO_WITHIN = 120.0  # seconds; a failing step is waited for, and the machine may be busy


@dataclass
class Ran:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str
    report: dict[str, Any]
    directory: Path

    def step(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.report["steps"][number - 1]
        assert found["step"] == number
        return found

    def log(self, daemon: str) -> str:
        return (self.directory / f"{daemon}.log").read_text()

    def explain(self) -> str:
        return f"exit {self.status}\n--- out\n{self.out}\n--- err\n{self.err}"


def environment() -> dict[str, str]:
    """The caller's, without what would configure Talkburst behind a test's back.

    Nor with what keeps Python from storing what it compiled: as at its users', only the first start of a daemon does.
    """
    others = {key: value for key, value in os.environ.items() if not key.startswith("TALKBURST_")}
    others.pop("PYTHONDONTWRITEBYTECODE", None)
    return others


async def command(
    *arguments: str, within: float = DEMO_WITHIN, env: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a command to its end; its status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env or environment(),
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), within)
    except TimeoutError:
        process.terminate()
        out, err = await process.communicate()
        pytest.fail(f"{' '.join(arguments)} did not end within {within:g} s:\n{out.decode()}\n{err.decode()}")
    return process.returncode or 0, out.decode(), err.decode()


TALKBURST = (sys.executable, "-P", "-m", "talkburst")


def talkburst(*arguments: str, within: float = DEMO_WITHIN) -> Awaitable[tuple[int, str, str]]:
    return command(*TALKBURST, *arguments, within=within)


Demo = Callable[..., Awaitable[Ran]]


def need(program: str) -> str:
    """The path of a program of somebody else's; without it the test is skipped, under CI it fails."""
    found = shutil.which(program)
    if found is None:
        go_without(f"{program} is not installed")
    return found


def need_module(name: str) -> None:
    """The same for a package of somebody else's, which PyPI does not have for every machine."""
    if importlib.util.find_spec(name) is None:
        go_without(f"{name} is not installed")


def go_without(reason: str) -> NoReturn:
    """Skip the test for that reason; under CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
