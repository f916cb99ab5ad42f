"""The part of the trace tap a node needs."""

from __future__ import annotations

from typing import Literal, Protocol

from talkburst.sip.flow import Address


class MessageTrace(Protocol):
    """Told of each message, and between which ends it goes; unless nobody looks, which is settled from the start."""

    @property
    def looked_at(self) -> bool: ...

    def message(
        self,
        data: bytes,
        local: Address,
        remote: Address,
        outbound: bool,
        protocol: Literal["sip", "http"],
        transport: Literal["UDP", "TCP", "TLS"],
        at: float,
    ) -> None: ...
