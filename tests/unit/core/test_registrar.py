"""REGISTER and its answers: challenge, 200, refusals, expiry (RFC 3261 10.3, TS 24.229 5.4.1)."""

import re

import pytest

DAVE = "001010000000004@ims.mnc001.mcc001.3gppnetwork.org"


def test_first_register_without_credentials_is_challenged_by_its_to(bench) -> None:
    (challenge,) = bench.client("""
        REGISTER sip:ims.example SIP/2.0
        From: <sip:alice@ims.example>;tag=a
        To: <sip:alice@ims.example>
        Call-ID: c1
        CSeq: 1 REGISTER
        Contact: <sip:alice@127.0.0.1:5090>;+g.poc.talkburst
    """)
    assert challenge.line == "SIP/2.0 401 Unauthorized"
    value = challenge.header("WWW-Authenticate")
    assert re.fullmatch(r'Digest realm="ims.example", nonce="[0-9a-f]+", (.*, )?algorithm=MD5.*', value)
    assert 'qop="auth"' in value
    assert "stale" not in value
    assert challenge.message.to.tag
    assert bench.reasons("401 to REGISTER", "no credentials")


@pytest.mark.parametrize("user", ["alice", "bob", "carol"])
def test_user_registers_and_is_told_what_is_bound(bench, user: str) -> None:
    number = {"alice": "0101", "bob": "0102", "carol": "0103"}[user]
    success = bench.register(user)[0]
    assert success.line == "SIP/2.0 200 OK"
    assert success.headers("Contact") == [f"<sip:{user}@127.0.0.1:5090>;+g.poc.talkburst;expires=3600"]
    assert success.header("Service-Route") == "<sip:orig@127.0.0.1:5060;lr>"
    assert success.header("P-Associated-URI") == (
        f"<sip:{user}@ims.example>, <sip:+1202555{number}@ims.example;user=phone>, <tel:+1202555{number}>"
    )
    assert success.header("Date") == "Sat, 22 Nov 2025 08:00:00 GMT"
    assert success.header("Record-Route") is None
    assert success.header("Path") is None


def test_path_is_stored_and_comes_back_in_the_200(bench) -> None:
    success = bench.register(headers="Path: <sip:pcscf.example;lr>, <sip:edge.example;lr>\n")[0]
    assert success.headers("Path") == ["<sip:pcscf.example;lr>, <sip:edge.example;lr>"]


@pytest.mark.parametrize("path", ["garbage <", "<sip:a@b", "<tel:+12025550101>"])
def test_path_that_leads_nowhere_is_400(bench, path: str) -> None:
    assert bench.register(headers=f"Path: {path}\n")[0].line.startswith("SIP/2.0 400 ")
    assert not list(bench.core.registrar.registrations())


def test_user_without_isim_registers_a_barred_identity_and_learns_the_other(bench) -> None:
    aor = f"sip:{DAVE}"
    sent = bench.register("dave", private_id=DAVE, aor=aor)
    assert sent[0].line == "SIP/2.0 200 OK"
    assert sent[0].header("P-Associated-URI") == "<sip:dave@ims.example>"


def test_two_devices_of_a_user_have_a_contact_each(bench) -> None:
    bench.register()
    success = bench.register("alice", private_id="alice-2@ims.example", source=("127.0.0.1", 5091))[0]
    assert len(success.headers("Contact")) == 2


@pytest.mark.parametrize(
    ("options", "line", "reason"),
    [
        ({"aor": "sip:mallory@ims.example"}, "SIP/2.0 404 Not Found", "does not belong to alice@ims.example"),
        ({"aor": "sip:bob@ims.example"}, "SIP/2.0 403 Forbidden", "does not belong to alice@ims.example"),
    ],
)
def test_identity_of_somebody_else_is_refused(bench, options, line: str, reason: str) -> None:
    assert bench.register(**options)[0].line == line
    assert bench.reasons(line.split()[1], reason)


@pytest.mark.parametrize(
    ("uri", "aor", "authorization", "line", "reason"),
    [
        (
            "sip:ims.example",
            "sip:mallory@ims.example",
            "",
            "401 Unauthorized",
            "no such private id as mallory@ims.example",
        ),
        ("sip:ims.example", "sip:mallory@other.example", "", "404 Not Found", "mallory@other.example is in no domain"),
        ("sip:127.0.0.1:5060", "sip:alice@ims.example", "", "404 Not Found", "sip:127.0.0.1:5060 is no domain"),
        (
            "sip:ims.example",
            "sip:alice@ims.example",
            'Digest username="eve@ims.example", realm="ims.example", nonce="", response="", uri="sip:ims.example"',
            "401 Unauthorized",
            "no such private id as eve@ims.example",
        ),
        ("sip:ims.example", "sip:alice@ims.example", "Basic YWxpY2U6YWxpY2U=", "401 Unauthorized", "no credentials"),
        (
            "sip:ims.example",
            "sip:alice@ims.example",
            'Digest username="alice@ims.example", realm="elsewhere", nonce="1", response="2", uri="sip:ims.example"',
            "401 Unauthorized",
            "no credentials",
        ),
    ],
)
def test_stranger_is_refused_with_the_reason_in_the_log(
    bench, uri: str, aor: str, authorization: str, line: str, reason: str
) -> None:
    (answer,) = bench.client(f"""
        REGISTER {uri} SIP/2.0
        From: <{aor}>;tag=a
        To: <{aor}>
        Call-ID: c1
        CSeq: 1 REGISTER
        Contact: <sip:alice@127.0.0.1:5090>
        {f"Authorization: {authorization}" if authorization else "X-None: 1"}
    """)
    assert answer.line == f"SIP/2.0 {line}"
    assert bench.reasons(reason)


def test_wrong_password_is_challenged_again_without_stale(bench) -> None:
    again = bench.register(password="guess")[0]
    assert again.line == "SIP/2.0 401 Unauthorized"
    assert "stale" not in again.header("WWW-Authenticate")
    assert bench.reasons("wrong password for alice@ims.example")
    assert not [what for what, facts in bench.decisions if "guess" in f"{what}{facts}"]


def test_right_password_on_an_old_nonce_is_stale(bench) -> None:
    challenge = bench.client("""
        REGISTER sip:ims.example SIP/2.0
        From: <sip:alice@ims.example>;tag=a
        To: <sip:alice@ims.example>
        Call-ID: c1
        CSeq: 1 REGISTER
    """)[0]
    credentials = bench.credentials(challenge, "alice@ims.example", "alice", "REGISTER", "sip:ims.example")
    bench.advance(301)
    (answer,) = bench.client(f"""
        REGISTER sip:ims.example SIP/2.0
        From: <sip:alice@ims.example>;tag=a
        To: <sip:alice@ims.example>
        Call-ID: c1
        CSeq: 2 REGISTER
        Authorization: {credentials}
    """)
    assert answer.line == "SIP/2.0 401 Unauthorized"
    assert "stale=true" in answer.header("WWW-Authenticate").lower()


def test_algorithms_of_a_subscriber_are_offered_in_their_order(make_bench) -> None:
    bench = make_bench(credentials='["alice@ims.example"]\npassword="alice"\nalgorithms=["SHA-256", "MD5"]\n')
    (challenge,) = bench.client("""
        REGISTER sip:ims.example SIP/2.0
        From: <sip:alice@ims.example>;tag=a
        To: <sip:alice@ims.example>
        Call-ID: c1
        CSeq: 1 REGISTER
    """)
    offered = [re.search(r"algorithm=([\w-]+)", value)[1] for value in challenge.headers("WWW-Authenticate")]
    assert offered == ["SHA-256", "MD5"]


def test_register_without_contact_lists_and_changes_nothing(registered) -> None:
    sent = registered.register(contact="", cseq=10)
    assert [each.line for each in sent] == ["SIP/2.0 200 OK"]
    assert sent[0].headers("Contact") == ["<sip:alice@127.0.0.1:5090>;+g.poc.talkburst;expires=3600"]


@pytest.mark.parametrize(
    ("contact", "expires", "line"),
    [
        ("<sip:alice@127.0.0.1:5090>", 30, "SIP/2.0 423 Interval Too Brief"),
        ("*", 60, "SIP/2.0 400 Contact * stands alone and needs Expires 0"),
    ],
)
def test_wish_that_cannot_be_granted_is_refused(registered, contact: str, expires: int, line: str) -> None:
    sent = registered.register(contact=contact, expires=expires, cseq=10)
    assert [each.line for each in sent] == [line]
    assert sent[0].header("Min-Expires") == ("60" if expires == 30 else None)
    assert registered.reasons(line.split()[1], "to REGISTER")


def test_telephone_number_in_to_is_400(bench) -> None:
    (answer,) = bench.client("""
        REGISTER sip:ims.example SIP/2.0
        From: <tel:+12025550101>;tag=a
        To: <tel:+12025550101>
        Call-ID: c1
        CSeq: 1 REGISTER
    """)
    assert answer.line == "SIP/2.0 400 Bad Request"
    assert bench.reasons("400", "no SIP URI")


def test_extension_that_is_required_is_420(bench) -> None:
    (answer,) = bench.client("""
        REGISTER sip:ims.example SIP/2.0
        From: <sip:alice@ims.example>;tag=a
        To: <sip:alice@ims.example>
        Call-ID: c1
        CSeq: 1 REGISTER
        Require: gruu, path
    """)
    assert answer.line == "SIP/2.0 420 Bad Extension"
    assert answer.header("Unsupported") == "gruu"


def test_old_cseq_is_500_and_changes_nothing(registered) -> None:
    registered.advance(100)  # past the memory for merged requests
    sent = registered.register(cseq=1, expires=120)
    assert sent[0].line.startswith("SIP/2.0 500 CSeq 2 is not higher than 2")
    assert registered.core.registrar.registration("sip:alice@ims.example").bindings[0].remaining(registered.now) == 3500


def test_contact_expires_when_nobody_refreshes_it(registered) -> None:
    registered.advance(3599)
    assert registered.core.registrar.registration("sip:alice@ims.example").active
    registered.advance(2)
    assert not registered.core.registrar.registration("sip:alice@ims.example").active
    assert registered.reasons("contact expired")


def test_200_does_not_wait_for_the_application_server(bench) -> None:
    sent = bench.register()
    assert [each.line for each in sent] == ["SIP/2.0 200 OK", "REGISTER sip:poc.ims.example SIP/2.0"]


def test_retransmitted_register_gets_the_stored_answer(bench) -> None:
    text = """
        REGISTER sip:ims.example SIP/2.0
        Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKsame
        From: <sip:alice@ims.example>;tag=a
        To: <sip:alice@ims.example>
        Call-ID: c1
        CSeq: 1 REGISTER
    """
    assert bench.client(text)[0].text == bench.client(text)[0].text


def _from_a_connection_of_its_own(bench, number, closed):
    """A client without instance id registers its end of a connection; the status of the answer."""
    source = ("127.0.0.1", 6000 + number)
    sent = bench.register(
        contact=f"<sip:alice@127.0.0.1:{source[1]};transport=tcp>", source=source, call_id=f"run{number}"
    )
    if closed:
        bench.fail(sent.to_clients[0].flow)
    return sent.to_clients[0].message.status


def test_contacts_on_connections_that_are_closed_make_room_for_new_ones(make_bench):
    bench = make_bench(transport="TCP")
    assert {_from_a_connection_of_its_own(bench, number, closed=number < 40) for number in range(60)} == {200}
    bound = [
        binding.contact.uri.port for binding in bench.core.registrar.registration("sip:alice@ims.example").bindings
    ]
    assert bound == [*range(6028, 6060)]


def test_contacts_on_connections_that_are_open_are_not_given_up(make_bench):
    bench = make_bench(transport="TCP")
    statuses = [_from_a_connection_of_its_own(bench, number, closed=number == 5) for number in range(34)]
    assert statuses == [*[200] * 33, 403]
    bound = [
        binding.contact.uri.port for binding in bench.core.registrar.registration("sip:alice@ims.example").bindings
    ]
    assert bound == [6000 + number for number in range(33) if number != 5]
