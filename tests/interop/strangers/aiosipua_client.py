"""aiosipua 0.7.1 as a client that registers with the PoC tag: aiosipua_client.py udp HOST PORT."""

import asyncio
import sys

from aiosipua.auth import SipDigestAuth
from aiosipua.message import SipMessage
from aiosipua.registration import Registration
from aiosipua.transport import UdpSipTransport
from aiosipua.uac import SipUAC
from free_port import free_udp_port


async def main(host: str, port: int) -> None:
    local = ("127.0.0.1", free_udp_port())
    carrier = UdpSipTransport(local)
    await carrier.start()
    agent = SipUAC(carrier)
    registered: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    # The shim: its Registration writes no parameters of the Contact, so the tag is put in on the way out.
    untagged = carrier.send

    def send(message: SipMessage, target: tuple[str, int]) -> None:
        message.headers.set_single("Contact", "<sip:alice@{}:{}>;+g.poc.talkburst".format(*local))
        untagged(message, target)

    carrier.send = send
    carrier.on_message = lambda message, source: agent.handle_response(message, source)
    auth = SipDigestAuth("alice@ims.example", "alice")
    registration = Registration(agent, "sip:alice@ims.example", (host, port), auth=auth)
    registration.on_registered = lambda each: registered.set_result(each.granted_expires)
    registration.on_failed = lambda each, status, reason: registered.set_exception(OSError(f"{status} {reason}"))
    registration.register()
    await registered


asyncio.run(main(sys.argv[2], int(sys.argv[3])))
