"""RFC 3261 17.1.2: the machine behind every request that is no INVITE."""

import pytest

from talkburst.sip.message import Request

FIELDS = [
    ("From", "<sip:alice@ims.example>;tag=a1"),
    ("To", "<sip:alice@ims.example>"),
    ("Call-ID", "reg-1@192.0.2.1"),
    ("CSeq", "1 REGISTER"),
]
REGISTER = """
    REGISTER sip:192.0.2.9:5070 SIP/2.0
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:alice@ims.example>
    Call-ID: reg-1@192.0.2.1
    CSeq: 1 REGISTER
    Content-Length: 0
"""


def test_the_request_leaves_with_a_via_of_ours_and_max_forwards(bench) -> None:
    bench.send(REGISTER)
    assert bench.sent[0][1].flow.remote == ("192.0.2.9", 5070)
    assert bench.sent[0][1].data.decode().split("\r\n")[:2] == [
        "REGISTER sip:192.0.2.9:5070 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtoken1;rport",
    ]
    assert bench.last.get("Max-Forwards") == "70"


def test_the_callers_request_is_left_as_it_was(bench) -> None:
    request = Request("REGISTER", "sip:192.0.2.9", [*FIELDS, ("Max-Forwards", 12)])
    before = request.to_bytes()
    sent = bench.engine.send_request(request, lambda outcome, now: None, bench.now).request
    assert request.to_bytes() == before
    assert sent.get("Max-Forwards") == "12"
    assert len(sent.vias) == 1


def test_timer_e_sends_at_the_times_of_the_rfc_and_timer_f_ends_it(bench) -> None:
    bench.send(REGISTER)
    bench.advance(40)
    assert bench.send_times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert len({send.data for _, send in bench.sent}) == 1, "retransmissions are the same bytes"
    assert bench.outcomes[0][0] == 1032.0
    assert bench.results() == ["TIMEOUT"]
    assert not bench.engine.clients
    assert bench.engine.next_deadline() is None


def test_after_a_provisional_response_timer_e_is_t2(bench) -> None:
    bench.send(REGISTER)
    bench.advance(0.7)
    bench.receive(bench.answer_to_last("100 Trying", to_tag=""))
    bench.advance(40)
    assert bench.send_times() == [0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert bench.results() == [100, "TIMEOUT"]


def test_a_transport_failure_concerns_that_address_only(bench) -> None:
    bench.send(REGISTER)
    bench.engine.transport_failed(bench.flow._replace(remote=("192.0.2.9", 5071)), bench.now)
    assert bench.results() == []


def test_a_message_that_could_not_be_sent_fails_its_own_transaction_only(bench) -> None:
    bench.send(REGISTER)
    first = bench.last
    bench.send(REGISTER.replace("reg-1", "reg-2"))
    bench.engine.transport_failed(bench.flow, bench.now, first)
    assert bench.results() == ["TRANSPORT"]
    assert len(bench.engine.clients) == 1


def test_the_liveness_timeout_is_told_early_and_the_transaction_absorbs_what_comes_late(bench) -> None:
    bench.send(REGISTER, timeout=5.0)
    bench.advance(6)
    assert bench.outcomes[0][0] == 1005.0
    bench.receive(bench.answer_to_last("200 OK"))
    assert bench.results() == ["TIMEOUT"]
    assert bench.engine.counters["late_response"] == 1
    bench.advance(5)
    assert not bench.engine.clients


def test_the_liveness_timeout_ends_with_the_final_response(bench) -> None:
    bench.send(REGISTER, timeout=5.0)
    bench.receive(bench.answer_to_last("200 OK"))
    bench.advance(40)
    assert bench.results() == [200]


def test_a_response_without_a_via_is_dropped_and_counted(bench) -> None:
    bench.send(REGISTER)
    lines = bench.answer_to_last("200 OK").splitlines()
    bench.receive("\n".join(line for line in lines if not line.startswith("Via")))
    assert bench.results() == []
    assert bench.engine.counters["malformed"] == 1


def test_a_request_other_than_invite_cannot_be_cancelled(bench) -> None:
    bench.send(REGISTER)
    with pytest.raises(ValueError, match="REGISTER cannot be cancelled"):
        bench.transaction.cancel(bench.now)


def test_an_abandoned_request_is_not_sent_again_and_its_handler_hears_nothing(bench) -> None:
    bench.send(REGISTER, timeout=3)
    bench.transaction.abandon(bench.now)
    bench.transaction.abandon(bench.now)
    assert bench.advance(40) == []
    assert bench.receive(bench.answer_to_last("200 OK")) == []
    assert bench.results() == []
    assert (bench.engine.clients, bench.engine.counters["stray_response"]) == ({}, 1)


FORWARDED = REGISTER.replace("    From:", "    Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKbelow\n    From:", 1)


@pytest.mark.parametrize(
    ("request_text", "below", "taken"),
    [
        (FORWARDED, ["SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKbelow"], True),
        (FORWARDED, ["SIP / 2.0 / UDP  192.0.2.9 : 5070 ; branch=z9hG4bKbelow"], True),
        (FORWARDED, ["SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKbelow"], False),
        (FORWARDED, ["SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKanother"], False),
        (FORWARDED, ["nonsense"], False),
        (FORWARDED, [], False),
        (REGISTER, ["SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKbelow"], False),
    ],
)
def test_a_response_with_other_vias_below_ours_is_dropped(bench, request_text: str, below: list[str], taken) -> None:
    """RFC 3261 8.1.3.3, RFC 4475 3.3.10"""
    bench.send(request_text)
    top, *rest = [line for line in bench.answer_to_last("200 OK").splitlines() if line.strip()]
    lines = [line for line in rest if not line.strip().startswith("Via")]
    vias = [line for line in rest if line.strip().startswith("Via")][:1] + [f"Via: {via}" for via in below]
    bench.receive("\n".join([top, *vias, *lines]) + "\n")
    assert bench.results() == ([200] if taken else [])
    assert bench.engine.counters["foreign_response"] == (0 if taken else 1)
