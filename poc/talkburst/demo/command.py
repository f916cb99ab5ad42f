"""`talkburst demo`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import click

import talkburst_core
from talkburst.daemon.configuration import load, read_file
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.demo.placement import LOOPBACK, PORT_NAMES, Placement, PlacementError, placement
from talkburst.demo.run import DemoRun, Options
from talkburst.demo.scenario import SCENARIOS
from talkburst.report_file import report_option
from talkburst_core import credentials


@click.command("demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--transport", type=click.Choice(["udp", "tcp", "tls"]), default="udp", show_default=True, help="what SIP runs over"
)
@click.option(
    "--scenario",
    type=click.Choice(list(SCENARIOS)),
    default="first-client",
    show_default=True,
    help="what the client meets",
)
@report_option
@click.option("--pcap", type=click.Path(dir_okay=False, path_type=Path), help="write every message here, for Wireshark")
@click.option("--stay", is_flag=True, help="leave the daemons running after the verdict, until Ctrl-C")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="keep state and logs here  [default: a fresh directory, removed if all steps pass]",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML that goes over the demo's own configuration",
)
@click.option(
    "--wait", type=click.FloatRange(min=0.1), help="seconds a step may take after its cause  [default: 20 times T1]"
)
@click.option(
    "--external",
    metavar="ROLE[=HOST:PORT]",
    multiple=True,
    help="a program of yours takes the place of client, core, server or xdms (repeatable); HOST:PORT is where it is, "
    "where that is not its place in the demo world",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default=LOOPBACK,
    show_default=True,
    help="the address of this machine on which our daemons listen",
)
@click.option(
    "--port",
    metavar="NAME=PORT",
    multiple=True,
    help=f"where a daemon listens, by {', '.join(PORT_NAMES)}; 0: any free port (repeatable)  "
    "[default: with --external those of the demo world, if they are free]",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="how long programs of yours are waited for  [default: until Ctrl-C]",
)
def demo(
    transport: str,
    scenario: str,
    report: Path | None,
    pcap: Path | None,
    stay: bool,
    state: Path | None,
    config: Path | None,
    wait: float | None,
    external: tuple[str, ...],
    host: str,
    port: tuple[str, ...],
    patience: float | None,
) -> None:
    """Run the 32 steps between four real processes on free loopback ports, show them as they happen, and judge them.

    With --external it prints what your program has to know, waits for it, and judges it by what our daemons see.

    Exit code 0 only if every step passed, 3 if some could not be seen because both of their ends are yours.
    """
    settings, given = _configured(config)
    placed = _placed(host, port, external, scenario)
    if transport == "tls" and placed.external:
        raise click.UsageError(
            "--transport tls with --external: a program of yours would need certificates of the demo; "
            "start the daemons one at a time, with [tls] in their configuration"
        )
    if pcap is not None and not pcap.absolute().parent.is_dir():
        raise click.BadParameter(f"{pcap}: there is no directory {pcap.absolute().parent}")
    directory = _state_directory(state)
    options = Options(
        directory=directory,
        given=given,
        wait=wait or 20 * settings.timers.t1,
        scenario=SCENARIOS[scenario],
        transport=transport,
        report=report,
        pcap=pcap,
        stay=stay,
        temporary=state is None and not stay,
        fresh=state is None or not any(directory.iterdir()),
        placement=placed,
        patience=patience,
        passwords=_passwords(settings.core.credentials),
    )
    raise click.exceptions.Exit(asyncio.run(DemoRun(options).run()))


def _configured(config: Path | None) -> tuple[Settings, Mapping[str, Any]]:
    """The settings, and the tree of `config`, of which its relative paths are made absolute."""
    try:
        # read once, for it may be a pipe
        source = None if config is None else read_file(config.absolute())
        return load(source, environ={}), {} if source is None else source.tree
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"demo: {problem}", err=True)
        raise click.exceptions.Exit(2) from None


def _state_directory(state: Path | None) -> Path:
    directory = state or Path(tempfile.mkdtemp(prefix="talkburst-demo-"))
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{directory}: {error.strerror}") from None
    return directory


def _placed(host: str, ports: Sequence[str], external: Sequence[str], scenario: str) -> Placement:
    try:
        placed = placement(host, ports, external)
    except PlacementError as error:
        raise click.UsageError(str(error)) from None
    if SCENARIOS[scenario].second and {"client", "core"} <= placed.external.keys():
        raise click.UsageError(
            f"--scenario {scenario} with --external client and core: nothing of ours would see the second client; "
            "leave one of them to us"
        )
    outside = SCENARIOS[scenario].flows if "client" in placed.external else 0
    for number, name in enumerate(("client", "client-2"), 1):
        if placed.ports.get(name) and (number == outside or number > SCENARIOS[scenario].flows):
            raise click.UsageError(f"--port {name}={placed.ports[name]}: there is no {name} of ours to listen there")
    return placed


def _passwords(path: str) -> dict[str, str]:
    """The core's subscribers and their passwords; what is wrong with the file the core itself says best."""
    place = Path(path) if path else resources.files(talkburst_core) / "world" / "credentials.toml"
    try:
        found = credentials.load(place.name, place.read_text("utf-8"))
    except (OSError, credentials.CredentialsError):
        return {}
    return {private_id: each.password for private_id, each in found.items()}
