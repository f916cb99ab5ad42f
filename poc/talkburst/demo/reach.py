"""Whether somebody listens at an address, asked without a message that a program would have to answer."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from talkburst.obs.frame import Endpoint

ANSWER_WITHIN: Final = 0.3  # seconds for the word that nobody listens; without it somebody may
AGAIN: Final = 0.5  # seconds between two questions
# What keeps a NAT open (RFC 5626 3.5.1); who reads SIP passes over it.
KEEP_ALIVE: Final = b"\r\n\r\n"


async def why_unreachable(transport: str, end: Endpoint, own_host: str) -> str:
    """Why nobody can be there, "" where somebody is, or may be: over UDP silence tells nothing."""
    ask = _ask_tcp if transport == "tcp" else _ask_udp
    try:
        await asyncio.wait_for(ask(end, own_host), ANSWER_WITHIN)
    except TimeoutError:
        return "" if transport == "udp" else "no answer"
    except OSError as error:
        return (os.strerror(error.errno) if error.errno else str(error)).lower()
    return ""


async def _ask_tcp(end: Endpoint, own_host: str) -> None:
    _, writer = await asyncio.open_connection(*end, local_addr=(own_host, 0))
    writer.close()


async def _ask_udp(end: Endpoint, own_host: str) -> None:
    refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    probe, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Refusals(refused), local_addr=(own_host, 0), remote_addr=end
    )
    try:
        probe.sendto(KEEP_ALIVE)
        await refused
    finally:
        probe.close()


class _Refusals(asyncio.DatagramProtocol):
    """Hears of the ICMP error that says that a port is closed."""

    def __init__(self, refused: asyncio.Future[None]) -> None:
        self._refused = refused

    def error_received(self, exc: Exception) -> None:
        if not self._refused.done():
            self._refused.set_exception(exc)
