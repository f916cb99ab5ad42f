"""Who asks: asserted identities of trusted peers, else HTTP Digest (RFC 4825 section 8, RFC 7616)."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from talkburst.sip.digest import DigestVerifier, Verdict, challenge
from talkburst.sip.headers.auth import AuthHeader
from talkburst_xdms.accounts import Account, Accounts
from talkburst_xdms.exchange import RefusalError, Request, refusal

ASSERTED: Final = ("X-3GPP-Asserted-Identity", "X-XCAP-Asserted-Identity")

# One directive of Digest credentials. Clients in the field leave quotes inside uri="..." unescaped, so a quote closes a
# value only where another directive or the end follows.
_DIRECTIVE = re.compile(
    r'\s*([A-Za-z][\w-]*)\s*=\s*(?:"(.*?)"(?=\s*(?:,\s*[A-Za-z][\w-]*\s*=|$))|([^",\s]*))\s*(?:,|$)', re.ASCII
)
_ESCAPED = re.compile(r'\\(["\\])')

_TEXTS: Final = {
    Verdict.NO_CREDENTIALS: "credentials are needed",
    Verdict.WRONG: "username or password is wrong",
    Verdict.STALE: "the nonce is stale; try again with the new one",
}


class Authentication:
    """`asserted_peers` are networks or addresses whose asserted-identity headers are believed."""

    def __init__(self, accounts: Accounts, verifier: DigestVerifier, asserted_peers: Iterable[str] = ()) -> None:
        self._accounts = accounts
        self._verifier = verifier
        self._peers = [ipaddress.ip_network(peer, strict=False) for peer in asserted_peers]

    def identify(self, request: Request, realm: str, now: float) -> Account:
        """The account that asks. Raises `RefusalError` with 401, 400 or 403."""
        asserted = self._asserted(request)
        if asserted is not None:
            account = next((found for name in asserted if (found := self._accounts.named(name))), None)
            if account is None:
                raise refusal(403, f"the asserted identity {', '.join(asserted)!r} has no account here")
            return account
        return self._digest(request, realm, now)

    def _asserted(self, request: Request) -> list[str] | None:
        if not self._peers:
            return None
        try:
            peer = ipaddress.ip_address(request.peer.partition("%")[0])
        except ValueError:
            return None
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped:
            peer = peer.ipv4_mapped
        if not any(peer in network for network in self._peers):
            return None
        for name in ASSERTED:
            value = request.joined(name)
            if value is not None:
                return [item.strip().strip('"<>') for item in value.split(",")]
        return None

    def _digest(self, request: Request, realm: str, now: float) -> Account:
        try:
            credentials = read_credentials(request.headers.get("Authorization", ""))
        except ValueError as error:
            raise refusal(400, str(error)) from None
        if credentials is None or credentials.params.get("realm", realm) != realm:
            raise self._challenge(Verdict.NO_CREDENTIALS, realm, now)
        account = self._accounts.user_of_digest(credentials.params.get("username", ""), realm)
        password = account.password if account else None
        verdict = self._verifier.verify(credentials, request.method, password, now, request.body, private_id=realm)
        if verdict is Verdict.BAD:
            raise refusal(400, "the Digest credentials lack a directive, or one is malformed")
        if verdict is not Verdict.OK or account is None:
            raise self._challenge(verdict, realm, now)
        if not same_resource(credentials.params["uri"], request.target):
            raise refusal(400, "the uri of the Digest credentials names another resource than the request")
        return account

    def _challenge(self, verdict: Verdict, realm: str, now: float) -> RefusalError:
        offered = challenge(
            realm=realm, nonce=self._verifier.issue(realm, now), stale=verdict is Verdict.STALE, qop="auth"
        )
        return refusal(401, _TEXTS.get(verdict, _TEXTS[Verdict.WRONG]), WWW_Authenticate=str(offered))


def read_credentials(value: str) -> AuthHeader | None:
    """Reads an Authorization header leniently; None for none or another scheme. Raises ValueError for broken Digest."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    params: dict[str, str] = {}
    at = 0
    while at < len(rest):
        match = _DIRECTIVE.match(rest, at)
        if match is None or match[1].lower() in params:
            raise ValueError(f"the Digest credentials cannot be read at {rest[at:].strip()[:40]!r}")
        params[match[1].lower()] = match[3] if match[2] is None else _ESCAPED.sub(r"\1", match[2])
        at = match.end()
    return AuthHeader("Digest", params)


def same_resource(digest_uri: str, target: str) -> bool:
    """Whether both name one resource: compared after unescaping, and without scheme and authority."""
    return _path(digest_uri) == _path(target)


def _path(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        uri = "/" + rest.partition("/")[2]
    return unquote(uri)
