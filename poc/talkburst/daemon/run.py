"""Runs one daemon from the ready line to the last drained message.

Exit codes: 0 ended as asked, 1 could not start, go on or drain, 2 wrong configuration.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from talkburst.daemon.control import Answer, Command, ControlError, ControlServer
from talkburst.daemon.descriptors import RESERVED, connections_within, descriptors, raise_descriptors
from talkburst.daemon.log import Log, configure
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.daemon.shown import select
from talkburst.daemon.start_error import StartError, cannot_listen
from talkburst.daemon.state import control_path, state_directory
from talkburst.obs.sinks import open_sinks
from talkburst.obs.trace import Trace

DRAIN = 5.0  # seconds that stop() may take
YOUNG_OBJECTS = 20_000  # between two looks of the garbage collector; 700 is what Python comes with


class Daemon(Protocol):
    """What `run` asks of a daemon."""

    @property
    def name(self) -> str:
        """ "core", "server", "xdms", "client"."""

    @property
    def commands(self) -> Mapping[str, Command]:
        """Further commands of the control socket, by name; each takes the arguments and gives the result.

        ValueError and ControlError become the error that the user reads.
        """

    async def start(self) -> list[str]:
        """Listen; return the bound addresses for the ready line (`udp:127.0.0.1:5060`), in the order configured.

        Raises StartError (see `cannot_listen`), ConfigurationError or OSError.
        """

    async def stop(self) -> None:
        """Drain and close. Called once, also after a start that failed or was cancelled half way."""

    def show(self) -> dict[str, object]:
        """What `talkburst NAME show` prints; a list that may be long is a `Listing` or a `Table`."""


@runtime_checkable
class Ending(Protocol):
    """A daemon for which it may make no sense to go on, such as a client whose password is wrong."""

    async def ended(self) -> None:
        """Wait for that; raises StartError, which says why. Awaited once the daemon has started."""


@runtime_checkable
class Lacking(Protocol):
    """A daemon that has work to do after it is ready, before it is what its user wants of it."""

    def lacks(self) -> str:
        """What is not done yet, for a human; empty when nothing is."""


@runtime_checkable
class Reloading(Protocol):
    """A daemon that has certificates, which are renewed while it runs."""

    def reload(self) -> None:
        """Read them again, at SIGHUP; raises ConfigurationError, and all stays as it was."""


Make = Callable[[Settings, Trace, Log], Daemon]


def run(make: Make, settings: Settings, name: str, *, control: Path | None = None) -> int:
    """Make the daemon inside a fresh event loop, run it until SIGTERM or SIGINT, and return the exit code.

    `make` runs inside the loop. The trace it is given is opened before start() and closed after stop().
    """
    configure(settings.log.level, daemon=name)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(make, settings, name, control))
    except ConfigurationError as error:
        for problem in error.problems:
            _complain(f"{name}: {problem}")
        return 2
    except StartError as error:
        _complain(f"{name}: {error}")
    except OSError as error:
        _complain(f"{name}: cannot start: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except KeyboardInterrupt:
        pass  # before the signal handlers were there
    except Exception as error:  # noqa: BLE001 - a fault of ours ends the daemon, with a log line like any other
        Log(name).exception("ended by a fault", error)
    return 1


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it can be had, else the standard loop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(make: Make, settings: Settings, name: str, control: Path | None) -> int:
    log = Log(name)
    stopping = _on_signals(log)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: _report(log, context))
    _make_room_for_connections(settings, log)
    if control is None:
        state_directory(settings)
    server = ControlServer(name, control or control_path(settings, name), log)
    server.bind()
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(server.close)
        trace = Trace(name, open_sinks(settings.trace.hep, settings.trace.pcap, name))
        closing.push_async_callback(trace.close)
        await _open(trace)
        daemon = make(settings, trace, log)
        if isinstance(daemon, Reloading):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, daemon, log)
        try:
            addresses = await _start(daemon, settings, stopping)
            if addresses is not None:
                _spare_the_collector()
                await server.serve({"show": _show(daemon), "health": health_of(daemon), **daemon.commands})
                log.info("ready", addresses=addresses)
                _announce(" ".join(["ready", name, *addresses]))
                await _until(stopping, daemon)
        finally:
            drained = await _stop(daemon, log)
        if drained:
            log.info("stopped")
        return 0 if drained else 1


def _make_room_for_connections(settings: Settings, log: Log) -> None:
    """1024 descriptors, as many systems begin with, are fewer than the connections that peers may have."""
    raise_descriptors(settings.limits.connections + RESERVED)
    if (most := connections_within(descriptors())) < settings.limits.connections:
        log.warning("fewer connections than configured", connections=most, descriptors=descriptors())


def _spare_the_collector() -> None:
    """What is there when a daemon is up stays: users, settings, code. The collector need not look at it again.

    Nor as often at the rest, of which hardly anything is garbage in a circle: one look at each 700 new objects, as is
    the default, is a sixth of what a request costs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


async def _open(trace: Trace) -> None:
    try:
        await trace.start()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise StartError(f"cannot write the capture {error.filename}: {why} (--pcap FILE names another)") from None


async def _start(daemon: Daemon, settings: Settings, stopping: asyncio.Event) -> list[str] | None:
    """The daemon's addresses, None when it was told to stop before it was up."""
    starting = asyncio.ensure_future(daemon.start())
    told = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            return starting.result()
        starting.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(starting, return_exceptions=True), DRAIN)
        return None
    except OSError as error:
        if error.filename is not None:  # not a listener: a file, which names itself
            raise
        raise cannot_listen(_configured(settings, daemon.name), error, daemon.name) from error
    finally:
        told.cancel()


async def _until(stopping: asyncio.Event, daemon: Daemon) -> None:
    """Returns when the daemon is told to stop; raises what it ends with by itself."""
    waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(stopping.wait())]
    if isinstance(daemon, Ending):
        waiting.append(asyncio.ensure_future(daemon.ended()))
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in waiting:
            each.cancel()


async def _stop(daemon: Daemon, log: Log) -> bool:
    """Let the daemon drain; True when it did. What goes wrong is logged, the rest is closed all the same."""
    try:
        await asyncio.wait_for(daemon.stop(), DRAIN)
    except TimeoutError:
        log.error("not drained in time, ended all the same", seconds=DRAIN)
    except Exception as error:
        log.exception("fault while stopping", error)
    else:
        return True
    return False


def _configured(settings: Settings, name: str) -> str:
    """The daemon's listen addresses, for an error that does not say which of them it was."""
    section: object = getattr(settings, name, None)
    entries: list[str] = []
    for key in ("listen", "listen_servers"):
        value = getattr(section, key, [])
        entries += [value] if isinstance(value, str) else value
    return " or ".join(entries)


def _show(daemon: Daemon) -> Command:
    async def show(arguments: Answer) -> Answer:
        return select(daemon.show(), arguments.get("of"), arguments.get("limit"))

    return show


def health_of(daemon: Daemon) -> Command:
    """The command `health`: an error with what the daemon lacks, if it lacks anything."""

    async def health(_: Answer) -> Answer:
        if isinstance(daemon, Lacking) and (lack := daemon.lacks()):
            raise ControlError(lack)
        return {}

    return health


def _on_signals(log: Log) -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; the second ends the process at once."""
    stopping = asyncio.Event()

    def handle(number: signal.Signals) -> None:
        if stopping.is_set():
            log.warning("second signal, ending at once", signal=number.name)
            os._exit(1)
        log.info("stopping", signal=number.name)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
    return stopping


def _reload(daemon: Reloading, log: Log) -> None:
    try:
        daemon.reload()
    except ConfigurationError as error:
        log.error("certificates not read again, those from before stay in use", reason=str(error))
    else:
        log.info("certificates read again")


def _report(log: Log, context: Mapping[str, Any]) -> None:
    """A fault that no task caught: logged, and the daemon goes on."""
    message = str(context.get("message", "unhandled error"))
    error = context.get("exception")
    if isinstance(error, BaseException):
        log.exception(message, error)
    else:
        log.error(message)


def _announce(line: str) -> None:
    """Write to standard output now. A reader that went away is no reason to stop."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError):  # or the interpreter complains when it flushes at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _complain(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
