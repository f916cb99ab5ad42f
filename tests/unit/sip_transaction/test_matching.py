"""Which transaction a message belongs to: RFC 3261 17.1.3, 17.2.3 and 9.2, and RFC 2543 where there is no cookie."""

from typing import Any

import pytest

REQUEST = """
    INVITE sip:bob@192.0.2.1 SIP/2.0
    Via: SIP/2.0/UDP Peer.Example:5060;branch=z9hG4bKinv
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:bob@ims.example>
    Call-ID: call-1
    CSeq: 7 INVITE
    Content-Length: 0
"""
OLD = REQUEST.replace(";branch=z9hG4bKinv", "")
# What differs from the request, and whether the two are one (RFC 3261 17.2.3: branch, sent-by and method).
WITH_COOKIE = [
    pytest.param("Call-ID", "Call-ID", True, id="nothing"),
    pytest.param("z9hG4bKinv", "Z9HG4BKINV", True, id="case of the branch"),
    pytest.param("Peer.Example", "pEER.eXAMPLE", True, id="case of sent-by"),
    pytest.param("Peer.Example:5060", "Peer.Example", True, id="default port"),
    pytest.param("branch=", "x=1;rport;branch=", True, id="other parameters of Via"),
    pytest.param("sip:bob@192.0.2.1 ", "sip:carol@192.0.2.1 ", True, id="Request-URI"),
    pytest.param("call-1", "call-2", True, id="Call-ID"),
    pytest.param("tag=a1", "tag=a2", True, id="From tag"),
    pytest.param("bob@ims.example>", "bob@ims.example>;tag=x", True, id="To tag"),
    pytest.param("z9hG4bKinv", "z9hG4bKother", False, id="branch"),
    pytest.param("Peer.Example", "other.example", False, id="sent-by host"),
    pytest.param(":5060", ":5061", False, id="sent-by port"),
    # DEVIATION(RFC 3261 17.2.3), see ServerKey
    pytest.param("CSeq: 7", "CSeq: 8", False, id="CSeq number"),
]
# RFC 3261 17.2.3: Request-URI, To tag, From tag, Call-ID, CSeq and top Via are compared.
WITHOUT_COOKIE = [
    pytest.param("Content", "Content", True, id="nothing"),
    pytest.param("Content-Length", "Subject: x\n    Content-Length", True, id="another header"),
    pytest.param("sip:bob@192.0.2.1 ", "sip:carol@192.0.2.1 ", False, id="Request-URI"),
    pytest.param("tag=a1", "tag=a2", False, id="From tag"),
    pytest.param("call-1", "call-2", False, id="Call-ID"),
    pytest.param("CSeq: 7", "CSeq: 8", False, id="CSeq number"),
    pytest.param("Peer.Example:5060", "Peer.Example:5061", False, id="sent-by"),
    pytest.param("Peer.Example:5060", "Peer.Example:5060;branch=1", False, id="a branch without cookie"),
]
CASES = [pytest.param(REQUEST, *case.values, id=f"cookie: {case.id}") for case in WITH_COOKIE]
CASES += [pytest.param(OLD, *case.values, id=f"no cookie: {case.id}") for case in WITHOUT_COOKIE]
each_case = pytest.mark.parametrize(("request_text", "old", "new", "one"), CASES)


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@each_case
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_request_is_the_one_before_again_or_a_new_one(
    bench: Any, request_text: str, old: str, new: str, one: bool, method: str
) -> None:
    request_text = request_text.replace("INVITE", method)
    bench.receive(request_text)
    assert bench.respond(486, to_tag="t1") == ["SIP/2.0 486 Busy Here"]
    again = bench.receive(changed(request_text, old, new), source=("192.0.2.77", 9999))
    assert len(bench.user.requests) == (1 if one else 2)
    assert again == (["SIP/2.0 486 Busy Here"] if one else [])


@each_case
def test_an_ack_ends_with_the_refused_invite_that_it_is_for_or_goes_to_the_user(
    bench: Any, request_text: str, old: str, new: str, one: bool
) -> None:
    bench.receive(request_text)
    bench.respond(486, to_tag="t1")
    bench.receive(changed(request_text, old, new).replace("INVITE", "ACK"))
    assert [transaction.state.name for transaction in bench.user.requests] == ["CONFIRMED" if one else "COMPLETED"]
    assert len(bench.user.acks) == (0 if one else 1)


@each_case
def test_a_cancel_reaches_the_invite_that_it_is_for_or_is_481(
    bench: Any, request_text: str, old: str, new: str, one: bool
) -> None:
    bench.receive(request_text)
    answer = bench.receive(changed(request_text, old, new).replace("INVITE", "CANCEL"))
    assert answer == ["SIP/2.0 200 OK" if one else "SIP/2.0 481 Call/Transaction Does Not Exist"]
    assert bench.user.cancelled == (bench.user.requests if one else [])


def test_a_request_of_another_method_is_a_new_one(bench: Any) -> None:
    bench.receive(REQUEST)
    bench.receive(REQUEST.replace("INVITE", "OPTIONS"))
    assert [transaction.request.method for transaction in bench.user.requests] == ["INVITE", "OPTIONS"]


def test_a_cancel_is_no_match_for_another_method_than_invite(bench: Any) -> None:
    bench.receive(REQUEST.replace("INVITE", "OPTIONS"))
    assert bench.receive(REQUEST.replace("INVITE", "CANCEL")) == ["SIP/2.0 481 Call/Transaction Does Not Exist"]


@pytest.mark.parametrize(
    "branch", ["", ";branch=1", ";branch=z9hG4bK"], ids=["none", "no cookie", "nothing but the cookie"]
)
def test_a_branch_without_cookie_identifies_nothing(bench: Any, branch: str) -> None:
    old = OLD.replace("5060", f"5060{branch}")
    for text in (old, old, old.replace("call-1", "call-2")):
        bench.receive(text)
    assert [transaction.request.call_id for transaction in bench.user.requests] == ["call-1", "call-2"]


def test_an_ack_with_the_to_tag_of_our_answer_is_for_its_invite_without_a_cookie_too(bench: Any) -> None:
    """RFC 4475 3.4.1 is of such a client."""
    bench.receive(OLD)
    bench.respond(486, to_tag="t1")
    bench.receive(OLD.replace("INVITE", "ACK").replace("bob@ims.example>", "bob@ims.example>;tag=t1"))
    assert bench.user.requests[0].state.name == "CONFIRMED"
    assert bench.user.acks == []


ASKED = """
    OPTIONS sip:192.0.2.9:5070 SIP/2.0
    From: <sip:alice@ims.example>;tag=a1
    To: <sip:bob@ims.example>
    Call-ID: call-1
    CSeq: 7 OPTIONS
"""


@pytest.mark.parametrize(
    ("old", "new", "told", "counter"),
    [
        pytest.param("200 OK", "200 Fine", True, "", id="nothing that counts"),
        pytest.param("z9hG4bKtoken1", "Z9HG4BKTOKEN1", True, "", id="case of the branch"),
        pytest.param("CSeq: 7", "CSeq: 8", True, "", id="CSeq number"),
        pytest.param("z9hG4bKtoken1", "z9hG4bKtoken2", False, "stray_response", id="branch"),
        pytest.param("7 OPTIONS", "7 INVITE", False, "stray_response", id="CSeq method"),
        pytest.param("192.0.2.1:5060", "192.0.2.2:5060", False, "foreign_response", id="sent-by"),
    ],
)
def test_a_response_is_for_the_request_with_its_branch_and_method(
    bench: Any, old: str, new: str, told: bool, counter: str
) -> None:
    bench.send(ASKED)
    bench.receive(changed(bench.answer_to_last("200 OK"), old, new))
    assert bench.results() == ([200] if told else [])
    assert not counter or bench.engine.counters[counter] == 1
