"""Digest: the hashes, the server's judgement, the client's answers."""

import base64
import itertools
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from talkburst.sip import AuthHeader, parse_auth
from talkburst.sip.digest import (
    DigestClient,
    DigestVerifier,
    NonceIssuer,
    Verdict,
    answer,
    challenge,
    is_supported,
    password_hash,
    response_hash,
)

USER, REALM, PASSWORD = "alice@ims.example.test", "ims.example.test", "s3cret"
URI, NONCE, CNONCE = "sip:ims.example.test", "bm9uY2UtMDAwMQ==", "0a4f113b"


def digest(algorithm: str, qop: str, method: str = "REGISTER", password: str = PASSWORD, nonce: str = NONCE) -> str:
    ha1 = password_hash(algorithm, USER, REALM, password)
    return response_hash(
        algorithm, ha1, method=method, uri=URI, nonce=nonce, nc="00000001", cnonce=CNONCE, qop=qop
    )  # fmt: skip


@pytest.mark.parametrize(
    ("algorithm", "qop", "method", "expected"),
    [
        ("MD5", "auth", "REGISTER", "572319d26633bfb553b3e25566e88030"),
        ("MD5", "", "REGISTER", "6709615d808eb0d5dac79b3941e195a5"),
        ("md5", "auth-int", "REGISTER", "c077e9279176c3c146821a8e650ad843"),
        ("MD5", "auth", "", "e5ba8c82b864828236c0fb367617e9b6"),
        ("SHA-256", "auth", "REGISTER", "0a34c037efb35223bb4e5b4dc7a36d1ef0de785240e3c538b56d82bff55b1643"),
        ("SHA-256", "", "REGISTER", "0a0c46659931c35c5af7eadafd653de307cfb21682da5ceb332885ac634cacd7"),
        ("SHA-256", "auth-int", "REGISTER", "3478da29c5849f38f98ac6e8b4429d4d7eb1220fcdf134198578eefb5b439933"),
    ],
)
def test_known_responses(algorithm, qop, method, expected):
    assert digest(algorithm, qop, method) == expected


def test_password_may_be_raw_octets_as_aka_has_them():
    nonce = "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M="
    res = bytes.fromhex("a54211d5e3ba50bf").decode("utf-8", "surrogateescape")
    assert len(base64.b64decode(nonce)) == 32
    assert digest("MD5", "auth", password=res, nonce=nonce) == "ac462253115c6d561d56a097ddc12b6d"
    assert digest("MD5", "auth", password="", nonce=nonce) == "32eff705ab3292c0b31483cb7860b3a9"


ALGORITHMS = ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"]


def tokens():
    return map(str, itertools.count(1)).__next__


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("qop", ["auth", "auth-int", ""])
def test_client_satisfies_the_verifier(algorithm, qop):
    verifier, client = DigestVerifier(b"key", 300), DigestClient(USER, PASSWORD, REALM)
    offered = challenge(realm=REALM, nonce=verifier.issue(USER, 0.0), algorithm=algorithm, qop=qop, opaque="o")
    given = client.authorization([parse_auth(str(offered))], "PUBLISH", URI, b"<x/>", tokens())
    assert given is not None
    received = parse_auth(str(given))
    assert received.params["opaque"] == "o"
    assert verifier.verify(received, "PUBLISH", "wrong", 1.0, b"<x/>") is Verdict.WRONG
    assert verifier.verify(received, "REGISTER", PASSWORD, 1.0, b"<x/>") is Verdict.WRONG
    assert (verifier.verify(received, "PUBLISH", PASSWORD, 1.0, b"changed") is Verdict.WRONG) is (qop == "auth-int")
    other = DigestVerifier(b"key", 300)
    ha1 = password_hash(algorithm, USER, REALM, PASSWORD)
    assert other.verify(received, "PUBLISH", None, 1.0, b"<x/>", ha1=ha1) is Verdict.OK
    assert other.verify(received, "PUBLISH", None, 1.0, b"<x/>", ha1=ha1) is Verdict.STALE


def credentials(
    verifier: DigestVerifier,
    now: float = 0.0,
    nc: int = 1,
    nonce: str | None = None,
    changes: Mapping[str, str | None] = MappingProxyType({}),
) -> AuthHeader:
    offered = challenge(realm=REALM, nonce=verifier.issue(USER, now) if nonce is None else nonce)
    given = answer(
        offered, username=USER, password=PASSWORD, method="REGISTER", uri=URI, body=b"", cnonce=CNONCE, nc=nc
    )  # fmt: skip
    for name, value in changes.items():
        if value is None:
            del given.params[name]
        else:
            given.params[name] = value
    return given


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.OK),
        ({"unknown": "directive"}, Verdict.OK),
        ({"response": ""}, Verdict.NO_CREDENTIALS),
        ({"response": None}, Verdict.NO_CREDENTIALS),
        ({"nonce": ""}, Verdict.NO_CREDENTIALS),
        ({"nonce": None}, Verdict.NO_CREDENTIALS),
        ({"username": None}, Verdict.BAD),
        ({"realm": None}, Verdict.BAD),
        ({"uri": ""}, Verdict.BAD),
        ({"cnonce": None}, Verdict.BAD),
        ({"nc": None}, Verdict.BAD),
        ({"nc": "1"}, Verdict.BAD),
        ({"nc": "0000000x"}, Verdict.BAD),
        ({"nc": "00000000"}, Verdict.BAD),
        ({"nc": "+0000001"}, Verdict.BAD),
        ({"qop": "other"}, Verdict.BAD),
        ({"algorithm": "MD6"}, Verdict.BAD),
        ({"algorithm": "MD5-sess", "qop": None, "cnonce": None}, Verdict.BAD),
        ({"response": "0" * 32}, Verdict.WRONG),
        ({"response": "é\udcff"}, Verdict.WRONG),
        ({"uri": "sip:elsewhere"}, Verdict.WRONG),
        ({"username": "bob"}, Verdict.WRONG),
    ],
)
def test_verdict_on_credentials(changes, verdict):
    verifier = DigestVerifier(b"key", 300)
    assert verifier.verify(credentials(verifier, changes=changes), "REGISTER", PASSWORD, 0.0) is verdict


@pytest.mark.parametrize(
    ("nc", "verdict"),
    [
        ("1", Verdict.OK),
        ("0000001", Verdict.OK),
        ("00000001", Verdict.OK),
        ("", Verdict.BAD),
        ("0", Verdict.BAD),
        ("x", Verdict.BAD),
        ("000000001", Verdict.BAD),
    ],
)
def test_short_nonce_count_is_good_where_that_is_tolerated(nc, verdict):
    verifier = DigestVerifier(b"key", 300)
    given = credentials(verifier, changes={"nc": nc})
    given.params["response"] = response_hash(
        "MD5",
        password_hash("MD5", USER, REALM, PASSWORD),
        method="REGISTER",
        uri=URI,
        nonce=given.params["nonce"],
        nc=nc,
        cnonce=CNONCE,
        qop="auth",
        body=b"",
    )
    assert verifier.verify(given, "REGISTER", PASSWORD, 1.0, short_count=True) is verdict


@pytest.mark.parametrize("given", [None, AuthHeader("Basic", {"x": "y"}), AuthHeader("Digest")])
def test_without_digest_there_are_no_credentials(given):
    assert DigestVerifier(b"key", 300).verify(given, "REGISTER", PASSWORD, 0.0) is Verdict.NO_CREDENTIALS


def test_unknown_password_is_a_wrong_one():
    verifier = DigestVerifier(b"key", 300)
    assert verifier.verify(credentials(verifier), "REGISTER", None, 0.0) is Verdict.WRONG


def test_first_register_of_ims_is_no_failed_attempt():
    given = parse_auth(f'Digest username="{USER}", realm="{REALM}", uri="{URI}", nonce="", response=""')
    assert DigestVerifier(b"key", 300).verify(given, "REGISTER", PASSWORD, 0.0) is Verdict.NO_CREDENTIALS


def test_nonce_is_stale_after_its_lifetime_but_only_for_the_right_password():
    verifier = DigestVerifier(b"key", 300)
    given = credentials(verifier, now=1000.0)
    assert verifier.verify(given, "REGISTER", PASSWORD, 1299.9) is Verdict.OK
    later = credentials(verifier, nonce=given.params["nonce"], nc=2)
    assert verifier.verify(later, "REGISTER", PASSWORD, 1300.0) is Verdict.STALE
    assert verifier.verify(later, "REGISTER", "wrong", 1300.0) is Verdict.WRONG


def test_count_that_does_not_rise_is_a_replay():
    verifier = DigestVerifier(b"key", 300)
    nonce = verifier.issue(USER, 0.0)
    counts = [
        (1, Verdict.OK),
        (1, Verdict.STALE),
        (3, Verdict.OK),
        (2, Verdict.STALE),
        (3, Verdict.STALE),
        (4, Verdict.OK),
    ]
    for nc, verdict in counts:
        assert verifier.verify(credentials(verifier, nonce=nonce, nc=nc), "REGISTER", PASSWORD, 1.0) is verdict
    assert verifier.verify(credentials(verifier), "REGISTER", PASSWORD, 1.0) is Verdict.OK  # the same cnonce elsewhere


def test_nonce_without_a_count_serves_once():
    verifier = DigestVerifier(b"key", 300)
    given = answer(
        challenge(realm=REALM, nonce=verifier.issue(USER, 0.0), qop=""),
        username=USER, password=PASSWORD, method="REGISTER", uri=URI, body=b"", cnonce="", nc=1,
    )  # fmt: skip
    assert "nc" not in given.params
    assert verifier.verify(given, "REGISTER", PASSWORD, 0.0) is Verdict.OK
    assert verifier.verify(given, "REGISTER", PASSWORD, 0.0) is Verdict.STALE


def test_wrong_password_does_not_use_up_a_count():
    verifier = DigestVerifier(b"key", 300)
    given = credentials(verifier)
    assert verifier.verify(given, "REGISTER", "wrong", 0.0) is Verdict.WRONG
    assert verifier.verify(given, "REGISTER", PASSWORD, 0.0) is Verdict.OK


@pytest.mark.parametrize("nonce", [NONCE, "0" * 52, "é" * 52, "f" * 51, "x" * 52])
def test_nonce_of_another_is_stale_for_the_right_password(nonce):
    verifier = DigestVerifier(b"key", 300)
    assert verifier.verify(credentials(verifier, nonce=nonce), "REGISTER", PASSWORD, 0.0) is Verdict.STALE


def test_nonce_is_hexadecimal_and_bound_to_identity_and_key():
    issuer = NonceIssuer(b"key", 300)
    nonce = issuer.issue(USER, 1.7e9)
    assert set(nonce) <= set("0123456789abcdef")
    assert nonce != issuer.issue(USER, 1.7e9)
    assert issuer.expiry(nonce, USER) == 1.7e9 + 300
    assert issuer.expiry(nonce, "bob") is None
    assert NonceIssuer(b"other", 300).expiry(nonce, USER) is None
    assert NonceIssuer(b"key", 300).expiry(nonce, USER) == 1.7e9 + 300


def test_nonce_may_be_bound_to_another_name_than_the_username():
    verifier = DigestVerifier(b"key", 300)
    nonce = verifier.issue("private", 0.0)
    given = credentials(verifier, nonce=nonce)
    assert verifier.verify(given, "REGISTER", PASSWORD, 0.0) is Verdict.STALE
    assert verifier.verify(given, "REGISTER", PASSWORD, 0.0, private_id="private") is Verdict.OK


def test_counts_are_forgotten_with_their_nonces():
    verifier = DigestVerifier(b"key", 10)
    for second in range(100):
        for _ in range(5):
            assert verifier.verify(credentials(verifier, now=second), "REGISTER", PASSWORD, second) is Verdict.OK
        assert len(verifier._counts) + len(verifier._former) <= 100
    verifier.verify(None, "REGISTER", PASSWORD, 1000.0)
    assert (verifier._counts, verifier._former) == ({}, {})


@pytest.mark.parametrize("issued", range(20))
def test_replay_is_stale_for_as_long_as_the_nonce_lives(issued: int) -> None:
    """Whenever the counts of the lifetime before are forgotten meanwhile."""
    verifier = DigestVerifier(b"key", 10)
    verifier.verify(None, "REGISTER", PASSWORD, 3)
    given = credentials(verifier, now=issued)
    assert verifier.verify(given, "REGISTER", PASSWORD, issued) is Verdict.OK
    for later in range(issued, issued + 10):
        assert verifier.verify(given, "REGISTER", PASSWORD, later) is Verdict.STALE


def test_client_takes_the_topmost_challenge_it_can_answer():
    client = DigestClient(USER, PASSWORD, REALM)
    offered = [
        AuthHeader("Basic", {"realm": REALM}),
        challenge(realm=REALM, nonce="1", algorithm="AKAv2-SHA-256"),
        challenge(realm=REALM, nonce="2", qop="unheard-of"),
        challenge(realm="elsewhere", nonce="3"),
        challenge(realm=REALM, nonce="4", algorithm="SHA-256", qop="auth-int, auth"),
        challenge(realm=REALM, nonce="5"),
    ]
    assert [is_supported(each) for each in offered] == [False, False, False, True, True, True]
    given = client.authorization(offered, "REGISTER", URI, b"", lambda: "c")
    assert given is not None
    assert (given.params["nonce"], given.params["algorithm"], given.params["qop"]) == ("4", "SHA-256", "auth")
    assert client.authorization(offered[:4], "REGISTER", URI, b"", lambda: "c") is None


def test_client_of_no_realm_answers_any():
    offered = [challenge(realm="anywhere", nonce="1")]
    assert DigestClient(USER, PASSWORD).authorization(offered, "REGISTER", URI, b"", lambda: "c") is not None


def test_client_counts_the_uses_of_each_nonce():
    client = DigestClient(USER, PASSWORD, REALM)

    def count(nonce: str) -> str:
        given = client.authorization([challenge(realm=REALM, nonce=nonce)], "REGISTER", URI, b"", lambda: "c")
        assert given is not None
        return given.params["nc"]

    assert [count("1"), count("1"), count("2"), count("1")] == ["00000001", "00000002", "00000001", "00000003"]
    for number in range(1000):
        count(f"n{number}")
    assert len(client._uses) <= client.MAX_NONCES


def test_challenge_is_written_as_the_grammar_wants_it():
    assert str(challenge(realm="r", nonce="n", algorithm="SHA-256", stale=True)) == (
        'Digest realm="r", nonce="n", stale=true, algorithm=SHA-256, qop="auth"'
    )
    given = DigestClient("u", "p").authorization(
        [challenge(realm="r", nonce="n")], "REGISTER", "sip:h", b"", lambda: "c"
    )
    assert str(given).startswith('Digest username="u", realm="r", nonce="n", uri="sip:h", response="')
    assert str(given).endswith('", algorithm=MD5, cnonce="c", qop=auth, nc=00000001')


def test_a_nonce_from_before_a_restart_is_stale_however_right_the_digest_is():
    before, after = DigestVerifier(b"key", 300), DigestVerifier(b"key", 300, not_before=1.7e9 + 10)
    nonce = before.issue(USER, 1.7e9)
    given = answer(
        challenge(realm="ims.example", nonce=nonce),
        username=USER,
        password="secret",
        method="REGISTER",
        uri="sip:ims.example",
        body=b"",
        cnonce="c",
        nc=1,
    )
    assert before.verify(given, "REGISTER", "secret", 1.7e9 + 11) is Verdict.OK
    assert after.verify(given, "REGISTER", "secret", 1.7e9 + 11) is Verdict.STALE
    assert after.verify(given, "REGISTER", "wrong", 1.7e9 + 11) is Verdict.WRONG
