"""What a proxy does with the Route of a request before it forwards it (RFC 3261 16.4).

The addresses of the engine's listeners are ours, and so are the names that are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .engine import Engine
from .flow import Flow, Listener, default_port, plain_host
from .message import Request
from .uri import SipUri, Uri


class Routed:
    """A request after RFC 3261 16.4: `own` holds the URIs of the Route entries that named us, in their order."""

    __slots__ = ("own", "request")

    def __init__(self, request: Request, own: list[SipUri]) -> None:
        self.request: Final = request
        self.own: Final = own

    @property
    def finished(self) -> bool:
        """No Route is left: the Request-URI decides."""
        return self.request.get("Route") is None


class RoutePreprocessing:
    """Takes the Route entries off that are us. `names` are host names that are us, each with its listener."""

    __slots__ = ("_engine", "_names")

    def __init__(self, engine: Engine, names: Mapping[str, str]) -> None:
        self._engine = engine
        self._names = {name.lower(): listener for name, listener in names.items()}

    def own_listener(self, uri: Uri) -> str | None:
        """The name of the listener that a URI leads to; None when it is not ours. A maddr goes before the host."""
        if not isinstance(uri, SipUri):
            return None
        host, port = plain_host(uri.params.get("maddr") or uri.host), uri.port
        over = "TLS" if uri.scheme == "sips" or (uri.params.get("transport") or "").lower() == "tls" else ""
        if port is None and host in self._names:
            return self._names[host]
        for listener in self._engine.listeners():
            if (host, port or default_port(over)) in _addresses(listener):
                return listener.name
            if host in self._names and port in _ports(listener):
                return listener.name
        return None

    def is_own_route(self, uri: Uri) -> bool:
        return self.own_listener(uri) is not None

    def take_routes(self, request: Request, flow: Flow | None = None) -> Routed:
        """RFC 3261 16.4: undoes what a strict router did to the request, and takes the Route entries off that are us.

        `flow` is how it came in: only by that can a maddr be ours. Raises HeaderError or UriError for a Route that
        cannot be read.
        """
        request = request.copy()
        routed = Routed(request, self._undo_strict_routing(request))
        if flow is not None:
            self._strip_maddr(request, flow)
        taken = 0
        for route in request.routes:
            if not isinstance(route.uri, SipUri) or not self.is_own_route(route.uri):
                break
            routed.own.append(route.uri)
            taken += 1
        if taken:
            request.remove_first("Route", taken)
        return routed

    def _undo_strict_routing(self, request: Request) -> list[SipUri]:
        """A Request-URI that we put in Record-Route is a strict router's doing: the real one is the last Route.

        What stood in its place, if so, is the first Route entry that was us.
        """
        uri, routes = request.parsed_uri, request.values("Route")
        if not (routes and isinstance(uri, SipUri) and uri.lr and self.is_own_route(uri)):
            return []
        request.uri = str(request.routes[-1].uri)
        request.remove("Route")
        for route in routes[:-1]:
            request.add("Route", route)
        return [uri]

    def _strip_maddr(self, request: Request, flow: Flow) -> None:
        """Takes a maddr out that led the request here, with the port and the transport that go with it."""
        uri = request.parsed_uri
        if not isinstance(uri, SipUri) or "maddr" not in uri.params or not self.is_own_route(uri):
            return
        listener = self._engine.listener(flow.listener, flow.transport)
        transport = (uri.params.get("transport") or ("TLS" if uri.scheme == "sips" else "UDP")).upper()
        if transport != flow.transport or (uri.port or default_port(transport)) not in _ports(listener):
            return  # it is for another listener of ours
        params = {name: value for name, value in uri.params.items() if name not in ("maddr", "transport")}
        request.uri = str(SipUri(uri.scheme, uri.user, uri.host, None, params, uri.headers, uri.password))


def _ports(listener: Listener) -> tuple[int, int]:
    return listener.port, listener.advertised[1]


def _addresses(listener: Listener) -> tuple[tuple[str, int], tuple[str, int]]:
    return (plain_host(listener.advertised[0]), listener.advertised[1]), (listener.host, listener.port)
