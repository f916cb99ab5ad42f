"""The hosts file of the system: names that the machine knows without the DNS."""

from __future__ import annotations

import os
from pathlib import Path

from talkburst.sip.flow import is_literal

HOSTS_FILE = Path("/etc/hosts")
LOOK_AGAIN = 1.0  # seconds


class HostsFile:
    """The addresses of a name in such a file, which is read again when it has changed.

    `localhost` and what ends with it is this machine, whatever the file says (RFC 6761 6.3).
    """

    def __init__(self, path: Path = HOSTS_FILE) -> None:
        self._path = path
        self._version: tuple[int, int] | None = None
        self._looked_at = float("-inf")
        self._addresses: dict[str, list[str]] = {}

    def find(self, name: str, now: float) -> list[str]:
        """The addresses of a name in lower case, in the order of the file; empty when it does not have it."""
        name = name.rstrip(".")
        if name == "localhost" or name.endswith(".localhost"):
            return ["127.0.0.1", "::1"]
        if now >= self._looked_at + LOOK_AGAIN:
            self._looked_at = now
            self._look()
        return self._addresses.get(name, [])

    def _look(self) -> None:
        try:
            status = os.stat(self._path)
            version = (status.st_mtime_ns, status.st_size)
            if version != self._version:
                self._addresses = _read(self._path.read_text("utf-8", "replace"))
                self._version = version
        except OSError:  # a machine without one knows no names
            self._version, self._addresses = None, {}


def _read(text: str) -> dict[str, list[str]]:
    addresses: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if not is_literal(address) or "%" in address:
            continue
        for name in names:
            known = addresses.setdefault(name.lower().rstrip("."), [])
            if address not in known:
                known.append(address)
    return addresses
