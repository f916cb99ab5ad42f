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
    unshare = need("unshare")
    need("ip")
    namespace = [unshare, "--net"] if os.geteuid() == 0 else [unshare, "--net", "--user", "--map-root-user"]
    report = tmp_path / "report.json"
    status, out, err = await command(
        *namespace, sys.executable, str(SCRIPT), str(report), str(tmp_path / "state"), *order, env=environment()
    )
    assert status == 0, out + err
    assert "Traceback" not in err
    assert [step["verdict"] for step in json.loads(report.read_text())["steps"]] == ["pass"] * 32
