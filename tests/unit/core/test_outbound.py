"""What a registrar that is reached over flows says and expects (RFC 5626 5.4 and 6)."""

import pytest

from talkburst_core.registrar import GRACE

A = "<sip:alice@192.0.2.1>"
OK = "< SIP/2.0 200 OK"
ONE = '+sip.instance="<urn:uuid:1>"'
PROXIED = """
        > Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK{0}p
        > Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{0}"""
LACKING = "SIP/2.0 439 First Hop Lacks Outbound Support"

STATEMENTS = {
    "RFC 5626 6: bound as asked, and for how long silence is borne": f"""
        > Supported: path, outbound
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Require: outbound
        < Flow-Timer: 29
        < Contact: {A};{ONE};reg-id=1;expires=3600
    """,
    "RFC 3261 7.3.1: the option tag in any case, in a list, in the compact form": f"""
        > k: gruu, OutBound
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Require: outbound
        < Flow-Timer: 29
        < Contact: {A};{ONE};reg-id=1;expires=3600
    """,
    "RFC 5626 4.2.1: who insists on it is served": f"""
        > Require: outbound
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Require: outbound
        < Flow-Timer: 29
        < Contact: {A};{ONE};reg-id=1;expires=3600
    """,
    "RFC 5626 6: who did not announce it is bound the same and told nothing": f"""
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Require:
        < Flow-Timer:
        < Contact: {A};{ONE};reg-id=1;expires=3600
    """,
    "RFC 5626 6: no Require where no contact has a reg-id": f"""
        > Supported: outbound
        > Contact: {A};{ONE}
        {OK}
        < Require:
        < Flow-Timer:
        < Contact: {A};{ONE};expires=3600
        > Supported: outbound
        > Call-ID: fetch
        {OK}
        < Require:
        < Flow-Timer:
        < Contact: {A};{ONE};expires=3600
    """,
    "RFC 5626 6: no Require where the reg-id is ignored, which has no instance": f"""
        > Supported: outbound
        > Contact: {A};reg-id=1
        {OK}
        < Require:
        < Flow-Timer:
        < Contact: {A};expires=3600
    """,
    "RFC 5626 6: what removes a flow is told so, and of no keep-alives": f"""
        > Supported: outbound
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
        > Supported: outbound
        > Contact: {A};{ONE};reg-id=1;expires=0
        {OK}
        < Require: outbound
        < Flow-Timer:
    """,
    "RFC 5626 6: the first hop keeps no flow, there is no Path": f"""{PROXIED.format("a")}
        > Supported: outbound
        > Contact: {A};{ONE};reg-id=1
        < {LACKING}
        > Call-ID: fetch
        {OK}
    """,
    "RFC 5626 6: the first hop keeps no flow, the Path of another one says ob": f"""{PROXIED.format("a")}
        > Supported: outbound
        > Path: <sip:inner.example;lr;ob>, <sip:edge.example;lr>
        > Contact: {A};{ONE};reg-id=1
        < {LACKING}
        > Call-ID: fetch
        {OK}
    """,
    "RFC 5626 6 and 5.4: the first hop keeps one, and what it expects it says itself": f"""{PROXIED.format("a")}
        > Supported: outbound
        > Path: <sip:inner.example;lr>, <sip:flow@edge.example;lr;ob>
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Require: outbound
        < Flow-Timer:
        < Contact: {A};{ONE};reg-id=1;expires=3600
    """,
    "RFC 5626 11.6: no 439 to a REGISTER without reg-id": f"""{PROXIED.format("a")}
        > Supported: outbound
        > Contact: {A};{ONE}
        {OK}
        < Require:
        < Contact: {A};{ONE};expires=3600
    """,
    "RFC 5626 10: reg-id is a number from 1 to 2**31 - 1": f"""
        > Contact: {A};{ONE};reg-id=2147483647
        {OK}
        < Contact: {A};{ONE};reg-id=2147483647;expires=3600
        > Contact: {A};{ONE};reg-id=2147483648
        < SIP/2.0 400 reg-id of a Contact is a number from 1 to 2147483647
        > Contact: {A};{ONE};reg-id={"0" * 5000}2147483647
        {OK}
        < Contact: {A};{ONE};reg-id=2147483647;expires=3600
        > Contact: {A};{ONE};reg-id=0
        < SIP/2.0 400 reg-id of a Contact is a number from 1 to 2147483647
        > Contact: {A};{ONE};reg-id
        < SIP/2.0 400 reg-id of a Contact is a number from 1 to 2147483647
        > Contact: {A};{ONE};reg-id=one
        < SIP/2.0 400 reg-id of a Contact is a number from 1 to 2147483647
    """,
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_registrar_does_what_rfc_5626_says(transcript, statement: str) -> None:
    transcript.play(STATEMENTS[statement])


FLOW = '<sip:alice@192.0.2.1;transport=tcp>;+sip.instance="<urn:uuid:1>";reg-id=1'
OUTBOUND = "Supported: path, outbound"
LATER = ("127.0.0.1", 5096)


@pytest.fixture
def stream(make_bench):
    """A core whose clients speak TCP."""
    return make_bench(transport="TCP", flow_timer=60)


def test_connection_with_flow_timer_may_be_silent_for_that_long_and_a_grace_period(stream) -> None:
    """RFC 5626 5.4: an amount of time larger than the Flow-Timer."""
    answer = stream.register(contact=FLOW, headers=OUTBOUND).to_clients[0]
    assert (answer.header("Require"), answer.header("Flow-Timer")) == ("outbound", "60")
    assert stream.limited == [(5090, 60 + GRACE)]


def test_refresh_on_the_same_connection_changes_nothing(stream) -> None:
    for cseq in (1, 3):
        stream.register(contact=FLOW, headers=OUTBOUND, cseq=cseq)
    assert stream.limited == [(5090, 60 + GRACE)]


@pytest.mark.parametrize("last", [{"expires": 0, "headers": OUTBOUND}, {"headers": ""}], ids=["removed", "unannounced"])
def test_connection_is_one_like_any_other_after_a_registration_without_flow_timer(stream, last) -> None:
    """RFC 5626 4.4.1: the most recent successful response counts."""
    stream.register(contact=FLOW, headers=OUTBOUND)
    stream.register(contact=FLOW, cseq=3, **last)
    assert stream.limited == [(5090, 60 + GRACE), (5090, None)]


def test_question_for_the_bindings_changes_nothing(stream) -> None:
    stream.register(contact=FLOW, headers=OUTBOUND)
    stream.register(contact="", cseq=3)
    assert stream.limited == [(5090, 60 + GRACE)]


def test_connection_that_took_the_place_of_a_lost_one_has_a_limit_of_its_own(stream) -> None:
    first = stream.register(contact=FLOW, headers=OUTBOUND).to_clients[0]
    stream.fail(first.flow)
    stream.register(contact=FLOW, headers=OUTBOUND, cseq=3, source=LATER)
    assert stream.limited == [(5090, 60 + GRACE), (5096, 60 + GRACE)]
    assert len(stream.engine._outbound.connections._silence) == 1, "nothing is kept of a connection that is gone"


def test_binding_of_a_flow_that_failed_stays_until_it_expires(stream) -> None:
    """RFC 5626 7 takes it out of the target set, not out of the registration: the device is about to come back."""
    first = stream.register(contact=FLOW, headers=OUTBOUND).to_clients[0]
    stream.fail(first.flow)
    (binding,) = stream.core.registrar.registration("sip:alice@ims.example").bindings
    assert binding.flow == first.flow


@pytest.mark.parametrize("contact", [FLOW.partition(";reg-id")[0], FLOW.replace("+sip.instance", "x")])
def test_who_registers_without_outbound_may_be_silent_as_long_as_anybody(stream, contact: str) -> None:
    stream.register(contact=contact, headers=OUTBOUND)
    stream.register(contact=FLOW, cseq=3)
    assert stream.limited == []


def test_flow_over_udp_has_a_flow_timer_and_nothing_that_could_be_closed(make_bench) -> None:
    bench = make_bench(flow_timer_udp=20)
    assert bench.register(contact=FLOW, headers=OUTBOUND).to_clients[0].header("Flow-Timer") == "20"
    assert bench.limited == []


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_flow_timer_of_zero_is_none(make_bench, transport: str) -> None:
    bench = make_bench(transport=transport, flow_timer=0, flow_timer_udp=0)
    answer = bench.register(contact=FLOW, headers=OUTBOUND).to_clients[0]
    assert (answer.header("Require"), answer.header("Flow-Timer")) == ("outbound", None)
    assert bench.limited == []
