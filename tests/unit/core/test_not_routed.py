"""What the core does not route."""

import pytest
from requests_to_route import CLIENT, POC, register, settings


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ("PUBLISH", "SIP/2.0 405 Method Not Allowed"),
        ("FROBNICATE", "SIP/2.0 501 Not Implemented"),
    ],
)
def test_request_to_the_core_itself_that_it_does_not_know(registered, method: str, line: str) -> None:
    (answer,) = registered.subscribe("x", uri="sip:scscf.ims.example", method=method, source=POC, asserted="sip:p@q")
    assert answer.line == line


def test_unknown_method_passes_through(registered) -> None:
    headers = "P-Preferred-Identity: <sip:alice@ims.example>"
    (sent,) = registered.subscribe("x", uri="sip:x@other.ims.example", method="FROBNICATE", headers=headers)
    assert sent.line == "FROBNICATE sip:x@other.ims.example SIP/2.0"


def test_hops_run_out(registered) -> None:
    (answer,) = settings(registered, headers="Max-Forwards: 0")
    assert answer.line == "SIP/2.0 483 Too Many Hops"


@pytest.mark.parametrize("route", ["<sip:127.0.0.1:5060;lr", "sip:a b"])
def test_broken_route_is_400(registered, route: str) -> None:
    (answer,) = settings(registered, headers=f"Route: {route}")
    assert answer.line.startswith("SIP/2.0 400 ")


def test_call_passes_with_ack_and_bye(registered) -> None:
    bob = ("127.0.0.1", 5092)
    register(registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>")
    common = "From: <sip:alice@ims.example>;tag=a\n To: <sip:bob@ims.example>{}\n Call-ID: call\n CSeq: {} {}"
    (invite,) = registered.client("INVITE sip:bob@ims.example SIP/2.0\n" + common.format("", 1, "INVITE"))
    assert invite.to == bob
    assert invite.message.values("Record-Route") == ["<sip:127.0.0.1:5060;lr>"]
    (answer,) = registered.answer(invite, "200 OK", to_tag="b")
    assert answer.to == CLIENT
    route = "Route: <sip:127.0.0.1:5060;lr>\n"
    (ack,) = registered.client(f"ACK sip:bob@127.0.0.1:5092 SIP/2.0\n{route}" + common.format(";tag=b", 1, "ACK"))
    assert (ack.line, ack.to) == ("ACK sip:bob@127.0.0.1:5092 SIP/2.0", bob)
    (bye,) = registered.client(f"BYE sip:bob@127.0.0.1:5092 SIP/2.0\n{route}" + common.format(";tag=b", 2, "BYE"))
    assert bye.to == bob


ACKS = [
    ("an ACK of nothing", "sip:x@198.51.100.9", ""),
    ("along a Route of its own", "sip:bob@ims.example", "Route: <sip:127.0.0.1:5060;lr>, <sip:198.51.100.9;lr>\n"),
]


@pytest.mark.parametrize(("uri", "route"), [ack[1:] for ack in ACKS], ids=[ack[0] for ack in ACKS])
def test_ack_of_a_stranger_is_carried_nowhere(registered, uri: str, route: str) -> None:
    common = "From: <sip:alice@ims.example>;tag=a\n To: <sip:bob@ims.example>;tag=b\n Call-ID: call\n CSeq: 1 ACK"
    assert registered.client(f"ACK {uri} SIP/2.0\n{route}{common}", ("203.0.113.1", 5060)) == []


def test_ack_asserts_nothing(registered) -> None:
    bob = ("127.0.0.1", 5092)
    register(registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>")
    common = "From: <sip:alice@ims.example>;tag=a\n To: <sip:bob@ims.example>{}\n Call-ID: call\n CSeq: 1 {}"
    (invite,) = registered.client("INVITE sip:bob@ims.example SIP/2.0\n" + common.format("", "INVITE"))
    registered.answer(invite, "200 OK", to_tag="b")
    forged = "P-Asserted-Identity: <sip:carol@ims.example>\n"
    (ack,) = registered.client(f"ACK sip:bob@127.0.0.1:5092 SIP/2.0\n{forged}" + common.format(";tag=b", "ACK"))
    assert ack.header("P-Asserted-Identity") is None
