"""Whom a request is for: the core itself, a user whom it answers for, or somebody to whom it is passed on.

The core has two sides, listeners for clients and listeners for servers.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from talkburst.sip import Request, SipUri, parse_uri
from talkburst.sip.proxy import Proxy
from talkburst.sip.route_preprocessing import Routed
from talkburst_core.profile import Subscribers

CLIENTS: Final = "clients"
SERVERS: Final = "servers"


@dataclass(slots=True)
class Destination:
    """`domains` are ours, `packages` the events of users that the core tells."""

    proxy: Proxy
    domains: Collection[str]
    subscribers: Subscribers
    packages: Collection[str]

    def is_for_another_domain(self, request: Request) -> bool:
        """A REGISTER for somebody else's registrar is passed on like anything else (RFC 3261 10.3 step 1)."""
        uri = request.parsed_uri
        return isinstance(uri, SipUri) and uri.host not in self.domains and not self.proxy.is_own_route(uri)

    def is_for_us(self, routed: Routed) -> bool:
        """Whether the Request-URI names the core itself: one of its addresses, its name, or a domain without a user.

        What came by our Record-Route (which, unlike Service-Route, has no user part) is for the other end of a dialog,
        whatever the address in the Request-URI: behind a relay or a NAT it may look like ours.
        """
        uri = routed.request.parsed_uri
        if not routed.finished or not isinstance(uri, SipUri) or "maddr" in uri.params:
            return False
        if routed.request.to.tag and routed.own and routed.own[-1].user is None:
            return False
        if uri.host in self.domains:
            return uri.user is None
        return self.proxy.is_own_route(uri)

    def is_local(self, routed: Routed) -> bool:
        """Whether we answer the request: it is for the core, or watches the registration of one of our users."""
        if self.is_for_us(routed):
            return True
        request = routed.request
        if request.method != "SUBSCRIBE" or not routed.finished:
            return False
        event = request.event
        return event is not None and event.package in self.packages and self.subscribers.find(request.uri) is not None

    def outbound(self, routed: Routed, inbound: str) -> str:
        """By which listener a request leaves that follows its Route: the one of the last entry that was ours."""
        listener = self.proxy.own_listener(routed.own[-1]) if routed.own else None
        return listener or inbound


def side_of(listener: str) -> str:
    """Which of the two sides a listener belongs to; further ones of a side are called "clients/2" and so on."""
    return listener.partition("/")[0]


def names_of_the_core(domains: Collection[str], own: str) -> dict[str, str]:
    """Host names that are the core, each with the listener that it stands for."""
    names = dict.fromkeys(domains, CLIENTS)
    uri = parse_uri(own)
    if isinstance(uri, SipUri):
        names.setdefault(uri.host, SERVERS)
    return names
