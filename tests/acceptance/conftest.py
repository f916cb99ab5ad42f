"""Fixtures of the acceptance tests: the demo as a command, ports that are free."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness import DEMO_WITHIN, Demo, Ran, talkburst


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    """`talkburst demo` with a configuration, its report read; logs stay in its state directory."""
    count = 0

    async def run(*arguments: str, config: dict[str, Any] | None = None, within: float = DEMO_WITHIN) -> Ran:
        nonlocal count
        count += 1
        directory = tmp_path / f"demo-{count}"
        report = tmp_path / f"report-{count}.json"
        options = ["--state", str(directory), "--report", str(report)]
        if config is not None:
            path = tmp_path / f"config-{count}.toml"
            path.write_text(tomli_w.dumps(config))
            options += ["--config", str(path)]
        status, out, err = await talkburst("demo", *options, *arguments, within=within)
        read = json.loads(report.read_text()) if report.exists() else {}
        ran = Ran(status, out, err, read, directory)
        assert "Traceback" not in out + err, ran.explain()
        for log in directory.glob("*.log"):
            assert "Traceback" not in log.read_text(), log.read_text()
        return ran

    return run


@pytest.fixture
def free_udp_port() -> Callable[[], int]:
    """Ports that nobody has at the moment; the sockets that found them are closed before use."""

    def find() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
