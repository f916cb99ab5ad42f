"""What the engine calls: the transaction user (RFC 3261 6)."""

from __future__ import annotations

from typing import Protocol

from talkburst.sip.flow import Flow
from talkburst.sip.message import Request
from talkburst.sip.transaction.server import ServerTransaction


class TransactionUser(Protocol):
    """Takes requests. A HeaderError or UriError out of `on_request` is answered 400: the peer's header was broken."""

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A new request: never a retransmission, an ACK or a CANCEL."""

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK that is not of a 3xx-6xx of ours."""

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        """`transaction`, an INVITE without a final response, was cancelled; the CANCEL itself is answered already."""
