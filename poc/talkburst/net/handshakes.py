"""TLS handshakes that are under way: those of peers, bounded in time and number, and one of ours at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from contextlib import suppress

from talkburst.daemon.address import show_host_port
from talkburst.daemon.log import Log
from talkburst.net.room import place_of
from talkburst.net.seldom import Seldom
from talkburst.net.tcp import TcpConnection
from talkburst.net.tcp_limits import TcpLimits
from talkburst.net.tls_stream import TlsStream


class RefusedError(OSError):
    """No connection over TLS; the text says why."""


class Handshakes:
    """Those of peers that connected to us. A peer has `limits.handshake` seconds for its own.

    More than `limits.handshakes` at one time push out the oldest of the address that has most: whoever opens many and
    is slow is in the way of himself, and who is quick gets through.
    """

    def __init__(self, limits: TcpLimits, log: Log, counters: Counter[str]) -> None:
        self._limits = limits
        self._counters = counters
        self._refusals = Seldom(log, "no TLS")
        self._alarms: dict[TlsStream, asyncio.TimerHandle] = {}  # the oldest first

    def stop(self) -> None:
        for stream in list(self._alarms):
            stream.refuse("stopped")

    def on_begun(self, stream: TlsStream) -> bool:
        if len(self._alarms) >= self._limits.handshakes:
            self._push_out()
        loop = asyncio.get_running_loop()
        self._alarms[stream] = loop.call_later(self._limits.handshake, stream.refuse, "the handshake does not end")
        return True

    def on_secured(self, stream: TlsStream) -> None:
        self._alarms.pop(stream).cancel()

    def on_refused(self, stream: TlsStream, reason: str) -> None:
        self._alarms.pop(stream).cancel()
        self._counters["tls_refused"] += 1
        now = asyncio.get_running_loop().time()
        self._refusals.warn(now, remote=show_host_port(*stream.remote), reason=reason)

    def _push_out(self) -> None:
        places = {stream: place_of(stream.remote[0]) for stream in self._alarms}
        ((crowded, _),) = Counter(places.values()).most_common(1)
        next(stream for stream in places if places[stream] == crowded).refuse("too many handshakes at once")


class Call:
    """One of ours. `done` ends with it: well, or with RefusedError."""

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_begun(self, stream: TlsStream) -> bool:
        return True

    def on_secured(self, stream: TlsStream) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def on_refused(self, stream: TlsStream, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(RefusedError(reason))


async def call(
    connection: TcpConnection,
    context: ssl.SSLContext,
    domain: str,
    remote: tuple[str, int],
    local: tuple[str, int] | None,
) -> None:
    """Connect to `remote`, which has to be `domain`; OSError says why not. Cancelled, it leaves nothing behind."""
    handshake = Call()
    try:
        stream = TlsStream(handshake, connection, context, domain)
    except ValueError as error:
        raise RefusedError(f"{domain} is no name for a certificate: {error}") from None
    await asyncio.get_running_loop().create_connection(lambda: stream, *remote, local_addr=local)
    try:
        await handshake.done
    finally:
        stream.refuse("given up")
        with suppress(asyncio.CancelledError, RefusedError):
            handshake.done.exception()
