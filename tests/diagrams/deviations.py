"""Writes docs/deviations.md from the marks in the code: `DEVIATION(RFC nnnn section): what, and why`.

    python -m deviations docs/deviations.md

A mark stands in a docstring or a comment and goes on to the end of its paragraph or list item.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("poc", "core", "server", "xdms")
MARK = re.compile(r"DEVIATION\((?P<clause>[^)]*)\): ?(?P<text>.*)")
HEAD = """# Deviations

Where the code does something else than a specification says, on purpose. Each is marked in the code, with its reason;
`make diagrams` collects the marks, and a test fails when this page says anything else.

| clause | what is done, and why | where |
|---|---|---|
"""


@dataclass(slots=True, frozen=True)
class Deviation:
    clause: str
    text: str
    path: str  # from the root of the checkout


def deviations(text: str, path: str) -> list[Deviation]:
    """The marks in one file of source."""
    found: list[Deviation] = []
    lines = [line.strip().removeprefix("#").strip() for line in text.splitlines()]
    for number, line in enumerate(lines):
        mark = MARK.search(line)
        if mark is not None:
            words = [mark["text"]]
            for following in lines[number + 1 :]:
                if not following or following.startswith(('"""', "- ", "_")) or MARK.search(following):
                    break
                words.append(following)
            found.append(Deviation(mark["clause"], " ".join(words), path))
    return found


def page() -> str:
    """The whole page, by clause."""
    found = [
        deviation
        for room in ROOMS
        for source in sorted((ROOT / room).rglob("*.py"))
        for deviation in deviations(source.read_text(), str(source.relative_to(ROOT)))
    ]
    rows = sorted(found, key=lambda each: (each.clause, each.path))
    return HEAD + "".join(f"| {row.clause} | {row.text} | `{row.path}` |\n" for row in rows)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
