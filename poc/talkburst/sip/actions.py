"""What an engine asks its shell to do."""

from __future__ import annotations

from typing import NamedTuple

from talkburst.sip.flow import Flow
from talkburst.sip.locating import Wanted
from talkburst.sip.message import Request, Response


class Send:
    """Send `data`, which is `message`, from `flow.local` to `flow.remote`; on the connection, if the flow names one.

    Of an answer that is repeated, `message` has no more than the status. One is made for each message that leaves, so
    this is no tuple: compiled, a tuple with names is made by the interpreter.
    """

    __slots__ = ("data", "flow", "message")

    def __init__(self, flow: Flow, data: bytes, message: Request | Response) -> None:
        self.flow = flow
        self.data = data
        self.message = message

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Send):
            return NotImplemented
        return self.flow == other.flow and self.data == other.data and self.message == other.message

    def __repr__(self) -> str:
        return f"Send({self.flow!r}, {self.message!r})"


class Resolve(NamedTuple):
    """Locate whom a message is for (RFC 3263) and tell the targets to `Engine.resolved`; none when there are none."""

    token: int
    wanted: Wanted


class Connect(NamedTuple):
    """Open a connection to `flow.remote`; the answer is `Engine.connected` or `Engine.transport_failed`, in any case.

    It leaves from the address of `flow.local` and any port. `flow.connection` is the number it will have. Over TLS the
    certificate at its other end has to prove `domain`, a name or an IP literal (RFC 5922 7.3).
    """

    flow: Flow
    domain: str = ""


class Disconnect(NamedTuple):
    """Give up the attempt `flow` names, or the connection when it came up meanwhile. Needs no answer."""

    flow: Flow


class LimitSilence(NamedTuple):
    """Close the connection of `flow` when nothing has come on it for so many seconds; None: as long as any other."""

    flow: Flow
    seconds: float | None


Action = Send | Resolve | Connect | Disconnect | LimitSilence
