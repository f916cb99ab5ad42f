"""Searches for the targets behind names, under way for an engine."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from talkburst.daemon.log import Log
from talkburst.net.locator import Location, Locator
from talkburst.net.shell import Shell
from talkburst.sip.actions import Resolve
from talkburst.sip.locating import Located

LOCATE_TIMEOUT = 10.0  # seconds that a search for targets may take, all its questions together


class Lookups:
    """Answers each Resolve."""

    def __init__(self, shell: Shell, locator: Locator, log: Log) -> None:
        self._shell = shell
        self._locator = locator
        self._log = log
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, asked: Resolve) -> None:
        """Search; the engine is told at once where nobody need be asked."""
        location = self._locator.begin(asked.wanted)
        targets = location.at_once()
        if targets is not None:
            self._located(asked, targets)
            return
        lookup = asyncio.get_running_loop().create_task(self._look_up(asked, location))
        self._under_way.add(lookup)
        lookup.add_done_callback(self._under_way.discard)

    async def _look_up(self, asked: Resolve, location: Location) -> None:
        targets: list[Located] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(LOCATE_TIMEOUT):
                targets = await location.find()
        self._located(asked, targets)
        self._shell.pump()

    def _located(self, asked: Resolve, targets: list[Located]) -> None:
        """Without targets nothing is there under that name."""
        if not targets:
            self._log.warning("name not resolved", host=asked.wanted.host)
        shell = self._shell
        shell.guarded("resolver", None, lambda: shell.engine.resolved(asked.token, targets, shell.now()))

    async def close(self) -> None:
        for lookup in self._under_way:
            lookup.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
