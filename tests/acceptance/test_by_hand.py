"""`talkburst xdms`, `core`, `server`, `client` by hand, with no arguments, in any order.

A network namespace of its own keeps the fixed default ports from colliding with anything.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from harness import command, environment, need

pytestmark = pytest.mark.acceptance

SCRIPT = Path(__file__).with_name("by_hand.py")
BESIDE = Path(__file__).with_name("beside_demo.py")


def namespace() -> list[str]:
    """What starts a command in a network namespace of its own."""
    need("ip")
    unshare = need("unshare")
    return [unshare, "--net"] if os.geteuid() == 0 else [unshare, "--net", "--user", "--map-root-user"]


@pytest.mark.parametrize(
    "order",
    [
        ("xdms", "core", "server", "client"),
        ("client", "server", "core", "xdms"),
        ("server", "client", "xdms", "core"),
        ("core", "client", "xdms", "server"),
    ],
    ids="-".join,
)
async def test_daemons_without_arguments_complete_the_flow_in_any_order(order: tuple[str, ...], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    status, out, err = await command(
        *namespace(), sys.executable, str(SCRIPT), str(report), str(tmp_path / "state"), *order, env=environment()
    )
    assert status == 0, out + err
    assert "Traceback" not in err
    assert [step["verdict"] for step in json.loads(report.read_text())["steps"]] == ["pass"] * 32


@pytest.mark.parametrize(
    "name",
    [
        "client",
        "server",
        pytest.param("core", marks=pytest.mark.longer),
        pytest.param("xdms", marks=pytest.mark.longer),
    ],
)
async def test_daemon_without_arguments_takes_its_place_in_a_demo(name: str, tmp_path: Path) -> None:
    status, out, err = await command(
        *namespace(), sys.executable, str(BESIDE), str(tmp_path / "state"), name, env=environment()
    )
    assert status == 0, out + err
    assert "waiting for " in out
    assert "pass: 32 of 32" in out
