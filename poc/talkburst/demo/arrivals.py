"""Waits for programs from outside: those that our daemons ask, and the client that begins."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time

import click

from talkburst.daemon.address import show_host_port
from talkburst.demo.documents import DocumentRefusedError, put_documents
from talkburst.demo.guide import Guide
from talkburst.demo.placement import External
from talkburst.demo.reach import AGAIN, why_unreachable
from talkburst.demo.world import World
from talkburst.flow.roles import Role
from talkburst.live import LiveCheck
from talkburst.xcap.client import XcapUnreachableError

# Who speaks to whom first. What passes between two programs from outside is their affair.
_ASKS: tuple[tuple[Role, Role], ...] = (("client", "core"), ("core", "server"))


def say(text: str) -> None:
    """Say where the demo stands, at once: whoever starts the program from outside may read it through a pipe."""
    click.echo(text)
    sys.stdout.flush()


class Arrivals:
    """`patience` is in seconds, None for as long as it takes. Every wait ends when `ended` is set."""

    def __init__(self, world: World, patience: float | None, ended: asyncio.Event) -> None:
        self._world = world
        self._external = world.placement.external
        self._patience = math.inf if patience is None else patience
        self._ended = ended

    async def provide(self) -> None:
        """Store the user's documents, unless neither end of the hop to the XDMS is ours.

        An XDMS from outside may refuse them. Raises XcapUnreachableError and DocumentRefusedError for ours.
        """
        peer, scenario = self._external.get("xdms"), self._world.scenario
        if peer is None:
            await put_documents(self._world.xcap_root, scenario.owner, scenario.password)
            return
        if "server" in self._external:
            return
        await self._until_there(peer, "tcp")
        try:
            await put_documents(self._world.xcap_root, scenario.owner, scenario.password)
        except (DocumentRefusedError, XcapUnreachableError) as error:
            say(f"{error}; the flow goes on without")

    async def of_those_we_ask(self) -> None:
        """Wait for core and server from outside where ours speak to them first: until then there is no flow."""
        for asks, asked in _ASKS:
            if asks in self._world.reporting and asked in self._external:
                await self._until_there(self._external[asked], self._world.transport)

    async def of_client(self, live: LiveCheck) -> None:
        """Wait for a client from outside, then until its flow is decided."""
        if "client" not in self._external:
            return
        awaited, flows = Guide.of(self._world).awaited(), len(self._world.clients) + 1
        say(f"waiting for {awaited}{self._how_long()} ...")
        await live.decided(self._ended, flows, self._patience)
        if live.flow_count < flows and not self._ended.is_set():
            say(f"waited {self._patience:g} s for {awaited}, and it did not come")

    async def _until_there(self, peer: External, transport: str) -> None:
        """A peer whose port is closed is waited for; one that nothing is heard of may be there."""
        end, waiting, until = (peer.addresses[0], peer.port), False, time.monotonic() + self._patience
        where = f"your {peer.role} at {transport} {show_host_port(*end)}"
        while not self._ended.is_set():
            why = await why_unreachable(transport, end, self._world.placement.host)
            if not why:
                return
            if time.monotonic() >= until:
                say(f"{where} is not there after {self._patience:g} s ({why}); the flow begins all the same")
                return
            if not waiting:
                say(f"waiting for {where}, which is not there yet ({why}){self._how_long()} ...")
            waiting = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), AGAIN)

    def _how_long(self) -> str:
        return " (Ctrl-C ends and judges)" if math.isinf(self._patience) else f" for {self._patience:g} s"
