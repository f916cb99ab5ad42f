"""An application server that is dead, over UDP and over TCP: what DefaultHandling makes of it.

With SESSION_TERMINATED the client gets 504 when the server has shown no life for 5 s, 500 when nobody listens there,
and never 408 (RFC 4320 4.2); with SESSION_CONTINUED the next one is asked (TS 24.229 5.4.3.2). A user does not stay
registered without a server whose criterion on REGISTER says SESSION_TERMINATED (5.4.1.7).
"""

import gc
import types

import pytest

from talkburst.sip.message import Request
from talkburst.xml import reginfo
from talkburst_core.daemon import world

POC = ("127.0.0.2", 5070)
OTHER = ("127.0.0.3", 5070)
BOB = ("127.0.0.1", 5092)
KEY = "sip:bob@ims.example"

SERVER = "<ApplicationServer><ServerName>{}</ServerName><DefaultHandling>{}</DefaultHandling></ApplicationServer>"
CRITERION = """<InitialFilterCriteria><Priority>{}</Priority>
  <TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group>{}</SPT></TriggerPoint>{}
</InitialFilterCriteria>"""
REGISTER = "<Method>REGISTER</Method>"
SETTINGS = "<SIPHeader><Header>^Event$</Header><Content>poc-settings</Content></SIPHeader>"

DEATHS = [
    ("UDP", "silent"),
    ("UDP", "refused"),
    ("TCP", "silent"),
    ("TCP", "refused"),
    ("TCP", "unreachable"),
    ("TCP", "closed"),
]
deaths = pytest.mark.parametrize(("transport", "death"), DEATHS)
answers = pytest.mark.parametrize("transport", ["UDP", "TCP"])


def profile(*criteria: tuple[str, str, int]) -> dict[str, str]:
    """Bob's, with these criteria alone: condition, server, DefaultHandling."""
    text = (world() / "profiles" / "bob.xml").read_text("utf-8")
    written = [
        CRITERION.format(number, condition, SERVER.format(server, handling))
        for number, (condition, server, handling) in enumerate(criteria)
    ]
    head = text[: text.index("<!-- REGISTER")]
    return {"bob.xml": f"{head}{''.join(written)}</ServiceProfile></IMSSubscription>"}


def register(bench):
    return bench.register("bob", contact=f"<sip:bob@{BOB[0]}:{BOB[1]}>", source=BOB)


def ask(bench, method: str):
    return bench.subscribe("poc-settings", uri="sip:bob@ims.example", source=BOB, method=method)


def dies(bench, death: str, requests, seconds: float):
    """What comes of the death of whoever got `requests`, once `seconds` have passed; they are at most one."""
    if death == "refused" and bench.transport == "UDP":
        return bench.refuse(requests[0].to) + bench.advance(seconds)
    if death == "closed":
        return bench.fail(requests[0].flow) + bench.advance(seconds)
    return bench.advance(seconds)


def prepare(bench, death: str, server: tuple[str, int]) -> None:
    """TCP says it before the request has left."""
    if bench.transport == "TCP" and death == "refused":
        bench.refusing.add(server)
    if death == "unreachable":
        bench.unreachable.add(server)


def responses(sent) -> list[tuple[str, float]]:
    found = [(each.line, each.at) for each in sent if not isinstance(each.message, Request)]
    assert not any(" 408 " in line for line, _ in found)
    return [(line, at) for line, at in found if not line.startswith("SIP/2.0 100 ")]


# SUBSCRIBE and PUBLISH


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH"])
@deaths
def test_request_ends_with_504_or_500_where_the_session_is_terminated(make_bench, transport, death, method) -> None:
    bench = make_bench(profile((SETTINGS, "sip:poc.ims.example", 1)), transport=transport)
    register(bench)
    prepare(bench, death, POC)
    first = ask(bench, method)
    sent = first + dies(bench, death, first, 40)
    if death in ("silent", "unreachable"):
        assert responses(sent) == [("SIP/2.0 504 sip:poc.ims.example does not answer", 5.0)]
        assert bench.reasons(f"failed for {method}: no answer, DefaultHandling is SESSION_TERMINATED")
    else:
        assert responses(sent) == [("SIP/2.0 500 Next Hop Unreachable", 0.0)]
        assert bench.reasons(f"failed for {method}: unreachable, DefaultHandling is SESSION_TERMINATED")


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH"])
@deaths
def test_next_server_is_asked_where_the_session_is_continued(make_bench, transport, death, method) -> None:
    servers = profile((SETTINGS, "sip:poc.ims.example", 0), (SETTINGS, "sip:other.ims.example", 1))
    bench = make_bench(servers, transport=transport)
    register(bench)
    prepare(bench, death, POC)
    first = ask(bench, method)
    after = 5.0 if death in ("silent", "unreachable") else 0.0
    sent = first + dies(bench, death, [each for each in first if each.to == POC], after)
    (second,) = (each for each in sent if each.to == OTHER)
    assert second.at == after
    assert second.line == f"{method} sip:bob@ims.example SIP/2.0"
    assert second.message.values("Route")[0] == "<sip:other.ims.example;lr>"
    assert bench.reasons(f"sip:poc.ims.example failed for {method}", "DefaultHandling is SESSION_CONTINUED")
    assert responses(bench.answer(second, "200 OK")) == [("SIP/2.0 200 OK", after)]


@answers
@pytest.mark.parametrize("handling", [0, 1])
def test_dead_server_at_the_end_of_the_chain(make_bench, transport, handling: int) -> None:
    """Where there is nobody else the request goes on to the user: past the same criterion, to the one that asks."""
    bench = make_bench(profile((SETTINGS, "sip:poc.ims.example", handling)), transport=transport)
    register(bench)
    ask(bench, "SUBSCRIBE")
    ((line, at),) = responses(bench.advance(11))
    assert (line.split()[1], at) == (("504", 5.0) if handling else ("480", 10.0))


@answers
@pytest.mark.parametrize(
    ("status", "passed"),
    [
        ("408 Request Timeout", "504 sip:poc.ims.example does not answer"),
        ("500 Broken", "500 Broken"),
        ("503 Busy", "500 "),
        ("403 Forbidden", "403 Forbidden"),
    ],
)
def test_answers_of_a_server_that_is_in_trouble(make_bench, transport, status: str, passed: str) -> None:
    """RFC 4320 4.2 for 408, RFC 3261 16.7 step 6 for 503; whoever refuses is not dead."""
    bench = make_bench(profile((SETTINGS, "sip:poc.ims.example", 1)), transport=transport)
    register(bench)
    (sent,) = ask(bench, "PUBLISH")
    ((line, _),) = responses(bench.answer(sent, status))
    assert line.startswith(f"SIP/2.0 {passed}")


@answers
def test_server_that_shows_life_has_all_the_time_of_its_transaction(make_bench, transport) -> None:
    bench = make_bench(profile((SETTINGS, "sip:poc.ims.example", 1)), transport=transport)
    register(bench)
    (sent,) = ask(bench, "SUBSCRIBE")
    bench.advance(4.9)
    bench.answer(sent, "100 Trying")
    assert responses(bench.advance(20)) == []
    assert responses(bench.answer(sent, "200 OK"))[0][0] == "SIP/2.0 200 OK"


# Third-party REGISTER


@deaths
def test_user_stays_registered_where_the_session_is_continued(make_bench, transport, death) -> None:
    bench = make_bench(profile((REGISTER, "sip:poc.ims.example", 0)), transport=transport)
    prepare(bench, death, POC)
    first = register(bench)
    assert first[0].line == "SIP/2.0 200 OK"
    dies(bench, death, first.to_servers, 33)
    assert bench.core.registrar.registration(KEY).active
    assert bench.reasons("third-party REGISTER to sip:poc.ims.example failed", "DefaultHandling is SESSION_CONTINUED")


@deaths
def test_network_takes_the_registration_away_where_the_session_is_terminated(make_bench, transport, death) -> None:
    servers = profile((REGISTER, "sip:poc.ims.example", 0), (REGISTER, "sip:other.ims.example", 1))
    bench = make_bench(servers, transport=transport)
    prepare(bench, death, OTHER)
    first = register(bench)
    assert first[0].line == "SIP/2.0 200 OK"
    poc = next(each for each in first.to_servers if each.to == POC)
    bench.answer(poc, "200 OK")
    registered = bench.core.registrar.registration(KEY).active
    if registered:
        bench.answer(bench.subscribe(uri=KEY, source=BOB)[1], "200 OK")
    dies(bench, death, [each for each in first.to_servers if each.to == OTHER], 33)
    assert not bench.core.registrar.registration(KEY).active
    assert bench.reasons("user is de-registered: sip:other.ims.example failed, DefaultHandling is SESSION_TERMINATED")
    farewells = [each for each in bench.sent if each.to == POC and each.header("Expires") == "0"]
    assert farewells[0].message.call_id == poc.message.call_id
    if registered:
        notify = next(each for each in bench.sent if "terminated" in (each.header("Subscription-State") or ""))
        assert notify.header("Subscription-State") == "terminated;reason=deactivated"
        (contact,) = reginfo.from_xml(notify.message.body).registrations[0].contacts
        assert (contact.state, contact.event) == ("terminated", "deactivated")


@answers
@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("408 Request Timeout", False),
        ("500 Broken", False),
        ("504 Server Time-out", False),
        ("302 Moved Temporarily", True),
        ("403 Forbidden", True),
        ("603 Decline", True),
    ],
)
def test_only_a_server_that_fails_ends_a_registration(make_bench, transport, status: str, active: bool) -> None:
    """408, 5xx and silence are failures, refusals are not."""
    bench = make_bench(profile((REGISTER, "sip:other.ims.example", 1)), transport=transport)
    (told,) = register(bench).to_servers
    bench.answer(told, status)
    assert bench.core.registrar.registration(KEY).active is active


@answers
def test_server_that_does_not_hear_the_farewell_ends_nothing_more(make_bench, transport) -> None:
    bench = make_bench(profile((REGISTER, "sip:other.ims.example", 1)), transport=transport)
    (told,) = register(bench).to_servers
    bench.answer(told, "200 OK")
    bench.register("bob", contact="*", expires=0, source=BOB, cseq=10)
    bench.register("bob", contact=f"<sip:bob@{BOB[0]}:{BOB[1]}>", source=BOB, cseq=20)
    sent = bench.advance(33)
    assert [each.header("Expires") for each in sent.to_servers if each.header("CSeq") == "3 REGISTER"][:1] == ["3600"]
    assert bench.core.registrar.registration(KEY).active
    assert not bench.reasons("user is de-registered")


# Memory


def kept_bodies(root: object) -> int:
    """How many texts with a body of the test below can be reached from `root`."""
    seen, count, waiting = set(), 0, [root]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, types.ModuleType | type):
            continue
        seen.add(id(each))
        if isinstance(each, bytes | str):
            count += (b"body" if isinstance(each, bytes) else "body") * 1000 in each
        else:
            waiting.extend(gc.get_referents(each))
    return count


@pytest.mark.parametrize(("transport", "kept"), [("UDP", 1), ("TCP", 0)])
def test_what_is_never_answered_does_not_keep_its_body(make_bench, transport, kept: int) -> None:
    """Once 504 has been said, a datagram that is still retransmitted is all that is left of a request.

    The other request went by TCP for its size alone, and may have to go by UDP yet, with its body.
    """
    bench = make_bench(profile((SETTINGS, "sip:poc.ims.example", 1)), transport=transport)
    register(bench)
    bench.subscribe("poc-settings", uri=KEY, source=BOB, method="PUBLISH", body="body" * 5000)
    bench.subscribe("other", uri="sip:x@192.0.2.66", source=BOB, method="PUBLISH", body="body" * 5000, call_id="away")
    bench.advance(6)
    bench.sent.clear()
    assert kept_bodies([bench.engine, bench.core]) == kept + 1
