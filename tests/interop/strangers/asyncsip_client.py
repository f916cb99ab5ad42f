"""asyncsip 0.1.2 as the PoC client: asyncsip_client.py udp|tcp HOST PORT. Ends when its settings came back."""

import asyncio
import sys
import types

# The shim: two names that left asyncio, and a Param class that drops the value of what has none.
asyncio.coroutine = types.coroutine  # type: ignore[attr-defined]

import asyncsip  # noqa: E402
from asyncsip.contact import Contact  # noqa: E402
from asyncsip.protocol import TCP, UDP  # noqa: E402

ALICE = "sip:alice@ims.example"
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"><entity id="asyncsip">
<isb-settings><incoming-session-barring active="false"/></isb-settings>
<am-settings><answer-mode>automatic</answer-mode></am-settings>
</entity></poc-settings>"""


async def notified(dialog: asyncsip.Dialog) -> str:
    """The body of the next NOTIFY, which is answered."""
    notify = await dialog.recv()
    await dialog.reply(notify, status_code=200)
    return str(notify.payload)


async def main(transport: str, host: str, port: int) -> None:
    app = asyncsip.Application(loop=asyncio.get_running_loop())
    peer = await app.connect((host, port), {"udp": UDP, "tcp": TCP}[transport], local_addr=("127.0.0.1", 0))
    contact = "<sip:alice@{}:{};transport={}>;+g.poc.talkburst=TRUE".format(*peer.local_addr, transport)

    def of(**more: object) -> dict[str, object]:
        addresses = {"from_details": ALICE, "to_details": ALICE, "contact_details": contact}
        return {name: Contact.from_header(address) for name, address in addresses.items()} | more

    await peer.register(**of(password="alice"))
    registration = await peer.subscribe(**of(headers={"Event": "reg", "Accept": "application/reginfo+xml"}))
    assert "+g.poc.talkburst" in await notified(registration)
    settings = {"Event": "poc-settings", "Accept": "application/poc-settings+xml"}
    watching = await peer.subscribe(**of(headers=dict(settings)))
    assert "answer-mode" not in await notified(watching)
    published = {"Event": "poc-settings", "Content-Type": "application/poc-settings+xml", "Expires": "3600"}
    await peer.request("PUBLISH", **of(headers=published, payload=SETTINGS))
    while "automatic" not in await notified(watching):
        pass


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
