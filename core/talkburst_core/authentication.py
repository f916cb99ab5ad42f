"""Whether somebody is who they say: digest for every subscriber (RFC 3261 22, RFC 8760, TS 24.229 5.4.1.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Final
from zlib import crc32

from talkburst.sip import Request
from talkburst.sip.digest import NONCE_COUNT_DIGITS, Challenge, DigestVerifier, Verdict
from talkburst.sip.headers import AuthHeader, HeaderError, parse_auth
from talkburst_core.credentials import DEFAULT_ALGORITHMS, Credentials
from talkburst_core.profile import Subscriber, Subscribers
from talkburst_core.refusal import Refusal
from talkburst_core.tolerance import Tolerance

Decide = Callable[[str, Mapping[str, object]], None]


@dataclass(slots=True, frozen=True)
class Role:
    """As what we ask for credentials: the status of the challenge and the names of the two headers."""

    status: int
    challenge: str
    credentials: str


REGISTRAR: Final = Role(401, "WWW-Authenticate", "Authorization")
PROXY: Final = Role(407, "Proxy-Authenticate", "Proxy-Authorization")


class Authenticated:
    """Who has proved who he is."""

    __slots__ = ("private_id", "subscriber")

    def __init__(self, private_id: str, subscriber: Subscriber) -> None:
        self.private_id: Final = private_id
        self.subscriber: Final = subscriber


class Given:
    """Credentials that are meant for us, and the private id that they stand for."""

    __slots__ = ("header", "private_id")

    def __init__(self, header: AuthHeader, private_id: str) -> None:
        self.header: Final = header
        self.private_id: Final = private_id


class Authentication:
    """Challenges subscribers and checks their answers. `realm` empty: the domain of the private id."""

    def __init__(
        self,
        subscribers: Subscribers,
        credentials: Mapping[str, Credentials],
        verifier: DigestVerifier,
        decide: Decide,
        realm: str = "",
        tolerance: Tolerance | None = None,
    ) -> None:
        self._subscribers = subscribers
        self._credentials = credentials
        self._verifier = verifier
        self._decide = decide
        self._realm = realm
        self._realms = {self.realm_of(private_id) for private_id in credentials}
        self._tolerance = tolerance or Tolerance()
        self._decoy = token_hex()  # the password of whoever is nobody
        self._challenges: dict[tuple[str, str, bool], Challenge] = {}  # of our own realms, which are not many
        self._offers = [each.algorithms for each in credentials.values()] or [DEFAULT_ALGORITHMS]

    def realm_of(self, private_id: str) -> str:
        return self._realm or private_id.rpartition("@")[2]

    def authenticate(self, request: Request, role: Role, claimed: str | None, now: float) -> Authenticated | Refusal:
        """Who sent `request`, or the challenge or refusal to answer it with.

        `claimed` is the private id that its identities stand for, asked for where no credentials name one (TS 24.229
        5.4.1.1). Raises `HeaderError` for credentials that cannot be read.
        """
        given = self._given(request, role)
        private_id = given.private_id if given is not None else None
        private_id = private_id or claimed
        if private_id is None:
            return self._refused(request, "no credentials, and no identity of a user to ask for them")
        subscriber, secret = self._subscribers.by_private_id(private_id), self._credentials.get(private_id)
        if subscriber is None:
            return self._stranger(request, role, private_id, given, now, f"no such private id as {private_id}")
        if secret is None:
            return self._stranger(request, role, private_id, given, now, f"no password on file for {private_id}")
        refusal = self._judged(request, role, private_id, secret, given, now)
        if refusal is not None:
            return refusal
        # The text of the profile, which is there anyhow, and not the one of this request.
        return Authenticated(subscriber.private_ids[subscriber.private_ids.index(private_id)], subscriber)

    def use_up(self, request: Request, role: Role) -> None:
        """Takes out the credentials that are meant for us; those of other realms go on to them (RFC 3261 22.3)."""
        values = request.get_all(role.credentials)
        if not values:
            return
        request.remove(role.credentials)
        for value in values:
            if not self._is_ours(value):
                request.add(role.credentials, value)

    def _is_ours(self, credentials: str) -> bool:
        """Whether they name a realm of ours, or none that could be read."""
        try:
            params = parse_auth(credentials).params
        except HeaderError:
            return True
        realm = params.get("realm", "")
        return realm in ("", self.realm_of(params.get("username", ""))) or realm in self._realms

    def _stranger(
        self, request: Request, role: Role, private_id: str, given: Given | None, now: float, why: str
    ) -> Refusal:
        """Who is nobody is challenged like a user, and has a wrong password: the answers tell nobody who is a user."""
        offer = self._offers[crc32(private_id.encode("utf-8", "replace")) % len(self._offers)]
        decoy = Credentials(self._decoy, offer)
        refusal = self._judged(request, role, private_id, decoy, given, now, why)
        return refusal or self._challenge(request, role, private_id, decoy, now, why)

    def _given(self, request: Request, role: Role) -> Given | None:
        """The credentials that are meant for us; of another scheme or realm they are another's (RFC 3261 22.3)."""
        for value in request.get_all(role.credentials):
            header = parse_auth(value)
            if header.scheme.lower() != "digest":
                continue
            private_id = self._private_id(header, request)
            if header.params.get("realm") == self.realm_of(private_id):
                return Given(self._without_idle_qop(header, request), private_id)
        return None

    def _private_id(self, header: AuthHeader, request: Request) -> str:
        """Whose credentials they are: the username, where that is tolerated with the realm for its missing domain."""
        username, realm = header.params.get("username", ""), header.params.get("realm", "")
        if "@" in username or not username or not realm or self._subscribers.by_private_id(username) is not None:
            return username
        facts = {"username": username, "call_id": request.call_id}
        return f"{username}@{realm}" if self._tolerance.tolerates("bare-username", facts) else username

    def _without_idle_qop(self, header: AuthHeader, request: Request) -> AuthHeader:
        """The credentials without a qop that only echoes the challenge, where that is tolerated."""
        if "qop" not in header.params or "nc" in header.params or "cnonce" in header.params:
            return header
        facts = {"private_id": header.params.get("username", ""), "call_id": request.call_id}
        if not self._tolerance.tolerates("qop-without-count", facts):
            return header
        return AuthHeader(header.scheme, {name: value for name, value in header.params.items() if name != "qop"})

    def _reads_short_count(self, given: Given, request: Request) -> bool:
        """Whether the nonce count has too few digits, and that is tolerated."""
        if not 0 < len(given.header.params.get("nc", "")) < NONCE_COUNT_DIGITS:
            return False
        facts = {"private_id": given.private_id, "call_id": request.call_id}
        return self._tolerance.tolerates("short-nonce-count", facts)

    def _judged(
        self,
        request: Request,
        role: Role,
        private_id: str,
        secret: Credentials,
        given: Given | None,
        now: float,
        why: str | None = None,
    ) -> Refusal | None:
        """The answer to credentials that are not right; `why` is known beforehand for a stranger's."""
        if given is None:
            return self._challenge(request, role, private_id, secret, now, why or "no credentials")
        if not secret.offers(given.header.params.get("algorithm", "MD5")):
            reason = why or "another algorithm than was offered"
            return self._challenge(request, role, private_id, secret, now, reason)
        verdict = self._verifier.verify(
            given.header,
            request.method,
            secret.password,
            now,
            request.body,
            private_id=private_id,
            short_count=self._reads_short_count(given, request),
        )
        if verdict is Verdict.OK:
            return None
        if verdict is Verdict.BAD:
            return self._refused(request, "credentials that make no sense", 400)
        reason = why or _reason(verdict, private_id)
        return self._challenge(request, role, private_id, secret, now, reason, verdict is Verdict.STALE)

    def _challenge(
        self,
        request: Request,
        role: Role,
        private_id: str,
        secret: Credentials,
        now: float,
        why: str,
        stale: bool = False,
    ) -> Refusal:
        """RFC 8760 2.3: one header an algorithm, the most preferred first."""
        self._decide(
            f"{role.status} to {request.method}: {why}", {"private_id": private_id, "call_id": request.call_id}
        )
        realm, nonce = self.realm_of(private_id), self._verifier.issue(private_id, now)
        offers = [(role.challenge, self._challenge_of(realm, each, stale).text(nonce)) for each in secret.algorithms]
        return Refusal(role.status, None, tuple(offers))

    def _challenge_of(self, realm: str, algorithm: str, stale: bool) -> Challenge:
        key = realm, algorithm, stale
        found = self._challenges.get(key)
        if found is None:
            found = Challenge(realm, algorithm, stale)
            if realm in self._realms:  # others are whatever a stranger writes
                self._challenges[key] = found
        return found

    def _refused(self, request: Request, why: str, status: int = 403) -> Refusal:
        self._decide(f"{status} to {request.method}: {why}", {"call_id": request.call_id})
        return Refusal(status)


def _reason(verdict: Verdict, private_id: str) -> str:
    if verdict is Verdict.WRONG:
        return f"wrong password for {private_id}"
    return "stale nonce" if verdict is Verdict.STALE else "no answer to a challenge yet"
