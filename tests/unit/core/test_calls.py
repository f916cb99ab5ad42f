"""Calls between users of the core: INVITE from client to client, and all that follows in its dialog (RFC 3261 16)."""

import pytest
from caller import ALICE, BOB, RECORDED, Caller, lines

SERVER = ("127.0.0.2", 5070)


def test_call_from_the_first_ring_to_the_last_bye(bob) -> None:
    call = Caller(bob)
    (invite,) = call.invite()
    assert (invite.line, invite.to) == ("INVITE sip:bob@127.0.0.1:5092 SIP/2.0", BOB)
    assert invite.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    assert invite.header("P-Called-Party-ID") == "<sip:bob@ims.example>"
    assert invite.message.values("Record-Route") == [RECORDED]
    assert lines(bob.answer(invite, "180 Ringing", to_tag="b")) == ["5090 180 Ringing"]
    (answer,) = bob.answer(invite, "200 OK", "Contact: <sip:bob@127.0.0.1:5092>", to_tag="b")
    assert (answer.to, answer.message.values("Record-Route")) == (ALICE, [RECORDED])
    assert lines(call.within("ACK", 1)) == ["5092 ACK sip:bob@127.0.0.1:5092 SIP/2.0"]
    (bye,) = call.within("BYE", 2)
    assert (bye.to, bye.header("Route"), bye.header("Record-Route")) == (BOB, None, None)
    assert lines(bob.answer(bye, "200 OK")) == ["5090 200 OK"]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK", "INFO", "BYE", "OPTIONS", "REFER", "FROBNICATE"])
def test_request_in_the_dialog_passes_from_either_end(bob, method: str) -> None:
    call = Caller(bob)
    (invite,) = call.invite()
    bob.answer(invite, "183 Session Progress", "Require: 100rel\nRSeq: 1", to_tag="b")
    if method != "PRACK":
        bob.answer(invite, "200 OK", to_tag="b")
        call.within("ACK", 1)
    (sent,) = call.within(method, 2)
    assert (sent.line, sent.to) == (f"{method} sip:bob@127.0.0.1:5092 SIP/2.0", BOB)
    assert lines(bob.answer(sent, "200 OK"))[0] == "5090 200 OK"
    (sent,) = call.from_callee(method, 1)
    assert (sent.line, sent.to) == (f"{method} sip:alice@127.0.0.1:5090 SIP/2.0", ALICE)
    assert sent.headers("P-Asserted-Identity") == ["<sip:bob@ims.example>"]
    assert lines(bob.answer(sent, "200 OK"))[0] == "5092 200 OK"


def test_second_invite_of_a_dialog_is_acknowledged_like_the_first(bob) -> None:
    call = Caller(bob)
    bob.answer(call.invite()[0], "200 OK", to_tag="b")
    call.within("ACK", 1)
    (again,) = call.from_callee("INVITE", 7)
    bob.answer(again, "200 OK")
    assert lines(call.from_callee("ACK", 7)) == ["5090 ACK sip:alice@127.0.0.1:5090 SIP/2.0"]
    assert call.from_callee("ACK", 8) == [], "nobody has answered an INVITE of that number"


# Who acknowledges a call: nobody can be asked for credentials for an ACK (RFC 3261 22.1)

STRANGER = ("203.0.113.9", 5060)
# How the INVITE came, how the ACK comes, its To tag, and whether it is passed on.
ACKS = {
    "from another port of the caller's host": ("", ("127.0.0.1", 5099), "b", True),
    "from whoever has registered": ("", BOB, "b", True),
    "from a stranger": ("", STRANGER, "b", False),
    "from where the caller is, who did not choose a tag": ("", ALICE, "", False),
    "from where the caller is, for a branch that was not answered": ("", ALICE, "c", False),
    "from behind a proxy that does not stay on the way": (
        "Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKproxy;rport\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKfar",
        STRANGER,
        "b",
        True,
    ),
}


@pytest.mark.parametrize(("vias", "source", "tag", "passes"), ACKS.values(), ids=ACKS)
def test_ack_comes_from_where_its_invite_was_and_is_of_the_dialog_that_was_made(
    bob, vias: str, source: tuple[str, int], tag: str, passes: bool
) -> None:
    call = Caller(bob)
    text = call.text("INVITE", call.uri, 1, headers=vias)
    (invite,) = bob.client(text)
    bob.answer(invite, "200 OK", to_tag="b")
    ack = call.text("ACK", f"sip:bob@{BOB[0]}:{BOB[1]}", 1, tag=tag, route=RECORDED)
    assert lines(bob.client(ack, source)) == ["5092 ACK sip:bob@127.0.0.1:5092 SIP/2.0"] * passes
    assert bob.engine.counters["stray_ack"] == (not passes)


# Who can be called, and who not

NOBODY = {
    "who is not registered": ("sip:carol@ims.example", "480 Temporarily Unavailable"),
    "whose number is not registered": ("tel:+1-202-555-0103", "480 Temporarily Unavailable"),
    "whom nobody knows": ("sip:zed@ims.example", "404 Not Found"),
    "whose number nobody knows": ("tel:+19995550100", "404 Not Found"),
    "whose number is nobody's, as a SIP URI": ("sip:+19995550100@ims.example;user=phone", "404 Not Found"),
    "who may not be called": ("sip:001010000000004@ims.mnc001.mcc001.3gppnetwork.org", "403 Forbidden"),
    "in a scheme that is not spoken": ("mailto:bob@ims.example", "416 scheme mailto in the Request-URI"),
    "who is oneself": ("sip:alice@ims.example", "480 Temporarily Unavailable"),
}


@pytest.mark.parametrize(("uri", "status"), NOBODY.values(), ids=NOBODY)
def test_call_to_somebody(bob, uri: str, status: str) -> None:
    (answer,) = Caller(bob, uri).invite()
    assert (answer.line, answer.to) == (f"SIP/2.0 {status}", ALICE)
    assert answer.message.to.tag


@pytest.mark.parametrize(
    "uri", ["tel:+1-202-555-0102", "sip:+12025550102@ims.example;user=phone", "sip:BOB@ims.example"]
)
def test_call_to_another_name_of_bob(bob, uri: str) -> None:
    sent = Caller(bob, uri).invite()
    assert lines(sent) == (
        ["5090 404 Not Found"] if "BOB" in uri else ["5092 INVITE sip:bob@127.0.0.1:5092 SIP/2.0"]
    ), "user parts are case-sensitive (RFC 3261 19.1.4)"


def test_call_from_a_trusted_server(bob) -> None:
    (sent,) = bob.server("""
        INVITE sip:bob@ims.example SIP/2.0
        From: "A conference" <sip:conf@poc.ims.example>;tag=c
        To: <sip:bob@ims.example>
        Call-ID: conference
        CSeq: 1 INVITE
        Contact: <sip:127.0.0.2:5070>
        P-Asserted-Identity: <sip:conf@poc.ims.example>
    """)
    assert (sent.line, sent.to) == ("INVITE sip:bob@127.0.0.1:5092 SIP/2.0", BOB)
    assert sent.headers("P-Asserted-Identity") == ["<sip:conf@poc.ims.example>"]
    assert sent.message.values("Record-Route") == [RECORDED, "<sip:127.0.0.1:5054;lr>"]
    assert bob.answer(sent, "200 OK")[0].to == SERVER
    (bye,) = bob.client(
        """
        BYE sip:127.0.0.2:5070 SIP/2.0
        Route: <sip:127.0.0.1:5060;lr>, <sip:127.0.0.1:5054;lr>
        From: <sip:bob@ims.example>;tag=peer
        To: <sip:conf@poc.ims.example>;tag=c
        Call-ID: conference
        CSeq: 1 BYE
        """,
        BOB,
    )
    assert (bye.to, bye.listener) == (SERVER, "servers")


def test_call_of_a_stranger_is_challenged_and_forgotten(bob) -> None:
    (answer,) = Caller(bob).invite(source=("127.0.0.9", 5060))
    assert answer.line == "SIP/2.0 407 Proxy Authentication Required"
    assert not [each for each in bob.engine.servers.values() if each.request.method == "INVITE"]


def test_call_of_an_untrusted_server_is_403(bob) -> None:
    (answer,) = bob.server(Caller(bob).text("INVITE", "sip:bob@ims.example", 1), ("127.0.0.9", 5070))
    assert answer.line == "SIP/2.0 403 Forbidden"


# Who calls: RFC 3325

IDENTITIES = {
    "what the client asserts is taken out": ("P-Asserted-Identity: <sip:carol@ims.example>", "<sip:alice@ims.example>"),
    "what it prefers counts, if it is its own": (
        "P-Preferred-Identity: <tel:+12025550101>",
        "<tel:+12025550101>",
    ),
    "what it prefers does not, if it is another's": (
        "P-Preferred-Identity: <sip:carol@ims.example>",
        "<sip:alice@ims.example>",
    ),
    "who wants no callee to know is not told": ("Privacy: id", None),
}


@pytest.mark.parametrize(("header", "asserted"), IDENTITIES.values(), ids=IDENTITIES)
def test_callee_is_told_who_calls(bob, header: str, asserted: str | None) -> None:
    (invite,) = Caller(bob).invite(header)
    assert invite.headers("P-Asserted-Identity") == ([] if asserted is None else [asserted])
    assert invite.header("P-Preferred-Identity") is None


@pytest.mark.parametrize("status", ["180 Ringing", "200 OK", "486 Busy Here"])
def test_callee_asserts_nothing(bob, status: str) -> None:
    (invite,) = Caller(bob).invite()
    answer = bob.answer(invite, status, "P-Asserted-Identity: <sip:carol@ims.example>")[-1]
    assert (answer.to, answer.header("P-Asserted-Identity")) == (ALICE, None)


def test_credentials_for_somebody_else_go_on_to_them(bob) -> None:
    """RFC 3261 22.3: a proxy beyond the core that challenges the caller gets its answer."""
    theirs = 'Digest username="a", realm="other.example", nonce="n", uri="sip:x", response="r"'
    ours = 'Digest username="alice@ims.example", realm="ims.example", nonce="n", uri="sip:x", response="r"'
    call = Caller(bob, "sip:x@198.51.100.9")
    (invite,) = call.invite(f"Proxy-Authorization: {ours}\nProxy-Authorization: {theirs}\nAuthorization: Other x")
    assert invite.to == ("198.51.100.9", 5060)
    assert invite.headers("Proxy-Authorization") == [theirs]
    assert invite.headers("Authorization") == ["Other x"]
