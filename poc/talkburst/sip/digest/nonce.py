"""The nonces of the side that challenges. RFC 7616 3.3, RFC 7693 (BLAKE2 with a key: half the cost of an HMAC)."""

import hmac
from hashlib import blake2b


class NonceIssuer:
    """Nonces that prove themselves: time, serial number and a MAC of both and the private identity, in hex."""

    # Milliseconds since the epoch, serial number, MAC: 12 + 8 + 32 hexadecimal digits.
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

    def mark(self, nonce: str) -> int:
        """What tells a nonce that was issued here from all others."""
        return int(nonce[: self._TIME + self._SERIAL], 16)

    def _mac(self, stamp: str, private_id: str) -> str:
        text = f"{stamp}:{private_id}".encode("utf-8", "surrogateescape")
        return blake2b(text, digest_size=16, key=self.key[: blake2b.MAX_KEY_SIZE]).hexdigest()
