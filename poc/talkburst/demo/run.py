"""One demo from the first port to the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from talkburst.check import conclude
from talkburst.daemon.address import show_host_port
from talkburst.daemon.whole_file import replacing
from talkburst.demo.arrivals import Arrivals, say
from talkburst.demo.documents import DocumentRefusedError
from talkburst.demo.guide import Guide
from talkburst.demo.placement import Placement
from talkburst.demo.processes import DaemonProcess, DaemonStartError
from talkburst.demo.remarks import Remarks
from talkburst.demo.scenario import Scenario
from talkburst.demo.sockets import PortError
from talkburst.demo.world import CONFIGURATION, World
from talkburst.flow.evidence import Hints
from talkburst.flow.report import Report
from talkburst.live import LiveCheck
from talkburst.obs.frame import Frame
from talkburst.obs.hep import HepCollector
from talkburst.obs.pcap import PcapWriter
from talkburst.xcap.client import XcapUnreachableError

SETTLE = 1.0  # seconds that what a client did last may take to be seen by the others


@dataclass(slots=True)
class Options:
    """What the command line asked for.

    `wait`: seconds a step may take after its cause. `fresh`: the state directory was empty. `temporary`: the directory
    goes with a run that passed. `passwords`: of the core's subscribers by private id, to judge the response in step 3.
    `patience`: seconds to wait for programs from outside, until they are there or begin; None: as long as it takes.
    """

    directory: Path
    given: Mapping[str, Any]
    wait: float
    scenario: Scenario
    transport: str = "udp"
    report: Path | None = None
    pcap: Path | None = None
    stay: bool = False
    fresh: bool = True
    temporary: bool = False
    placement: Placement = field(default_factory=Placement)
    patience: float | None = None
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)


class DemoRun:
    """Starts the world, provisions it, watches the flow, says the verdict, ends what it started."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._live: LiveCheck | None = None
        self._ended = asyncio.Event()  # nothing more is worth waiting for
        self._interrupted = asyncio.Event()  # Ctrl-C or SIGTERM
        self._why_ended = ""

    async def run(self) -> int:
        """The exit code: 0 pass, 1 fail, 3 partial."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._interrupt)
        collector = HepCollector(self._frame)
        options = self._options
        trace = await collector.listen()
        world = World(options.directory, options.given, options.scenario, trace, options.transport, options.placement)
        try:
            status = await self._flow(world)
        except BrokenPipeError:
            raise  # whoever read our output has gone; click ends quietly
        except (DaemonStartError, DocumentRefusedError, XcapUnreachableError) as error:
            click.echo(f"demo: {error}", err=True)
            status = 1
        except PortError as error:
            option = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
            click.echo(f"demo: {error.strerror} ({option} names another)", err=True)
            status = 1
        except OSError as error:
            click.echo(f"demo: {error.filename or self._options.directory}: {error.strerror}", err=True)
            status = 1
        finally:
            await world.stop()
            await collector.close()
        if self._options.pcap is not None and self._live is not None:
            status = status if write_pcap(self._options.pcap, self._live.frames) else 1
        if self._options.temporary and status == 0:
            shutil.rmtree(self._options.directory, ignore_errors=True)
        return status

    async def _flow(self, world: World) -> int:
        world.prepare()
        self._introduce(world)
        begins_outside = "client" in world.placement.external
        # A client from outside may be waiting already: nobody takes its REGISTER before everything else is in place.
        daemons = [part.name for part in world.parts if part.section != "client"]
        first = [name for name in daemons if name == "xdms" or not begins_outside]
        await world.start(*first)
        arrivals = Arrivals(world, self._options.patience, self._ended)
        await arrivals.provide()
        live = self._live = LiveCheck(world.roles(), self._options.wait, self._hints(world))
        await world.start(*(name for name in daemons if name not in first))
        watchers = [asyncio.create_task(self._watch(world.daemons[name])) for name in daemons]
        if world.placement.external:
            watchers.append(asyncio.create_task(self._remarks(world, live).follow(self._ended)))
        await arrivals.of_those_we_ask()
        await self._clients(world, live, watchers)
        if not self._ended.is_set():
            await arrivals.of_client(live)
        status = 1
        if world.placement.external or not self._interrupted.is_set():
            status = self._conclude(world, live)
        if self._why_ended:
            click.echo(self._why_ended)
        for watcher in watchers:
            watcher.cancel()
        if self._options.stay and not self._interrupted.is_set():
            await self._stay(world)
        return status

    async def _clients(self, world: World, live: LiveCheck, watchers: list[asyncio.Task[None]]) -> None:
        """Start our clients, each when the flow of the one before is decided."""
        for count, name in enumerate(world.clients, 1):
            if self._ended.is_set():
                return
            await world.start(name)
            watchers.append(asyncio.create_task(self._watch(world.daemons[name])))
            await live.decided(self._ended, flows=count)

    def _remarks(self, world: World, live: LiveCheck) -> Remarks:
        return Remarks(
            {name: daemon.log for name, daemon in world.daemons.items()},
            lambda at, text: live.remark(time.time() if at is None else at, text),
        )

    def _conclude(self, world: World, live: LiveCheck) -> int:
        report = live.reports(ended=True)[-1]
        if self._options.scenario.second and live.flow_count < self._options.scenario.flows:
            report = live.without_flow()  # what the first client did is not the verdict on the second
        status = conclude([report], self._options.report)
        self._quote_sender(world, report)
        return status

    def _frame(self, frame: Frame) -> None:
        """What came before the client was started is provisioning, not the flow."""
        if self._live is not None and frame.time >= self._live.started:
            self._live.frame(frame)

    def _interrupt(self) -> None:
        self._why_ended = "interrupted"
        self._interrupted.set()
        self._ended.set()

    async def _watch(self, daemon: DaemonProcess) -> None:
        """A daemon that ends before the verdict ends the wait for it, once the others have said what they saw.

        Without its client a flow goes nowhere; without another daemon it may still show what the rest does about it.
        """
        status = await daemon.ended()
        patience = min(SETTLE, self._options.wait) if daemon.name.startswith("client") else self._options.wait
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), patience)
        if not self._ended.is_set():
            self._why_ended = f"the {daemon.name} ended by itself with status {status}"
            self._ended.set()

    def _introduce(self, world: World) -> None:
        external = world.placement.external
        click.echo(f"Talkburst demo: {self._options.scenario.text}")
        removed = "; removed if all pass, unless --state names a place" if self._options.temporary else ""
        click.echo(f"state, logs and {CONFIGURATION} in {world.directory}{removed}")
        for name, address in sorted(world.addresses.items(), key=lambda item: item[0].partition(".")[0] in external):
            transport = "tcp" if name.startswith("xdms") else self._options.transport
            daemon = name.partition(".")[0]
            label = {"core.listen": "core, for clients", "core.listen_servers": "core, for servers"}.get(name, daemon)
            note = " (yours)" if daemon in external and daemon != "client" else world.elsewhere(name)
            click.echo(f"  {transport} {show_host_port(*address):<21} {label}{note}")
        say("")
        for block in Guide.of(world).blocks() if external else ():
            say(f"{block}\n")

    def _hints(self, world: World) -> Hints:
        """What the demo knows of its own world, and a capture would not tell."""
        empty = self._options.fresh and self._options.scenario.flows == 1
        return Hints(
            reporting=world.reporting,
            passwords=self._options.passwords,
            nothing_published=empty and "server" in world.reporting,
            started=time.time() if world.clients else None,
        )

    def _quote_sender(self, world: World, report: Report) -> None:
        """What the daemon that should have sent the first step that failed logged last: it says why it did not.

        Of a program from outside we have no log; whom it speaks to may know more.
        """
        if report.first_failure is None:
            return
        step = report.steps[report.first_failure - 1]
        ours = [role for role in (step.sender, step.receiver) if role not in world.placement.external]
        for role in ours[:1]:
            name = world.clients[-1] if role == "client" else role
            words = world.daemons[name].last_words()
            if words:
                click.echo(f"the {name} logged last{words}")

    async def _stay(self, world: World) -> None:
        click.echo("")
        click.echo("The daemons stay. alice, bob, carol and dave have their names as passwords. Documents:")
        click.echo(f"  {world.xcap_root}")
        name = "core" if "core" in world.daemons else world.parts[0].name
        click.echo(f"What a daemon knows, such as the {name}:")
        click.echo(f"  {world.by_hand(name).replace(f' {name} ', f' {name} show ', 1)}")
        click.echo("Ctrl-C ends them.")
        sys.stdout.flush()
        tellers = [asyncio.create_task(self._tell_end(world, name)) for name in world.daemons]
        await self._interrupted.wait()
        for teller in tellers:
            teller.cancel()

    async def _tell_end(self, world: World, name: str) -> None:
        """While the daemons stay, one that dies is named, with what starts it again."""
        status = await world.daemons[name].ended()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        click.echo(f"the {name} ended {how}{world.daemons[name].last_words()}")
        click.echo(f"start it again: {world.by_hand(name)}")
        sys.stdout.flush()


def write_pcap(path: Path, frames: list[Frame]) -> bool:
    """Each message once, in the order of time: as its sender reported it, or as it was received of somebody else's.

    Whether that could be written.
    """
    sent = {frame.payload for frame in frames if frame.outbound is not False}
    try:
        with replacing(path) as place:
            writer = PcapWriter(place, quiet=True)
            for frame in sorted(frames, key=lambda frame: frame.time):
                if frame.outbound is not False or frame.payload not in sent:
                    writer.frame(frame)
            writer.close()
            if writer.failure is not None:
                raise writer.failure
    except OSError as error:
        click.echo(f"demo: cannot write {path}: {error.strerror}", err=True)
        return False
    click.echo(f"wrote {path}")
    return True
