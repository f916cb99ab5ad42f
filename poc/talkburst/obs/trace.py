"""The trace tap: every message in or out of a daemon passes here, on its way to HEP and pcap.

The path of a message pays for one tuple. Frames are built and handed to the sinks by the event loop in the turn
after, all that have gathered at once, so that a live display lags by a loop turn and no more.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Protocol as Interface

from talkburst.obs.frame import Endpoint, Frame, Protocol, Transport

# What may wait between `message` and the loop's next turn, or before `start`. A turn handles far less.
BACKLOG = 20_000

_log = logging.getLogger("talkburst.trace")

Record = tuple[bytes, Endpoint, Endpoint, bool, Protocol, Transport, float]


class Sink(Interface):
    """Where frames go. `frame` must neither block nor raise; `close` must end within two seconds."""

    async def start(self) -> None:
        """Open what the sink writes to; raises OSError when it can not be had at all."""

    def frame(self, frame: Frame) -> None: ...

    def flush(self) -> None:
        """Called after a batch of frames."""

    async def close(self) -> None: ...


class Trace:
    """The tap of one daemon. `node` is the name under which it reports."""

    def __init__(self, node: str, sinks: Iterable[Sink] = ()) -> None:
        self.node = node
        self.dropped = 0
        self._drops_told = False
        self._sinks = tuple(sinks)
        self._records: deque[Record] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False

    @property
    def looked_at(self) -> bool:
        """Whether there is a sink: else `message` need not be called at all."""
        return bool(self._sinks)

    async def start(self) -> None:
        """Open the sinks; what was seen before goes to them now. Raises OSError when one can not be opened."""
        for sink in self._sinks:
            await sink.start()
        self._loop = asyncio.get_running_loop()
        self._drain()

    def message(
        self,
        data: bytes,
        local: Endpoint,
        remote: Endpoint,
        outbound: bool,
        protocol: Protocol,
        transport: Transport,
        at: float,
    ) -> None:
        """Note one message; `at` is in seconds since the epoch. Costs nothing when nobody listens."""
        if not self._sinks:
            return
        if len(self._records) >= BACKLOG:
            self.dropped += 1
            return
        self._records.append((data, local, remote, outbound, protocol, transport, at))
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        if not self._records:
            return
        records, self._records = self._records, deque()
        for data, local, remote, outbound, protocol, transport, at in records:
            source, destination = (local[:2], remote[:2]) if outbound else (remote[:2], local[:2])
            frame = Frame(at, source, destination, transport, protocol, data, self.node, outbound)
            for sink in self._sinks:
                sink.frame(frame)
        for sink in self._sinks:
            sink.flush()
        if self.dropped and not self._drops_told:
            self._drops_told = True
            _log.warning("messages are missing from the trace: more than %s waited for the event loop", BACKLOG)

    async def close(self) -> None:
        """Hand over what is left and close the sinks, all at the same time."""
        self._drain()
        self._loop = None
        await asyncio.gather(*(sink.close() for sink in self._sinks))
