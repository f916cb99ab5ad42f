"""What the configuration says, as engine and node want it."""

from __future__ import annotations

from talkburst.daemon.address import parse_name_server
from talkburst.daemon.descriptors import connections_within, descriptors
from talkburst.daemon.settings import DnsSettings, LimitSettings
from talkburst.net.intake import QueueLimits
from talkburst.net.resolver import Resolver
from talkburst.net.tcp_limits import TcpLimits
from talkburst.sip.framer import StreamLimits
from talkburst.sip.message_limits import MessageLimits


def tcp_limits(limits: LimitSettings, keep_alive: tuple[float, float] | None = None) -> TcpLimits:
    """Those of a connection. `keep_alive`: least and longest time between pings on connections of ours, in seconds.

    Where the system does not let this process have as many connections, what it lets it have is shared out alike: one
    address is not to have all of them, nor all addresses together what we need ourselves.
    """
    most = min(limits.connections, connections_within(descriptors()))
    return TcpLimits(
        connections=most,
        connections_per_address=max(1, limits.connections_per_address * most // limits.connections),
        idle=limits.idle,
        unfinished=limits.message_time,
        unread=limits.unsent,
        keep_alive=keep_alive,
        message=StreamLimits(limits.headers, limits.body),
    )


def message_limits(limits: LimitSettings) -> MessageLimits:
    return MessageLimits(limits.header_count, limits.header, limits.hops)


def name_resolver(settings: DnsSettings) -> Resolver:
    """One for all that a daemon wants to know."""
    return Resolver([parse_name_server(each) for each in settings.servers], settings.timeout)


def queue_limits(limits: LimitSettings) -> QueueLimits:
    return QueueLimits(limits.queue_delay, limits.queue)
