"""The stateful proxy (RFC 3261 16, with RFC 4320 for non-INVITE and RFC 5658 for two listeners).

    Proxy(engine, names={"scscf.ims.example": "servers"})
    proxy.admit(transaction, now) -> bool                 16.3: False when it has answered the refusal itself
    proxy.take_routes(request) -> Routed                  16.4: a copy without the Route entries that are us
    proxy.forward(transaction, request, targets, now)     16.6 to 16.9: sends it on and brings the best answer back
    proxy.forward_ack(request, target, now, stranger)     the ACK of a 2xx that passed here; it has no transaction
    proxy.on_cancel(transaction, now) -> bool             16.10: False when the request was not forwarded

Who decides where a request goes is somebody else: `forward` is given the target set. What it forwards it leaves alone,
byte for byte, but for Via, Max-Forwards, Max-Breadth, Route, Record-Route and the Request-URI. The addresses of the
engine's listeners are ours, and so are the names it is given.

A loop is told from a spiral by what the branches of our Vias end in: a checksum of the Request-URI and the Route that a
request came with (RFC 5393 4.2). What contacts that point at each other could multiply is bounded by Max-Breadth
(RFC 5393 5.3).

DEVIATION(RFC 3261 16.10): a CANCEL of nothing that was forwarded is answered 481 and not forwarded. We are never
stateless, so whatever it cancels has not passed here, and nobody asks for credentials for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from zlib import crc32

from .defects import defects
from .engine import Engine
from .flow import Flow, Listener, default_port
from .headers import HeaderError, Via
from .headers.grammar import parse_number
from .message import Request, Response, response_to
from .outbound import MARK
from .recent import Recent
from .response_context import FailureHandler, Outgoing, ResponseContext
from .route_preprocessing import Routed, RoutePreprocessing
from .sips import as_sips, calls_for_sips, names_sips
from .timers import Timer
from .transaction.server import ServerTransaction
from .uri import SipUri, Uri, UriError, parse_uri

MAX_FORWARDS: Final = 70
MAX_BREADTH: Final = 60  # RFC 5393 5.3.3.1

Refusal = tuple[int, str | None, Iterable[tuple[str, object]]]


class Target:
    """One member of the target set (RFC 3261 16.5): `uri` None keeps the Request-URI, `route` goes on top of Route.

    It leaves by `listener` for whoever the topmost Route, else the Request-URI, names, or over `flow`, a connection as
    long as it is open (RFC 5626 5.3). `distrusted` are header fields that are taken out of responses from there
    (RFC 3325 5), `private` those that are taken out where a response asks for privacy (RFC 3325 7). `instead` is
    another way to the same device, for when this one turns out to lead nowhere (RFC 5626 7). `secure`: over TLS,
    although the Request-URI is SIP, for the Contact behind it is SIPS (RFC 5630 5.3).
    """

    __slots__ = ("distrusted", "flow", "instead", "listener", "private", "route", "secure", "uri")

    def __init__(
        self,
        listener: str,
        uri: str | None = None,
        route: Sequence[str] = (),
        distrusted: Sequence[str] = (),
        flow: Flow | None = None,
        instead: Target | None = None,
        secure: bool = False,
        private: Sequence[str] = (),
    ) -> None:
        self.listener: Final = listener
        self.uri: Final = uri
        self.route: Final = route
        self.distrusted: Final = distrusted
        self.flow: Final = flow
        self.instead: Final = instead
        self.secure: Final = secure
        self.private: Final = private


class Proxy:
    """Forwards requests and their responses. `names` are host names that are us, each with its listener."""

    def __init__(self, engine: Engine, names: Mapping[str, str] | None = None) -> None:
        self._engine = engine
        self._routes = RoutePreprocessing(engine, names or {})
        self._contexts: dict[ServerTransaction, ResponseContext] = {}
        self._accepted = Recent(engine.timers.duration(Timer.L))

    @property
    def pending(self) -> int:
        """How many requests are forwarded and not answered yet by everybody they went to."""
        return len(self._contexts)

    def own_listener(self, uri: Uri) -> str | None:
        """The name of the listener that a URI leads to; None when it is not ours. A maddr goes before the host."""
        return self._routes.own_listener(uri)

    def is_own_route(self, uri: Uri) -> bool:
        return self._routes.own_listener(uri) is not None

    def take_routes(self, request: Request, flow: Flow | None = None) -> Routed:
        """RFC 3261 16.4, see `RoutePreprocessing.take_routes`. Raises HeaderError or UriError."""
        return self._routes.take_routes(request, flow)

    def admit(self, transaction: ServerTransaction, now: float) -> bool:
        """RFC 3261 16.3: checks a request that is to be forwarded, as it was received; answers it if it must not be."""
        try:
            refusal = self._refusal(transaction.request)
        except (HeaderError, UriError) as error:
            refusal = (400, str(error), ())
        if refusal is None:
            return True
        status, reason, headers = refusal
        transaction.refuse(status, now, reason, headers)
        return False

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        reason: str | None = None,
        headers: Iterable[tuple[str, object]] = (),
    ) -> None:
        """A response of the proxy's own, to somebody whom it knows; others are refused by the transaction."""
        response = response_to(transaction.request, status, reason, to_tag=transaction.to_tag, headers=headers)
        self._engine.respond(transaction, response, now)

    def _refusal(self, request: Request) -> Refusal | None:
        for defect in defects(request, "proxy"):
            return defect.status, defect.text, ()
        if request.max_forwards == 0:
            return 483, None, ()
        if self._loops(request):
            return 482, None, ()
        wanted = request.values("Proxy-Require")
        return (420, None, [("Unsupported", ", ".join(wanted))]) if wanted else None

    def _loops(self, request: Request) -> bool:
        """RFC 5393 4.2.2: whether this request was here before, and nothing has changed that decides its way."""
        own = [(via.branch or "").lower() for via in request.vias if self._engine.is_own_address(*_sent_by(via))]
        if not own:
            return False
        mark = loop_mark(request)
        return any(branch.endswith(mark) for branch in own)

    def forward(
        self,
        transaction: ServerTransaction,
        request: Request,
        targets: Sequence[Target],
        now: float,
        *,
        record_route: bool = False,
        timeout: float | None = None,
        on_failure: FailureHandler | None = None,
    ) -> None:
        """Sends `request` to every target at once and answers `transaction` with the best that comes back.

        `request` is the one of the transaction after `take_routes`, with whatever the caller changed in it. The targets
        share its Max-Breadth; more of them than that are 440 (RFC 5393 5.3.3.2).
        `timeout`: seconds within which one of the targets has to show life, by any response at all; without one it has
        failed with Failure.TIMEOUT. `on_failure` is told of any outcome but a 2xx and may take over, to forward again.
        """
        breadth, number = _breadth(request), len(targets)
        if number > breadth:
            self.respond(transaction, 440, now)
            return
        outgoing = [
            self._outgoing(request, target, transaction.flow if record_route else None, (breadth + index) // number)
            for index, target in enumerate(targets)
        ]
        context = ResponseContext(self._engine, transaction, on_failure, self._on_accepted, self._forget)
        self._contexts[transaction] = context
        context.start(outgoing, now, timeout, loop_mark(transaction.request))

    def _forget(self, context: ResponseContext) -> None:
        if self._contexts.get(context.transaction) is context:
            del self._contexts[context.transaction]

    def _on_accepted(self, context: ResponseContext, response: Response, now: float) -> None:
        if not context.is_invite:
            return
        flow = context.transaction.flow
        direct = len(context.request.vias) == 1
        self._accepted.add(_acknowledged(response), now)
        self._accepted.add((*_acknowledged(response), flow.remote[0] if direct else ""), now)
        current = self._contexts.get(context.transaction)
        if current is not None and current is not context:
            current.cancel(now)  # somebody took the matter over from one who answers after all

    def forward_ack(self, request: Request, target: Target, now: float, stranger: Flow | None = None) -> None:
        """Passes on the ACK of a 2xx that passed here; any other is dropped, for an ACK has no answer.

        Nobody can be asked for credentials for an ACK (RFC 3261 22.1). That its INVITE was let through has to do, else
        we would carry datagrams of strangers to wherever they like. `stranger` is how it came, if it is not known who
        is there: then it has to be from where the INVITE was, by whatever transport and port (RFC 3261 18.1.1), unless
        that had passed a proxy, which need not stay on the way.
        """
        dialog = _acknowledged(request)
        ways: list[object] = [dialog] if stranger is None else [(*dialog, stranger.remote[0]), (*dialog, "")]
        if not any(self._accepted.holds(way, now) for way in ways):
            self._engine.counters["stray_ack"] += 1
        elif request.max_forwards != 0:
            ack = self._outgoing(request, target)
            self._engine.send_stateless(ack.request, now, listener=ack.listener, next_hop=ack.next_hop, flow=ack.flow)

    def on_cancel(self, transaction: ServerTransaction, now: float) -> bool:
        """RFC 3261 16.10: cancels what is pending; the 487 comes back the way every answer does."""
        context = self._contexts.get(transaction)
        if context is not None:
            context.cancel(now, transaction.cancel_reason)
        return context is not None

    def _outgoing(
        self, request: Request, target: Target, inbound: Flow | None = None, breadth: int | None = None
    ) -> Outgoing:
        """RFC 3261 16.6 steps 1 to 7: the request as it leaves, by which listener, and where to.

        `inbound` is how it came in, when the way is to be recorded.
        """
        sent = request.copy()
        if target.uri is not None:
            sent.uri = request_uri(target.uri)
        hops = request.max_forwards
        sent.set("Max-Forwards", MAX_FORWARDS if hops is None else max(hops - 1, 0))
        if breadth is not None:
            sent.set("Max-Breadth", breadth)
        for route in reversed(target.route):
            sent.prepend("Route", route)
        sips = names_sips(sent.uri)  # and so it stays, over TLS, where a strict router takes the place of that URI
        next_hop = _next_hop(sent)
        if (target.secure or (sips and not names_sips(sent.uri))) and isinstance(next_hop, SipUri):
            next_hop = as_sips(next_hop)
        flow = target.flow if target.flow is not None and self._engine.is_usable(target.flow) else None
        if inbound is not None:
            # RFC 5658: one entry for each side, on top the one that the next hop will use. Two transports of one
            # listener are two sides as well.
            came = self._engine.listener(inbound.listener, inbound.transport)
            goes = self._engine.source(sent, listener=target.listener, next_hop=next_hop, flow=flow)
            secure = sips or calls_for_sips(sent)
            for way in dict.fromkeys((self._way_back(came, secure), self._way_back(goes, secure))):
                sent.prepend("Record-Route", f"<{way};lr>")
        instead = None if target.instead is None else self._outgoing(request, target.instead, inbound, breadth)
        return Outgoing(sent, target.listener, next_hop, target.distrusted, flow, instead, target.private)

    def _way_back(self, listener: Listener, secure: bool) -> str:
        """A URI for Record-Route, which is SIPS where the Request-URI or the first Route is (RFC 3261 16.6 step 4)."""
        over_tls = self._engine.sibling(listener, "TLS") if secure else None
        return f"sip:{listener.hostport}" if over_tls is None else f"sips:{over_tls.sent_by}"


def _breadth(request: Request) -> int:
    """How many branches may be pending for a request at one time; nobody gets more than the default by asking."""
    given = request.get("Max-Breadth")
    return MAX_BREADTH if given is None else min(parse_number(given, 2**31 - 1), MAX_BREADTH)


def loop_mark(request: Request) -> str:
    """The second part of a branch (RFC 5393 4.2.1) for a request as it was received.

    It depends on what decides where the request goes, and on the Call-ID, so that no two users collide for ever.
    """
    decisive = "\n".join((request.uri, *request.get_all("Route"), request.call_id))
    return f"{MARK}{crc32(decisive.encode('utf-8', 'surrogateescape')):08x}"


def _sent_by(via: Via) -> tuple[str, int]:
    return via.host, via.port or default_port(via.transport)


def _acknowledged(message: Request | Response) -> tuple[str, str, str, int]:
    """What an ACK has in common with the 2xx that it is for (RFC 3261 13.2.2.4)."""
    return message.call_id, message.from_.tag or "", message.to.tag or "", message.cseq.number


def request_uri(text: str) -> str:
    """A URI without what a Request-URI may not have (RFC 3261 19.1.1, table 1)."""
    uri = parse_uri(text)
    if not isinstance(uri, SipUri) or (uri.headers is None and "method" not in uri.params):
        return text
    params = {name: value for name, value in uri.params.items() if name != "method"}
    return str(SipUri(uri.scheme, uri.user, uri.host, uri.port, params, None, uri.password))


def _next_hop(request: Request) -> Uri:
    """RFC 3261 16.6 steps 6 and 7. A strict router on top takes the place of the Request-URI."""
    routes = request.routes
    if not routes:
        return request.parsed_uri
    first = routes[0].uri
    if isinstance(first, SipUri) and not first.lr:
        request.remove_first("Route")
        request.add("Route", f"<{request.uri}>")
        request.uri = request_uri(str(first))
    return first
