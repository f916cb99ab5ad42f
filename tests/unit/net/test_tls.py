"""Nodes that call each other over TLS: who is believed, who is not, and what the log says then."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from authority import Authority
from talkburst.net.tls import Tls
from talkburst.sip.engine import Failure
from talkburst.sip.message import Response


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory) -> Authority:
    """Somebody whom nobody believes."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def make_pair(make_node, authority):
    """A client and a server; the client finds the server under the name b.example."""

    async def make(server: Tls, client: Tls | None = None, address: str = "tls:127.0.0.1:0"):
        called = make_node(tls=server)
        listener = await called.listen(address)
        entry = f"{address[4:-2]}:{listener.port}"
        caller = make_node(tls=client or Tls(authority.settings("a.example")), hosts={"b.example": entry})
        await caller.listen(address)
        return caller, called, entry

    return make


@pytest.mark.parametrize("address", ["tls:127.0.0.1:0", "tls:[::1]:0"])
async def test_request_and_answer_go_over_tls(make_pair, authority: Authority, address: str) -> None:
    caller, called, entry = await make_pair(Tls(authority.settings("b.example", "127.0.0.1", "::1")), address=address)
    for uri in ("sips:b.example", "sip:b.example;transport=tls", f"sips:{entry}"):
        answer = await caller.ask(uri)
        assert isinstance(answer, Response)
        assert answer.status == 200
        assert answer.via.transport == "TLS"
    assert set(caller.tap.transports) == set(called.tap.transports) == {"TLS"}
    assert len(caller.tap.ends) == 1  # for the number as well: the certificate proves both


Make = Callable[[Authority, Authority], dict[str, str]]

REFUSED: dict[str, tuple[Make, str]] = {
    "another authority": (
        lambda ours, theirs: theirs.issue("b.example"),
        "the certificate is not accepted: unable to get local issuer certificate",
    ),
    "another name": (
        lambda ours, theirs: ours.issue("c.example", "d.example"),
        "the certificate is for c.example, d.example, not for b.example",
    ),
    "a domain above it": (lambda ours, theirs: ours.issue("example"), "is for example, not for b.example"),
    "a wildcard": (lambda ours, theirs: ours.issue("*.example"), "is for *.example, not for b.example"),
    "its address instead of its name": (
        lambda ours, theirs: ours.issue("127.0.0.1"),
        "is for 127.0.0.1, not for b.example",
    ),
    "a SIP domain besides the name": (
        lambda ours, theirs: ours.issue_for_uris("sip:c.example", dns="b.example"),
        "is for c.example, not for b.example",
    ),
    "a user of the domain": (
        lambda ours, theirs: ours.issue_for_uris("sip:bob@b.example"),
        "the certificate is for no SIP domain, not for b.example",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_server_that_does_not_prove_the_name_is_sent_nothing(
    make_pair, authority, stranger, case: str, caplog
) -> None:
    """RFC 5922 7.2 and 7.3. The transaction fails as if nobody were there, the log says why."""
    make, reason = REFUSED[case]
    caller, called, _ = await make_pair(Tls(authority.settings(**make(authority, stranger))))
    assert await caller.ask("sips:b.example") is Failure.TRANSPORT
    assert called.tap.seen == caller.tap.seen == []
    (record,) = [record for record in caplog.records if record.getMessage() == "not connected"]
    assert reason in record.fields["reason"]
    assert record.fields["domain"] == "b.example"


async def test_certificate_that_expired_while_the_server_ran_is_not_accepted(
    make_pair, authority: Authority, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(Tls, "_check_certificate", lambda self: None)  # at its start it was valid
    caller, called, _ = await make_pair(Tls(authority.settings(**authority.issue("b.example", expired=True))))
    assert await caller.ask("sips:b.example") is Failure.TRANSPORT
    assert called.tap.seen == []
    (record,) = [record for record in caplog.records if record.getMessage() == "not connected"]
    assert record.fields["reason"] == "the certificate is not accepted: certificate has expired"


async def test_sip_domain_in_a_uri_of_the_certificate_is_believed(make_pair, authority: Authority) -> None:
    """RFC 5922 7.1."""
    keys = authority.issue_for_uris("sip:c.example", "SIP:B.Example", "https://d.example")
    caller, _, _ = await make_pair(Tls(authority.settings(**keys)))
    assert (await caller.ask("sips:b.example")).status == 200


async def test_names_of_directories_in_a_certificate_are_passed_over_at_both_ends(make_pair, authority, caplog) -> None:
    keys = authority.issue_for_people(dns="b.example")
    both = authority.settings(**keys, verify_client="required")
    caller, _, _ = await make_pair(Tls(both), Tls(both))
    assert (await caller.ask("sips:b.example")).status == 200
    assert not [record for record in caplog.records if record.exc_info]


async def test_certificate_whose_names_are_no_text_is_refused_at_both_ends(make_pair, authority, caplog) -> None:
    keys = authority.issue_for_bytes(b"b.example\xff")
    caller, _, _ = await make_pair(Tls(authority.settings(**keys)))
    assert await caller.ask("sips:b.example") is Failure.TRANSPORT
    server = Tls(authority.settings("b.example", verify_client="if-given"))
    caller, _, _ = await make_pair(server, Tls(authority.settings(**keys)))
    assert await caller.ask("sips:b.example") is Failure.TRANSPORT
    why = "the certificate has names that cannot be read"
    reasons = [(each.getMessage(), each.fields["reason"]) for each in caplog.records if each.levelname == "WARNING"]
    assert reasons[0] == ("not connected", why)
    assert ("no TLS", why) in reasons
    assert not [record for record in caplog.records if record.exc_info]


async def test_number_is_proved_by_an_address_in_the_certificate_and_by_no_name(make_pair, authority) -> None:
    caller, _, entry = await make_pair(Tls(authority.settings("b.example")))
    assert await caller.ask(f"sips:{entry}") is Failure.TRANSPORT
    assert (await caller.ask("sips:b.example")).status == 200


@pytest.mark.parametrize("demand", ["if-given", "required"])
async def test_client_certificate_is_checked_where_one_is_asked_for(make_pair, authority, stranger, demand) -> None:
    server = Tls(authority.settings("b.example", verify_client=demand))
    caller, called, _ = await make_pair(server, Tls(authority.settings("a.example")))
    assert (await caller.ask("sips:b.example")).status == 200
    false, _, _ = await make_pair(server, Tls(authority.settings(**stranger.issue("a.example"))))
    false.engine.hosts = caller.engine.hosts
    assert await false.ask("sips:b.example") is Failure.TRANSPORT
    assert len(called.user.requests) == 1


@pytest.mark.parametrize(("demand", "outcome"), [("required", Failure.TRANSPORT), ("if-given", 200), ("no", 200)])
async def test_client_without_a_certificate_is_refused_only_where_one_is_required(
    make_pair, authority, demand, outcome, caplog
) -> None:
    server = Tls(authority.settings("b.example", verify_client=demand))
    caller, _, _ = await make_pair(server, Tls(authority.settings()))
    answer = await caller.ask("sips:b.example")
    assert (answer.status if isinstance(answer, Response) else answer) == outcome
    said = [record.fields["reason"] for record in caplog.records if record.getMessage() == "no TLS"]
    assert said == (["TLS fails: peer did not return a certificate"] if demand == "required" else [])


async def test_requests_go_back_on_a_connection_whose_caller_proved_the_name(make_pair, authority: Authority) -> None:
    """RFC 5923, where the port is the one that the caller connected from."""
    server = Tls(authority.settings("b.example", verify_client="if-given"))
    caller, called, _ = await make_pair(server)
    await caller.ask("sips:b.example")
    ((_, remote),) = called.tap.ends
    uri = f"sips:a.example:{remote[1]};maddr=127.0.0.1"
    assert await called.ask(uri) is Failure.TRANSPORT  # a.example is not 127.0.0.1
    called.engine.hosts = type(called.engine.hosts)({"a.example": "127.0.0.1"})
    assert (await called.ask(f"sips:a.example:{remote[1]}")).status == 200
    assert len(called.tap.ends) == 1


async def test_node_without_a_certificate_calls_and_cannot_be_called(make_pair, authority: Authority) -> None:
    caller, _, _ = await make_pair(Tls(authority.settings("b.example")), Tls(authority.settings()))
    assert (await caller.ask("sips:b.example")).status == 200
    port = caller.engine.listener().port
    other = Tls(authority.settings("a.example"))
    caller2, _, _ = await make_pair(other)
    assert await caller2.ask(f"sips:127.0.0.1:{port}") is Failure.TRANSPORT


async def test_files_that_are_read_again_count_for_the_next_connection(make_pair, authority: Authority) -> None:
    keys = authority.issue("c.example")
    server = Tls(authority.settings(**keys))
    caller, _, _ = await make_pair(server)
    assert await caller.ask("sips:b.example") is Failure.TRANSPORT
    for key, path in authority.issue("b.example").items():
        Path(keys[key]).write_bytes(Path(path).read_bytes())
    server.reload()
    assert (await caller.ask("sips:b.example")).status == 200


def test_nothing_older_than_tls_1_2_and_no_renegotiation(authority: Authority) -> None:
    tls = Tls(authority.settings("b.example"))
    for context in (tls.accepting, tls.calling):
        assert context is not None
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_COMPRESSION
    assert tls.calling.verify_mode is ssl.CERT_REQUIRED
