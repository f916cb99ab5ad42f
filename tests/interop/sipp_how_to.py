"""SIPp with the scenario files that are ours to give away, and with the command lines that their how-to prints.

A command of the how-to is found by the words of the heading it stands under. It runs as it is printed, but for its
ports, which are those of the test's world, and for flags that have SIPp write down what it met.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from harness import need
from world import Process

ROOT = Path(__file__).parents[2]
SCENARIOS = Path(__file__).parent / "sipp"
HOW_TO = SCENARIOS / "README.md"


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


class Sipp(Process):
    """The command under `heading`. `alter` maps what stands in its scenario to what shall stand there."""

    def __init__(
        self, heading: str, directory: Path, ports: Mapping[int, int], alter: Mapping[str, str] | None = None
    ) -> None:
        arguments = shlex.split(commands()[heading])
        arguments[0] = need("sipp")
        arguments = [_moved(argument, ports) for argument in arguments]
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

    @property
    def errors(self) -> str:
        """What SIPp says went wrong."""
        return self._errors.read_text() if self._errors.exists() else ""

    @property
    def messages(self) -> str:
        """Every message that it sent and received."""
        return self._messages.read_text() if self._messages.exists() else ""

    @property
    def start_lines(self) -> list[tuple[str, str]]:
        """("sent" or "received", start line) of each message, in order."""
        return re.findall(r"^(?:UDP|TCP) message (sent|received) [^\n]*\n\n([^\n]*)", self.messages, flags=re.MULTILINE)

    def received_after(self, sent: str, count: int = 2) -> list[list[str]]:
        """The first words of what came next, `count` messages, after each message sent whose start line has `sent`."""
        lines = self.start_lines
        found = []
        for number, (way, line) in enumerate(lines):
            if way == "sent" and sent in line:
                after = [start.split()[0] for way, start in lines[number:] if way == "received"]
                found.append(after[:count])
        return found


def _moved(argument: str, ports: Mapping[int, int]) -> str:
    return re.sub(r"\b(\d{4})$", lambda found: str(ports.get(int(found[1]), found[1])), argument)


def _altered(scenario: Path, directory: Path, alter: Mapping[str, str]) -> Path:
    text = scenario.read_text()
    for old, new in alter.items():
        assert old in text, f"{scenario.name} has no {old!r} to alter"
        text = text.replace(old, new)
    file = directory / scenario.name
    file.write_text(text)
    return file
