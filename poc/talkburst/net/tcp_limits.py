"""What a peer on a connection may ask of us, and why we close one."""

from __future__ import annotations

from dataclasses import dataclass, field

from talkburst.sip.framer import StreamLimits

# Why we close a connection that nothing is wrong with but its peer.
IDLE = "idle"
SILENT = "no keep-alive"
UNFINISHED = "a message does not end"
DEAF = "the peer does not read"
REKEYING = "nothing but changes of keys"


@dataclass(slots=True, frozen=True)
class TcpLimits:
    """What a peer may make us keep and how long we wait for it; bytes and seconds."""

    connections: int = 4096  # accepted ones, at any one time
    connections_per_address: int = 1024  # those of them that come from one address, or from one /64 of IPv6
    spare: float = 5.0  # without a whole message or a keep-alive, until a connection may have to make room
    unread: int = 262_144  # what may wait for a peer that does not read
    idle: float = 600.0  # without a whole message or a keep-alive, unless somebody is registered over it
    unfinished: float = 16.0  # from the first byte of a message to its last one
    connect: float = 10.0  # for a connection of ours to come up
    handshake: float = 10.0  # of TLS, for a peer that connected
    handshakes: int = 256  # that are under way at one time; the oldest gives way
    close: float = 1.0  # for what was written last to leave
    answers: float = 3.0  # for what is still to be answered to a peer that sends no more
    keep_alive: tuple[float, float] | None = None  # least and longest time between pings where we connected
    first_ping: tuple[float, float] = (5.0, 10.0)  # until the one that shows whether the peer answers them
    pong: float = 10.0  # for the answer to one, from a peer that has answered one before
    message: StreamLimits = field(default_factory=StreamLimits)
