"""What every bench prints: which interpreter and build it measured, and tables that also go into a page of `docs/`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

BUILD_PROBE = """
import os, platform, sys, sysconfig
import talkburst.net.shell, talkburst.sip.parser, talkburst_core.registrar, talkburst_server.settings
# Debian's own is built with a profile, and does not say so.
debian = sys.base_prefix == "/usr" and os.path.exists("/etc/debian_version")
optimised = debian or "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
rooms = {
    "talkburst.sip": talkburst.sip.parser,
    "talkburst.net": talkburst.net.shell,
    "talkburst_core": talkburst_core.registrar,
    "talkburst_server": talkburst_server.settings,
}
compiled = ", ".join(name for name, module in rooms.items() if not module.__file__.endswith(".py"))
print(f"{platform.python_implementation()} {platform.python_version()}"
      f" ({'PGO' if optimised else 'no PGO'}), {'compiled ' + compiled if compiled else 'plain talkburst.sip'}")
"""


def build(python: str = sys.executable) -> str:
    """The interpreter and what is compiled in it, e.g. "CPython 3.11.2 (PGO), plain talkburst.sip"."""
    return subprocess.run([python, "-P", "-c", BUILD_PROBE], capture_output=True, text=True, check=True).stdout.strip()


def machine() -> str:
    """The processor and how many of them this process may use."""
    names = [line.split(":", 1)[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    name = names[0].strip() if names else platform.machine()
    return f"{len(os.sched_getaffinity(0))} x {name}, Linux {platform.release().split('-')[0]}"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown, its columns aligned so that it also reads well in a terminal; the first is text."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        "| "
        + " | ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        + " |"
        for row in (cells[0], rule, *cells[1:])
    ]
    return "\n".join(lines)


def publish(page: Path, title: str, parts: Iterable[str]) -> None:
    """Prints the parts of a report and writes them to `page`, with how to repeat it on top."""
    text = "\n\n".join([f"# {title}", *parts]) + "\n"
    print(text)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)


def publish_sections(
    page: Path, title: str, intro: str, sections: Mapping[str, str], key: Callable[[str], Any]
) -> None:
    """As `publish`, for a page of which a run makes some sections only: the others stay as they are.

    `sections` are texts by their headings; `key` sorts the headings.
    """
    kept = _sections_of(page.read_text()) if page.exists() else {}
    print("\n\n".join(_section(heading, text) for heading, text in sections.items()) + "\n")
    kept.update(sections)
    parts = [f"# {title}", intro, *(_section(heading, kept[heading]) for heading in sorted(kept, key=key))]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n\n".join(parts) + "\n")


def _section(heading: str, text: str) -> str:
    return f"## {heading}\n\n{text.strip()}"


def _sections_of(text: str) -> dict[str, str]:
    _, *sections = text.split("\n## ")
    return {heading: body.strip() for heading, _, body in (section.partition("\n") for section in sections)}
