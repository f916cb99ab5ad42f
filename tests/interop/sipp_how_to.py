"""SIPp with the scenario files that are ours to give away, and with the command lines that their how-to prints.

A command of the how-to is found by the words of the heading it stands under. It runs as it is printed, but for its
ports, which are those of the test's world, and for flags that have SIPp write down what it met.
"""

import asyncio
import re
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from calls_world import CallCore
from harness import need
from sipp_world import WITHIN, Process, World

ROOT = Path(__file__).parents[2]
SCENARIOS = Path(__file__).parent / "sipp"
HOW_TO = SCENARIOS / "README.md"

POLL = 0.02  # seconds; SIPp tells nobody when it listens, nor when it has written to a file


def talkburst_command(start: str) -> list[str]:
    """The one command line of ours in the how-to that begins so, without the word talkburst."""
    found = re.findall(rf"^    talkburst ({start}.*)$", HOW_TO.read_text(), flags=re.MULTILINE)
    assert len(found) == 1, f"talkburst {start}: {found}"
    return shlex.split(found[0])


def commands() -> dict[str, str]:
    """Heading: the one SIPp command line that stands under it."""
    found = {}
    for section in re.split(r"^#+ ", HOW_TO.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        lines = re.findall(r"^    (sipp (?:.*\\\n)*.*)$", text, flags=re.MULTILINE)
        assert len(lines) <= 1, f"{heading}: the tests want one command under a heading"
        if lines:
            found[heading] = lines[0].replace("\\\n", " ")
    return found


class Traced(NamedTuple):
    """A message that SIPp wrote down; `way` is "sent" or "received"."""

    way: str
    start_line: str
    call_id: str


class Sipp(Process):
    """The command under `heading`. `alter` maps what stands in its scenario to what shall stand there."""

    stopped_by = signal.SIGKILL  # SIGTERM has it wait for its calls

    def __init__(
        self, heading: str, directory: Path, world: World | CallCore, alter: Mapping[str, str] | None = None
    ) -> None:
        arguments = [need("sipp"), *shlex.split(world.moved(commands()[heading]))[1:]]
        arguments = [str(ROOT / argument) if "/interop/" in argument else argument for argument in arguments]
        if alter:
            position = arguments.index("-sf") + 1
            arguments[position] = str(_altered(Path(arguments[position]), directory, alter))
        self._errors = directory / f"{heading}.err"
        self._messages = directory / f"{heading}.msg"
        super().__init__(
            *arguments,
            *("-nostdin", "-trace_err", "-error_file", str(self._errors)),
            *("-trace_msg", "-message_file", str(self._messages)),
        )

    async def listens(self, port: int) -> None:
        """Wait until some program has the port, for UDP or for TCP."""
        async with asyncio.timeout(WITHIN):
            while not any(_is_bound(Path(table), port) for table in ("/proc/net/udp", "/proc/net/tcp")):  # noqa: ASYNC110
                await asyncio.sleep(POLL)

    async def fails(self, said: str) -> None:
        """It ends, with exit code 1, for an error that matches `said`."""
        assert await self.ended() == 1, self.errors
        assert re.search(said, self.errors, flags=re.DOTALL), self.errors

    async def fails_but_stays(self, said: str) -> None:
        """It writes an error that matches `said`, but other calls go on. They end when the time of -timeout is up."""
        async with asyncio.timeout(WITHIN):
            while not (self.has_ended or re.search(said, self.errors, flags=re.DOTALL)):  # noqa: ASYNC110
                await asyncio.sleep(POLL)
        self.signal(signal.SIGALRM)
        assert await self.ended() == 255, self.errors
        assert re.search(said, self.errors, flags=re.DOTALL), self.errors

    @property
    def errors(self) -> str:
        """What SIPp says went wrong."""
        return self._errors.read_text() if self._errors.exists() else ""

    @property
    def messages(self) -> str:
        """Every message that it sent and received."""
        return self._messages.read_text() if self._messages.exists() else ""

    @property
    def trace(self) -> list[Traced]:
        """Every message, in order."""
        found = re.findall(
            r"^(?:UDP|TCP) message (sent|received) [^\n]*\n\n([^\n]*)\n.*?^Call-ID: ([^\n]*)",
            self.messages,
            flags=re.MULTILINE | re.DOTALL,
        )
        return [Traced(*message) for message in found]

    def received_after(self, sent: str, count: int = 2) -> list[list[str]]:
        """After each message sent with `sent` in its start line: the first words of what came of that Call-ID."""
        trace = self.trace
        found = []
        for number, (way, line, call_id) in enumerate(trace):
            if way == "sent" and sent in line:
                after = [one.start_line.split()[0] for one in trace[number:] if one[::2] == ("received", call_id)]
                found.append(after[:count])
        return found


def _is_bound(table: Path, port: int) -> bool:
    return any(line.split()[1].endswith(f":{port:04X}") for line in table.read_text().splitlines()[1:])


def _altered(scenario: Path, directory: Path, alter: Mapping[str, str]) -> Path:
    text = scenario.read_text()
    for old, new in alter.items():
        assert old in text, f"{scenario.name} has no {old!r} to alter"
        text = text.replace(old, new)
    file = directory / scenario.name
    file.write_text(text)
    return file
