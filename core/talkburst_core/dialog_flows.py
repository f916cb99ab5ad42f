"""By which connection a dialog was begun: the way back to who began it (RFC 5626 5.3).

What a client registered does not tell it: it may have registered nothing, or call as "anonymous" (RFC 3323), or have
another Contact in the dialog. A connection outlives no process, so nothing of this is stored.
"""

from typing import Final

from talkburst.sip import Request
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow

# Dialogs of one connection; the oldest is forgotten for the next one, and reached by its Contact from then on.
MOST_DIALOGS: Final = 1000
_FEW: Final = 1024  # connections that nobody minds being closed

_Key = tuple[str, str]  # Call-ID, and the tag of who began it


class DialogFlows:
    """The connections of dialogs that clients began, at `most` so many of one connection."""

    def __init__(self, engine: Engine, most: int = MOST_DIALOGS) -> None:
        self._engine = engine
        self._most = most
        self._flows: dict[_Key, Flow] = {}
        self._of_connection: dict[Flow, dict[_Key, None]] = {}
        self._sweep_at = _FEW

    def __len__(self) -> int:
        return len(self._flows)

    def remember(self, request: Request, flow: Flow) -> None:
        """`request` begins a dialog on a connection; one that is known stays with the connection that it began on."""
        if not request.from_.tag:
            return
        key = (request.call_id, request.from_.tag)
        known = self._flows.get(key)
        if known is not None and self._engine.is_open(known):
            return
        if len(self._of_connection) >= self._sweep_at:
            self._sweep()
        keys = self._of_connection.setdefault(flow, {})
        if len(keys) >= self._most:
            oldest = next(iter(keys))
            del keys[oldest], self._flows[oldest]
        keys[key] = None
        self._flows[key] = flow

    def find(self, request: Request) -> Flow | None:
        """The open connection of the one whom a request in a dialog is for, if that is who began it."""
        tag = request.to.tag
        flow = self._flows.get((request.call_id, tag)) if tag else None
        return flow if flow is not None and self._engine.is_open(flow) else None

    def _sweep(self) -> None:
        for flow in [flow for flow in self._of_connection if not self._engine.is_open(flow)]:
            for key in self._of_connection.pop(flow):
                if self._flows.get(key) == flow:
                    del self._flows[key]
        self._sweep_at = max(_FEW, 2 * len(self._of_connection))
