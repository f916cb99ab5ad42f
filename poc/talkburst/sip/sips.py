"""What a SIPS URI asks of those that it passes (RFC 3261 8.1.1.8, 12.1.1, 16.6 and 26.2.2, with RFC 5630).

That a request with a SIPS Request-URI leaves over TLS or not at all is seen to where its way is chosen.
"""

from __future__ import annotations

from typing import Final

from talkburst.sip.headers import NameAddr
from talkburst.sip.message import Request
from talkburst.sip.uri import SipUri, Uri, parse_uri

# Their Contact is where requests of a dialog go, or will go (RFC 3261 12.1.1, RFC 6665 4.4, RFC 3515 2.4.1).
TARGETING: Final = frozenset({"INVITE", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE"})

NOT_ALLOWED: Final = '380 {} "SIPS Not Allowed"'  # Warning (RFC 5630 9); its agent is host:port


def is_sips(uri: Uri) -> bool:
    return isinstance(uri, SipUri) and uri.scheme == "sips"


def names_sips(text: str) -> bool:
    """The same of a URI that has not been read."""
    return text[:5].lower() == "sips:"


def calls_for_sips(request: Request) -> bool:
    """Whether the Contact of a request has to be SIPS: its Request-URI or its first Route is (RFC 3261 8.1.1.8)."""
    return names_sips(request.uri) or _first_is_sips(request.routes)


def answer_calls_for_sips(request: Request) -> bool:
    """Whether the Contact of its 2xx has to be: the Request-URI, the first Record-Route, or else the Contact is.

    RFC 3261 12.1.1. Raises HeaderError.
    """
    recorded = request.record_routes
    return names_sips(request.uri) or _first_is_sips(recorded or request.contacts)


def contradiction(request: Request) -> str:
    """Why the URIs of a request do not go together (RFC 5630 5.1.2 and 5.3), empty when they do. Raises HeaderError."""
    if request.method not in TARGETING or not names_sips(request.uri):
        return ""
    for contact in request.contacts:
        if isinstance(contact.uri, SipUri) and contact.uri.scheme == "sip":
            return "Request-URI is SIPS and Contact is not"
    return ""


def as_sips(uri: SipUri) -> SipUri:
    """The SIPS URI of a place. It needs no `transport=tls` (RFC 5630 3.1.4)."""
    params = {name: value for name, value in uri.params.items() if name != "transport"}
    return SipUri("sips", uri.user, uri.host, uri.port, params, uri.headers, uri.password)


def as_sip(uri: SipUri) -> SipUri:
    """The SIP URI of a SIPS Contact: the scheme is another one, the rest is left as it is (RFC 5630 5.3)."""
    return SipUri("sip", uri.user, uri.host, uri.port, uri.params, uri.headers, uri.password)


def text_as_sips(text: str) -> str:
    uri = parse_uri(text)
    return str(as_sips(uri)) if isinstance(uri, SipUri) else text


def _first_is_sips(addresses: list[NameAddr]) -> bool:
    return bool(addresses) and is_sips(addresses[0].uri)
