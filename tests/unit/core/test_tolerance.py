"""Faults of clients that are read over: each by its name, counted, and only where the operator has it so."""

import hashlib
import re

import pytest

REGISTER = """
    REGISTER sip:alice@ims.example SIP/2.0
    From: <sip:alice@ims.example>;tag=a
    To: <sip:alice@ims.example>
    Call-ID: careless
    CSeq: {number} REGISTER
    Contact: <sip:alice@127.0.0.1:5090>;+g.poc.talkburst
    Authorization: {credentials}
"""
URI = "sip:ims.example"


def without_count(given: str, username: str, password: str) -> str:
    """The same answer as RFC 2069 had it, the qop of the challenge echoed."""
    digest = [
        hashlib.md5(text.encode()).hexdigest() for text in (f"{username}:ims.example:{password}", f"REGISTER:{URI}")
    ]
    nonce = re.search('nonce="([0-9a-f]+)"', given)[1]
    response = hashlib.md5(f"{digest[0]}:{nonce}:{digest[1]}".encode()).hexdigest()
    given = re.sub('response="[0-9a-f]+"', f'response="{response}"', given)
    return given.replace(', cnonce="0a4f113b", nc=', "")


def register(bench, username: str, count: str, password: str = "alice") -> str:
    """What a client gets that answers its challenge so."""
    empty = f'Digest username="alice@ims.example", realm="ims.example", uri="{URI}", nonce="", response=""'
    (challenge,) = bench.client(REGISTER.format(number=1, credentials=empty))
    given = bench.credentials(challenge, username, password, "REGISTER", URI, count=count)
    if not count:
        given = without_count(given, username, password)
    return bench.client(REGISTER.format(number=2, credentials=given))[0].line


@pytest.mark.parametrize(
    ("username", "count", "name"),
    [
        ("alice", "00000001", "bare-username"),
        ("alice@ims.example", "1", "short-nonce-count"),
        ("alice@ims.example", "", "qop-without-count"),
    ],
)
def test_tolerated_fault_is_logged_and_counted(make_bench, username: str, count: str, name: str) -> None:
    bench = make_bench()
    assert register(bench, username, count) == "SIP/2.0 200 OK"
    assert bench.reasons(f"tolerated {name}")
    assert bench.engine.counters[f"tolerated_{name}"] == 1


@pytest.mark.parametrize(
    ("username", "count", "line"),
    [
        ("alice", "00000001", "SIP/2.0 401 Unauthorized"),
        ("alice@ims.example", "1", "SIP/2.0 400 Bad Request"),
        ("alice@ims.example", "", "SIP/2.0 400 Bad Request"),
    ],
)
def test_fault_that_is_not_tolerated_is_refused(make_bench, username: str, count: str, line: str) -> None:
    bench = make_bench(tolerate=frozenset())
    assert register(bench, username, count) == line
    assert not bench.reasons("tolerated")
    assert not list(bench.core.registrar.registrations())


@pytest.mark.parametrize(("username", "password"), [("alice", "bob"), ("mallory", "alice")])
def test_tolerance_does_not_reach_to_the_password(make_bench, username: str, password: str) -> None:
    bench = make_bench()
    assert register(bench, username, "1", password) == "SIP/2.0 401 Unauthorized"
    assert not list(bench.core.registrar.registrations())


def test_client_without_faults_has_none_counted(make_bench) -> None:
    bench = make_bench()
    assert register(bench, "alice@ims.example", "00000001") == "SIP/2.0 200 OK"
    assert not [name for name in bench.engine.counters if name.startswith("tolerated")]
