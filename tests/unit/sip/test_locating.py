"""Locating SIP servers (RFC 3263): a zone and a URI in, targets in their order out."""

import random
from collections import Counter

import pytest

from talkburst.sip.locating import MOST_TARGETS, Answer, Naptr, Question, Srv, Wanted, locate, ordered

# RFC 3263 4.1 has the NAPTR and the SRV records of example.com; the addresses are ours.
EXAMPLE_COM = """
example.com NAPTR 50 50 s SIPS+D2T _sips._tcp.example.com
example.com NAPTR 90 50 s SIP+D2T _sip._tcp.example.com
example.com NAPTR 100 50 s SIP+D2U _sip._udp.example.com
_sip._tcp.example.com SRV 0 1 5060 server1.example.com
_sip._tcp.example.com SRV 0 2 5060 server2.example.com
_sips._tcp.example.com SRV 0 0 5061 server1.example.com
server1.example.com A 192.0.2.1
server2.example.com A 192.0.2.2
"""


class Zone:
    """Answers as a zone does that is written `name type fields`, and counts what it is asked."""

    def __init__(self, text: str) -> None:
        self._answers: dict[Question, Answer] = {}
        self.asked: list[Question] = []
        self.rounds = 0
        for line in text.split("\n"):
            if line.strip():
                name, kind, *fields = line.split()
                self._add(Question(name, kind), fields)

    def _add(self, question: Question, fields: list[str]) -> None:
        naptr, srv, addresses = self._answers.get(question, Answer())
        if question.type == "NAPTR":
            order, preference, flags, service, *rest = fields
            regexp, replacement = rest if len(rest) == 2 else ("", *rest)
            naptr = (*naptr, Naptr(int(order), int(preference), flags, service, regexp, replacement.rstrip(".")))
        elif question.type == "SRV":
            priority, weight, port, target = fields
            srv = (*srv, Srv(int(priority), int(weight), int(port), target.rstrip(".")))
        else:
            addresses = (*addresses, *fields)
        self._answers[question] = Answer(naptr, srv, addresses)

    def locate(self, wanted: Wanted, known=lambda name, port: [], draw=lambda: 0.0):
        search = locate(wanted, known, draw)
        try:
            questions = next(search)
            while True:
                self.rounds += 1
                self.asked += questions
                questions = search.send({each: self._answers.get(each, Answer()) for each in questions})
        except StopIteration as end:
            return end.value


def want(host: str, port: int | None = None, transport: str = "", transports=("UDP", "TCP"), families=(6, 4)) -> Wanted:
    return Wanted(host, port, transport, transports, families)


def shown(targets) -> list[str]:
    return [f"{transport} {host} {port}" for transport, (host, port) in targets]


@pytest.mark.parametrize(
    ("wanted", "targets"),
    [
        pytest.param(want("example.com"), ["TCP 192.0.2.1 5060", "TCP 192.0.2.2 5060"], id="the RFC's own client"),
        pytest.param(
            want("example.com", transports=("UDP", "TCP", "TLS")),
            ["TLS 192.0.2.1 5061", "TCP 192.0.2.1 5060", "TCP 192.0.2.2 5060"],
            id="a client with TLS keeps SIPS for a SIP URI",
        ),
        pytest.param(
            want("example.com", transports=("TLS",)), ["TLS 192.0.2.1 5061"], id="a SIPS URI takes SIPS alone"
        ),
        pytest.param(
            want("example.com", transport="TCP"),
            ["TCP 192.0.2.1 5060", "TCP 192.0.2.2 5060"],
            id="a transport: its SRV",
        ),
        pytest.param(want("example.com", transport="TLS"), ["TLS 192.0.2.1 5061"], id="sips or transport=tls"),
        pytest.param(want("server1.example.com", 5070), ["UDP 192.0.2.1 5070"], id="a port: its addresses, by UDP"),
        pytest.param(want("server1.example.com", 5070, "TCP"), ["TCP 192.0.2.1 5070"], id="port and transport"),
        pytest.param(
            want("server1.example.com", 5061, transports=("TLS",)), ["TLS 192.0.2.1 5061"], id="a port of a SIPS URI"
        ),
        pytest.param(want("server1.example.com"), ["UDP 192.0.2.1 5060"], id="neither NAPTR nor SRV: UDP, 5060"),
        pytest.param(
            want("server1.example.com", transports=("TCP", "UDP")),
            ["TCP 192.0.2.1 5060"],
            id="or what is usual with us",
        ),
        pytest.param(
            want("server1.example.com", transports=("TLS",)), ["TLS 192.0.2.1 5061"], id="for a SIPS URI TLS, 5061"
        ),
        pytest.param(
            want("server1.example.com", transport="TCP"), ["TCP 192.0.2.1 5060"], id="a transport without SRV"
        ),
        pytest.param(want("192.0.2.9"), ["UDP 192.0.2.9 5060"], id="a numeric host"),
        pytest.param(want("2001:db8::9", None, "TLS"), ["TLS 2001:db8::9 5061"], id="a numeric host, by TLS"),
        pytest.param(want("nowhere.example"), [], id="nobody"),
    ],
)
def test_rfc_3263_4_transport_port_and_address(wanted: Wanted, targets: list[str]) -> None:
    assert shown(Zone(EXAMPLE_COM).locate(wanted)) == targets


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        (want("x.example", 5060), ["AAAA", "A"]),
        (want("x.example", families=(4,)), ["NAPTR", "SRV", "SRV", "A"]),
        (want("x.example", transport="UDP"), ["SRV", "AAAA", "A"]),
        (want("192.0.2.1"), []),
    ],
)
def test_only_what_is_needed_is_asked(wanted: Wanted, asked: list[str]) -> None:
    zone = Zone("")
    zone.locate(wanted)
    assert [question.type for question in zone.asked] == asked


@pytest.mark.parametrize(
    ("records", "services"),
    [
        pytest.param(
            "x NAPTR 2 1 s SIP+D2U udp\nx NAPTR 1 9 s SIP+D2T tcp", ["tcp", "udp"], id="order before preference"
        ),
        pytest.param("x NAPTR 1 2 s SIP+D2U udp\nx NAPTR 1 1 s SIP+D2T tcp", ["tcp", "udp"], id="then preference"),
        pytest.param("x NAPTR 1 1 S sip+d2t tcp", ["tcp"], id="case is nothing"),
        pytest.param("x NAPTR 1 1 s SIP+D2S sctp\nx NAPTR 2 1 s SIP+D2U udp", ["udp"], id="SCTP is not ours"),
        pytest.param("x NAPTR 1 1 s E2U+sip enum\nx NAPTR 2 1 s SIP+D2U udp", ["udp"], id="another resolution service"),
        pytest.param("x NAPTR 1 1 u SIP+D2U !^.*$!sip:y!\nx NAPTR 2 1 s SIP+D2T tcp", ["tcp"], id="flag u"),
        pytest.param("x NAPTR 1 1 s SIP+D2U !.*!y! udp\nx NAPTR 2 1 s SIP+D2T tcp", ["tcp"], id="a regular expression"),
        pytest.param("x NAPTR 1 1 s SIP+D2U .\nx NAPTR 2 1 s SIP+D2T tcp", ["tcp"], id="no replacement"),
        pytest.param("x NAPTR 1 1 s SIP+D2U one\nx NAPTR 1 2 s SIP+D2U two", ["one"], id="one of each transport"),
        pytest.param("x NAPTR 1 1 s SIPS+D2T tls", ["_sip._udp.x", "_sip._tcp.x"], id="none for us is as none at all"),
        pytest.param("", ["_sip._udp.x", "_sip._tcp.x"], id="without NAPTR every transport is asked for"),
    ],
)
def test_naptr_records_lead_to_srv_records_in_their_order(records: str, services: list[str]) -> None:
    zone = Zone(records)
    zone.locate(want("x"))
    assert [question.name for question in zone.asked if question.type == "SRV"] == services


def test_targets_of_one_transport_come_before_those_of_the_next() -> None:
    zone = Zone(
        """
        x NAPTR 1 1 s SIP+D2T tcp.x
        x NAPTR 2 1 s SIP+D2U udp.x
        udp.x SRV 0 0 5060 a.x
        tcp.x SRV 1 0 5062 b.x
        tcp.x SRV 0 0 5061 a.x
        a.x A 192.0.2.1
        a.x AAAA 2001:db8::1
        b.x A 192.0.2.2
        """
    )
    assert shown(zone.locate(want("x"))) == [
        "TCP 2001:db8::1 5061",
        "TCP 192.0.2.1 5061",
        "TCP 192.0.2.2 5062",
        "UDP 2001:db8::1 5060",
        "UDP 192.0.2.1 5060",
    ]
    assert (zone.rounds, len(zone.asked)) == (3, 7)


@pytest.mark.parametrize(
    ("zone", "targets"),
    [
        pytest.param("_sip._udp.x SRV 0 0 0 .\nx A 192.0.2.1", [], id="a target of . is decidedly nothing"),
        pytest.param(
            "_sip._udp.x SRV 0 0 0 .\n_sip._tcp.x SRV 0 0 5060 a.x\na.x A 192.0.2.1",
            ["TCP 192.0.2.1 5060"],
            id="but for its transport alone",
        ),
        pytest.param("_sip._udp.x SRV 0 0 0 a.x\na.x A 192.0.2.1", [], id="there is no port 0"),
        pytest.param("_sip._udp.x SRV 0 0 5060 _sip._udp.x", [], id="a record that points at itself"),
        pytest.param("_sip._udp.x SRV 0 0 5060 gone.x\nx A 192.0.2.1", [], id="a host without an address"),
        pytest.param(
            "_sip._udp.x SRV 0 0 5060 a.x\n_sip._udp.x SRV 0 0 5060 a.x\na.x A 192.0.2.1",
            ["UDP 192.0.2.1 5060"],
            id="what is said twice counts once",
        ),
    ],
)
def test_srv_records_that_lead_nowhere(zone: str, targets: list[str]) -> None:
    assert shown(Zone(zone).locate(want("x"))) == targets


def test_a_table_goes_before_the_dns_for_the_name_and_for_the_targets_of_its_srv_records() -> None:
    table = {("x", None): [("192.0.2.7", None)], ("a.y", 5062): [("192.0.2.8", None)], ("b.y", 5063): [("c.y", 5064)]}
    zone = Zone("_sip._udp.y SRV 0 0 5062 a.y\n_sip._udp.y SRV 1 0 5063 b.y\na.y A 192.0.2.1\nc.y A 192.0.2.9")
    known = lambda name, port: table.get((name, port), [])  # noqa: E731
    assert shown(zone.locate(want("x"), known)) == ["UDP 192.0.2.7 5060"]
    assert zone.asked == []
    assert shown(zone.locate(want("y"), known)) == ["UDP 192.0.2.8 5062", "UDP 192.0.2.9 5064"]
    assert Question("a.y", "A") not in zone.asked


@pytest.mark.parametrize("size", [100, 2000])
def test_a_zone_of_any_size_costs_few_questions_and_gives_few_targets(size: int) -> None:
    lines = [f"x NAPTR {each} 1 s SIP+D2U _sip._udp.x" for each in range(size)]
    lines += [f"_sip._udp.x SRV {each % 3} {each % 7} 5060 host{each}.x" for each in range(size)]
    lines += [f"host{each}.x A 192.0.2.1\nhost{each}.x AAAA 2001:db8::{each:x}" for each in range(100)]
    zone = Zone("\n".join(lines))
    draw = random.Random(1).random
    assert len(zone.locate(want("x"), draw=draw)) == MOST_TARGETS
    assert (zone.rounds, len(zone.asked)) == (3, 18)


def test_srv_records_are_sorted_by_priority() -> None:
    records = [Srv(2, 9, 1, "c"), Srv(0, 0, 1, "a"), Srv(1, 5, 1, "b")]
    assert [record.target for record in ordered(records, lambda: 0.99)] == ["a", "b", "c"]


def test_rfc_2782_weights_are_kept_to_in_the_long_run() -> None:
    """A record is first as often as its weight says, and of what is left as well."""
    draw, records = random.Random(7).random, [Srv(0, weight, 1, str(weight)) for weight in (1, 3, 6)]
    orders = Counter(tuple(record.target for record in ordered(records, draw)) for _ in range(20_000))
    first = Counter(order[0] for order in orders.elements())
    # Of the numbers from 0 to 10, 0 and 1 draw the first record: RFC 2782 gives it that little more.
    expected = {"1": 2 / 11, "3": 3 / 11, "6": 6 / 11}
    assert {target: first[target] / 20_000 for target in first} == pytest.approx(expected, abs=0.015)
    after_6 = Counter(order[1] for order in orders.elements() if order[0] == "6")
    assert after_6["3"] / after_6.total() == pytest.approx(3 / 5, abs=0.02)


def test_rfc_2782_a_weight_of_0_is_drawn_seldom_but_is_drawn() -> None:
    draw, records = random.Random(7).random, [Srv(0, 99, 1, "99"), Srv(0, 0, 1, "0")]
    first = Counter(ordered(records, draw)[0].target for _ in range(20_000))
    assert 0 < first["0"] / 20_000 < 0.02
