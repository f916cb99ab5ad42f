"""Digest authentication: hashes, the side that challenges, the side that answers. RFC 3261 22, RFC 8760, RFC 7616."""

from talkburst.sip.digest.client import DigestClient, answer, is_supported
from talkburst.sip.digest.hashes import ALGORITHMS, password_hash, response_hash
from talkburst.sip.digest.nonce import NonceIssuer
from talkburst.sip.digest.verifier import NONCE_COUNT_DIGITS, Challenge, DigestVerifier, Verdict, challenge

__all__ = [
    "ALGORITHMS",
    "NONCE_COUNT_DIGITS",
    "Challenge",
    "DigestClient",
    "DigestVerifier",
    "NonceIssuer",
    "Verdict",
    "answer",
    "challenge",
    "is_supported",
    "password_hash",
    "response_hash",
]
