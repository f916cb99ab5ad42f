"""The SIP engine on the event loop: sockets, the clock, names."""

from talkburst.net.clock import Clock
from talkburst.net.configured import message_limits, name_resolver, queue_limits, tcp_limits
from talkburst.net.listen import ListenAddress, ListenError
from talkburst.net.listeners import listen_all
from talkburst.net.message_trace import MessageTrace
from talkburst.net.node import SipNode
from talkburst.net.resolver import Resolver
from talkburst.net.tcp_limits import TcpLimits
from talkburst.net.tls import Tls, https_context, tls_for
from talkburst.net.tokens import Tokens

__all__ = [
    "Clock",
    "ListenAddress",
    "ListenError",
    "MessageTrace",
    "Resolver",
    "SipNode",
    "TcpLimits",
    "Tls",
    "Tokens",
    "https_context",
    "listen_all",
    "message_limits",
    "name_resolver",
    "queue_limits",
    "tcp_limits",
    "tls_for",
]
