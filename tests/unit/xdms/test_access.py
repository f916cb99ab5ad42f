import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from talkburst.sip.digest import answer as digest_answer
from talkburst.sip.headers.auth import AuthHeader, parse_auth
from talkburst.xcap import XcapClient, user_document
from talkburst_xdms.accounts import Account, Accounts
from talkburst_xdms.authentication import read_credentials, same_resource

if TYPE_CHECKING:
    from conftest import Answer, Xdms

LISTS = b'<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"/>'
INDEX = "resource-lists/users/sip:alice@ims.example/index"
PATH = f"/xcap-root/{INDEX}"


def challenge_of(answer: "Answer") -> AuthHeader:
    return parse_auth(answer.headers["WWW-Authenticate"])


def credentials(
    challenge: AuthHeader,
    username: str = "alice",
    password: str = "alice",
    uri: str = PATH,
    method: str = "GET",
    nc: int = 1,
) -> str:
    made = digest_answer(
        challenge, username=username, password=password, method=method, uri=uri, body=b"", cnonce="c", nc=nc
    )
    return str(made)


async def challenged(xdms: "Xdms", path: str = INDEX) -> AuthHeader:
    answer = await xdms.ask("GET", path, user=None)
    assert answer.status == 401
    return challenge_of(answer)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "nothing is here; documents are below /xcap-root"),
        ("/xcap-root/", "the XCAP root itself holds nothing"),
        ("nonsense/users/sip:alice@ims.example/index", "no application usage 'nonsense' here; there are org.openmob"),
        ("resource-lists/users/sip:mallory@ims.example/index", "no user 'sip:mallory@ims.example' here"),
        ("resource-lists/users/sip:poc.ims.example/index", "no user 'sip:poc.ims.example' here"),
        ("resource-lists/people/x", "behind resource-lists comes users or global"),
    ],
)
async def test_what_does_not_exist_is_404_before_anyone_is_asked_who_they_are(
    xdms: "Xdms", path: str, text: str
) -> None:
    answer = await xdms.ask("GET", path, user=None)
    assert answer.status == 404
    assert answer.text.startswith(text)


@pytest.mark.parametrize(
    ("path", "realm"),
    [
        (INDEX, "ims.example"),
        ("resource-lists/users/carol@other.example/index", "other.example"),
        ("resource-lists/users/tel:+12025550101/index", "ims.example"),
        ("xcap-caps/global/index", "ims.example"),
    ],
)
async def test_the_realm_is_the_domain_of_the_user(xdms: "Xdms", path: str, realm: str) -> None:
    challenge = await challenged(xdms, path)
    assert challenge.params["realm"] == realm
    assert (challenge.params["algorithm"], challenge.params["qop"]) == ("MD5", "auth")
    assert "stale" not in challenge.params


@pytest.mark.parametrize(
    ("username", "password", "status"),
    [
        ("alice", "alice", 404),
        ("alice@ims.example", "alice", 404),
        ("sip:alice@ims.example", "alice", 404),
        ("tel:+12025550101", "alice", 404),
        ("sip:poc.ims.example", "poc", 404),
        ("bob", "bob", 403),
        ("alice", "wrong", 401),
        ("mallory", "alice", 401),
        ("sip:poc.ims.example", "wrong", 401),
    ],
)
async def test_digest_lets_owner_and_reader_in_however_the_username_is_written(
    xdms: "Xdms", username: str, password: str, status: int
) -> None:
    given = credentials(await challenged(xdms), username, password)
    answer = await xdms.ask("GET", INDEX, user=None, Authorization=given)
    assert answer.status == status
    if status == 401:
        assert "stale" not in challenge_of(answer).params
        assert answer.text == "username or password is wrong\n"


async def test_one_nonce_serves_many_requests_with_a_rising_count(xdms: "Xdms") -> None:
    challenge = await challenged(xdms)
    for nc, status in ((1, 404), (2, 404), (5, 404), (5, 401), (4, 401), (6, 404)):
        answer = await xdms.ask("GET", INDEX, user=None, Authorization=credentials(challenge, nc=nc))
        assert answer.status == status
        if status == 401:
            assert challenge_of(answer).params["stale"] == "true"


async def test_an_old_nonce_is_stale_for_the_right_password_only(xdms: "Xdms") -> None:
    challenge = await challenged(xdms)
    xdms.now[0] += 301
    stale = await xdms.ask("GET", INDEX, user=None, Authorization=credentials(challenge))
    assert (stale.status, challenge_of(stale).params["stale"]) == (401, "true")
    wrong = await xdms.ask("GET", INDEX, user=None, Authorization=credentials(challenge, password="x"))
    assert (wrong.status, "stale" in challenge_of(wrong).params) == (401, False)


async def test_a_nonce_of_another_server_is_stale(xdms: "Xdms") -> None:
    foreign = AuthHeader("Digest", {"realm": "ims.example", "nonce": "feed", "algorithm": "MD5", "qop": "auth"})
    answer = await xdms.ask("GET", INDEX, user=None, Authorization=credentials(foreign))
    assert (answer.status, challenge_of(answer).params["stale"]) == (401, "true")


async def test_credentials_of_another_realm_are_challenged_anew(xdms: "Xdms") -> None:
    challenge = await challenged(xdms, "resource-lists/users/carol@other.example/index")
    answer = await xdms.ask("GET", INDEX, user=None, Authorization=credentials(challenge, "carol", "carol"))
    assert (answer.status, challenge_of(answer).params["realm"]) == (401, "ims.example")


async def test_quotes_and_brackets_in_the_digest_uri_are_hashed_as_sent(xdms: "Xdms") -> None:
    challenge = await challenged(xdms)
    raw = f'{PATH}/~~/resource-lists/list[@name="x"]'
    given = credentials(challenge, uri=raw).replace('\\"', '"').replace(", ", ",")
    assert '[@name="x"]"' in given
    answer = await xdms.ask("GET", f"{INDEX}/~~/resource-lists/list%5B@name=%22x%22%5D", user=None, Authorization=given)
    assert answer.status == 501


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda given: given.replace('uri="', 'uri="/elsewhere'), None),
        (lambda given: given.replace("nc=00000001", "nc=1"), "lack a directive, or one is malformed"),
        (lambda given: re.sub(r'username="[^"]*", ', "", given), "lack a directive, or one is malformed"),
        (lambda given: given + ", nc=00000002", "cannot be read at 'nc=00000002'"),
        (lambda given: given + ' "', "cannot be read at"),
    ],
)
async def test_improper_credentials_get_400(xdms: "Xdms", change: Callable[[str], str], text: str | None) -> None:
    given = change(credentials(await challenged(xdms)))
    answer = await xdms.ask("GET", INDEX, user=None, Authorization=given)
    assert answer.status == (401 if text is None else 400)
    assert text is None or text in answer.text


async def test_credentials_made_for_another_resource_get_400(xdms: "Xdms") -> None:
    given = credentials(await challenged(xdms), uri=f"{PATH}2")
    answer = await xdms.ask("GET", INDEX, user=None, Authorization=given)
    assert (answer.status, "names another resource" in answer.text) == (400, True)


async def test_another_scheme_than_digest_is_challenged(xdms: "Xdms") -> None:
    answer = await xdms.ask("GET", INDEX, user=None, Authorization="Basic YWxpY2U6YWxpY2U=")
    assert (answer.status, answer.text) == (401, "credentials are needed\n")


@pytest.mark.parametrize(
    ("user", "method", "status"),
    [
        ("sip:alice@ims.example", "PUT", 201),
        ("sip:bob@ims.example", "GET", 403),
        ("sip:bob@ims.example", "PUT", 403),
        ("sip:bob@ims.example", "POST", 403),
        ("sip:poc.ims.example", "GET", 404),
        ("sip:poc.ims.example", "HEAD", 404),
        ("sip:poc.ims.example", "PUT", 403),
        ("sip:poc.ims.example", "DELETE", 403),
        ("sip:mallory@ims.example", "GET", 403),
    ],
)
async def test_owners_do_everything_readers_read_and_others_nothing(
    xdms: "Xdms", user: str, method: str, status: int
) -> None:
    body = LISTS if method == "PUT" else None
    answer = await xdms.ask(method, INDEX, body, user=user, Content_Type="application/resource-lists+xml")
    assert answer.status == status


async def test_a_refused_user_is_told_what_it_may(xdms: "Xdms") -> None:
    reader = await xdms.ask("DELETE", INDEX, user="sip:poc.ims.example")
    assert reader.text == "sip:poc.ims.example may read but not change the documents of sip:alice@ims.example\n"
    other = await xdms.ask("GET", INDEX, user="sip:bob@ims.example")
    assert other.text == "sip:bob@ims.example may not use the documents of sip:alice@ims.example\n"


@pytest.mark.parametrize("value", ['"sip:alice@ims.example"', "sip:alice@ims.example", "tel:+1, alice@ims.example"])
@pytest.mark.parametrize("header", ["X-3GPP-Asserted-Identity", "X-XCAP-Asserted-Identity"])
async def test_a_trusted_peer_asserts_with_either_header(xdms: "Xdms", header: str, value: str) -> None:
    answer = await xdms.ask("GET", INDEX, None, user=None, **{header: value})
    assert answer.status == 404


async def test_an_assertion_of_a_peer_that_is_not_trusted_is_ignored(xdms: "Xdms") -> None:
    xdms.server._authentication._peers.clear()
    assert (await xdms.ask("GET", INDEX)).status == 401


async def test_the_xcap_client_of_the_poc_server_reads_what_it_needs(xdms: "Xdms") -> None:
    await xdms.ask("PUT", INDEX, LISTS)
    client = XcapClient(f"http://127.0.0.1:{xdms.port}/xcap-root", "sip:poc.ims.example", "poc")
    uri = user_document("resource-lists", "sip:alice@ims.example", "index")
    first = await client.get(uri)
    assert (first.status, first.body, first.etag) == (200, LISTS, "tag-1")
    assert (await client.get(uri, first.etag)).status == 304
    answers = await asyncio.gather(*(client.get(uri) for _ in range(30)))
    assert {answer.status for answer in answers} == {200}
    refused = await client.put(uri, LISTS, "application/resource-lists+xml")
    assert (refused.status, "may read but not change" in refused.problem) == (403, True)
    missing = await client.get(user_document("resource-lists", "sip:bob@ims.example", "index"))
    assert missing.status == 404
    await client.close()


def test_credentials_are_read_without_blanks_and_with_open_quotes() -> None:
    read = read_credentials('digest username="a\\"b",realm="r" ,  uri="/l[@n="x"]/e[@u="y"]",nc=00000001, qop=auth')
    assert read is not None
    assert read.params == {
        "username": 'a"b',
        "realm": "r",
        "uri": '/l[@n="x"]/e[@u="y"]',
        "nc": "00000001",
        "qop": "auth",
    }


@pytest.mark.parametrize(
    "value", ["Digest " + 'a="' * 2700 + "x", 'Digest a="' + '" ' * 4000 + "x", "Digest " + "a=b, " * 1600]
)
def test_hostile_credentials_are_refused_at_once(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_credentials(value)


def test_a_digest_uri_is_compared_after_unescaping_and_without_authority() -> None:
    assert same_resource("http://xdms.example/a%5B1%5D", "/a[1]")
    assert not same_resource("/a", "/b")


def test_accounts_with_colliding_or_broken_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'sip:B@x' belongs to two accounts|'sip:b@X' belongs"):
        Accounts([Account("sip:a@x", "p", ("sip:b@x",)), Account("sip:b@X", "p")])
    with pytest.raises(ValueError, match="'nobody' is no SIP or tel URI"):
        Accounts([Account("nobody", "p")])


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("path", ["resource-lists/global/index", "resource-lists/global/a/b"])
async def test_nobody_writes_into_the_global_tree(xdms: "Xdms", method: str, path: str) -> None:
    assert (await xdms.ask(method, path, b"<x/>")).status == 403
    assert (await xdms.ask("GET", path)).status == 404
