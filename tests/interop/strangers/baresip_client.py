"""baresip 4 through baresip-python as a client that registers: baresip_client.py udp|tcp HOST PORT."""

import asyncio
import sys

from baresip import Account, Runtime, UserAgent


async def main(transport: str, host: str, port: str) -> None:
    runtime = Runtime()
    await runtime.start()
    account = Account(
        user="alice",
        domain="ims.example",
        password="alice",
        auth_user="alice@ims.example",
        registrar=f"{host}:{port};transport={transport}",
        transport=transport,  # type: ignore[arg-type]
    )
    agent = await UserAgent.create(runtime, account)
    await agent.register()
    await runtime.close()


asyncio.run(main(*sys.argv[1:4]))
