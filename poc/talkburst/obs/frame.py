"""One message as it was seen on the wire, whoever saw it: the trace tap, a HEP sender or a capture file."""

from dataclasses import dataclass
from typing import Literal

Transport = Literal["UDP", "TCP", "TLS"]  # over TLS the message as it was before it was enciphered
Protocol = Literal["sip", "http"]
Endpoint = tuple[str, int]


@dataclass(slots=True)
class Frame:
    """A whole SIP or HTTP message and the two ends it went between.

    `time` is in seconds since the epoch. `node` is who reported it ("client", "core", "server", "xdms", or what a
    foreign sender calls itself); `outbound` is True when the source is that reporter, False when the destination
    is, None when nobody said.
    """

    time: float
    source: Endpoint
    destination: Endpoint
    transport: Transport
    protocol: Protocol
    payload: bytes
    node: str | None = None
    outbound: bool | None = None
