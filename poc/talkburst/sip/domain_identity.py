"""Which SIP domains a certificate proves (RFC 5922 7.1 and 7.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from talkburst.sip.flow import unbracketed
from talkburst.sip.uri import SipUri, UriError, parse_uri

AlternativeName = tuple[str, str]
"""Type and value of a subjectAltName entry: "URI", "DNS" or "IP Address", others are passed over."""


# hostname of RFC 3261 25.1, as wide as we take it. ASCII alone: in lower case others may become ASCII.
_NAME: Final = re.compile(r"(?:\*\.)?[\w-]+(?:\.[\w-]+)*", re.ASCII)


def domain_identities(names: Iterable[AlternativeName]) -> frozenset[str]:
    """The domains and addresses of a certificate, in the form in which they are compared: as a whole, in lower case.

    `sip:` URIs without a user part, and DNS names where there is none such. A wildcard stands for nothing but itself
    (RFC 5922 7.2), and no host may be equal to one. An iPAddress is for those who are called by their address.
    The common name of a certificate without alternative names proves nothing, which 7.1 step 2 leaves to us.
    """
    uris: set[str] = set()
    hosts: set[str] = set()
    addresses: set[str] = set()
    for kind, value in names:
        if kind == "URI":
            uris.update(_domain_of(value))
        elif kind == "DNS":
            if _NAME.fullmatch(value) and _address(value) is None:  # a number is no name
                hosts.add(value.lower())
        elif kind == "IP Address" and (address := _address(value)) is not None:
            addresses.add(address)
    return frozenset((uris or hosts) | addresses)


@lru_cache(maxsize=4096)  # the same few hosts are sent to again and again
@lru_cache(maxsize=4096)  # the same few hosts are asked for with every request
def identity_of(host: str) -> str:
    """A host of a URI or Via, in the form in which `domain_identities` has it."""
    host = unbracketed(host)
    return _address(host) or host.lower().removesuffix(".")


def _domain_of(value: str) -> set[str]:
    try:
        uri = parse_uri(value)
    except UriError:
        return set()
    return {identity_of(uri.host)} if isinstance(uri, SipUri) and uri.scheme == "sip" and uri.user is None else set()


def _address(text: str) -> str | None:
    """An IP address as it is usually written; a certificate may write it in another way."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return None
