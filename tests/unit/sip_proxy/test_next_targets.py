"""A next hop that is several machines (RFC 3261 16.6 step 7, RFC 3263 4.3): the proxy asks one after the other."""

import itertools

import pytest

from talkburst.sip.locating import Located
from talkburst.sip.proxy import Target

FIRST, SECOND = (Located("UDP", (f"192.0.2.{number}", 5070)) for number in (41, 42))


@pytest.fixture
def ask(bench):
    """A request to a name that stands for two machines; what left because of it."""

    def ask(method: str = "SUBSCRIBE", timeout: float | None = None):
        bench.targets, bench.timeout = [Target("servers", "sip:poc@somewhere.example")], timeout
        bench.request(method)
        bench.engine.resolved(bench.resolving[-1].token, [FIRST, SECOND], bench.now)
        return bench.collect()

    return ask


def places(sent) -> list[str]:
    return [f"{each.line.split()[0]} {each.to[0].rpartition('.')[2]}" for each in sent if each.to[0] != "192.0.2.10"]


def test_a_503_of_the_first_is_not_told_where_the_second_says_yes(bench, ask) -> None:
    (first,) = ask()
    (second,) = bench.answer(first, "503 Service Unavailable")
    assert second.to == SECOND.address
    assert first.message.via.branch != second.message.via.branch
    assert first.heads == second.heads
    (up,) = bench.answer(second, "200 OK")
    assert up.line == "SIP/2.0 200 OK"
    assert bench.failures == []


def test_where_all_of_them_are_busy_it_is_500_upstream(bench, ask) -> None:
    """RFC 3261 16.7 step 6: a 503 says that the next hop is overloaded, and we are not."""
    (first,) = ask()
    (second,) = bench.answer(first, "503 Service Unavailable")
    (up,) = bench.answer(second, "503 Service Unavailable")
    assert up.line == "SIP/2.0 500 Server Internal Error"


def test_a_silent_first_leaves_time_for_the_second_within_the_patience_for_both(bench, ask) -> None:
    ask(timeout=5.0)
    assert set(places(bench.advance(2.4))) == {"SUBSCRIBE 41"}
    (second,) = bench.advance(0.2)
    assert second.to == SECOND.address
    (up,) = bench.answer(second, "200 OK")
    assert up.line == "SIP/2.0 200 OK"
    assert not bench.advance(40)


def test_after_the_patience_is_over_nobody_is_asked_any_more(bench, ask) -> None:
    ask(timeout=5.0)
    bench.advance(5.1)
    assert [failure.name for failure in bench.failures] == ["TIMEOUT"]
    assert set(places(bench.advance(60))) == {"SUBSCRIBE 42"}, "what was sent to the second is repeated, no more"
    assert not bench.engine.clients


def test_without_a_limit_the_second_of_a_non_invite_has_its_turn_before_timer_f_of_the_client(bench, ask) -> None:
    ask()
    bench.advance(7.9)
    assert set(places(bench.sent)) == {"SUBSCRIBE 41"}
    bench.advance(0.2)
    assert places(bench.sent)[-1] == "SUBSCRIBE 42"


def test_invite_goes_to_the_second_when_the_first_refuses_and_is_cancelled_there(bench, ask) -> None:
    first = next(each for each in ask("INVITE") if each.line.startswith("INVITE"))
    sent = bench.answer(first, "503 Service Unavailable")
    assert places(sent) == ["ACK 41", "INVITE 42"]
    bench.answer(sent[1], "180 Ringing")
    cancelled = bench.request("CANCEL", branch="z9hG4bKa1")
    assert "CANCEL 42" in places(cancelled)


def test_what_tells_a_loop_stands_in_the_branch_for_the_second_as_well(bench, ask) -> None:
    """RFC 5393 4.2: whichever of them sends the request back, it is known."""
    (first,) = ask()
    (second,) = bench.answer(first, "503 Service Unavailable")
    own, mark = first.message.via.branch.split("-")
    assert second.message.via.branch.split("-") != [own, mark]
    assert second.message.via.branch.endswith(f"-{mark}")


def names(*instead: int) -> list[Target]:
    """Contacts that are names, each with so many other flows."""
    targets = []
    for number, others in enumerate(instead):
        target = None
        for flow in range(others + 1):
            target = Target("servers", f"sip:x@n{number}-{flow}.example", instead=target)
        targets.append(target)
    return targets


BREADTHS = {
    "one contact": (names(0), 8),
    "seven contacts": (names(*[0] * 7), 56),
    "eight contacts": (names(*[0] * 8), 56),
    "half as many as may be": (names(*[0] * 30), 60),
    "as many as a user may have": (names(*[0] * 32), 32),
    "one device with three flows": (names(2), 24),
    "devices with two flows": (names(*[1] * 10), 60),
}


@pytest.mark.parametrize(("targets", "attempts"), BREADTHS.values(), ids=BREADTHS)
def test_one_request_is_sent_sixty_times_at_most_whatever_names_stand_for(bench, targets, attempts: int) -> None:
    """Max-Breadth (RFC 5393 5.3) counts what is tried at one time, and 32 contacts of 8 machines are 256 in turn."""
    bench.targets = targets
    bench.request()
    ports, sent, resolved = itertools.count(6000), [], 0
    while resolved < len(bench.resolving) or len(sent) < len(bench.sent):
        for wanted in bench.resolving[resolved:]:
            resolved += 1
            bench.engine.resolved(wanted.token, machines(ports), bench.now)
        bench.collect()
        for each in bench.sent[len(sent) :]:
            sent.append(each)
            bench.refuse(each.to)
    assert [each.line.split()[0] for each in sent if each.to[0] == "198.51.100.1"] == ["SUBSCRIBE"] * attempts


def machines(ports) -> list[Located]:
    return [Located("UDP", ("198.51.100.1", next(ports))) for _ in range(8)]
