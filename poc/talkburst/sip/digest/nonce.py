"""The nonces of the side that challenges. RFC 7616 3.3, RFC 7693 (BLAKE2 with a key: half the cost of an HMAC)."""

from hashlib import blake2b
from hmac import compare_digest
from typing import Final

# Milliseconds since the epoch, serial number, MAC: 12 + 8 + 32 hexadecimal digits.
_TIME: Final = 12
_STAMP: Final = 20
_LENGTH: Final = 52


class NonceIssuer:
    """Nonces that prove themselves: time, serial number and a MAC of both and the private identity, in hex."""

    def __init__(self, key: bytes, lifetime: float) -> None:
        self.use_key(key)
        self.lifetime = lifetime
        self._serial = 0

    def use_key(self, key: bytes) -> None:
        """Issue under another key from now on; nonces under the former one are unknown."""
        self.key = key
        # Has taken the key in, which every MAC begins with.
        self._keyed = blake2b(digest_size=16, key=key[: blake2b.MAX_KEY_SIZE])

    def issue(self, private_id: str, now: float) -> str:
        """A nonce good for `lifetime` seconds and this identity."""
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        stamp = f"{max(int(now * 1000), 0) & 0xFFFFFFFFFFFF:012x}{self._serial:08x}"
        return stamp + self._mac(stamp, private_id)

    def expiry(self, nonce: str, private_id: str) -> float | None:
        """When a nonce of ours ends, in seconds; None for one that was not issued here to this identity."""
        if len(nonce) != _LENGTH or not nonce.isascii():
            return None
        stamp = nonce[:_STAMP]
        if not compare_digest(nonce[_STAMP:], self._mac(stamp, private_id)):
            return None
        return int(stamp[:_TIME], 16) / 1000 + self.lifetime

    def mark(self, nonce: str) -> int:
        """What tells a nonce that was issued here from all others."""
        return int(nonce[:_STAMP], 16)

    def _mac(self, stamp: str, private_id: str) -> str:
        mac = self._keyed.copy()
        mac.update(f"{stamp}:{private_id}".encode("utf-8", "surrogateescape"))
        return mac.hexdigest()
