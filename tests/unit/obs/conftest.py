"""tshark, the judge of what we write."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Tshark = Callable[..., list[list[str]]]


@pytest.fixture
def tshark() -> Tshark:
    """`tshark(file, field, ...)`: the fields of each packet, with every checksum verified."""
    program = shutil.which("tshark")
    if program is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("tshark is not installed")

    def read(file: Path, *fields: str, only: str = "") -> list[list[str]]:
        command = [program, "-r", str(file), "-T", "fields", "-E", "separator=\t"]
        for name in ("ip", "udp", "tcp"):
            command += ["-o", f"{name}.check_checksum:TRUE"]
        command += ["-Y", only] if only else []
        for field in fields:
            command += ["-e", field]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        return [line.split("\t") for line in output.splitlines()]

    return read
