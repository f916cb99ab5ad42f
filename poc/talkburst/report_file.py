"""`--report FILE`: the verdicts as JSON, JUnit XML or one HTML page, by the name's ending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import click

from talkburst.daemon.whole_file import write_whole
from talkburst.flow.junit import junit
from talkburst.flow.page import page
from talkburst.flow.report import Report

FORMATS: Final[dict[str, Callable[[Sequence[Report]], str]]] = {
    ".json": lambda reports: reports[-1].to_json() + "\n",  # the newest flow
    ".xml": junit,
    ".html": page,
}


def report_path(context: click.Context, parameter: click.Parameter, file: Path | None) -> Path | None:
    """Refuse what could not be written after the run before the run, for click."""
    if file is None:
        return None
    if file.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{file}: the name has to end in .json, .xml (JUnit) or .html")
    parent = file.absolute().parent
    if not parent.is_dir():
        raise click.BadParameter(f"{file}: there is no directory {parent}")
    return file


report_option = click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=report_path,
    metavar="FILE",
    help="write the verdicts here: FILE.json, FILE.xml (JUnit) or FILE.html",
)


def write_report(reports: Sequence[Report], file: Path) -> bool:
    """Whether it could be written as a whole; else why not is said, and the file is what it was."""
    try:
        write_whole(file, FORMATS[file.suffix.lower()](reports))
    except OSError as error:
        click.echo(f"cannot write the report {file}: {error.strerror}", err=True)
        return False
    return True
