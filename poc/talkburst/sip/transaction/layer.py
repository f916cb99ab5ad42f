"""The transaction layer (RFC 3261 17): every transaction by its key, and what one asks of whoever runs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from talkburst.sip.agenda import Agenda
from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response
from talkburst.sip.timers import Timer, Timers
from talkburst.sip.transaction.client import ClientTransaction, Outcome, cancel_of
from talkburst.sip.transaction.key import ClientKey, ServerKey, client_key
from talkburst.sip.transaction.ways import Ways

if TYPE_CHECKING:
    from talkburst.sip.transaction.server import ServerTransaction


class TransactionLayer:
    """Clock, timers and counters of the transactions, and the transactions themselves; the engine is one.

    `token` makes unguessable strings for branches and tags (RFC 3261 19.3).
    """

    def __init__(self, timers: Timers | None, token: Callable[[], str]) -> None:
        self.timers = timers if timers is not None else Timers()
        self.token = token
        self.agenda = Agenda()
        self.counters: Counter[str] = Counter()
        self.clients: dict[ClientKey, ClientTransaction] = {}
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.handled: ServerTransaction | None = None  # what the user is being given
        self._ways = Ways()
        self._unreliable = self.timers.durations(False)
        self._reliable = self.timers.durations(True)

    def durations(self, reliable: bool) -> dict[Timer, float]:
        """How long each timer waits that runs at all (seconds)."""
        return self._reliable if reliable else self._unreliable

    # What the transactions ask for

    def transmit(self, flow: Flow, data: bytes, message: Request | Response) -> None:
        """Send `data`, which is `message`."""
        raise NotImplementedError

    def try_next(self, transaction: ClientTransaction, outcome: Outcome, now: float) -> bool:
        """Send a request that failed to its next target. False when this failure is its outcome."""
        raise NotImplementedError

    def pass_ack(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        """Give the user the ACK of a 2xx."""
        raise NotImplementedError

    def start(self, transaction: ClientTransaction, key: ClientKey, flow: Flow | None, now: float) -> None:
        """The way of a request is found, or there is none. It may have been given up, or begun anew, meanwhile."""
        if transaction.terminated or transaction.key != key:
            return
        if flow is None:
            self.counters["unroutable"] += 1
            transaction.fail(now)
        else:
            transaction.start(flow, now)

    def client_started(self, transaction: ClientTransaction) -> None:
        self._ways.add(transaction)

    def client_ended(self, transaction: ClientTransaction) -> None:
        self.clients.pop(transaction.key, None)
        self._ways.remove(transaction)

    def send_cancel(self, transaction: ClientTransaction, now: float, reason: str) -> None:
        """A CANCEL is a transaction of its own, with the branch of its INVITE (RFC 3261 9.1)."""
        assert transaction.flow is not None
        request = cancel_of(transaction.request, reason)
        key = client_key(request)
        cancel = ClientTransaction(self, key, request, transaction.reliable, lambda outcome, now: None)
        self.clients[key] = cancel
        cancel.start(transaction.flow, now)

    def server_ended(self, transaction: ServerTransaction) -> None:
        self.servers.pop(transaction.key, None)
