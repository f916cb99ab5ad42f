from typing import Any

import pytest

from talkburst.sip.digest import DigestClient, DigestVerifier, Verdict
from talkburst.sip.headers import parse_auth
from talkburst.sip.message import Request, Response
from talkburst.sip.requester import Requester
from talkburst.sip.transaction.client import Failure

OURS = ("192.0.2.1", 5060)
CHALLENGE = 'WWW-Authenticate: Digest realm="ims.example", nonce="{}", qop="auth", algorithm=MD5'


class Bench:
    def __init__(self, net: Any, credentials: DigestClient | None) -> None:
        self.net = net
        self.requester = Requester(net.engine(OURS), credentials, net.token)
        self.outcomes: list[Response | Failure] = []

    def send(self, cseq: int = 1, **options: Any) -> Request:
        """Sends a REGISTER and returns what came out."""
        request = Request(
            "REGISTER",
            "sip:192.0.2.9:5090",
            [
                ("From", "<sip:alice@ims.example>;tag=a1"),
                ("To", "<sip:alice@ims.example>"),
                ("Call-ID", "c1"),
                ("CSeq", f"{cseq} REGISTER"),
            ],
        )
        self.requester.send(request, lambda outcome, now: self.outcomes.append(outcome), self.net.now, **options)
        assert request.cseq.number == cseq
        return self.sent()

    def answer(self, status: str, *headers: str) -> Request | None:
        """Answers the last request, and returns the one that this led to."""
        before = len(self.net.sent("REGISTER"))
        self.net.answer(self.last, status, *headers, to=OURS)
        return self.sent() if len(self.net.sent("REGISTER")) > before else None

    def sent(self) -> Request:
        self.net.run(0.1)
        self.last: Request = self.net.sent("REGISTER")[-1]
        return self.last

    def results(self) -> list[object]:
        return [outcome.status if isinstance(outcome, Response) else outcome for outcome in self.outcomes]


@pytest.fixture
def bench(net: Any) -> Bench:
    return Bench(net, DigestClient("alice@ims.example", "alice"))


def test_a_challenge_is_answered_with_the_next_cseq_and_another_branch(bench: Bench) -> None:
    first = bench.send()
    second = bench.answer("401 Unauthorized", CHALLENGE.format("n1"))
    assert second is not None
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert first.via.branch != second.via.branch
    assert len(second.vias) == 1
    assert second.call_id == first.call_id
    assert second.from_.tag == first.from_.tag
    credentials = parse_auth(second.get("Authorization") or "")
    assert {name: credentials.params[name] for name in ("username", "nonce", "nc", "uri")} == {
        "username": "alice@ims.example",
        "nonce": "n1",
        "nc": "00000001",
        "uri": "sip:192.0.2.9:5090",
    }
    assert bench.answer("200 OK") is None
    assert bench.results() == [200]


def test_what_is_sent_satisfies_a_verifier(bench: Bench) -> None:
    verifier = DigestVerifier(b"key")
    bench.send()
    nonce = verifier.issue("alice@ims.example", bench.net.now)
    second = bench.answer("401 Unauthorized", CHALLENGE.format(nonce))
    assert second is not None
    credentials = parse_auth(second.get("Authorization") or "")
    assert verifier.verify(credentials, "REGISTER", "alice", bench.net.now) is Verdict.OK


def test_the_same_challenge_again_means_a_wrong_password(bench: Bench) -> None:
    bench.send()
    assert bench.answer("401 Unauthorized", CHALLENGE.format("n1")) is not None
    assert bench.answer("401 Unauthorized", CHALLENGE.format("n2")) is None
    assert bench.results() == [401]


def test_a_stale_nonce_is_replaced(bench: Bench) -> None:
    bench.send()
    bench.answer("401 Unauthorized", CHALLENGE.format("n1"))
    third = bench.answer("401 Unauthorized", CHALLENGE.format("n2") + ", stale=true")
    assert third is not None
    assert third.cseq.number == 3
    assert len(third.get_all("Authorization")) == 1
    assert parse_auth(third.get("Authorization") or "").params["nonce"] == "n2"


def test_a_server_that_finds_every_nonce_stale_is_not_asked_for_ever(bench: Bench) -> None:
    bench.send()
    number = 0
    while bench.answer("401 Unauthorized", CHALLENGE.format(f"n{number}") + ", stale=TRUE") is not None:
        number += 1
        assert number < 10
    assert bench.results() == [401]


def test_a_proxy_and_the_registrar_may_both_challenge(bench: Bench) -> None:
    bench.send()
    proxy = CHALLENGE.format("p1").replace("WWW", "Proxy")
    assert bench.answer("407 Proxy Authentication Required", proxy) is not None
    third = bench.answer("401 Unauthorized", CHALLENGE.format("n1"))
    assert third is not None
    assert parse_auth(third.get("Proxy-Authorization") or "").params["nonce"] == "p1"
    assert parse_auth(third.get("Authorization") or "").params["nonce"] == "n1"


def test_the_next_request_of_the_call_identifies_itself_at_once(bench: Bench) -> None:
    bench.send()
    bench.answer("401 Unauthorized", CHALLENGE.format("n1"))
    bench.answer("200 OK")
    refresh = bench.send(cseq=3)
    credentials = parse_auth(refresh.get("Authorization") or "")
    assert (credentials.params["nonce"], credentials.params["nc"]) == ("n1", "00000002")
    bench.answer("200 OK")
    assert bench.results() == [200, 200]


def test_a_nonce_that_got_too_old_in_between_costs_one_more_round(bench: Bench) -> None:
    bench.send()
    bench.answer("401 Unauthorized", CHALLENGE.format("n1"))
    bench.answer("200 OK")
    bench.send(cseq=3)
    again = bench.answer("401 Unauthorized", CHALLENGE.format("n2"))
    assert again is not None
    assert parse_auth(again.get("Authorization") or "").params["nonce"] == "n2"


def test_a_password_that_was_refused_is_not_offered_unasked(bench: Bench) -> None:
    bench.send()
    bench.answer("401 Unauthorized", CHALLENGE.format("n1"))
    bench.answer("403 Forbidden")
    assert bench.results() == [403]
    assert bench.send(cseq=3).get("Authorization") is None


@pytest.mark.parametrize(
    "challenge",
    [
        "X: 1",
        'WWW-Authenticate: Basic realm="x"',
        'WWW-Authenticate: Digest realm="x", nonce="n", algorithm=ROT13',
        "WWW-Authenticate: Digest nonsense",
    ],
)
def test_a_challenge_that_cannot_be_answered_is_the_callers(bench: Bench, challenge: str) -> None:
    bench.send()
    assert bench.answer("401 Unauthorized", challenge) is None
    assert bench.results() == [401]


def test_without_credentials_a_challenge_is_the_callers(net: Any) -> None:
    bench = Bench(net, None)
    bench.send()
    assert bench.answer("401 Unauthorized", CHALLENGE.format("n1")) is None
    assert bench.results() == [401]


def test_the_caller_may_number_the_repetitions(bench: Bench) -> None:
    bench.send(next_cseq=lambda: 41)
    second = bench.answer("401 Unauthorized", CHALLENGE.format("n1"))
    assert second is not None
    assert str(second.cseq) == "41 REGISTER"


@pytest.mark.parametrize("status", ["200 OK", "423 Interval Too Brief", "503 Service Unavailable", "302 Moved"])
def test_every_other_final_answer_is_passed_on_once(bench: Bench, status: str) -> None:
    bench.send()
    bench.answer("100 Trying")
    assert bench.results() == []
    bench.answer(status)
    bench.answer(status)
    assert bench.results() == [int(status[:3])]


def test_no_answer_at_all_is_a_timeout(bench: Bench) -> None:
    bench.send()
    bench.net.run(33)
    assert bench.results() == [Failure.TIMEOUT]


def test_the_callers_patience_may_be_shorter(bench: Bench) -> None:
    bench.send(timeout=5.0)
    bench.net.run(6)
    assert bench.results() == [Failure.TIMEOUT]
