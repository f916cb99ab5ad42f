"""The hashes of Digest authentication and the algorithms there are. RFC 7616 3.4, RFC 8760 2.1."""

import hashlib
from typing import Final

# Algorithm in lower case -> name of the hash, and whether HA1 is bound to the session (RFC 7616 3.4.2).
_KNOWN: Final = {
    "md5": ("md5", False),
    "md5-sess": ("md5", True),
    "sha-256": ("sha256", False),
    "sha-256-sess": ("sha256", True),
    "sha-512-256": ("sha512_256", False),
    "sha-512-256-sess": ("sha512_256", True),
}
# SHA-512/256 comes with the TLS library of the interpreter, and not with every one.
ALGORITHMS: Final = {name: known for name, known in _KNOWN.items() if known[0] in hashlib.algorithms_available}

_md5: Final = hashlib.md5


def password_hash(algorithm: str, username: str, realm: str, password: str) -> str:
    """H(username:realm:password), in hex: what a server may keep in place of the password."""
    return _hash(ALGORITHMS[algorithm.lower()][0], f"{username}:{realm}:{password}")


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
    name, of_session = ALGORITHMS[algorithm.lower()]
    if of_session:
        ha1 = _hash(name, f"{ha1}:{nonce}:{cnonce}")
    a2 = f"{method}:{uri}"
    if qop.lower() == "auth-int":
        a2 = f"{a2}:{_hash_of_octets(name, body)}"
    ha2 = _hash(name, a2)
    return _hash(name, f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}" if qop else f"{ha1}:{nonce}:{ha2}")


def _hash(name: str, text: str) -> str:
    return _hash_of_octets(name, text.encode("utf-8", "surrogateescape"))


def _hash_of_octets(name: str, data: bytes) -> str:
    if name == "md5":  # nearly all of them, and the way by the name takes twice as long
        return _md5(data, usedforsecurity=False).hexdigest()
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()
