"""What other RFCs add to REGISTER: Path, Service-Route, P-Associated-URI, instances and flows, SIPS, Digest algorithms.

Rows are transcripts, as in test_rfc3261_10_3.py.
"""

import hashlib
import re

import pytest

A = "<sip:alice@192.0.2.1>"
OK = "< SIP/2.0 200 OK"
ALICE = "<sip:alice@ims.example>, <sip:+12025550101@ims.example;user=phone>, <tel:+12025550101>"
ROUTE = "<sip:orig@127.0.0.1:5060;lr>"
ONE = '+sip.instance="<urn:uuid:1>"'
TWO = '+sip.instance="<urn:uuid:2>"'
PROXIED = """
        > Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK{0}p
        > Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{0}"""

STATEMENTS = {
    # RFC 3327
    "RFC 3327 5.3: the Path is copied into the 200, in its order": f"""
        > Supported: path
        > Path: <sip:p1.example;lr>, <sip:p2.example;lr>
        > Path: <sip:p3.example;lr>
        > Contact: {A}
        {OK}
        < Path: <sip:p1.example;lr>, <sip:p2.example;lr>
        < Path: <sip:p3.example;lr>
        < Contact: {A};expires=3600
        > Call-ID: fetch
        {OK}
        < Path:
        < Contact: {A};expires=3600
    """,
    "RFC 3327 5.3: a Path without Supported: path is taken, as local policy may": f"""
        > Path: <sip:p1.example;lr>
        > Contact: {A}
        {OK}
        < Path: <sip:p1.example;lr>
        < Contact: {A};expires=3600
    """,
    "RFC 3327 4: a Path that leads nowhere": f"""
        > Path: <tel:+12025550101>
        > Contact: {A}
        < SIP/2.0 400 Path <tel:+12025550101> is not a SIP URI
        > Call-ID: fetch
        {OK}
    """,
    # RFC 3608 and RFC 7315
    "RFC 3608 6.3 and RFC 7315 4.1: in every 200 while registered, the associated URIs always": f"""
        > Contact: {A}
        {OK}
        < Service-Route: {ROUTE}
        < P-Associated-URI: {ALICE}
        < Contact: {A};expires=3600
        > Call-ID: fetch
        {OK}
        < Service-Route: {ROUTE}
        < P-Associated-URI: {ALICE}
        < Contact: {A};expires=3600
        > Contact: {A};expires=0
        {OK}
        < Service-Route:
        < P-Associated-URI: {ALICE}
    """,
    "RFC 7315 4.1 and TS 24.229 5.4.1.2: the same whichever identity of the set is registered": f"""
        > To: <sip:+12025550101@ims.example;user=phone>
        > Contact: {A}
        {OK}
        < P-Associated-URI: {ALICE}
        < Contact: {A};expires=3600
    """,
    "RFC 3608 6.3 and RFC 7315 4.1: in no refusal": f"""
        > Contact: {A};expires=1
        < SIP/2.0 423 Interval Too Brief
        < Service-Route:
        < P-Associated-URI:
    """,
    # RFC 5626 6
    "RFC 5626 6: an instance and flow keep their binding when the URI changes": f"""
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
        > Contact: <sip:alice@192.0.2.7:1>;{ONE};reg-id=1
        {OK}
        < Contact: <sip:alice@192.0.2.7:1>;{ONE};reg-id=1;expires=3600
        < Require:
    """,
    "RFC 5626 6: another flow, another instance, none at all: side by side": f"""
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
        > Contact: <sip:alice@192.0.2.2>;{ONE};reg-id=2
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
        < Contact: <sip:alice@192.0.2.2>;{ONE};reg-id=2;expires=3600
        > Contact: <sip:alice@192.0.2.3>;{TWO};reg-id=1, <sip:alice@192.0.2.2>;expires=0
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
        < Contact: <sip:alice@192.0.2.3>;{TWO};reg-id=1;expires=3600
        > Contact: <sip:alice@192.0.2.4>
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
        < Contact: <sip:alice@192.0.2.3>;{TWO};reg-id=1;expires=3600
        < Contact: <sip:alice@192.0.2.4>;expires=3600
    """,
    "RFC 5626 6: CSeq is compared for the binding, also under another URI": f"""
        > CSeq: 5 REGISTER
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
        > CSeq: 4 REGISTER
        > Contact: <sip:alice@192.0.2.7>;{ONE};reg-id=1
        < SIP/2.0 500 CSeq 4 is not higher than 5 of the same Call-ID
    """,
    "RFC 5626 6: a device that moves may remove its former URI with the same request": f"""
        > Contact: {A};{ONE}
        {OK}
        < Contact: {A};{ONE};expires=3600
        > Contact: <sip:alice@192.0.2.7>;{ONE}
        > Contact: {A};{ONE};expires=0
        {OK}
        < Contact: <sip:alice@192.0.2.7>;{ONE};expires=3600
    """,
    "RFC 5626 6: reg-id without an instance is ignored": f"""
        > Contact: {A};reg-id=1
        {OK}
        < Contact: {A};expires=3600
        > Contact: {A};reg-id=2
        {OK}
        < Contact: {A};expires=3600
    """,
    "RFC 5626 6: several contacts with one reg-id among them": f"""
        > Contact: {A};{ONE};reg-id=1, <sip:alice@192.0.2.2>
        < SIP/2.0 400 Contact with reg-id is registered alone
        > Contact: {A};{ONE};reg-id=1, <sip:alice@192.0.2.2>;expires=0
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
    """,
    "RFC 5626 6: behind a proxy that keeps no flow, reg-id is ignored": f"""{PROXIED.format("a")}
        > Path: <sip:edge.example;lr>
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Contact: {A};{ONE};expires=3600{PROXIED.format("b")}
        > Contact: <sip:alice@192.0.2.7>;{ONE};reg-id=2
        {OK}
        < Contact: <sip:alice@192.0.2.7>;{ONE};expires=3600
    """,
    "RFC 5626 6: behind a proxy that keeps one, it counts": f"""{PROXIED.format("a")}
        > Path: <sip:flow@edge.example;lr;ob>
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
    """,
    "RFC 5626 6: behind two proxies, the first of them has to keep one": f"""{PROXIED.format("a")}
        > Path: <sip:inner.example;lr>, <sip:flow@edge.example;lr;ob>
        > Contact: {A};{ONE};reg-id=1
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600{PROXIED.format("b")}
        > Path: <sip:inner.example;lr;ob>, <sip:edge.example;lr>
        > Contact: {A};{TWO};reg-id=1
        {OK}
        < Contact: {A};{ONE};reg-id=1;expires=3600
        < Contact: {A};{TWO};expires=3600
    """,
    # RFC 5630
    "RFC 5630 5.2: a SIPS contact has no way here that is SIPS": """
        > REGISTER sips:ims.example SIP/2.0
        > Contact: <sips:alice@192.0.2.1>
        < SIP/2.0 400 Contact is SIPS and the REGISTER did not come over TLS
        > Contact: <sip:alice@192.0.2.1>, <sips:alice@192.0.2.1>
        < SIP/2.0 400 Contact is SIPS and Request-URI is not
        > Call-ID: fetch
        < SIP/2.0 200 OK
    """,
    # RFC 4475, what it has of REGISTER beyond RFC 3261
    "RFC 4475 3.3.12 to 3.3.14: parameters and headers of a contact stay where they are": """
        > Contact: <sip:alice@192.0.2.1;unknown=1?Route=%3Csip:x%3E>;unknown=2
        < SIP/2.0 200 OK
        < Contact: <sip:alice@192.0.2.1;unknown=1?Route=%3Csip:x%3E>;unknown=2;expires=3600
    """,
    "RFC 4475 3.1.1.4: an escaped NUL ends nothing": """
        > Contact: <sip:%00@192.0.2.1>, <sip:%00%00@192.0.2.1>
        < SIP/2.0 200 OK
        < Contact: <sip:%00@192.0.2.1>;expires=3600
        < Contact: <sip:%00%00@192.0.2.1>;expires=3600
    """,
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_registrar_does_what_the_extension_says(transcript, statement: str) -> None:
    transcript.play(STATEMENTS[statement])


def test_path_is_the_route_to_the_contact(bench, transcript) -> None:
    """RFC 3327 5.4, for each binding its own."""
    transcript.play(f"""
        > Path: <sip:127.0.0.5;lr>, <sip:127.0.0.6;lr>
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
    """)
    (sent,) = bench.subscribe("x", method="MESSAGE", source=("127.0.0.2", 5070), asserted="sip:poc.ims.example")
    assert sent.message.values("Route") == ["<sip:127.0.0.5;lr>", "<sip:127.0.0.6;lr>"]
    assert (sent.line, sent.to) == ("MESSAGE sip:alice@192.0.2.1 SIP/2.0", ("127.0.0.5", 5060))


# Digest


CREDENTIALS = '["alice@ims.example"]\npassword = "alice"\nalgorithms = {}\n'
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


class Digest:
    """One challenge of the registrar, and answers to it that are worked out here (RFC 7616 3.4, RFC 3261 22.4)."""

    def __init__(self, bench, algorithm: str) -> None:
        self.bench, self.algorithm, self.cseq = bench, algorithm, 1
        challenge = self.register(None)
        self.offers = challenge.headers("WWW-Authenticate")
        self.nonce = re.search('nonce="([^"]*)"', self.offers[0])[1]

    def register(self, credentials: str | None):
        authorization = "" if credentials is None else f"Authorization: Digest {credentials}"
        self.cseq += 1
        return self.bench.client(f"""
            REGISTER sip:ims.example SIP/2.0
            From: <sip:alice@ims.example>;tag=a
            To: <sip:alice@ims.example>
            Call-ID: digest
            CSeq: {self.cseq} REGISTER
            {authorization or "X-None: 1"}
        """)[0]

    def answer(self, nc: str = "00000001", qop: str = "auth", password: str = "alice", **changed: str) -> str:
        def h(text: str) -> str:
            return hashlib.new(HASHES[self.algorithm.removesuffix("-sess")], text.encode()).hexdigest()

        given = {"nonce": self.nonce, "uri": "sip:ims.example", "cnonce": "0a4f113b", **changed}
        ha1 = h(f"alice@ims.example:ims.example:{password}")
        if self.algorithm.endswith("-sess"):
            ha1 = h(f"{ha1}:{given['nonce']}:{given['cnonce']}")
        a2 = f"REGISTER:{given['uri']}" + (f":{h('')}" if qop == "auth-int" else "")
        middle = f"{nc}:{given['cnonce']}:{qop}:" if qop else ""
        response = h(f"{ha1}:{given['nonce']}:{middle}{h(a2)}")
        fields = f'username="alice@ims.example", realm="ims.example", nonce="{given["nonce"]}", uri="{given["uri"]}"'
        fields += f', response="{response}", algorithm={self.algorithm}'
        return fields + (f', qop={qop}, cnonce="{given["cnonce"]}", nc={nc}' if qop else "")


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int", ""])
def test_answer_by_any_algorithm_is_accepted(make_bench, algorithm: str, qop: str) -> None:
    """RFC 7616 3.4, RFC 8760 2.6; without qop as in RFC 2069, for old clients (RFC 3261 22.4 item 8).

    Where there is no cnonce there is no session.
    """
    digest = Digest(make_bench(credentials=CREDENTIALS.format([algorithm])), algorithm)
    assert digest.offers[0].startswith("Digest ")
    assert f"algorithm={algorithm}" in digest.offers[0]
    if algorithm.endswith("-sess") and not qop:
        assert digest.register(digest.answer(qop="")).line == "SIP/2.0 400 Bad Request"
        return
    wrong = digest.register(digest.answer(qop=qop, password="guess"))
    assert (wrong.line, "stale" in wrong.header("WWW-Authenticate")) == ("SIP/2.0 401 Unauthorized", False)
    assert digest.register(digest.answer(qop=qop)).line == "SIP/2.0 200 OK"


@pytest.mark.parametrize("chosen", ["SHA-256", "MD5"])
def test_client_answers_the_challenge_that_it_knows(make_bench, chosen: str) -> None:
    """RFC 8760 2.3 and 2.4: one header for each, the preferred one first, one realm, SHA-256 beside MD5."""
    digest = Digest(make_bench(credentials=CREDENTIALS.format(["SHA-256", "MD5"])), chosen)
    assert [re.search(r"algorithm=([\w-]+)", offer)[1] for offer in digest.offers] == ["SHA-256", "MD5"]
    assert {re.search('realm="([^"]*)"', offer)[1] for offer in digest.offers} == {"ims.example"}
    assert all('qop="auth"' in offer for offer in digest.offers)
    assert digest.register(digest.answer()).line == "SIP/2.0 200 OK"


def test_weaker_algorithm_than_was_offered_is_not_accepted(make_bench) -> None:
    """RFC 8760 2.3: who is offered SHA-256 alone cannot be bid down to MD5."""
    digest = Digest(make_bench(credentials=CREDENTIALS.format(["SHA-256"])), "MD5")
    again = digest.register(digest.answer())
    assert again.line == "SIP/2.0 401 Unauthorized"
    assert "SHA-256" in again.header("WWW-Authenticate")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_nonce_counts_up_and_serves_again(make_bench, algorithm: str) -> None:
    """RFC 7616 3.4: the count of a nonce grows; what is answered rightly but not anew is stale, and a replay."""
    digest = Digest(make_bench(credentials=CREDENTIALS.format([algorithm])), algorithm)
    outcomes = []
    for nc in ("00000001", "00000002", "00000002", "00000001", "0000000a", "00000009"):
        answer = digest.register(digest.answer(nc=nc))
        outcomes.append((answer.message.status, "stale=true" in (answer.header("WWW-Authenticate") or "")))
    again, stale = (200, False), (401, True)
    assert outcomes == [again, again, stale, stale, again, stale]


def test_nonce_is_of_one_private_id_and_of_this_registrar(bench) -> None:
    """RFC 7616 3.3, stale: a right password on a nonce of somebody else is asked for again, with stale."""
    digest = Digest(bench, "MD5")
    for nonce in ("0" * 52, digest.nonce[:-1] + ("0" if digest.nonce[-1] != "0" else "1"), "short"):
        answer = digest.register(digest.answer(nonce=nonce))
        assert answer.line == "SIP/2.0 401 Unauthorized"
        assert "stale=true" in answer.header("WWW-Authenticate")


def test_digest_uri_need_not_be_the_request_uri(bench) -> None:
    """RFC 3261 22.4 item 6: it is hashed as it stands in the header."""
    digest = Digest(bench, "MD5")
    assert digest.register(digest.answer(uri="sip:127.0.0.1:5060")).line == "SIP/2.0 200 OK"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nc=00000001", "nc=0000000x"),
        ("qop=auth", "qop=other"),
        (', cnonce="0a4f113b"', ""),
        ('uri="sip:ims.example", ', ""),
    ],
)
def test_credentials_that_lack_something_are_400(bench, old: str, new: str) -> None:
    """RFC 2617 3.2.2."""
    digest = Digest(bench, "MD5")
    given = digest.answer()
    assert old in given
    assert digest.register(given.replace(old, new)).line == "SIP/2.0 400 Bad Request"
