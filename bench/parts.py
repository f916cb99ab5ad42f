"""Parts of the flow one by one, at our daemons and at Kamailio in the same run: what ratios are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import peers
import users
from flow_load import Load, User
from measured import Measured as Server
from measured import rest
from poc_users import PIDF, POC_SETTINGS, Package, Place, Publisher, Registrant, Watcher
from world import World

EACH = 10  # PUBLISHes of each publisher
FAN = 21  # watchers of the one user who has many


class Extent(NamedTuple):
    """How many take part, and the seconds after each job in which what follows from it still counts."""

    registrants: int
    warm_up: int
    publishers: int
    linger: float

    @classmethod
    def of(cls, users: int, linger: float) -> Extent:
        """What is enough for figures that hold, less where only a few users are asked for."""
        return cls(min(users, 2_000), min(users // 10, 200), min(users, 300), linger)


class Figure(NamedTuple):
    """CPU in µs, and how many a second there were."""

    cost: float
    rate: float


@dataclass(slots=True)
class Measured:
    """The figures of one program, by job."""

    figures: dict[str, Figure] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def told(self, load: Load, registrations: int) -> None:
        """Notes it as a fault when the application server was not told of every registration."""
        told = load.served.get(b"REGISTER", 0)
        if told < registrations:
            self.faults.append(f"{told} third-party REGISTERs for {registrations} registrations")


FIRST, AGAIN = "first registration with third-party REGISTER", "re-registration"
PUBLISH, FURTHER = "PUBLISH and one NOTIFY", "each further NOTIFY"


def columns(builds: Sequence[str]) -> list[str]:
    """Of `rows`: a job, what it costs at Kamailio and in each build of ours, how many a second there are."""
    return ["job"] + [
        column for unit in ("µs", "/s") for column in (f"Kamailio {unit}", *_with_ratios(f"{b} {unit}" for b in builds))
    ]


def _with_ratios(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from (name, "ratio")


def rows(compared: Iterable[tuple[str, Measured, Sequence[Measured]]]) -> Iterator[list[str]]:
    """A row for each job: a note, Kamailio's figures (none where it was not run), those of each build of ours."""
    for note, kamailio, ours in compared:
        for name in ours[0].figures:
            peer, own = kamailio.figures.get(name), [each.figures[name] for each in ours]
            costs = _beside(None if peer is None else peer.cost, [each.cost for each in own])
            rates = _beside(None if peer is None else peer.rate, [each.rate for each in own])
            yield [f"{name}{note}", *costs, *rates]


def _beside(peer: float | None, own: Iterable[float]) -> Iterator[str]:
    yield "" if peer is None else f"{peer:,.0f}"
    for figure in own:
        yield f"{figure:,.0f}"
        yield "" if not peer else f"{figure / peer:.2f}"


class Job:
    """Users that one process serves, measured."""

    def __init__(self, load: Load, server: Server, measured: Measured, extent: Extent) -> None:
        self.load, self.server, self.measured, self.extent = load, server, measured, extent

    def run(self, numbers: range, make: Callable[[int], User], at_once: int, name: str = "", each: int = 1) -> Figure:
        """`each` is what one user counts for. Without a name it is a preparation, and the figure is none."""
        if name:
            self.load.serve(0.5)
            rest([self.server])
        before = self.server.cpu()
        outcome = self.load.run(numbers, make, at_once)
        self.measured.faults += outcome.faults
        if name:
            self.load.serve(self.extent.linger)
            rest([self.server])
        count = max(1, len(outcome.took)) * each
        figure = Figure((self.server.cpu() - before) * 1e6 / count, outcome.rate * each)
        if name:
            self.measured.figures[name] = figure
        return figure


def registrations(job: Job, place: Place) -> None:
    """Users register for the first time, then once more."""
    job.run(range(job.extent.warm_up), lambda number: Registrant(place, number), 8)
    numbers = range(job.extent.warm_up, job.extent.warm_up + job.extent.registrants)
    job.run(numbers, lambda number: Registrant(place, number), 8, FIRST)
    job.run(numbers, lambda number: Registrant(place, number, 1), 8, AGAIN)


def publications(job: Job, place: Place, package: Package) -> None:
    """Many users whom one watches, then one user whom one watches, then many."""
    everybody, one_user = range(job.extent.publishers), range(1)
    job.run(everybody, lambda number: Watcher(place, number, package), 8)
    job.run(everybody, lambda number: Publisher(place, number, package, 1, 1, "first"), 8)
    job.run(everybody, lambda number: Publisher(place, number, package, EACH, 1), 8, PUBLISH, EACH)
    count = 5 * EACH
    alone = job.run(one_user, lambda number: Publisher(place, number, package, count, 1, "alone"), 1, FURTHER, count)
    for watcher in range(1, FAN):
        job.run(one_user, partial(_further_watcher, place, package, watcher), 1)
    many = job.run(one_user, lambda number: Publisher(place, number, package, count, FAN, "many"), 1, FURTHER, count)
    further = (many.cost - alone.cost) / (FAN - 1)
    job.measured.figures[FURTHER] = Figure(further, many.rate * FAN)


def _further_watcher(place: Place, package: Package, name: int, number: int) -> Watcher:
    return Watcher(place, number, package, str(name))


def talkburst_core(directory: Path, files: Path, store: str, extent: Extent, python: str) -> Measured:
    """The core alone; the load is the PoC server too, and answers 200."""
    measured = Measured()
    world = World(directory, files, store=store, python=python)
    load = Load(("127.0.0.1", world.ports["clients"]))
    world.poc = load.port
    try:
        world.start("core")
        job = Job(load, world.servers["core"], measured, extent)
        registrations(job, Place(load.port, users.DOMAIN, "c"))
        measured.told(load, 2 * extent.registrants + extent.warm_up)
    finally:
        world.stop()
        load.close()
    return measured


def talkburst_server(directory: Path, files: Path, store: str, extent: Extent, python: str) -> Measured:
    """The PoC server alone, without its throttle, as Kamailio's presence server has none; the load is the core."""
    measured = Measured()
    over = {"server": {"notify_interval": 0.0}}
    world = World(directory, files, store=store, over=over, python=python)
    load = Load(("127.0.0.1", world.ports["server"]))
    try:
        world.start("server")
        job = Job(load, world.servers["server"], measured, extent)
        package = POC_SETTINGS._replace(extra="P-Asserted-Identity: <sip:{user}>\r\n")
        publications(job, Place(load.port, users.DOMAIN, "s"), package)
    finally:
        world.stop()
        load.close()
    return measured


def kamailio_scscf(directory: Path, extent: Extent) -> Measured:
    """Kamailio's S-CSCF, which keeps all in memory; the load is its application server."""
    measured = Measured()
    with closing(Load(("127.0.0.1", 0))) as load, _kamailio(directory, load) as kamailio:
        with _running(kamailio.scscf(f"sip:127.0.0.1:{load.port}")) as server:
            registrations(Job(load, server, measured, extent), Place(load.port, peers.DOMAIN, "k"))
        measured.told(load, 2 * extent.registrants + extent.warm_up)
    return measured


def kamailio_presence(directory: Path, durable: bool, extent: Extent) -> Measured:
    """Kamailio's presence server, in memory or written through to SQLite."""
    measured = Measured()
    with (
        closing(Load(("127.0.0.1", 0))) as load,
        _kamailio(directory, load) as kamailio,
        _running(kamailio.presence(durable)) as server,
    ):
        publications(Job(load, server, measured, extent), Place(load.port, peers.DOMAIN, "p"), PIDF)
    return measured


@contextmanager
def _kamailio(directory: Path, load: Load) -> Iterator[peers.Kamailio]:
    kamailio = peers.Kamailio(directory)
    load.target = ("127.0.0.1", kamailio.port)
    try:
        yield kamailio
    finally:
        kamailio.stop()


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()
