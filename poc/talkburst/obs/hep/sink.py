"""Sends frames to a HEP3 collector, over TCP or UDP, and never makes a message wait for it."""

import asyncio
import contextlib
import logging
from collections import deque
from itertools import islice
from typing import cast

from talkburst.obs.frame import Frame
from talkburst.obs.hep.codec import encode

QUEUE = 10_000  # packets that wait for a collector that is slow or away
FLUSH = 2.0  # seconds that close() may take
_RETRY_FIRST, _RETRY_MOST = 0.1, 5.0  # seconds between attempts to connect, doubling
_SETTLED = 1.0  # seconds after which a connection counts as one that works
_BATCH = 64  # packets in one write
_LARGEST_DATAGRAM = 65_507  # octets: 65535 less the IPv4 and UDP headers

_log = logging.getLogger("talkburst.hep")


class HepSink:
    """One collector. `dropped` counts the frames that never left here.

    A TCP collector that is not there yet, or goes away, is tried again until `close`; meanwhile frames wait, and the
    newest are dropped when too many do. What the system had taken when a connection broke can't be told from what
    arrived, and is not sent again.
    """

    def __init__(self, transport: str, host: str, port: int) -> None:
        self.dropped = 0
        self._udp = transport == "udp"
        self._host, self._port = host, port
        self._queue: deque[bytes] = deque()
        self._link: _Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._drops_told = False
        self._outage_told = False

    async def start(self) -> None:
        """Begin to connect; does not wait for it."""
        self._task = asyncio.create_task(self._keep_connected())

    def frame(self, frame: Frame) -> None:
        """Queue one frame; `flush` sends it."""
        try:
            packet = encode(frame)
        except (ValueError, OverflowError) as error:
            self._drop(f"not to be encoded: {error}")
            return
        if len(self._queue) >= QUEUE:
            self._drop(f"{QUEUE} wait for it")
        elif self._udp and len(packet) > _LARGEST_DATAGRAM:
            self._drop("too large for a datagram")
        else:
            self._queue.append(packet)

    def flush(self) -> None:
        """Send what waits, as far as the connection takes it."""
        if self._link is not None:
            self._link.send(self._queue)

    def _drop(self, why: str) -> None:
        self.dropped += 1
        if not self._drops_told:
            self._drops_told = True
            _log.warning("frames for the collector %s:%s are dropped: %s", self._host, self._port, why)

    async def close(self) -> None:
        """Deliver what waits and close, within FLUSH seconds."""
        self._closing.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, FLUSH)
        if self._link is not None:
            self._link.abort()
        self.dropped += len(self._queue)
        if self.dropped:
            _log.warning("%s frames did not reach the collector %s:%s", self.dropped, self._host, self._port)
        self._queue.clear()

    async def _keep_connected(self) -> None:
        pause = _RETRY_FIRST
        clock = asyncio.get_running_loop().time
        while self._queue or not self._closing.is_set():
            self._link = await self._connect()
            if self._link is None and self._closing.is_set():
                return  # nobody is there to take what is left
            if self._link is not None:
                since = clock()
                await self._use(self._link)
                self._link = None
                if clock() - since >= _SETTLED:
                    pause = _RETRY_FIRST
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            pause = min(2 * pause, _RETRY_MOST)

    async def _connect(self) -> "_Link | None":
        loop = asyncio.get_running_loop()
        link = _Link(self, self._udp)
        try:
            if self._udp:
                await loop.create_datagram_endpoint(lambda: link, remote_addr=(self._host, self._port))
            else:
                await loop.create_connection(lambda: link, self._host, self._port)
        except OSError as error:
            if not self._outage_told:
                self._outage_told = True
                _log.warning("cannot reach the collector %s:%s, trying on: %s", self._host, self._port, error)
            return None
        if self._outage_told:
            self._outage_told = False
            _log.warning("the collector %s:%s is reached", self._host, self._port)
        return link

    async def _use(self, link: "_Link") -> None:
        """Send until the connection breaks or the sink closes; then everything goes out at once."""
        link.send(self._queue)
        closing = asyncio.ensure_future(self._closing.wait())
        lost = asyncio.ensure_future(link.lost.wait())
        try:
            await asyncio.wait((closing, lost), return_when=asyncio.FIRST_COMPLETED)
            if not link.lost.is_set():
                link.send(self._queue, whatever_waits=True)
                link.close()
            await lost
        finally:
            closing.cancel()
            lost.cancel()


class _Link(asyncio.Protocol, asyncio.DatagramProtocol):
    """One connection, or one connected UDP socket."""

    def __init__(self, sink: HepSink, udp: bool) -> None:
        self.lost = asyncio.Event()
        self._udp = udp
        self._sink = sink
        self._stream: asyncio.Transport | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._paused = False

    def send(self, queue: deque[bytes], whatever_waits: bool = False) -> None:
        """Take packets off the queue; a stream that is behind takes none unless told to."""
        while queue and not self.lost.is_set():
            if self._datagrams is not None:
                self._datagrams.sendto(queue.popleft())
            elif self._stream is not None and (whatever_waits or not self._paused):
                batch = list(islice(queue, _BATCH))
                self._stream.write(b"".join(batch))
                for _ in batch:
                    queue.popleft()
            else:
                return

    def close(self) -> None:
        """Close when everything written has gone out; `lost` is set then."""
        for transport in (self._stream, self._datagrams):
            if transport is not None:
                transport.close()

    def abort(self) -> None:
        for transport in (self._stream, self._datagrams):
            if transport is not None:
                transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by isinstance: neither loop's transports are instances of what they implement.
        if self._udp:
            self._datagrams = cast(asyncio.DatagramTransport, transport)
        else:
            self._stream = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._sink.flush()

    def error_received(self, exc: Exception) -> None:
        """ICMP says that nobody listens; over UDP that is the collector's affair."""
