"""Locating SIP servers (RFC 3263): what to ask the DNS, and from its answers the targets of a request in their order.

`locate` is a generator: it yields the questions of one round, is sent their answers, and returns the targets. It asks
nobody itself. Whatever a zone says, there are at most three rounds, 20 questions and MOST_TARGETS targets.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import NamedTuple

from talkburst.sip.flow import Address, default_port, is_literal

MOST_TARGETS = 8  # of one request
MOST_RECORDS = 32  # NAPTR or SRV records that one answer may have a say with
MOST_HOSTS = 8  # names in SRV records whose addresses are asked for
MOST_ADDRESSES = 4  # of one name in each family

# RFC 3263 4.1: the services that we could use, and the transport that each stands for.
SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
# RFC 3263 4.2 and 5: what is asked for when a transport is known.
SRV_PREFIX = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}
ADDRESS_TYPES = {4: "A", 6: "AAAA"}


class Question(NamedTuple):
    """A name, and the type of the records wanted: "NAPTR", "SRV", "A" or "AAAA"."""

    name: str
    type: str


class Naptr(NamedTuple):
    """RFC 3403 4.1; the replacement without its last dot."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


class Srv(NamedTuple):
    """RFC 2782; the target without its last dot, empty when the service is decidedly not there (target ".")."""

    priority: int
    weight: int
    port: int
    target: str


class Answer(NamedTuple):
    """The records of the type that was asked for. None at all when there are none, and when nobody said."""

    naptr: Sequence[Naptr] = ()
    srv: Sequence[Srv] = ()
    addresses: Sequence[str] = ()


class Wanted(NamedTuple):
    """Whom a request is for. `host` is a name; an empty `transport` is to be found out.

    `transports` are those we speak, first the one for when nobody says another; `families` the IP versions, first the
    one to try first.
    """

    host: str
    port: int | None
    transport: str
    transports: tuple[str, ...]
    families: tuple[int, ...] = (6, 4)


class Located(NamedTuple):
    """One target: where, and by which transport."""

    transport: str
    address: Address


Known = Callable[[str, int | None], Sequence[tuple[str, int | None]]]
"""What some table says that a name stands for: hosts and, where it names them, ports; empty for a name of the DNS."""
Answers = Mapping[Question, Answer]
Search = Generator[tuple[Question, ...], Answers, list[Located]]
Service = tuple[str, str]  # a transport, and the name of its SRV records
Place = tuple[str, str, int]  # a transport, a host and a port


def locate(wanted: Wanted, known: Known, random: Callable[[], float]) -> Search:
    """Find the targets of a request, the one to try first in front (RFC 3263 4.1 and 4.2; for a response 5).

    `random` gives a number from 0 up to 1 for the weights of SRV records.
    """
    host, port, transport = wanted.host, wanted.port, wanted.transport
    usual = transport or wanted.transports[0]
    if is_literal(host):
        return [Located(usual, (host, port or default_port(usual)))]
    noted = known(host, port)
    if noted:
        places = [(usual, name, at or port or default_port(usual)) for name, at in noted]
        return (yield from _addressed(places, wanted.families))
    if port is not None:
        return (yield from _addressed([(usual, host, port)], wanted.families))
    services = yield from _services(wanted)
    found = yield tuple(Question(name, "SRV") for _, name in services)
    records = {service: found[Question(service[1], "SRV")].srv for service in services}
    if not any(records.values()):
        transport = services[0][0]
        return (yield from _addressed([(transport, host, default_port(transport))], wanted.families))
    places = []
    for transport, name in services:
        for record in ordered(records[transport, name], random):
            if record.target and record.port:
                noted = known(record.target, record.port) or [(record.target, record.port)]
                places += [(transport, name, at or record.port) for name, at in noted]
    return (yield from _addressed(places, wanted.families))


def _services(wanted: Wanted) -> Generator[tuple[Question, ...], Answers, list[Service]]:
    """Which transports to try in which order, and the name that each has its SRV records under (RFC 3263 4.1)."""
    if wanted.transport:
        return [(wanted.transport, SRV_PREFIX[wanted.transport] + wanted.host)]
    question = Question(wanted.host, "NAPTR")
    answers = yield (question,)
    return services_of(answers[question].naptr, wanted.transports) or [
        (transport, SRV_PREFIX[transport] + wanted.host) for transport in _without_naptr(wanted.transports)
    ]


def _without_naptr(transports: Sequence[str]) -> list[str]:
    """For a SIP URI only `_sip` is asked for, so TLS is none of them unless it is all that we speak."""
    return [transport for transport in transports if transport != "TLS"] or list(transports)


def services_of(records: Iterable[Naptr], transports: Sequence[str]) -> list[Service]:
    """The services of NAPTR records that we can use, in their order and preference; others are discarded.

    Lower orders come first without exception (RFC 3403 4.1). One record leads to SRV records: its flag is "s", it has
    no regular expression but a replacement. Only the first of each transport counts.
    """
    services: dict[str, str] = {}
    for record in sorted(list(records)[:MOST_RECORDS], key=lambda record: (record.order, record.preference)):
        transport = SERVICES.get(record.service.upper(), "")
        usable = record.flags.lower() == "s" and not record.regexp and record.replacement
        if usable and transport in transports:
            services.setdefault(transport, record.replacement.lower())
    return list(services.items())


def ordered(records: Iterable[Srv], random: Callable[[], float]) -> list[Srv]:
    """SRV records by priority; within one each next is drawn by weight (RFC 2782, usage rules)."""
    waiting = sorted(list(records)[:MOST_RECORDS], key=lambda record: (record.priority, record.weight != 0))
    result: list[Srv] = []
    while waiting:
        group = [record for record in waiting if record.priority == waiting[0].priority]
        waiting = waiting[len(group) :]
        while group:
            drawn = _draw(group, random)
            group.remove(drawn)
            result.append(drawn)
    return result


def _draw(group: Sequence[Srv], random: Callable[[], float]) -> Srv:
    """The first whose running sum of weights reaches a number from 0 to the sum of all; those with 0 stand in front."""
    number = int(random() * (sum(record.weight for record in group) + 1))
    for record in group:
        number -= record.weight
        if number <= 0:
            return record
    return group[-1]


def _addressed(places: Iterable[Place], families: Sequence[int]) -> Search:
    """The addresses of places: all of the first, then of the next."""
    kept = list(dict.fromkeys(places))[:MOST_HOSTS]
    names = dict.fromkeys(host for _, host, _ in kept if not is_literal(host))
    questions = tuple(Question(name, ADDRESS_TYPES[family]) for name in names for family in families)
    answers: Answers = (yield questions) if questions else {}
    located: dict[Located, None] = {}
    for transport, host, port in kept:
        addresses = [host]
        if host in names:
            found = (answers[Question(host, ADDRESS_TYPES[family])].addresses for family in families)
            addresses = [address for each in found for address in each[:MOST_ADDRESSES]]
        located.update(dict.fromkeys(Located(transport, (address, port)) for address in addresses))
    return list(located)[:MOST_TARGETS]
