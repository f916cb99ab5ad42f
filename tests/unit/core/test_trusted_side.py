"""What leaves the trusted side (RFC 3325, RFC 3323)."""

import pytest
from requests_to_route import POC, register, settings


def message(bench, to: str, headers: str = ""):
    common = f"From: <sip:alice@ims.example>;tag=m\nTo: <{to}>\nCall-ID: m\nCSeq: 1 MESSAGE"
    return bench.client(f"MESSAGE {to} SIP/2.0\n{common}\n{headers}")


@pytest.mark.parametrize("to", ["sip:bob@ims.example", "sip:bob@198.51.100.9"])
@pytest.mark.parametrize(
    ("privacy", "asserted"),
    [
        ("", ["<sip:alice@ims.example>"]),
        ("Privacy: none", ["<sip:alice@ims.example>"]),
        ("Privacy: id", []),
        ("Privacy: header; ID", []),
    ],
)
def test_only_what_others_may_read_leaves(registered, to: str, privacy: str, asserted: list[str]) -> None:
    bob = ("127.0.0.1", 5092)
    register(registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>")
    (sent,) = message(registered, to, privacy)
    assert sent.headers("P-Asserted-Identity") == asserted
    assert sent.header("P-Charging-Vector") is None


def test_application_server_is_told_who_asks_for_privacy(registered) -> None:
    (sent,) = settings(registered, headers="Privacy: id")
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    assert sent.header("P-Charging-Vector")


def test_answer_of_another_domain_asserts_nothing(registered) -> None:
    (sent,) = message(registered, "sip:bob@198.51.100.9")
    (answer,) = registered.answer(sent, "200 OK", "P-Asserted-Identity: <sip:carol@ims.example>")
    assert answer.header("P-Asserted-Identity") is None


def test_users_behind_one_proxy_reach_each_other(registered) -> None:
    register(registered, user="bob", contact="<sip:bob@127.0.0.1:5092>")
    (sent,) = message(registered, "sip:bob@ims.example")
    assert sent.line == "MESSAGE sip:bob@127.0.0.1:5092 SIP/2.0"


def test_route_that_names_the_core_with_its_port_is_its_own(registered) -> None:
    # What a client writes whose outbound proxy is configured as name:port.
    (sent,) = settings(registered, headers="Route: <sip:ims.example:5060;lr>")
    assert sent.to == POC
    assert sent.message.values("Route")[0] == "<sip:poc.ims.example;lr>"


def test_dialog_of_a_client_that_knows_only_the_address_of_record(registered) -> None:
    # What SIPp's own scenario does: neither Route nor the Contact of the other end.
    bob = ("127.0.0.1", 5092)
    register(registered, user="bob", source=bob, contact="<sip:bob@127.0.0.1:5092>")
    common = "From: <sip:alice@ims.example>;tag=a\n To: <sip:bob@ims.example>{}\n Call-ID: call\n CSeq: {} {}"
    (invite,) = registered.client("INVITE sip:bob@ims.example SIP/2.0\n" + common.format("", 1, "INVITE"))
    registered.answer(invite, "200 OK", to_tag="b")
    (ack,) = registered.client("ACK sip:bob@ims.example SIP/2.0\n" + common.format(";tag=b", 1, "ACK"))
    assert (ack.line, ack.to) == ("ACK sip:bob@127.0.0.1:5092 SIP/2.0", bob)
    (bye,) = registered.client("BYE sip:bob@ims.example SIP/2.0\n" + common.format(";tag=b", 2, "BYE"))
    assert (bye.line, bye.to) == ("BYE sip:bob@127.0.0.1:5092 SIP/2.0", bob)
    assert registered.client("ACK sip:zed@ims.example SIP/2.0\n" + common.format(";tag=b", 1, "ACK")) == []


def test_request_in_a_dialog_with_nobody_is_404(registered) -> None:
    (answer,) = registered.client("""
        BYE sip:zed@ims.example SIP/2.0
        From: <sip:alice@ims.example>;tag=a
        To: <sip:zed@ims.example>;tag=b
        Call-ID: call
        CSeq: 2 BYE
    """)
    assert answer.line == "SIP/2.0 404 Not Found"
