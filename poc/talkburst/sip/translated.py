"""Devices behind an address translator: where they are reached over UDP (RFC 3581, RFC 5626 7)."""

from __future__ import annotations

from .flow import DEFAULT_PORT, Flow, is_literal, plain_host
from .message import Request
from .uri import SipUri, Uri


def is_translated(contact: Uri, request: Request, flow: Flow) -> bool:
    """Whether `contact` is where the sender of a request takes itself to be, and the request came from elsewhere.

    Both Via and Contact name that place, so no third party is meant, and with `rport` the device hears at the port that
    it sends from (RFC 3581 3): the source of the request reaches it, and the address of its own network does not.
    """
    if flow.reliable or not isinstance(contact, SipUri):
        return False
    place = plain_host(contact.host), contact.port or DEFAULT_PORT
    if place == flow.remote or not is_literal(place[0]) or len(request.vias) > 1:
        return False
    via = request.via
    return "rport" in via.params and place == (plain_host(via.host), via.port or DEFAULT_PORT)
