"""Header names: compact forms, the lower-case key each header is found by, which headers are lists. RFC 3261 7.3."""

from typing import Final

COMPACT: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""The registered single-letter forms, RFC 3261 7.3.3 and the extensions that added one."""

# The names met all the time, so that the usual spelling costs one lookup and no new string.
_USUAL = """Via From To Call-ID CSeq Contact Max-Forwards Route Record-Route Content-Length Content-Type Expires Event
Subscription-State Allow Allow-Events Accept Supported Require Proxy-Require Unsupported User-Agent Server Date Path
Service-Route Authorization WWW-Authenticate Proxy-Authorization Proxy-Authenticate Authentication-Info SIP-ETag
SIP-If-Match Min-Expires Retry-After P-Asserted-Identity P-Preferred-Identity P-Associated-URI P-Charging-Vector
P-Access-Network-Info P-Visited-Network-ID Accept-Contact Reject-Contact Request-Disposition Privacy Warning Subject
Timestamp Max-Breadth"""

# Every name in it is known to be a token.
USUAL_KEYS: Final[dict[str, str]] = {name: name.lower() for name in _USUAL.split()}
USUAL_KEYS.update({name: name for name in _USUAL.lower().split()})
USUAL_KEYS.update(COMPACT)
USUAL_KEYS.update({letter.upper(): name for letter, name in COMPACT.items()})

# The same by name and colon, as they stand at the beginning of a line.
KEYS_WITH_COLON: Final[dict[str, str]] = {f"{name}:": key for name, key in USUAL_KEYS.items()}

NEVER_SPLIT: Final = frozenset(
    {
        "authorization",
        "www-authenticate",
        "proxy-authorization",
        "proxy-authenticate",
        "authentication-info",
        "call-id",
        "content-type",
        "cseq",
        "date",
        "from",
        "identity",
        "organization",
        "p-access-network-info",
        "p-charging-vector",
        "refer-to",
        "referred-by",
        "retry-after",
        "server",
        "subject",
        "subscription-state",
        "timestamp",
        "to",
        "user-agent",
    }
)
"""Headers whose commas are no list separators: credentials and challenges (RFC 3261 7.3.1), dates, free text."""


def header_key(name: str) -> str:
    """The full lower-case name of a header written in any case or in its compact form."""
    key = USUAL_KEYS.get(name)
    if key is None:
        lower = name.lower()
        key = COMPACT.get(lower, lower)
    return key
