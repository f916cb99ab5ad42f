"""The way back to the core that a registered client is given (RFC 3608, TS 24.229 5.4.1.2.2)."""

from typing import Final

from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow
from talkburst_core.destination import CLIENTS, side_of

# The user part by which a request is known to come from a registered client.
ORIGINATING: Final = "orig"


class ServiceRoute:
    """Leads a client back where its REGISTER came in, by the same transport. Listeners stay as they are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[tuple[str, str], str] = {}

    def of(self, flow: Flow) -> str:
        """The value of Service-Route for whoever registers over a flow."""
        key = flow.listener, flow.transport
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._made(flow)
        return known

    def _made(self, flow: Flow) -> str:
        side = flow.listener if side_of(flow.listener) == CLIENTS else CLIENTS
        listener = self._engine.listener(side)
        listener = self._engine.sibling(listener, flow.transport) or listener
        return f"<sip:{ORIGINATING}@{listener.hostport};lr>"
