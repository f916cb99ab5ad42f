"""What our daemons say, while the flow runs, of what they refuse or cannot do: read from their logs as they grow."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

EVERY: Final = 0.05  # seconds between two looks

_LINE: Final = re.compile(r"(?P<time>\S+)Z (?P<level>\w+) +(?P<name>[\w.-]+): (?P<text>.*)")
# What ties lines of a log together, and says nothing to somebody who watches.
_THREAD: Final = re.compile(r" (?:call_id|user)=(?:\"(?:[^\"\\]|\\.)*\"|\S+)")
_TELLING: Final = re.compile(
    r"[3-6]\d\d to |no third-party REGISTER|third-party REGISTER to \S+ failed"
    r"|.*\b(?:refused|not registered|not fetched|not understood|not told|dropped|trying again|NOTIFY failed)\b"
)
# A first request without credentials is asked for them; that is step 2.
_USUAL: Final = re.compile(r"40[17] to \w+: (?:no credentials|no answer to a challenge yet)\b")


class Remark(NamedTuple):
    """`at` is in seconds since the epoch, None where the line says none."""

    at: float | None
    text: str


def remark_of(line: str) -> Remark | None:
    """What a line of a log tells somebody who wonders why a step does not happen; None for the others."""
    found = _LINE.fullmatch(line)
    if found is None:  # the last words of a daemon that ends
        return Remark(None, line) if re.match(r"(?:client|core|server|xdms): ", line) else None
    text = found["text"]
    if found["level"] == "info" and (_USUAL.match(text) or not _TELLING.match(text)):
        return None
    at = datetime.fromisoformat(found["time"]).replace(tzinfo=UTC).timestamp()
    return Remark(at, f"{found['name']}: {_THREAD.sub('', text)}")


class Remarks:
    """Follows the logs of daemons by name. `tell(at, text)` gets each remark."""

    def __init__(self, logs: Mapping[str, Path], tell: Callable[[float | None, str], None]) -> None:
        self._tell = tell
        self._places = dict.fromkeys(logs.values(), 0)

    async def follow(self, ended: asyncio.Event) -> None:
        """Tell what is written until `ended` is set."""
        while not ended.is_set():
            self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), EVERY)

    def look(self) -> None:
        """Tell what has been written since the last look, whole lines only."""
        for path, place in self._places.items():
            try:
                with path.open("rb") as log:
                    log.seek(place)
                    written = log.read()
            except OSError:  # not there yet
                continue
            whole = written[: written.rfind(b"\n") + 1]
            self._places[path] = place + len(whole)
            for line in whole.decode(errors="replace").splitlines():
                remark = remark_of(line)
                if remark is not None:
                    self._tell(*remark)
