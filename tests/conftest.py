"""Fixtures of the tests that start real daemons: the demo as a command, ports that are free."""

import importlib
import json
import os
import random
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, settings

from harness import DEMO_WITHIN, Demo, Ran, talkburst

# What hypothesis draws: `ci` is the same in every run and keeps nothing, so that a red run can be had again; `usual`
# looks at other messages each time; `longer` is for an hour of nobody's: HYPOTHESIS_PROFILE=longer make test. No test
# has a deadline for an example, for the machine may be busy; slow generation is told by the time that the tests take.
_ANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", _ANY, max_examples=40, derandomize=True, database=None)
settings.register_profile("usual", _ANY, max_examples=40)
settings.register_profile("longer", _ANY, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") == "true" else "usual"))


def pytest_configure() -> None:
    """`make test-wheel` names modules that have to be compiled: to run the sources once more would prove nothing."""
    for module in os.environ.get("COMPILED", "").split():
        if str(importlib.import_module(module).__file__).endswith(".py"):
            raise pytest.UsageError(f"{module} is not compiled in {sys.prefix}")


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


# Below what Linux gives to outgoing connections, so that none takes a port between the choice and the use; each of
# the processes that run tests at the same time (gw0, gw1, ...) has ports of its own.
WORKERS = 8
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
PORTS = range(20_000 + WORKER, 32_000, WORKERS)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Ports that nobody has at the moment, neither for UDP nor for TCP, each given once."""
    given: set[int] = set()

    def find() -> int:
        while True:
            port = random.choice(PORTS)
            if port not in given and is_free(port):
                given.add(port)
                return port

    return find


def is_free(port: int) -> bool:
    """Whether both sockets can be bound; they are closed before the port is used."""
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
