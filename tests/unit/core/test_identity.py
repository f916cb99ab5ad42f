"""Who is believed to be who: flows of registered users, challenges, trusted peers (RFC 3325)."""

import pytest

from talkburst.sip.flow import Flow

POC = ("127.0.0.2", 5070)
STRANGER = ("127.0.0.1", 5099)


def test_default_identity_of_the_registered_user_is_asserted(registered) -> None:
    (sent,) = registered.subscribe("poc-settings")
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]


def test_preferred_identity_is_taken_if_it_is_the_users(registered) -> None:
    (sent,) = registered.subscribe("poc-settings", headers="P-Preferred-Identity: <tel:+12025550101>")
    assert sent.headers("P-Asserted-Identity") == ["<tel:+12025550101>"]
    assert sent.header("P-Preferred-Identity") is None


def test_preferred_identity_of_somebody_else_is_passed_over(registered) -> None:
    (sent,) = registered.subscribe("poc-settings", headers="P-Preferred-Identity: <sip:bob@ims.example>")
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]


def test_what_a_client_may_not_say_is_taken_out(registered) -> None:
    headers = """
        P-Asserted-Identity: <sip:bob@ims.example>
        P-Charging-Vector: icid-value=mine
        P-Served-User: <sip:bob@ims.example>
        P-Access-Network-Info: 3GPP-E-UTRAN-FDD
    """
    (sent,) = registered.subscribe("poc-settings", headers=headers)
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    assert sent.header("P-Served-User") is None
    assert sent.header("P-Charging-Vector").startswith("icid-value=t")
    assert sent.header("P-Charging-Vector").endswith(";orig-ioi=ims.example")
    assert sent.header("P-Access-Network-Info") == "3GPP-E-UTRAN-FDD"


def challenge_and_answer(bench, source, private_id: str = "alice@ims.example", password: str = "alice"):
    (challenge,) = bench.subscribe("poc-settings", source=source, call_id="x")
    assert challenge.line == "SIP/2.0 407 Proxy Authentication Required"
    uri = "sip:alice@ims.example"
    credentials = bench.credentials(challenge, private_id, password, "SUBSCRIBE", uri, "Proxy-Authenticate")
    return bench.subscribe("poc-settings", source=source, call_id="y", headers=f"Proxy-Authorization: {credentials}")


def test_request_from_another_flow_is_challenged_and_then_passes_without_its_credentials(registered) -> None:
    (sent,) = challenge_and_answer(registered, STRANGER)
    assert sent.line == "SUBSCRIBE sip:alice@ims.example SIP/2.0"
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    assert sent.header("Proxy-Authorization") is None


def test_wrong_password_does_not_pass(registered) -> None:
    (sent,) = challenge_and_answer(registered, STRANGER, password="guess")
    assert sent.line == "SIP/2.0 407 Proxy Authentication Required"
    assert "stale" not in sent.header("Proxy-Authenticate")
    assert registered.reasons("wrong password for alice@ims.example")


def test_every_request_is_challenged_where_the_operator_wants_it(make_bench) -> None:
    bench = make_bench(challenge_all=True)
    bench.register()
    (sent,) = challenge_and_answer(bench, ("127.0.0.1", 5090))
    assert sent.line == "SUBSCRIBE sip:alice@ims.example SIP/2.0"


def test_flow_is_forgotten_with_its_contact(registered) -> None:
    registered.register(cseq=10, expires=0)
    assert registered.subscribe("poc-settings")[0].line.startswith("SIP/2.0 407 ")


def test_flow_moves_with_the_contact(registered) -> None:
    registered.register(contact="<sip:alice@127.0.0.1:5090>;+g.poc.talkburst", source=STRANGER, cseq=10)
    assert registered.subscribe("poc-settings", source=STRANGER, call_id="a")[0].line.startswith("SUBSCRIBE ")
    assert registered.subscribe("poc-settings", call_id="b")[0].line.startswith("SIP/2.0 407 ")


def test_users_who_share_a_flow_are_told_apart_by_what_they_name(registered) -> None:
    registered.register("bob", contact="<sip:bob@127.0.0.1:5090>")
    (sent,) = registered.subscribe("poc-settings", uri="sip:bob@ims.example")
    assert sent.headers("P-Asserted-Identity") == ["<sip:bob@ims.example>"]
    (sent,) = registered.subscribe("poc-settings", uri="sip:alice@ims.example", call_id="b")
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    (sent,) = registered.subscribe("poc-settings", uri="sip:carol@ims.example", call_id="c")
    assert sent.line.startswith("SIP/2.0 407 ")


def test_stranger_without_any_identity_of_ours_is_403(bench) -> None:
    (sent,) = bench.subscribe("poc-settings", uri="sip:eve@elsewhere.example", source=STRANGER)
    assert sent.line == "SIP/2.0 403 Forbidden"
    assert bench.reasons("403 to SUBSCRIBE: no credentials")


@pytest.mark.parametrize("value", ["", ",", "<sip:a b>", "nonsense"])
def test_identity_that_cannot_be_read_does_no_harm(registered, value: str) -> None:
    sent = registered.server(f"""
        MESSAGE sip:alice@ims.example SIP/2.0
        Route: <sip:orig@127.0.0.1:5054;lr>
        P-Asserted-Identity: {value}
        From: <sip:x@poc.ims.example>;tag=w
        To: <sip:alice@ims.example>
        Call-ID: odd
        CSeq: 1 MESSAGE
    """)
    assert sent.lines == ["MESSAGE sip:alice@127.0.0.1:5090 SIP/2.0"]


@pytest.mark.parametrize("value", ["<sip:a b>", "nonsense"])
def test_preferred_identity_that_cannot_be_read_is_400(registered, value: str) -> None:
    (answer,) = registered.subscribe("poc-settings", headers=f"P-Preferred-Identity: {value}")
    assert answer.line.startswith("SIP/2.0 400 ")


def test_registered_flow_means_the_listener_too(registered) -> None:
    flow = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.1", 5090), listener="clients")
    assert registered.core._flows.user(flow, [])
    assert not registered.core._flows.user(flow._replace(listener="servers"), [])
    assert not registered.core._flows.user(flow._replace(transport="TCP"), [])


INVITE = """
    INVITE sip:bob@ims.example SIP/2.0
    Via: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bKstranger
    From: <sip:alice@ims.example>;tag=s
    To: <sip:bob@ims.example>
    Call-ID: stranger
    CSeq: 1 INVITE
"""


def test_stranger_is_challenged_once_and_nothing_is_kept(registered) -> None:
    # RFC 3261 26.3.2.4: the source may be forged, and the victim is not to hear of it eleven times.
    stranger = ("203.0.113.7", 5060)
    kept = len(registered.engine.servers)
    (challenge,) = registered.client(INVITE, stranger)
    assert challenge.line == "SIP/2.0 407 Proxy Authentication Required"
    assert len(registered.engine.servers) == kept
    assert registered.advance(33) == []
    (again,) = registered.client(INVITE, stranger)
    assert again.header("To") == challenge.header("To")
    ack = INVITE.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK")
    assert registered.client(ack.replace("To: <sip:bob@ims.example>", f"To: {again.header('To')}"), stranger) == []
