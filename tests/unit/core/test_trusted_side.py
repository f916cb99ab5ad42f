"""What leaves the trusted side (RFC 3325, RFC 3323)."""

import pytest
from requests_to_route import POC, register, settings

from talkburst.sip.locating import Located


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


THIRD = ("198.51.100.9", 5060)


def ask_along(bench, route: str, to: str = "sip:bob@ims.example", tag: str = "", headers: str = ""):
    """A request of alice with a Route of her own."""
    return bench.client(f"""
        MESSAGE {to} SIP/2.0
        Route: {route}
        From: <sip:alice@ims.example>;tag=m
        To: <{to}>{tag}
        Call-ID: m
        CSeq: 1 MESSAGE
        {headers or "Accept: text/plain"}
    """)


THIRD_PARTIES = {
    "by a second Route": ("<sip:127.0.0.1:5054;lr>, <sip:198.51.100.9;lr>", "sip:bob@ims.example", ""),
    "by a maddr in it": (
        "<sip:127.0.0.1:5054;lr>, <sip:poc.ims.example;lr;maddr=198.51.100.9>",
        "sip:bob@ims.example",
        "",
    ),
    "by a strict router": ("<sip:127.0.0.1:5054;lr>, <sip:198.51.100.9>", "sip:bob@ims.example", ""),
    "within a dialog": ("<sip:127.0.0.1:5054;lr>", "sip:bob@198.51.100.9", ";tag=b"),
}


@pytest.mark.parametrize("way", THIRD_PARTIES)
def test_third_party_learns_nothing_that_is_internal_however_it_is_routed_to_and_is_not_believed(
    registered, way: str
) -> None:
    # RFC 3325 5: trust is in the next hop, not in the listener by which it is reached.
    route, to, tag = THIRD_PARTIES[way]
    (sent,) = ask_along(registered, route, to, tag, headers="Privacy: id")
    assert sent.to == THIRD
    assert sent.headers("P-Asserted-Identity") == []
    assert sent.header("P-Charging-Vector") is None
    (answer,) = registered.answer(sent, "200 OK", "P-Asserted-Identity: <sip:carol@ims.example>")
    assert answer.header("P-Asserted-Identity") is None


def test_name_that_only_the_dns_knows_is_not_trusted_whatever_address_it_has(registered) -> None:
    registered.names["poc.elsewhere.example"] = [Located("UDP", POC)]
    (sent,) = ask_along(registered, "<sip:127.0.0.1:5054;lr>, <sip:poc.elsewhere.example;lr>")
    assert (sent.to, sent.header("P-Charging-Vector")) == (POC, None)


@pytest.mark.parametrize("peer", ["poc.ims.example", "127.0.0.2:5070"])
def test_trusted_peer_is_told_and_believed_within_a_dialog(registered, peer: str) -> None:
    (sent,) = ask_along(registered, "<sip:127.0.0.1:5054;lr>", f"sip:chat@{peer}", ";tag=b", "Privacy: id")
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    assert sent.header("P-Charging-Vector")
    (answer,) = registered.answer(sent, "200 OK", "P-Asserted-Identity: <sip:carol@ims.example>")
    assert answer.header("P-Asserted-Identity") == "<sip:carol@ims.example>"


def test_client_is_not_told_what_servers_say_of_charging_in_their_answers(registered) -> None:
    (sent,) = settings(registered)
    (answer,) = registered.answer(sent, "200 OK", "P-Charging-Vector: icid-value=1;term-ioi=poc.ims.example\nX-Kept: 1")
    assert (answer.header("P-Charging-Vector"), answer.header("X-Kept")) == (None, "1")


def test_client_is_not_told_in_an_ack_what_servers_may_read(bob) -> None:
    common = "From: <sip:chat@poc.ims.example>;tag=a\nTo: <sip:bob@ims.example>{}\nCall-ID: call\nCSeq: 1 {}\n{}"
    told = "P-Charging-Vector: icid-value=1\nP-Asserted-Identity: <sip:chat@poc.ims.example>\nPrivacy: id"
    (invite,) = bob.server("INVITE sip:bob@ims.example SIP/2.0\n" + common.format("", "INVITE", told))
    bob.answer(invite, "200 OK", to_tag="b")
    (ack,) = bob.server("ACK sip:bob@ims.example SIP/2.0\n" + common.format(";tag=b", "ACK", told))
    assert (ack.header("P-Charging-Vector"), ack.header("P-Asserted-Identity")) == (None, None)


ASSERTED = "P-Asserted-Identity: <sip:carol@ims.example>\nX-Kept: 1"
PRIVACIES = {
    "of an application server that a criterion names": ("Privacy: id", False, None),
    "with more of it": ("Privacy: header;id;critical", False, None),
    "of a server within a dialog": ("Privacy: id", True, None),
    "that does not mind": ("Privacy: none", False, "<sip:carol@ims.example>"),
    "that does not say": ("X-Other: 1", True, "<sip:carol@ims.example>"),
}


@pytest.mark.parametrize(("privacy", "within", "told"), PRIVACIES.values(), ids=PRIVACIES)
def test_client_is_not_told_who_answers_where_a_trusted_server_asks_for_privacy(
    registered, privacy: str, within: bool, told: str | None
) -> None:
    # RFC 3325 5 and 7: the answer is a message too, and the client no trusted element.
    (sent,) = (
        ask_along(registered, "<sip:127.0.0.1:5054;lr>", "sip:chat@poc.ims.example", ";tag=b")
        if within
        else settings(registered)
    )
    (answer,) = registered.answer(sent, "200 OK", f"{ASSERTED}\n{privacy}")
    assert (answer.header("P-Asserted-Identity"), answer.header("X-Kept")) == (told, "1")


def test_trusted_server_is_told_who_answers_whatever_privacy_the_other_one_asks_for(registered) -> None:
    (sent,) = registered.server(
        """
        MESSAGE sip:chat@poc.ims.example SIP/2.0
        From: <sip:x@other.ims.example>;tag=a
        To: <sip:chat@poc.ims.example>;tag=b
        Call-ID: between
        CSeq: 1 MESSAGE
    """,
        ("127.0.0.3", 5070),
    )
    (answer,) = registered.answer(sent, "200 OK", f"{ASSERTED}\nPrivacy: id")
    assert answer.header("P-Asserted-Identity") == "<sip:carol@ims.example>"
