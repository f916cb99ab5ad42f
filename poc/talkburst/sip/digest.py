"""Digest authentication: hashes, the side that challenges, the side that answers. RFC 3261 22, RFC 8760, RFC 7616."""

import enum
import hashlib
import hmac
from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from talkburst.sip.headers.auth import AuthHeader

# Algorithm in lower case -> name of the hash, and whether HA1 is bound to the session (RFC 7616 3.4.2).
_KNOWN = {
    "md5": ("md5", False),
    "md5-sess": ("md5", True),
    "sha-256": ("sha256", False),
    "sha-256-sess": ("sha256", True),
    "sha-512-256": ("sha512_256", False),
    "sha-512-256-sess": ("sha512_256", True),
}
# SHA-512/256 comes with the TLS library of the interpreter, and not with every one.
ALGORITHMS = {name: known for name, known in _KNOWN.items() if known[0] in hashlib.algorithms_available}
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


class Verdict(enum.Enum):
    """What a server makes of credentials."""

    OK = "ok"
    NO_CREDENTIALS = "no credentials"  # none, or the empty ones of a first IMS REGISTER: no failed attempt
    STALE = "stale"  # the password is right, the nonce is too old, unknown, or was used under this count before
    WRONG = "wrong"
    BAD = "bad"  # improper or missing directives, RFC 2617 3.2.2: 400


def password_hash(algorithm: str, username: str, realm: str, password: str) -> str:
    """H(username:realm:password), in hex: what a server may keep in place of the password."""
    return _hash(algorithm, f"{username}:{realm}:{password}".encode("utf-8", "surrogateescape"))


def response_hash(
    algorithm: str,
    ha1: str,
    *,
    method: str,
    uri: str,
    nonce: str,
    nc: str = "",
    cnonce: str = "",
    qop: str = "",
    body: bytes = b"",
) -> str:
    """The response directive, RFC 7616 3.4.1; without `qop` as RFC 2069 had it.

    `ha1` is `password_hash`; for a -sess algorithm it is bound to nonce and cnonce here. With an empty `method` the
    result is rspauth of Authentication-Info (RFC 7616 3.5). Raises KeyError for an algorithm not in ALGORITHMS.
    """
    if ALGORITHMS[algorithm.lower()][1]:
        ha1 = _hash(algorithm, f"{ha1}:{nonce}:{cnonce}".encode("utf-8", "surrogateescape"))
    a2 = f"{method}:{uri}"
    if qop.lower() == "auth-int":
        a2 = f"{a2}:{_hash(algorithm, body)}"
    ha2 = _hash(algorithm, a2.encode("utf-8", "surrogateescape"))
    between = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    return _hash(algorithm, f"{ha1}:{between}:{ha2}".encode("utf-8", "surrogateescape"))


def challenge(
    *,
    realm: str,
    nonce: str,
    algorithm: str = "MD5",
    qop: str = "auth",
    stale: bool = False,
    opaque: str | None = None,
) -> AuthHeader:
    """The value of WWW-Authenticate or Proxy-Authenticate for one algorithm; `qop` empty leaves qop out."""
    params = {"realm": realm, "nonce": nonce}
    if opaque is not None:
        params["opaque"] = opaque
    if stale:
        params["stale"] = "true"
    params["algorithm"] = algorithm
    if qop:
        params["qop"] = qop
    return AuthHeader("Digest", params)


def answer(
    challenge: AuthHeader,
    *,
    username: str,
    password: str,
    method: str,
    uri: str,
    body: bytes,
    cnonce: str,
    nc: int,
) -> AuthHeader:
    """The credentials that answer a challenge `is_supported` is true for. auth is preferred to auth-int."""
    realm, nonce = challenge.params["realm"], challenge.params["nonce"]
    algorithm = challenge.params.get("algorithm", "MD5")
    qop = _chosen_qop(challenge) or ""
    count = f"{nc:08x}"
    response = response_hash(
        algorithm,
        password_hash(algorithm, username, realm, password),
        method=method,
        uri=uri,
        nonce=nonce,
        nc=count,
        cnonce=cnonce,
        qop=qop,
        body=body,
    )
    params = {"username": username, "realm": realm, "nonce": nonce, "uri": uri, "response": response}
    if "algorithm" in challenge.params:
        params["algorithm"] = algorithm
    if qop or ALGORITHMS[algorithm.lower()][1]:
        params["cnonce"] = cnonce
    if qop:
        params |= {"qop": qop, "nc": count}
    if "opaque" in challenge.params:
        params["opaque"] = challenge.params["opaque"]
    return AuthHeader("Digest", params)


def is_supported(challenge: AuthHeader) -> bool:
    """True for a challenge this side can answer; others are ignored, RFC 8760 2.4."""
    params = challenge.params
    return (
        challenge.scheme.lower() == "digest"
        and "realm" in params
        and "nonce" in params
        and params.get("algorithm", "MD5").lower() in ALGORITHMS
        and _chosen_qop(challenge) is not None
    )


class DigestClient:
    """Answers challenges in the name of one account; counts the uses of each nonce.

    `username` is the private identity. With `realm` given, challenges of other realms are not answered.
    """

    MAX_NONCES = 64

    def __init__(self, username: str, password: str, realm: str | None = None) -> None:
        self.username = username
        self.password = password
        self.realm = realm
        self._uses: dict[str, int] = {}

    def authorization(
        self, challenges: Iterable[AuthHeader], method: str, uri: str, body: bytes, token: Callable[[], str]
    ) -> AuthHeader | None:
        """Credentials for the topmost challenge that can be answered (RFC 8760 2.4), or None.

        `token` makes the cnonce.
        """
        for offered in challenges:
            if is_supported(offered) and self.realm in (None, "", offered.params["realm"]):
                return answer(
                    offered,
                    username=self.username,
                    password=self.password,
                    method=method,
                    uri=uri,
                    body=body,
                    cnonce=token(),
                    nc=self._next_count(offered.params["nonce"]),
                )
        return None

    def _next_count(self, nonce: str) -> int:
        count = self._uses.pop(nonce, 0) + 1
        self._uses[nonce] = count
        if len(self._uses) > self.MAX_NONCES:
            del self._uses[next(iter(self._uses))]  # the one used longest ago
        return count


class NonceIssuer:
    """Nonces that prove themselves: time, serial number and an HMAC of both and the private identity, in hex."""

    # Milliseconds since the epoch, serial number, HMAC: 12 + 8 + 32 hexadecimal digits.
    _TIME = 12
    _SERIAL = 8
    _LENGTH = 52

    def __init__(self, key: bytes, lifetime: float) -> None:
        self.key = key
        self.lifetime = lifetime
        self._serial = 0

    def use_key(self, key: bytes) -> None:
        """Issue under another key from now on; nonces under the former one are unknown."""
        self.key = key

    def issue(self, private_id: str, now: float) -> str:
        """A nonce good for `lifetime` seconds and this identity."""
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        stamp = f"{max(int(now * 1000), 0) & 0xFFFFFFFFFFFF:012x}{self._serial:08x}"
        return stamp + self._mac(stamp, private_id)

    def expiry(self, nonce: str, private_id: str) -> float | None:
        """When a nonce of ours ends, in seconds; None for one that was not issued here to this identity."""
        if len(nonce) != self._LENGTH or not nonce.isascii():
            return None
        stamp, mac = nonce[: self._TIME + self._SERIAL], nonce[self._TIME + self._SERIAL :]
        if not hmac.compare_digest(mac, self._mac(stamp, private_id)):
            return None
        return int(stamp[: self._TIME], 16) / 1000 + self.lifetime

    def _mac(self, stamp: str, private_id: str) -> str:
        text = f"{stamp}:{private_id}".encode("utf-8", "surrogateescape")
        return hmac.new(self.key, text, hashlib.sha256).hexdigest()[:32]


class DigestVerifier(NonceIssuer):
    """The server's side: issues nonces and judges credentials. `lifetime` of a nonce is in seconds.

    A nonce may be used again with a higher nonce count; an equal or lower one is a replay. The counts of a nonce are
    forgotten when it expires, so what is kept is bounded by what was answered rightly within one lifetime.

    A nonce that was issued before `not_before` (seconds) is stale: its count is not known any more, because the process
    that kept it has ended.
    """

    def __init__(self, key: bytes, lifetime: float = 300.0, not_before: float = 0.0) -> None:
        super().__init__(key, lifetime)
        self._not_before = not_before
        self._counts: dict[str, int] = {}
        self._expiries: list[tuple[float, str]] = []

    def verify(
        self,
        credentials: AuthHeader | None,
        method: str,
        password: str | None,
        now: float,
        body: bytes = b"",
        *,
        ha1: str | None = None,
        private_id: str | None = None,
    ) -> Verdict:
        """Judges the value of Authorization or Proxy-Authorization. Never raises.

        Either `password` or `ha1` (see `password_hash`) is given. `private_id` is what the nonce was issued to, by
        default the username. The digest-uri is hashed as received and need not be the Request-URI (RFC 3261 22.4).
        """
        self._drop_expired(now)
        if credentials is None or credentials.scheme.lower() != "digest":
            return Verdict.NO_CREDENTIALS
        given = credentials.params
        if not given.get("response") or not given.get("nonce"):
            return Verdict.NO_CREDENTIALS
        if not _is_proper(given):
            return Verdict.BAD
        algorithm = given.get("algorithm", "MD5")
        if ha1 is None:
            if password is None:
                return Verdict.WRONG
            ha1 = password_hash(algorithm, given["username"], given["realm"], password)
        expected = response_hash(
            algorithm,
            ha1,
            method=method,
            uri=given["uri"],
            nonce=given["nonce"],
            nc=given.get("nc", ""),
            cnonce=given.get("cnonce", ""),
            qop=given.get("qop", ""),
            body=body,
        )
        if not hmac.compare_digest(expected.encode(), given["response"].lower().encode("utf-8", "surrogateescape")):
            return Verdict.WRONG
        return self._judge_nonce(given, given["username"] if private_id is None else private_id, now)

    def _judge_nonce(self, given: dict[str, str], private_id: str, now: float) -> Verdict:
        """Only looked at when the digest is right: stale must not hide a wrong password (RFC 7616 3.3)."""
        nonce = given["nonce"]
        expiry = self.expiry(nonce, private_id)
        if expiry is None or now >= expiry or expiry - self.lifetime < self._not_before:
            return Verdict.STALE
        # Without qop there is no count, so such a nonce serves once.
        count = int(given["nc"], 16) if given.get("qop") else 1
        last = self._counts.get(nonce)
        if last is None:
            heappush(self._expiries, (expiry, nonce))
        elif count <= last or not given.get("qop"):
            return Verdict.STALE
        self._counts[nonce] = count
        return Verdict.OK

    def _drop_expired(self, now: float) -> None:
        while self._expiries and self._expiries[0][0] <= now:
            del self._counts[heappop(self._expiries)[1]]


def _is_proper(given: dict[str, str]) -> bool:
    """True when every directive the calculation needs is there and of the right form."""
    if not all(given.get(name) for name in ("username", "realm", "uri")):
        return False
    algorithm = given.get("algorithm", "MD5").lower()
    if algorithm not in ALGORITHMS:
        return False
    if ALGORITHMS[algorithm][1] and not given.get("cnonce"):
        return False
    if "qop" not in given:
        return True
    count = given.get("nc", "")
    counted = len(count) == 8 and _HEXADECIMAL.issuperset(count) and count != "00000000"
    return given["qop"].lower() in ("auth", "auth-int") and counted and bool(given.get("cnonce"))


def _chosen_qop(challenge: AuthHeader) -> str | None:
    """auth, auth-int, empty when none is offered (RFC 2069), None when only unknown ones are."""
    if "qop" not in challenge.params:
        return ""
    offered = {qop.strip().lower() for qop in challenge.params["qop"].split(",")}
    if "auth" in offered:
        return "auth"
    return "auth-int" if "auth-int" in offered else None


def _hash(algorithm: str, data: bytes) -> str:
    return hashlib.new(ALGORITHMS[algorithm.lower()][0], data, usedforsecurity=False).hexdigest()
