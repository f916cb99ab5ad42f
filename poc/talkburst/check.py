"""`talkburst check` and `talkburst ladder`: captures of anybody's traffic, and live from HEP3 senders."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from talkburst.daemon.address import parse_endpoint, parse_host_port, show_host_port
from talkburst.flow.checker import DEFAULT_WAIT, Checker
from talkburst.flow.evidence import Hints
from talkburst.flow.ladder import Ladder, columns, needs_ascii, verdict_table
from talkburst.flow.readers import CaptureError, CaptureFile, read_capture
from talkburst.flow.report import Report
from talkburst.flow.roles import ROLES, Roles
from talkburst.live import LiveCheck
from talkburst.obs.frame import Frame
from talkburst.obs.hep import HepCollector
from talkburst.report_file import report_option, write_report

NamedAddress = tuple[str, tuple[str, int]]
_CAPTURE = click.Path(dir_okay=False, path_type=Path)


def named_addresses(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> list[NamedAddress]:
    """Read `NAME=HOST:PORT`, for click."""
    found: list[NamedAddress] = []
    for value in given:
        name, equals, address = value.partition("=")
        if not equals or name not in ROLES:
            raise click.BadParameter(f"{value}: must be NAME=HOST:PORT with one of {', '.join(ROLES)}")
        try:
            host, port = parse_host_port(address)
        except ValueError as error:
            raise click.BadParameter(f"{value}: {error}") from None
        if port is None:
            raise click.BadParameter(f"{value}: has no port")
        found.append((name, (host, port)))
    return found


_ROLE = click.option(
    "--role",
    "named",
    metavar="NAME=HOST:PORT",
    multiple=True,
    callback=named_addresses,
    help="who is at an address (repeatable)",
)


@click.command("check", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("capture", type=_CAPTURE, required=False)
@click.option("--hep", metavar="tcp:HOST:PORT", help="listen here for HEP3 instead of reading a capture")
@click.option(
    "--flows",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="with --hep, how many registrations to judge, each as soon as it is decided",
)
@_ROLE
@report_option
@click.option(
    "--wait",
    type=click.FloatRange(min=0.1),
    default=DEFAULT_WAIT,
    show_default=True,
    help="seconds a step may take after its cause",
)
def check(
    capture: Path | None,
    hep: str | None,
    flows: int,
    named: list[tuple[str, tuple[str, int]]],
    report: Path | None,
    wait: float,
) -> None:
    """Judge the 32 steps in CAPTURE (pcap or pcapng, anybody's traffic), or live from HEP3 senders.

    With --hep it ends as soon as the first registration, and any other begun by then, is decided: all steps came, or
    nothing came within --wait. With --flows N it goes on, shows the verdicts on each as it is decided, and ends when
    it has judged N. Ctrl-C ends it sooner and judges what came.

    Exit code 0 if every step passed, 1 if one failed or there was no SIP, 3 if some hops were not captured.
    """
    if (capture is None) == (hep is None):
        raise click.UsageError("name a CAPTURE, or listen with --hep tcp:HOST:PORT")
    if flows > 1 and hep is None:
        raise click.UsageError("--flows goes with --hep; of a CAPTURE every flow is judged")
    roles = roles_named(named)
    _escape_unknown_letters()
    if capture is not None:
        status = conclude(_judge(capture, roles, wait), report)
    else:
        assert hep is not None
        status = asyncio.run(_listen(hep, roles, wait, flows, report))
    raise click.exceptions.Exit(status)


@click.command("ladder", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("capture", type=_CAPTURE)
@_ROLE
def ladder(capture: Path, named: list[tuple[str, tuple[str, int]]]) -> None:
    """Draw the messages of CAPTURE as a ladder, with the numbers of the steps they are."""
    checker = Checker(roles_named(named))
    _escape_unknown_letters()
    read = _read(capture)
    _need_sip(read.frames, _searched(read, capture))
    events = [event for frame in read for event in checker.feed(frame)]
    _tell_passed_over(checker.passed_over)
    click.echo(Ladder(ascii_only=needs_ascii(sys.stdout), width=columns(sys.stdout)).draw(events))


def _escape_unknown_letters() -> None:
    """Packets may hold letters that the terminal's encoding has not."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def roles_named(named: list[tuple[str, tuple[str, int]]]) -> Roles:
    """The addresses given by hand, by role."""
    ends: dict[str, list[tuple[str, int]]] = {name: [] for name in ROLES}
    for name, address in named:
        ends[name].append(address)
    return Roles(**ends)


def conclude(reports: list[Report], file: Path | None) -> int:
    """Print the verdicts, write the report, and give the exit code as `close` does."""
    show_verdicts(reports, named=len(reports) > 1)
    return close(reports, file)


def show_verdicts(reports: Iterable[Report], *, named: bool) -> None:
    """Print them; `named` says of each whose flow it is."""
    for report in reports:
        click.echo("")
        if named:
            click.echo(report.title)
        click.echo(verdict_table(report, columns(sys.stdout)))
    sys.stdout.flush()


def close(reports: list[Report], file: Path | None) -> int:
    """Write the report, and give the exit code: the worst of all flows, 1 when the report could not be written."""
    written = file is None or write_report(reports, file)
    codes = {report.exit_code if written else 1 for report in reports}
    return next(code for code in (1, 3, 0) if code in codes)


def _judge(capture: Path, roles: Roles, wait: float) -> list[Report]:
    read = _read(capture)
    _need_sip(read.frames, _searched(read, capture))
    checker = Checker(roles, wait)
    for frame in read:
        checker.add(frame)
    _tell_passed_over(checker.passed_over)
    if not any(frame.payload.startswith(b"REGISTER ") for frame in read):
        messages = sum(frame.protocol == "sip" for frame in read)
        click.echo(f"no REGISTER among {messages} SIP messages: did {capture} begin after the registration?", err=True)
    return checker.reports(read.frames[-1].time, ended=True)


def _searched(read: CaptureFile, capture: Path) -> str:
    return f"{read.packets} packet{'s' * (read.packets != 1)} of {capture}"


def _tell_passed_over(text: str) -> None:
    """A message that is too broken to be judged is in no verdict; that it came is told all the same."""
    if text:
        click.echo(text, err=True)


def _need_sip(frames: list[Frame], searched: str) -> None:
    """Verdicts on nothing would say less than that there was nothing."""
    if not any(frame.protocol == "sip" for frame in frames):
        click.echo(f"no SIP message among {searched}", err=True)
        raise click.exceptions.Exit(1)


def _read(capture: Path) -> CaptureFile:
    try:
        read = read_capture(capture)
    except (CaptureError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        click.echo(f"{capture}: {reason}", err=True)
        raise click.exceptions.Exit(2) from None
    for warning in read.warnings:
        click.echo(f"{capture}: {warning}", err=True)
    return read


async def _listen(hep: str, roles: Roles, wait: float, flows: int, file: Path | None) -> int:
    """Take frames until that many flows are decided and shown, or until Ctrl-C; the exit code."""
    try:
        transport, host, port = parse_endpoint(hep)
    except ValueError as error:
        raise click.BadParameter(f"--hep {hep}: {error}") from None
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    live = LiveCheck(roles, wait, Hints())
    collector = HepCollector(live.frame)
    try:
        address = await collector.listen(host, port, transport)
    except OSError as error:
        click.echo(f"check: cannot listen on {hep}: {error.strerror}; give another address with --hep", err=True)
        raise click.exceptions.Exit(1) from None
    click.echo(f"listening for HEP3 on {transport}:{show_host_port(*address)}; Ctrl-C ends and judges")
    sys.stdout.flush()
    try:
        early = await _show_as_decided(live, ended, flows)
    finally:
        await collector.close()
    count = len(live.frames)
    _need_sip(live.frames, f"{count} frame{'s' * (count != 1)} reported to {transport}:{show_host_port(*address)}")
    late = _beyond(early, live.reports(ended=True))
    _tell_passed_over(live.passed_over)
    show_verdicts(late, named=flows > 1 or len(late) > 1)
    return close([*early, *late], file)


async def _show_as_decided(live: LiveCheck, ended: asyncio.Event, flows: int) -> list[Report]:
    """Wait for that many flows, or until `ended`; the reports on all but the last, which are shown as they come."""
    shown: list[Report] = []
    for count in range(1, flows + 1):
        await live.decided(ended, flows=count)
        if count == flows or ended.is_set():
            break
        news = _beyond(shown, live.reports(ended=False))
        show_verdicts(news, named=True)
        click.echo("")  # the ladder goes on
        shown += news
    return shown


def _beyond(shown: list[Report], reports: list[Report]) -> list[Report]:
    """The reports on flows that were not shown yet. A verdict that was shown stands."""
    known = {(report.call_id, report.contact) for report in shown}
    return [report for report in reports if (report.call_id, report.contact) not in known]
