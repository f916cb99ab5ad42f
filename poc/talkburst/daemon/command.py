"""The command of a daemon: the flags that all share, `show`, and the way to add more of either.

main = daemon_command("core", CoreDaemon, "The SIP core.", Flag("--listen-servers", "listen_servers", many=True))

@main.command("bindings")
@asking
def bindings(daemon: Asked) -> None:
    click.echo(daemon.ask("bindings", of="sip:alice@ims.example"))
"""

import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click

from talkburst.daemon.configuration import load
from talkburst.daemon.control import Answer, ControlError, ask
from talkburst.daemon.faults import Path as KeyPath
from talkburst.daemon.outline import outline
from talkburst.daemon.run import Make, run
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.daemon.start_error import StartError
from talkburst.daemon.state import control_path


class Flag(NamedTuple):
    """A flag that sets one key. A bare `key` is one of the daemon's own section; else it is `section.key`."""

    name: str
    key: str
    help: str = ""
    metavar: str | None = None
    many: bool = False
    choices: tuple[str, ...] = ()


_SHARED = (
    Flag("--state", ".state", "where state and control socket are kept", "DIR"),
    Flag("--log-level", "log.level", "how much is logged", choices=("debug", "info", "warning", "error")),
    Flag("--hep", "trace.hep", "send every message as HEP3 to this collector", "tcp:HOST:PORT"),
    Flag("--pcap", "trace.pcap", "write every message to this file", "FILE"),
)
_ADDRESSES = (
    Flag(
        "--listen",
        "listen",
        "listen here instead (repeatable, UDP, TCP and TLS are named each)",
        "udp:HOST:PORT|tcp:HOST:PORT|tls:HOST:PORT|fd:N",
        many=True,
    ),
    Flag("--advertise", "advertise", "what stands in Via, Contact and Record-Route", "HOST[:PORT]"),
)


@dataclass(slots=True)
class Asked:
    """What the command line said: enough to run the daemon, or to find the one that runs."""

    name: str
    config: Path | None = None
    control: Path | None = None
    flags: dict[str, Any] = field(default_factory=dict)
    labels: dict[KeyPath, str] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Flags over environment over file; a fault in them ends the command with exit code 2."""
        try:
            return load(self.config, self.flags, flag_labels=self.labels)
        except ConfigurationError as error:
            _end("\n".join(f"{self.name}: {problem}" for problem in error.problems), 2)

    def ask(self, command: str, **arguments: object) -> Answer:
        """Put a command to the running daemon; ends with exit code 1 and its words when that is refused."""
        try:
            return ask(self.control or control_path(self.settings(), self.name), command, **arguments)
        except (ControlError, StartError) as error:
            _end(f"{self.name}: {error}", 1)

    def tell(self, answer: Answer, as_json: bool) -> None:
        """Print an answer, for a program or for a person."""
        click.echo(json.dumps(answer, indent=2, ensure_ascii=_needs_ascii()) if as_json else outline(answer))

    def set(self, flag: Flag, value: object) -> None:
        section, _, key = flag.key.rpartition(".")
        if flag.key.startswith("."):
            self.flags[key] = value
            self.labels[(key,)] = flag.name
        else:
            section = section or self.name
            self.flags.setdefault(section, {})[key] = value
            self.labels[(section, key)] = flag.name


def _needs_ascii() -> bool:
    """Whether standard output cannot carry every letter."""
    return (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "") not in ("utf8", "utf16", "utf32")


def _end(text: str, code: int) -> NoReturn:
    click.echo(text, err=True)
    raise click.exceptions.Exit(code)


def daemon_command(name: str, make: Make, help: str, *flags: Flag) -> click.Group:  # noqa: A002 - as click names it
    """The command group of a daemon: without a subcommand it runs, `show` tells what the running one knows."""
    every = (*_listen_flags(name), *flags, *_SHARED)

    def entry(context: click.Context, config: Path | None, control: Path | None, **given: Any) -> None:
        asked = context.obj = Asked(name, config, control)
        for flag in every:
            value = given[_parameter(flag)]
            if value not in (None, ()):
                asked.set(flag, list(value) if flag.many else value)
        if context.invoked_subcommand is None:
            context.exit(run(make, asked.settings(), name, control=control))

    group = click.Group(name, help=help, invoke_without_command=True, callback=click.pass_context(entry))
    group.params = [*_places(), *(_option(flag) for flag in every)]
    group.add_command(_show)
    return group


def _listen_flags(name: str) -> list[Flag]:
    """The flags for addresses that this daemon has keys for."""
    keys = getattr(Settings.model_fields[name].annotation, "model_fields", {})
    return [flag for flag in _ADDRESSES if flag.key in keys]


def _places() -> list[click.Parameter]:
    path = click.Path(path_type=Path)
    return [
        click.Option(["--config"], type=path, metavar="FILE", help="the TOML file that configures all daemons"),
        click.Option(["--control"], type=path, metavar="PATH", help="the control socket"),
    ]


def _parameter(flag: Flag) -> str:
    return flag.name.removeprefix("--").replace("-", "_")


def _option(flag: Flag) -> click.Option:
    return click.Option(
        [flag.name, _parameter(flag)],
        help=flag.help,
        metavar=flag.metavar,
        multiple=flag.many,
        type=click.Choice(flag.choices) if flag.choices else str,
    )


def asking(function: Callable[..., None]) -> Callable[..., None]:
    """Make a click callback of a function that asks the running daemon; --config, --control and --state may follow.

    Its first argument is the `Asked`; the others are click's.
    """

    @click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="the TOML file")
    @click.option("--control", type=click.Path(path_type=Path), metavar="PATH", help="the control socket")
    @click.option("--state", metavar="DIR", help="the state directory of the daemon")
    @functools.wraps(function)
    def callback(*args: Any, config: Path | None, control: Path | None, state: str | None, **rest: Any) -> None:
        asked = click.get_current_context().find_object(Asked)
        assert asked is not None
        asked.config = config or asked.config
        asked.control = control or asked.control
        if state:
            asked.set(_SHARED[0], state)
        function(asked, *args, **rest)

    return callback


_LIMIT = 20  # entries of a list that a person is shown


@click.command("show")
@click.argument("identity", required=False)
@click.option("--json", "as_json", is_flag=True, help="for a program: JSON, and all of it")
@click.option(
    "--limit", type=click.IntRange(min=0), metavar="N", help=f"entries of a list  [default: {_LIMIT}; with --json all]"
)
@asking
def _show(asked: Asked, identity: str | None, as_json: bool, limit: int | None) -> None:
    """Print what the running daemon knows; with IDENTITY (sip:alice@ims.example) what it knows of that user."""
    arguments: dict[str, object] = {}
    if identity is not None:
        arguments["of"] = identity
    if limit is not None or not (as_json or identity is not None):
        arguments["limit"] = _LIMIT if limit is None else limit
    answer = asked.ask("show", **arguments)
    asked.tell(answer, as_json)
    more = answer.get("more")
    if more and not as_json:
        click.echo(
            "more are there: --limit N shows N of each, --json all, an identity what is known of one user", err=True
        )
