"""aiosip 0.2.0 as a client that registers: aiosip_client.py udp HOST PORT. It can't write a tag into its Contact."""

import asyncio
import collections
import collections.abc
import sys
import types

from free_port import free_udp_port

# The shim: two names that Python has moved or dropped since 2017.
collections.MutableMapping = collections.abc.MutableMapping  # type: ignore[attr-defined]
asyncio.coroutine = types.coroutine  # type: ignore[attr-defined]

import aiosip  # noqa: E402


async def main(host: str, port: int) -> None:
    local = ("127.0.0.1", free_udp_port())
    app = aiosip.Application(loop=asyncio.get_running_loop())
    dialog = await app.start_dialog(
        from_uri="sip:alice@ims.example",
        to_uri="sip:alice@ims.example",
        contact_uri="sip:alice@{}:{}".format(*local),
        local_addr=local,
        remote_addr=(host, port),
        password="alice",
    )
    response = await dialog.register()
    assert response.status_code == 200, response


asyncio.run(main(sys.argv[2], int(sys.argv[3])))
