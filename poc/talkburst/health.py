"""`talkburst health`: one question to a running daemon, quick enough to be asked every few seconds."""

import sys
from pathlib import Path

import click

from talkburst.daemon.control import ControlError, ask
from talkburst.daemon.start_error import StartError
from talkburst.daemon.state import control_socket

_PATH = click.Path(path_type=Path)


@click.command("health", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=click.Choice(["core", "server", "xdms", "client"]))
@click.option("--control", type=_PATH, metavar="PATH", help="the control socket")
@click.option("--state", type=_PATH, metavar="DIR", envvar="TALKBURST_STATE", help="the state directory of the daemon")
@click.option("--config", type=_PATH, metavar="FILE", help="the TOML file that names the state directory")
def health(name: str, control: Path | None, state: Path | None, config: Path | None) -> None:
    """Ask the running daemon NAME whether it is well.

    core, server and xdms are when they answer. The client is when it is registered, knows its user's settings, and has
    published its own if it is to.

    Exit code 0 if it is well, 1 with the reason if not: what a health check of a container wants.
    """
    try:
        ask(control or _socket(name, state, config), "health")
    except (ControlError, StartError) as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(1)
    click.echo(f"{name}: healthy")


def _socket(name: str, state: Path | None, config: Path | None) -> Path:
    if state is not None:
        return control_socket(state.expanduser(), name)
    # Only here, for reading a configuration takes longer than the question.
    from talkburst.daemon.configuration import load
    from talkburst.daemon.settings import ConfigurationError
    from talkburst.daemon.state import control_path

    try:
        return control_path(load(config), name)
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"{name}: {problem}", err=True)
        sys.exit(2)
