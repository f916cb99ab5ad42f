"""An application server that is several machines: the core asks the next one where one is dead (RFC 3263 4.3)."""

import pytest

from talkburst.sip.locating import Located
from talkburst_core.daemon import world

FIRST, SECOND = (Located("UDP", (f"127.0.0.{number}", 5070)) for number in (2, 3))


@pytest.fixture
def named(make_bench):
    """Alice's PoC server is a name that the DNS knows."""
    text = (world() / "profiles" / "alice.xml").read_text("utf-8")
    bench = make_bench({"alice.xml": text.replace("sip:poc.ims.example", "sip:poc.example.net")})
    bench.names["poc.example.net"] = [FIRST, SECOND]
    return bench


def test_third_party_register_goes_to_the_second_machine_when_the_first_is_dead(named) -> None:
    (first,) = named.register().to_servers
    (second,) = named.refuse(first.to).to_servers
    assert (first.to, second.to) == (FIRST.address, SECOND.address)
    for header in ("CSeq", "Call-ID", "From", "To", "Contact", "Expires"):
        assert first.header(header) == second.header(header)
    assert first.message.via.branch != second.message.via.branch
    named.answer(second, "200 OK")
    assert not named.reasons("third-party REGISTER to sip:poc.example.net failed")
    assert not named.advance(60).to_servers, "nothing is told again"


def test_the_next_user_is_told_to_the_machine_that_answered(named) -> None:
    (first,) = named.register().to_servers
    named.refuse(first.to)
    again = named.register(cseq=30).to_servers
    assert {each.to for each in again} <= {SECOND.address}


def test_only_when_all_machines_are_dead_the_server_is(named) -> None:
    (first,) = named.register().to_servers
    (second,) = named.refuse(first.to).to_servers
    named.refuse(second.to)
    assert named.reasons("third-party REGISTER to sip:poc.example.net failed: unreachable")


def test_a_silent_machine_is_left_within_the_liveness_of_a_request(named) -> None:
    """With DefaultHandling 1 the client would hear 504 after 5 s."""
    (told,) = named.register().to_servers
    named.answer(told, "200 OK")
    sent = named.subscribe("poc-settings").to_servers
    assert {each.to for each in sent} == {FIRST.address}
    later = named.advance(2.6).to_servers
    assert later[-1].to == SECOND.address
    (up,) = named.answer(later[-1], "200 OK", "Expires: 60\nContact: <sip:127.0.0.3:5070>").to_clients
    assert up.line == "SIP/2.0 200 OK"


def test_server_hears_of_a_user_before_it_gets_a_request_of_that_user(named) -> None:
    """A silent machine has the same time for both: the REGISTER is with the next one when the SUBSCRIBE gets there."""
    (told,) = named.register().to_servers
    named.subscribe("poc-settings")
    assert {each.to for each in named.advance(2.4).to_servers} == {told.to}
    later = [each for each in named.advance(0.2).to_servers if each.to == SECOND.address]
    assert [each.line.split()[0] for each in later] == ["REGISTER", "SUBSCRIBE"]


def test_machine_without_another_one_has_all_the_time_of_a_transaction_for_a_third_party_register(named) -> None:
    named.names["poc.example.net"] = [FIRST]
    (told,) = named.register().to_servers
    named.advance(20)
    assert not named.reasons("third-party REGISTER to sip:poc.example.net failed")
    named.answer(told, "200 OK")
    assert not named.advance(60).to_servers
