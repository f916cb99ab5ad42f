"""The IANA registry of SIP methods."""

from typing import Final

KNOWN_METHODS: Final = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER"}
    | {"SUBSCRIBE", "UPDATE"}
)
"""One of these that is not served is 405, any other is 501 (RFC 3261 8.2.1, 21.5.2)."""
