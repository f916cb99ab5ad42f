"""HTTP frames paired into exchanges, whoever reported them."""

from collections import Counter, defaultdict, deque
from typing import NamedTuple

from talkburst.flow.discovery import Discovery
from talkburst.flow.http_exchange import HttpExchange, HttpHead, read_head, xcap_target
from talkburst.flow.roles import Role, role_of_node
from talkburst.obs.frame import Endpoint, Frame


class HttpSighting(NamedTuple):
    """An HTTP message as it came by; `first` is False where its other end had reported it already."""

    time: float
    sender: Role
    receiver: Role
    start_line: str
    exchange: HttpExchange
    is_answer: bool
    first: bool


class HttpTraffic:
    """The exchanges seen so far, answers given to the oldest open request of their connection (HTTP/1.1)."""

    def __init__(self, discovery: Discovery) -> None:
        self.exchanges: list[HttpExchange] = []
        self.of_user: dict[str, list[HttpExchange]] = defaultdict(list)
        self._discovery = discovery
        self._open: dict[tuple[str, Endpoint, Endpoint], deque[HttpExchange]] = defaultdict(deque)
        # Both ends may report one message, and ports may differ between their reports: the n-th sight of a line at
        # one reporter is the n-th at the other.
        self._seen_by: Counter[tuple[str, str]] = Counter()
        self._seen: Counter[str] = Counter()

    def add(self, frame: Frame) -> HttpSighting | None:
        """Take one frame in; None for what is no head of an HTTP message, or an answer without its request."""
        head = read_head(frame.payload)
        if head is None:
            return None
        return self._request(frame, head) if head.status is None else self._answer(frame, head, head.status)

    def _request(self, frame: Frame, head: HttpHead) -> HttpSighting | None:
        target = xcap_target(head.target)
        receiver = self._receiver(frame, is_xcap=target is not None)
        if receiver is None:
            return None
        exchange = HttpExchange(self._sender(frame, head.method), receiver, head, frame.time, target)
        self.exchanges.append(exchange)
        self.of_user[exchange.user].append(exchange)
        self._open[frame.node or "", frame.source, frame.destination].append(exchange)
        first = self._first(frame, head.start_line)
        return HttpSighting(frame.time, exchange.sender, receiver, head.start_line, exchange, False, first)

    def _answer(self, frame: Frame, head: HttpHead, status: int) -> HttpSighting | None:
        waiting = self._open.get((frame.node or "", frame.destination, frame.source))
        if not waiting:
            return None
        exchange = waiting[0]
        if status >= 200:
            waiting.popleft()
            exchange.status, exchange.answered, exchange.answer_line = status, frame.time, head.start_line
        first = self._first(frame, f"{head.start_line} to {exchange.head.start_line}")
        return HttpSighting(frame.time, exchange.receiver, exchange.sender, head.start_line, exchange, True, first)

    def _first(self, frame: Frame, line: str) -> bool:
        reporter = frame.node or ""
        self._seen_by[reporter, line] += 1
        if self._seen_by[reporter, line] <= self._seen[line]:
            return False
        self._seen[line] += 1
        return True

    def _receiver(self, frame: Frame, *, is_xcap: bool) -> Role | None:
        node = role_of_node(frame.node)
        role: Role | None = node if node is not None and frame.outbound is False else None
        role = role or self._discovery.role(frame.destination)
        if role is None and (is_xcap or node in ("server", "client")):
            role = "xdms"
        if role is not None:
            self._discovery.learn(frame.destination, role)
        return role

    def _sender(self, frame: Frame, method: str) -> Role:
        """Who asks. Where nothing else tells, the PoC server reads (that is step 11) and a client writes."""
        node = role_of_node(frame.node)
        if node is not None and frame.outbound:
            return node
        known = self._discovery.role(frame.source) or self._discovery.only_role_at(frame.source[0])
        if known is not None and known != "xdms":
            return known
        return "server" if method == "GET" else "client"
