"""The side that challenges and judges what it gets. RFC 3261 22.1, RFC 7616 3.3 and 3.4."""

import enum
from hmac import compare_digest
from typing import Final

from talkburst.sip.digest.hashes import ALGORITHMS, password_hash, response_hash
from talkburst.sip.digest.nonce import NonceIssuer
from talkburst.sip.headers.auth import AuthHeader

NONCE_COUNT_DIGITS: Final = 8  # RFC 7616 3.4: nc-value = 8LHEX
_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")


class Verdict(enum.Enum):
    """What a server makes of credentials."""

    OK = "ok"
    NO_CREDENTIALS = "no credentials"  # none, or the empty ones of a first IMS REGISTER: no failed attempt
    STALE = "stale"  # the password is right, the nonce is too old, unknown, or was used under this count before
    WRONG = "wrong"
    BAD = "bad"  # improper or missing directives, RFC 2617 3.2.2: 400


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


_ANY_NONCE: Final = "0" * 52


class Challenge:
    """The text of challenges that differ by the nonce alone, which is one of ours: it needs no quoting."""

    __slots__ = ("_after", "_before")

    def __init__(self, realm: str, algorithm: str, stale: bool) -> None:
        written = str(challenge(realm=realm, nonce=_ANY_NONCE, algorithm=algorithm, stale=stale))
        before, _, after = written.rpartition(_ANY_NONCE)  # the realm may be anything, and stands before it
        self._before: Final = before
        self._after: Final = after

    def text(self, nonce: str) -> str:
        return self._before + nonce + self._after


class DigestVerifier(NonceIssuer):
    """The server's side: issues nonces and judges credentials. `lifetime` of a nonce is in seconds.

    A nonce may be used again with a higher nonce count; an equal or lower one is a replay. The counts of a nonce are
    forgotten after it expires, so what is kept is bounded by what was answered rightly within two lifetimes.

    A nonce that was issued before `not_before` (seconds) is stale: its count is not known any more, because the process
    that kept it has ended.
    """

    def __init__(self, key: bytes, lifetime: float = 300.0, not_before: float = 0.0) -> None:
        super().__init__(key, lifetime)
        self._not_before = not_before
        self._counts: dict[int, int] = {}  # by time and serial number of the nonce
        self._former: dict[int, int] = {}  # those of the lifetime before
        self._swap_at = 0.0

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
        short_count: bool = False,
    ) -> Verdict:
        """Judges the value of Authorization or Proxy-Authorization. Never raises.

        Either `password` or `ha1` (see `password_hash`) is given. `private_id` is what the nonce was issued to, by
        default the username. `short_count`: a nonce count of fewer than 8 digits is as good. The digest-uri is hashed
        as received and need not be the Request-URI (RFC 3261 22.4).
        """
        self._drop_expired(now)
        if credentials is None or credentials.scheme.lower() != "digest":
            return Verdict.NO_CREDENTIALS
        given = credentials.params
        if not given.get("response") or not given.get("nonce"):
            return Verdict.NO_CREDENTIALS
        if not _is_proper(given, short_count):
            return Verdict.BAD
        if ha1 is None:
            if password is None:
                return Verdict.WRONG
            ha1 = password_hash(given.get("algorithm", "MD5"), given["username"], given["realm"], password)
        expected = _expected_response(given, ha1, method, body)
        if not compare_digest(expected.encode(), given["response"].lower().encode("utf-8", "surrogateescape")):
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
        mark = self.mark(nonce)
        last = self._counts.get(mark, self._former.get(mark))
        if last is not None and (count <= last or not given.get("qop")):
            return Verdict.STALE
        self._counts[mark] = count
        return Verdict.OK

    def _drop_expired(self, now: float) -> None:
        """Counts are kept for at least one lifetime and at most two: nothing has to be kept about when each ends."""
        if now >= self._swap_at:
            self._former = self._counts if now < self._swap_at + self.lifetime else {}
            self._counts = {}
            self._swap_at = now + self.lifetime


def _is_proper(given: dict[str, str], short_count: bool) -> bool:
    """True when every directive the calculation needs is there and of the right form."""
    if not (given.get("username") and given.get("realm") and given.get("uri")):
        return False
    algorithm = given.get("algorithm", "MD5").lower()
    if algorithm not in ALGORITHMS:
        return False
    if ALGORITHMS[algorithm][1] and not given.get("cnonce"):
        return False
    if "qop" not in given:
        return True
    count = given.get("nc", "")
    digits = len(count) == NONCE_COUNT_DIGITS or (short_count and 0 < len(count) < NONCE_COUNT_DIGITS)
    counted = digits and _HEXADECIMAL.issuperset(count) and count.strip("0") != ""
    return given["qop"].lower() in ("auth", "auth-int") and counted and bool(given.get("cnonce"))


def _expected_response(given: dict[str, str], ha1: str, method: str, body: bytes) -> str:
    """What the response directive has to be beside the others that were given."""
    return response_hash(
        given.get("algorithm", "MD5"),
        ha1,
        method=method,
        uri=given["uri"],
        nonce=given["nonce"],
        nc=given.get("nc", ""),
        cnonce=given.get("cnonce", ""),
        qop=given.get("qop", ""),
        body=body,
    )
