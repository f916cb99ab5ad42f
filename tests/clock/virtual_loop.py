"""An event loop on virtual time, for what is timed by the loop itself and needs no sockets."""

import asyncio
import selectors


class _Leaping(selectors.DefaultSelector):
    """Where the loop would wait for something to happen, the time it would wait has passed."""

    now = 0.0

    def select(self, timeout=None):
        events = super().select(0)
        if not events and timeout is None:
            raise RuntimeError("nothing will ever happen")
        if not events:
            self.now += max(timeout, 0.0)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """`pass_time` returns at once, and everything due by then has been done in its order."""

    def __init__(self):
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self):
        return self._leaping.now

    def pass_time(self, seconds):
        self.run_until_complete(asyncio.sleep(seconds))
