"""SIPS in the core: what is bound, what is called by which scheme, and what is refused (RFC 5630 5.2 and 5.3)."""

import pytest

ALICE, BOB = ("127.0.0.1", 5090), ("127.0.0.1", 5091)
TAG = "+g.poc.talkburst"


@pytest.fixture
def bench(make_bench):
    return make_bench(transport="TLS")


def register(bench, user: str, contact: str, source, *, scheme: str = "sips", **options):
    """The final answer to a REGISTER over TLS."""
    batch = bench.register(user, f"<{contact}>;{TAG}", source=source, scheme=scheme, **options)
    answer = batch[0]
    for told in batch.to_servers:
        bench.answer(told, "200 OK")
    return answer


@pytest.fixture
def both(bench):
    """alice by SIPS, bob by SIP, both over TLS."""
    assert register(bench, "alice", "sips:alice@127.0.0.1:5090", ALICE).line == "SIP/2.0 200 OK"
    assert register(bench, "bob", "sip:bob@127.0.0.1:5091;transport=tls", BOB, scheme="sip").line == "SIP/2.0 200 OK"
    return bench


def invite(bench, uri: str, source, contact: str, caller: str):
    return bench.client(
        f"""
        INVITE {uri} SIP/2.0
        From: <sip:{caller}@ims.example>;tag=i
        To: <{uri}>
        Call-ID: call
        CSeq: 1 INVITE
        Contact: <{contact}>
        """,
        source,
    )


@pytest.mark.parametrize(
    ("scheme", "contact", "headers", "line"),
    [
        ("sips", "sips:alice@127.0.0.1:5090", "", "200 OK"),
        ("sips", "sip:alice@127.0.0.1:5090", "", "200 OK"),
        ("sip", "sips:alice@127.0.0.1:5090", "", "400 Contact is SIPS and Request-URI is not"),
        (
            "sips",
            "sips:alice@127.0.0.1:5090>, <sip:a@127.0.0.1:5099",
            "",
            "400 one Contact is SIPS and another is not",
        ),
        ("sips", "sips:alice@127.0.0.1:5090", "Path: <sip:p.example;lr>", "400 Contact is SIPS and Path is not"),
        ("sips", "sips:alice@127.0.0.1:5090", "Path: <sips:p.example;lr>", "200 OK"),
    ],
)
def test_sips_contact_is_bound_only_where_every_uri_is_sips(bench, scheme, contact, headers, line) -> None:
    assert register(bench, "alice", contact, ALICE, scheme=scheme, headers=headers).line == f"SIP/2.0 {line}"


@pytest.mark.parametrize("aor", ["sip:alice@ims.example", "sips:alice@ims.example"])
def test_sips_address_of_record_is_the_same_as_the_sip_one(bench, aor: str) -> None:
    answer = register(bench, "alice", "sips:alice@127.0.0.1:5090", ALICE, aor=aor)
    assert answer.line == "SIP/2.0 200 OK"
    assert answer.header("Service-Route") == "<sip:orig@127.0.0.1:5060;transport=tls;lr>"


def test_the_other_scheme_of_a_contact_replaces_it(bench) -> None:
    """RFC 5630 5.1.1.1."""
    register(bench, "alice", "sips:alice@127.0.0.1:5090", ALICE)
    answer = register(bench, "alice", "sip:alice@127.0.0.1:5090", ALICE, cseq=7)
    assert [contact.partition(">")[0] for contact in answer.headers("Contact")] == ["<sip:alice@127.0.0.1:5090"]


def test_sips_request_goes_to_a_sips_contact(both) -> None:
    (sent,) = invite(both, "sips:alice@ims.example", BOB, "sips:bob@127.0.0.1:5091", "bob").to_clients
    assert sent.line == "INVITE sips:alice@127.0.0.1:5090 SIP/2.0"
    assert (sent.flow.transport, sent.to) == ("TLS", ALICE)
    assert sent.header("Record-Route") == "<sips:127.0.0.1:5060;lr>"


def test_sips_request_goes_to_no_contact_that_is_not(both) -> None:
    answer = invite(both, "sips:bob@ims.example", ALICE, "sips:alice@127.0.0.1:5090", "alice")[-1]
    assert answer.line == "SIP/2.0 480 Temporarily Unavailable"
    assert answer.header("Warning") == '380 127.0.0.1:5060 "SIPS Not Allowed"'
    assert both.reasons("480 to INVITE: the request is SIPS, and no contact of sip:bob@ims.example is")


def test_sip_request_reaches_a_sips_contact_by_its_sip_uri_and_over_tls(both) -> None:
    (sent,) = invite(both, "sip:alice@ims.example", BOB, "sip:bob@127.0.0.1:5091", "bob").to_clients
    assert sent.line == "INVITE sip:alice@127.0.0.1:5090 SIP/2.0"
    assert (sent.flow.transport, sent.to) == ("TLS", ALICE)
    assert sent.header("Record-Route") == "<sip:127.0.0.1:5060;transport=tls;lr>"


def test_sip_request_goes_over_a_new_tls_connection_when_that_of_a_sips_contact_is_gone(both) -> None:
    (binding,) = both.core.registrar.registration("sip:alice@ims.example").bindings
    both.fail(binding.flow)
    sent = invite(both, "sip:alice@ims.example", BOB, "sip:bob@127.0.0.1:5091", "bob").to_clients[-1]
    assert sent.line == "INVITE sip:alice@127.0.0.1:5090 SIP/2.0"
    assert (sent.flow.transport, sent.to) == ("TLS", ALICE)
    assert sent.flow != binding.flow


def test_sips_request_with_a_sip_contact_contradicts_itself(both) -> None:
    answer = invite(both, "sips:alice@ims.example", BOB, "sip:bob@127.0.0.1:5091", "bob")[-1]
    assert answer.line == "SIP/2.0 400 Request-URI is SIPS and Contact is not"


def test_watcher_by_sips_is_answered_with_a_sips_contact(both) -> None:
    """RFC 3261 12.1.1."""
    for scheme, contact in (("sips", "<sips:127.0.0.1:5060>"), ("sip", "<sip:127.0.0.1:5060;transport=tls>")):
        batch = both.client(
            f"""
            SUBSCRIBE {scheme}:alice@ims.example SIP/2.0
            From: <sip:alice@ims.example>;tag=i
            To: <sip:alice@ims.example>
            Call-ID: watch-{scheme}
            CSeq: 1 SUBSCRIBE
            Event: reg
            Contact: <{scheme}:alice@127.0.0.1:5090>
            """,
            ALICE,
        )
        assert [each.line for each in batch] == ["SIP/2.0 200 OK", f"NOTIFY {scheme}:alice@127.0.0.1:5090 SIP/2.0"]
        assert [each.header("Contact") for each in batch] == [contact, contact]
        assert {each.flow.transport for each in batch} == {"TLS"}


def along(bench, uri: str, route: str):
    return bench.client(
        f"""
        MESSAGE {uri} SIP/2.0
        Route: {route}
        From: <sip:bob@ims.example>;tag=i
        To: <{uri}>
        Call-ID: along
        CSeq: 1 MESSAGE
        """,
        BOB,
    )


@pytest.mark.parametrize("route", ["<sip:198.51.100.9;lr>", "<sip:198.51.100.9>"], ids=["loose", "strict"])
def test_sips_request_leaves_over_tls_whatever_router_it_passes(both, route: str) -> None:
    # RFC 3261 26.2.2: also one that takes the place of the SIPS Request-URI (16.6 step 6).
    (sent,) = along(both, "sips:carol@example.org", f"<sip:127.0.0.1:5054;lr>, {route}")
    assert (sent.to, sent.message.via.transport) == (("198.51.100.9", 5061), "TLS")


def test_sips_request_fails_where_a_strict_router_has_no_tls(both) -> None:
    both.refusing.add(("198.51.100.9", 5061))
    (answer,) = along(both, "sips:carol@example.org", "<sip:127.0.0.1:5054;lr>, <sip:198.51.100.9>")
    assert answer.to == BOB
    assert answer.message.status >= 400
