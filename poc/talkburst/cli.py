"""The command `talkburst`: one name for the four daemons, the demo and the checker."""

from __future__ import annotations

import importlib
from typing import NamedTuple

import click

from talkburst import __version__


class _Place(NamedTuple):
    """Where a subcommand lives; imported when it is asked for, so that `talkburst --help` needs no daemon."""

    module: str
    help: str


COMMANDS = {
    "demo": _Place("talkburst.demo.command", "the 32 steps between four real processes, judged as they happen"),
    "check": _Place("talkburst.check", "verdicts for a capture of anybody's traffic, or live from HEP3 senders"),
    "ladder": _Place("talkburst.check", "the ladder diagram of a capture in the terminal"),
    "health": _Place("talkburst.health", "whether a running daemon is well, for health checks"),
    "core": _Place("talkburst_core.__main__", "the SIP/IP core: registrar, proxy, reg-event notifier"),
    "server": _Place("talkburst_server.__main__", "the PoC server: reg-event watcher, poc-settings"),
    "xdms": _Place("talkburst_xdms.__main__", "the XDMS: XCAP documents over HTTP"),
    "client": _Place("talkburst.ua.__main__", "the PoC client"),
}


class _LazyGroup(click.Group):
    """A group that knows its subcommands by name and imports them one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module = importlib.import_module(place.module)
        command = getattr(module, cmd_name if hasattr(module, cmd_name) else "main")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="talkburst")
def main() -> None:
    """An IMS core, a PoC server, an XDMS and a PoC client that speak real SIP, and a checker that says why a step of
    "Registration and Subscription to Registration Events" did not happen.

    Start with `talkburst demo`. Exit codes everywhere: 0 pass, 1 fail, 2 wrong usage or configuration, 3 partial.
    """
