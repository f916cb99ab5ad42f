"""A daemon that may not have as many descriptors as peers have connections for it."""

import asyncio
from pathlib import Path

import pytest

from killable import Killable
from talkburst.daemon.control import ask

pytestmark = pytest.mark.acceptance

CONNECTIONS = 150


async def open_many(address: tuple[str, int]) -> tuple[list[asyncio.StreamWriter], int]:
    """Connections from one address, and how many of them are closed at once."""
    opened = await asyncio.gather(*(asyncio.open_connection(*address) for _ in range(CONNECTIONS)))

    async def is_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"\r\n\r\n")
        try:
            return await asyncio.wait_for(reader.read(2), 10) == b""
        except ConnectionError:
            return True

    closed = await asyncio.gather(*(is_closed(*each) for each in opened))
    return [writer for _, writer in opened], sum(closed)


def limited(directory: Path, limit: str) -> Killable:
    (directory / "talkburst.toml").write_text('store = "memory"\n')
    shell = ("sh", "-c", f'{limit}; exec "$@"', "sh")
    return Killable("core", directory, "--listen", "--listen-servers", transport="tcp", prefix=shell)


async def test_as_many_descriptors_are_taken_as_the_connections_that_peers_may_have_need(tmp_path: Path) -> None:
    core = limited(tmp_path, "ulimit -S -n 100")
    await core.start()
    try:
        writers, closed = await open_many(core.address())
        assert closed == 0
        for writer in writers:
            writer.close()
    finally:
        await core.close()


async def test_peers_take_no_descriptors_that_the_daemon_needs_itself(tmp_path: Path) -> None:
    core = limited(tmp_path, "ulimit -n 100")
    await core.start()
    try:
        await core.said("fewer connections than configured")
        writers, closed = await open_many(core.address())
        shown = await asyncio.to_thread(ask, core.control, "show")
        assert shown["counters"]["connections_refused"] == closed == CONNECTIONS - 50 // 4
        for writer in writers:
            writer.close()
    finally:
        await core.close()
