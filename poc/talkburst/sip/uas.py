"""The user agent server: which requests are taken, in which order they are judged, and how they are answered.

    Uas(engine, token, *, methods={"REGISTER": handler}, allow_events=("reg",), accept=("application/sdp",),
        supported=(), software="", is_ours=None)
    uas.serve(method, handler)        handler(transaction, request, now); also after construction
    uas.on_request / on_ack / on_cancel   the TransactionUser that the engine calls
    uas.reply(transaction, status, now, reason=None, headers=(), body=None, content_type=None)
    uas.token() -> str                what tags and Call-IDs of this user agent are made of

RFC 3261 8.2 in its order: method (405, 501), Request-URI (416, 404), merged requests (482), Require (420), content
(415), then the method's own handler, which authenticates for itself. A handler that finds a header broken may let the
HeaderError or UriError out: the engine answers 400.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from talkburst.sip.defects import defects
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow
from talkburst.sip.headers.names import header_key
from talkburst.sip.message import Request, response_to
from talkburst.sip.methods import KNOWN_METHODS
from talkburst.sip.recent import Recent
from talkburst.sip.timers import Timer
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uri import OtherUri, Uri

Handler = Callable[[ServerTransaction, Request, float], None]
Headers = Iterable[tuple[str, object]]


class MergedRequests:
    """Tells a request that reached us twice over different paths. RFC 3261 8.2.2.2.

    Remembers From tag, Call-ID and CSeq of initial requests for as long as their transactions may live: at least one
    `lifetime` (seconds).
    """

    def __init__(self, lifetime: float) -> None:
        self._recent = Recent(lifetime)

    def seen(self, request: Request, now: float) -> bool:
        """Whether the same request came before in another transaction. In-dialog requests are never merged ones:
        an early NOTIFY has a To tag and must get through."""
        if request.to.tag:
            return False
        # 64 keyed bits stand for the three: two requests that share them by chance do not come in one lifetime.
        mark = hash((request.from_.tag or "", request.call_id, request.cseq.number, request.cseq.method))
        return self._recent.seen(mark, now)


class Uas:
    """RFC 3261 8.2. The handlers of `methods` get requests that passed every check below."""

    def __init__(
        self,
        engine: Engine,
        token: Callable[[], str],
        *,
        methods: Mapping[str, Handler] | None = None,
        allow_events: Iterable[str] = (),
        accept: Iterable[str] = (),
        supported: Iterable[str] = (),
        software: str = "",
        is_ours: Callable[[Uri], bool] | None = None,
    ) -> None:
        self._engine = engine
        self._methods: dict[str, Handler] = {"OPTIONS": self._on_options, **(methods or {})}
        self._accept = tuple(accept)
        self._supported = tuple(supported)
        self._software = software
        self._is_ours = is_ours
        self._merged = MergedRequests(engine.timers.duration(Timer.J))
        self.token = token
        self.allow_events = tuple(allow_events)

    @property
    def allow(self) -> str:
        """The value of Allow. CANCEL is the transaction layer's, and it always takes it."""
        return ", ".join(sorted({*self._methods, "CANCEL"}))

    def serve(self, method: str, handler: Handler) -> None:
        """Takes requests of `method` from now on."""
        self._methods[method] = handler

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Answers what must be refused, and hands the rest to the handler of its method."""
        refusal = self._refusal(request, now)
        if refusal is None:
            self._methods[request.method](transaction, request, now)
        else:
            status, reason, headers = refusal
            if "INVITE" in self._methods:
                self.reply(transaction, status, now, reason, headers)
            else:
                software: list[tuple[str, object]] = [("Server", self._software)] if self._software else []
                transaction.refuse(status, now, reason, headers + software)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK that belongs to no transaction has nothing to acknowledge here, and no answer. RFC 3261 17.2.3."""

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        """RFC 3261 9.2: an INVITE that is still undecided ends with 487."""
        if not transaction.final_sent:
            self.reply(transaction, 487, now)

    def _refusal(self, request: Request, now: float) -> tuple[int, str | None, list[tuple[str, object]]] | None:
        """The first reason to refuse, in the order of RFC 3261 8.2.1 to 8.2.3: status, reason phrase, headers."""
        for defect in defects(request, "uas"):
            return defect.status, defect.text, []
        if request.method not in self._methods:
            if request.method == "BYE":
                return 481, None, []  # RFC 3261 15.1.2; no dialog of ours would end with it
            return 405 if request.method in KNOWN_METHODS else 501, None, [("Allow", self.allow)]
        if isinstance(request.parsed_uri, OtherUri):
            return 416, None, []
        if self._is_ours is not None and not self._is_ours(request.parsed_uri):
            return 404, None, []
        if self._merged.seen(request, now):
            return 482, "Merged Request", []
        there = request.first_values()
        if "require" in there:
            unsupported = [tag for tag in request.values("Require") if tag not in self._supported]
            if unsupported:
                return 420, None, [("Unsupported", ", ".join(unsupported))]
        if request.body and "content-encoding" in there:
            encodings = {encoding.lower() for encoding in request.values("Content-Encoding")}
            if encodings - {"identity"}:
                return 415, None, [("Accept-Encoding", "identity")]
        return None

    def _on_options(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """RFC 3261 11.2: what we are able to do. Within a dialog it is 481, since no dialog of ours takes OPTIONS."""
        if request.to.tag:
            self.reply(transaction, 481, now)
            return
        content_type = request.content_type
        if request.body and content_type is not None and content_type.media_type not in self._accept:
            self.reply(transaction, 415, now, headers=[("Accept", ", ".join(self._accept))])
            return
        headers: list[tuple[str, object]] = [
            ("Allow", self.allow),
            ("Accept", ", ".join(self._accept)),
            ("Accept-Encoding", "identity"),
            ("Supported", ", ".join(self._supported)),
        ]
        if self.allow_events:
            headers.append(("Allow-Events", ", ".join(self.allow_events)))
        self.reply(transaction, 200, now, headers=headers)

    def reply(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        reason: str | None = None,
        headers: Headers = (),
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> None:
        """Sends a response with the transaction's To tag and our Server header. `reason` None: the standard phrase."""
        own = list(headers)
        if self._software and not any(header_key(name) == "server" for name, _ in own):
            own.append(("Server", self._software))
        response = response_to(transaction.request, status, reason, to_tag=transaction.to_tag, headers=own)
        if body:
            response.set_body(body, content_type)
        self._engine.respond(transaction, response, now)
