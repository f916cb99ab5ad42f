"""What the registrar decides where RFC 3261 10.3 leaves it to policy, and what it tells strangers."""

import pytest

from talkburst_core.registration_update import Limits

A = "<sip:alice@192.0.2.1>"
OK = "< SIP/2.0 200 OK"


@pytest.mark.parametrize(
    ("shortest", "asked", "line"),
    [
        (7200, 3599, "SIP/2.0 423 Interval Too Brief"),
        (7200, 3600, "SIP/2.0 200 OK"),  # an hour is never too brief
        (7200, 0, "SIP/2.0 200 OK"),
        (1, 1, "SIP/2.0 200 OK"),
    ],
)
def test_least_time_is_the_operators_and_an_hour_is_always_enough(
    make_bench, transcript_of, shortest: int, asked: int, line: str
) -> None:
    """RFC 3261 10.3 step 7: "If and only if"."""
    bench = make_bench(limits=Limits(shortest, 600000))
    bound = f"< Contact: {A};expires={asked}" if line.endswith("OK") and asked else ""
    least = f"< Min-Expires: {shortest if '423' in line else ''}"
    transcript_of(bench).play(f"> Contact: {A};expires={asked}\n< {line}\n{least}\n{bound}")


def test_requests_for_another_domain_are_passed_on_with_the_users_identity(registered) -> None:
    """RFC 3261 10.3 step 1; no criterion on REGISTER makes an application server take it for a registration with us."""
    (sent,) = registered.client("""
        REGISTER sip:198.51.100.9 SIP/2.0
        From: <sip:alice@ims.example>;tag=a
        To: <sip:alice@198.51.100.9>
        Call-ID: elsewhere
        CSeq: 1 REGISTER
        Contact: <sip:alice@127.0.0.1:5090>;+g.poc.talkburst
    """)
    assert (sent.line, sent.to) == ("REGISTER sip:198.51.100.9 SIP/2.0", ("198.51.100.9", 5060))
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@ims.example>"]
    assert sent.header("Record-Route") is None
    (answer,) = registered.answer(sent, "401 Unauthorized", 'WWW-Authenticate: Digest realm="x", nonce="1"')
    assert (answer.line, answer.to) == ("SIP/2.0 401 Unauthorized", ("127.0.0.1", 5090))
    assert not registered.reasons("third-party REGISTER")


@pytest.mark.parametrize(
    "to",
    [
        "<sip:bob@ims.example>",
        "<sip:bob@ims.example>;tag=forged",
        "<sip:%62ob@IMS.example>",
        "sip:alice@ims.example",
        "<tel:+12025550102>",
    ],
)
@pytest.mark.parametrize("route", ["", "Route: <sip:127.0.0.2:5070;lr>", "Route: <sip:127.0.0.1:5054;lr>"])
def test_no_user_registers_one_of_ours_elsewhere_for_application_servers_believe_the_core(
    registered, to: str, route: str
) -> None:
    """TS 24.229 5.4.1.7: what an application server is told of registrations comes from us; so does this REGISTER."""
    (answer,) = registered.client(f"""
        REGISTER sip:127.0.0.2:5070 SIP/2.0
        From: <sip:scscf.ims.example>;tag=a
        To: {to}
        Call-ID: forged
        CSeq: 1 REGISTER
        Contact: <sip:127.0.0.1:5090>
        Expires: 0
        {route or "Subject: no Route"}
    """)
    assert (answer.line, answer.to) == ("SIP/2.0 403 Forbidden", ("127.0.0.1", 5090))
    assert registered.reasons("403 to REGISTER: ")


def test_strangers_and_users_with_a_wrong_password_get_the_same_answers(bench) -> None:
    """RFC 3261 10.3 step 3 comes before steps 4 and 5: nobody learns from the registrar who is a user."""

    def answers(user: str) -> list[tuple[str, list[str]]]:
        text = f"""
            REGISTER sip:ims.example SIP/2.0
            From: <sip:{user}@ims.example>;tag=a
            To: <sip:{user}@ims.example>
            Call-ID: {user}
            Contact: <sip:{user}@192.0.2.1>
        """
        first = bench.client(text + "CSeq: 1 REGISTER")[0]
        wrong = bench.credentials(first, f"{user}@ims.example", "guess", "REGISTER", "sip:ims.example")
        second = bench.client(text + f"CSeq: 2 REGISTER\nAuthorization: {wrong}")[0]
        unnamed = [[name for name, _ in each.message.header_lines()] for each in (first, second)]
        challenges = [(each.header("WWW-Authenticate") or "").split('nonce="') for each in (first, second)]
        return [
            (each.line, [*names, parts[0], parts[1][52:]])
            for each, names, parts in zip((first, second), unnamed, challenges, strict=True)
        ]

    assert answers("zed") == answers("alice")
    assert bench.reasons("401 to REGISTER: no such private id as zed@ims.example")


def test_stranger_is_offered_the_algorithms_of_a_user_and_always_the_same(make_bench) -> None:
    bench = make_bench(
        credentials='["alice@ims.example"]\npassword="a"\nalgorithms=["SHA-256", "MD5"]\n'
        '["bob@ims.example"]\npassword="b"\nalgorithms=["MD5"]\n'
    )

    def offered(user: str, call: int) -> int:
        (challenge,) = bench.client(f"""
            REGISTER sip:ims.example SIP/2.0
            From: <sip:{user}@ims.example>;tag=a
            To: <sip:{user}@ims.example>
            Call-ID: {user}{call}
            CSeq: 1 REGISTER
        """)
        return len(challenge.headers("WWW-Authenticate"))

    numbers = [[offered(f"nobody{number}", call) for call in range(2)] for number in range(16)]
    assert all(first == second for first, second in numbers)
    assert {first for first, _ in numbers} == {1, 2}


@pytest.mark.parametrize("who", ["sip:zed@ims.example", "tel:+12025559999", "tel:+12025550102", "sip:bob@ims.example"])
def test_proxy_asks_users_and_strangers_alike(bench, who: str) -> None:
    headers = f"P-Preferred-Identity: <{who}>"
    (answer,) = bench.subscribe("presence", source=("127.0.0.1", 5099), uri=who, headers=headers)
    assert answer.line == "SIP/2.0 407 Proxy Authentication Required"
    assert 'realm="ims.example"' in answer.header("Proxy-Authenticate")
