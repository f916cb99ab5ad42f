"""The side that answers challenges. RFC 3261 22.2 and 22.3, RFC 8760 2.4."""

from collections.abc import Callable, Iterable

from talkburst.sip.digest.hashes import ALGORITHMS, password_hash, response_hash
from talkburst.sip.headers.auth import AuthHeader


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


def _chosen_qop(challenge: AuthHeader) -> str | None:
    """auth, auth-int, empty when none is offered (RFC 2069), None when only unknown ones are."""
    if "qop" not in challenge.params:
        return ""
    offered = {qop.strip().lower() for qop in challenge.params["qop"].split(",")}
    if "auth" in offered:
        return "auth"
    return "auth-int" if "auth-int" in offered else None
