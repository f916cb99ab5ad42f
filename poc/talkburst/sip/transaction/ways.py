"""The client transactions by the way their requests went: what fails together (RFC 3261 17.1.4 and 18.4)."""

from __future__ import annotations

from talkburst.sip.flow import Address, Flow
from talkburst.sip.message import Request, Response
from talkburst.sip.transaction.client import ClientTransaction
from talkburst.sip.transaction.key import ClientKey, client_key

Way = tuple[str, Address, int]  # a transport and an address, or one connection


class Ways:
    """Those that have sent their request and have not ended."""

    __slots__ = ("_by_way",)

    def __init__(self) -> None:
        self._by_way: dict[Way, dict[ClientKey, ClientTransaction]] = {}

    def add(self, transaction: ClientTransaction) -> None:
        assert transaction.flow is not None
        way = _way(transaction.flow)
        there = self._by_way.get(way)
        if there is None:
            self._by_way[way] = {transaction.key: transaction}
        else:
            there[transaction.key] = transaction

    def remove(self, transaction: ClientTransaction) -> None:
        """Nothing happens when it has not sent anything."""
        if transaction.flow is None:
            return
        way = _way(transaction.flow)
        there = self._by_way.get(way)
        if there is not None:
            there.pop(transaction.key, None)
            if not there:
                del self._by_way[way]

    def affected(self, flow: Flow, message: Request | Response | None) -> list[ClientTransaction]:
        """Every one whose way this is; with `message` only the one that sent it, which no response was."""
        there = self._by_way.get(_way(flow), {})
        if message is None:
            return list(there.values())
        key = client_key(message) if isinstance(message, Request) else None
        return [there[key]] if key in there else []


def _way(flow: Flow) -> Way:
    return flow.transport, flow.remote, flow.connection
