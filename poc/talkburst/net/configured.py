"""The limits of the configuration, as engine and node want them."""

from __future__ import annotations

from talkburst.daemon.settings import LimitSettings
from talkburst.net.tcp import TcpLimits
from talkburst.sip.framer import StreamLimits
from talkburst.sip.message_limits import MessageLimits


def tcp_limits(limits: LimitSettings, keep_alive: tuple[float, float] | None = None) -> TcpLimits:
    """Those of a connection. `keep_alive`: least and longest time between pings on connections of ours, in seconds."""
    return TcpLimits(
        connections=limits.connections,
        connections_per_address=limits.connections_per_address,
        idle=limits.idle,
        unfinished=limits.message_time,
        unread=limits.unsent,
        keep_alive=keep_alive,
        message=StreamLimits(limits.headers, limits.body),
    )


def message_limits(limits: LimitSettings) -> MessageLimits:
    return MessageLimits(limits.header_count, limits.header, limits.hops)
