"""A second installation, in an environment of its own, in the place of one, two and three daemons of the demo."""

import asyncio
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from second_installation import (
    ExternalDemo,
    Installation,
    client_config,
    core_config,
    server_config,
    xdms_config,
)

pytestmark = [pytest.mark.acceptance, pytest.mark.longer]

ROOT = Path(__file__).parents[2]
ROLES = ("xdms", "core", "server", "client")
CASTS = [cast for size in (1, 2, 3) for cast in itertools.combinations(ROLES, size)]
# Who is at the ends of each step's hop: what passes between two programs from outside nobody sees.
BETWEEN = {
    frozenset({"client", "core"}): {1, 2, 3, 4, 12, 13, 14, 15, 16, 19, 21, 22, 24, 27, 30, 31},
    frozenset({"core", "server"}): {5, 6, 7, 8, 9, 10, 17, 18, 20, 23, 25, 26, 28, 29, 32},
    frozenset({"server", "xdms"}): {11},
}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The command `talkburst` of an installation that shares no file with this one."""
    directory = tmp_path_factory.mktemp("elsewhere")
    source, environment = directory / "source", directory / "venv"
    source.mkdir()
    for name in ("poc", "core", "server", "xdms"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(source)], check=True)
    shutil.rmtree(source)
    return (str(environment / "bin" / "talkburst"),)


@pytest.mark.parametrize("cast", CASTS, ids="-".join)
async def test_installation_takes_every_place_and_every_hop_with_an_end_of_ours_passes(
    cast: tuple[str, ...], elsewhere: tuple[str, ...], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    places = {role: f"127.0.0.1:{free_port()}" for role in cast}
    demo, installed = ExternalDemo(tmp_path), {role: Installation(role, tmp_path, elsewhere) for role in cast}
    externals = [f"--external={role}" if role == "client" else f"--external={role}={places[role]}" for role in cast]
    try:
        await demo.start(*externals)
        await demo.said("waiting for ")
        for role in cast:
            await installed[role].start(configuration(role, demo.told(role), places, free_port))
        ran = await demo.ended()
    finally:
        await asyncio.gather(demo.kill(), *(daemon.stop() for daemon in installed.values()))
    unseen = set().union(*(steps for ends, steps in BETWEEN.items() if ends <= set(cast)))
    expected = ["not-observed" if number in unseen else "pass" for number in range(1, 33)]
    assert [step["verdict"] for step in ran.report["steps"]] == expected, ran.explain()
    assert ran.status == (3 if unseen else 0), ran.explain()


def configuration(
    role: str, told: dict[str, str], places: dict[str, str], free_port: Callable[[], int]
) -> dict[str, Any]:
    """What a user writes down from what the demo says."""
    if role == "client":
        return client_config(told)
    if role == "server":
        return server_config(told, places[role])
    if role == "core":
        return core_config(told, places[role], f"127.0.0.1:{free_port()}")
    return xdms_config(told)
