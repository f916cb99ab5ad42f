"""Requests that know how to identify themselves: 401 and 407 are answered here (RFC 3261 22.1 to 22.3).

    Requester(engine, credentials: DigestClient | None, token)
    requester.send(request, handler, now, *, listener=None, next_hop=None, timeout=None, next_cseq=None) -> Attempt
    attempt.abandon(now)

`handler(outcome, now)` is called once, with the final Response or with the Failure. A challenge is answered with the
request again under the next CSeq number and a new branch; once for each realm, and again when the server calls the
nonce stale. What cannot be answered (no credentials, wrong password) and every other status is the handler's.

`next_cseq` gives the number of a repetition; a dialog's is `dialog.next_cseq`. Without it the number is counted up from
the request's own, and `response.cseq.number` tells the one that was used last. `request` itself is never changed.

What led to a 2xx goes into later requests of the same Call-ID at once, with the nonce count one higher: a refresh costs
no second round trip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from talkburst.sip.digest import DigestClient, is_supported
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow
from talkburst.sip.headers import AuthHeader, HeaderError, parse_auth
from talkburst.sip.message import Request, Response
from talkburst.sip.transaction.client import ClientTransaction, Failure, ResponseHandler
from talkburst.sip.uri import Uri

# status: the header that challenges, the header that answers it
CHALLENGES: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
STALE_LIMIT: Final = 3  # a server that calls every fresh nonce stale is not asked for ever
REMEMBERED_CALLS: Final = 1024

Known = dict[int, list[AuthHeader]]  # challenges by their status


class Requester:
    """A user agent client with credentials; one serves all requests of an account."""

    def __init__(self, engine: Engine, credentials: DigestClient | None, token: Callable[[], str]) -> None:
        self.engine = engine
        self.credentials = credentials
        self.token = token
        self._known: dict[str, Known] = {}  # by Call-ID, the oldest first

    def send(
        self,
        request: Request,
        handler: ResponseHandler,
        now: float,
        *,
        listener: str | None = None,
        next_hop: Uri | None = None,
        timeout: float | None = None,
        next_cseq: Callable[[], int] | None = None,
    ) -> Attempt:
        """Sends `request` by `next_hop`, else Route, else Request-URI; `timeout` (seconds) bounds each attempt."""
        attempt = Attempt(self, request, handler, listener, next_hop, timeout, next_cseq)
        attempt.send(self._known.get(request.call_id, {}), now)
        return attempt

    def learn(self, call_id: str, known: Known) -> None:
        """Remembers what was challenged in a call. The oldest call is forgotten when there are too many."""
        self._known.setdefault(call_id, {}).update(known)
        if len(self._known) > REMEMBERED_CALLS:
            del self._known[next(iter(self._known))]


class Attempt:
    """One request on its way through the challenges."""

    __slots__ = (
        "_answered",
        "_handler",
        "_listener",
        "_next_cseq",
        "_next_hop",
        "_request",
        "_requester",
        "_stale",
        "_timeout",
        "_transaction",
        "_used",
    )

    def __init__(
        self,
        requester: Requester,
        request: Request,
        handler: ResponseHandler,
        listener: str | None,
        next_hop: Uri | None,
        timeout: float | None,
        next_cseq: Callable[[], int] | None,
    ) -> None:
        self._requester = requester
        self._request = request
        self._handler = handler
        self._listener = listener
        self._next_hop = next_hop
        self._timeout = timeout
        self._next_cseq = next_cseq
        self._answered: set[tuple[int, str]] = set()  # status and realm
        self._stale = 0
        self._used: Known = {}
        self._transaction: ClientTransaction | None = None

    @property
    def flow(self) -> Flow | None:
        """By which way it left, the last time; None while that is not known."""
        return None if self._transaction is None else self._transaction.flow

    def abandon(self, now: float) -> None:
        """Whoever asked is no more: nothing is sent again, and the handler is not called."""
        if self._transaction is not None:
            self._transaction.abandon(now)

    def send(self, known: Known, now: float) -> None:
        """Sends the request with credentials for the challenges that are known from before."""
        for status, challenges in known.items():
            self._identify(status, challenges)
        self._depart(now)

    def _depart(self, now: float) -> None:
        self._transaction = self._requester.engine.send_request(
            self._request,
            self._on_outcome,
            now,
            listener=self._listener,
            next_hop=self._next_hop,
            timeout=self._timeout,
        )

    def _on_outcome(self, outcome: Response | Failure, now: float) -> None:
        if isinstance(outcome, Response):
            if outcome.status < 200:
                return
            if outcome.status in CHALLENGES:
                if self._meets(outcome):
                    self._depart(now)
                    return
            elif self._used and outcome.status < 300:
                self._requester.learn(self._request.call_id, self._used)
        self._handler(outcome, now)

    def _meets(self, response: Response) -> bool:
        """Whether the challenges of a 401 or 407 can be answered; the request is then the one to send next."""
        challenges = [each for each in _challenges(response) if self._is_due(response.status, each)]
        request = self._request
        if not challenges or not self._identify(response.status, challenges):
            return False
        self._used[response.status] = challenges
        number = request.cseq.number + 1 if self._next_cseq is None else self._next_cseq()
        self._request.set("CSeq", f"{number} {request.method}")
        self._answered |= {(response.status, challenge.params.get("realm", "")) for challenge in challenges}
        self._stale += any(_is_stale(challenge) for challenge in challenges)
        return True

    def _is_due(self, status: int, challenge: AuthHeader) -> bool:
        """A challenge that was answered and comes again means a wrong password, unless only the nonce was too old."""
        if (status, challenge.params.get("realm", "")) not in self._answered:
            return True
        return _is_stale(challenge) and self._stale < STALE_LIMIT

    def _identify(self, status: int, challenges: list[AuthHeader]) -> bool:
        credentials = self._requester.credentials
        if credentials is None:
            return False
        request = self._request
        answer = credentials.authorization(challenges, request.method, request.uri, request.body, self._requester.token)
        if answer is None:
            return False
        self._request = request.copy()
        self._request.set(CHALLENGES[status][1], answer)
        return True


def is_answerable(response: Response) -> bool:
    """Whether a 401 or 407 has a challenge that somebody with the right password could answer."""
    return any(is_supported(challenge) for challenge in _challenges(response))


def _challenges(response: Response) -> list[AuthHeader]:
    """The challenges of a 401 or 407; what cannot be read is passed over."""
    found = []
    for text in response.get_all(CHALLENGES[response.status][0]):
        try:
            found.append(parse_auth(text))
        except HeaderError:
            continue
    return found


def _is_stale(challenge: AuthHeader) -> bool:
    return challenge.params.get("stale", "").lower() == "true"
