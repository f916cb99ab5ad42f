"""A user agent server that answers OPTIONS, and nothing else: what a transaction costs without a registrar.

    python bench/echo.py PORT

UDP and TCP on 127.0.0.1. T1 is a tenth of its usual length, so that the last transaction ends soon after the last
request (Timer J is 64 times T1).
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from talkburst.net import Clock, ListenAddress, SipNode, Tokens
from talkburst.sip.engine import Engine
from talkburst.sip.timers import Timers
from talkburst.sip.uas import Uas

T1 = 0.05  # seconds


class NoTrace:
    """Nobody looks at the messages."""

    looked_at = False

    def message(self, *each: object) -> None: ...


async def main() -> None:
    engine = Engine(None, timers=Timers(t1=T1), token=Tokens().next)
    engine.user = Uas(engine, engine.token, software="Talkburst")
    node = SipNode(engine, Clock(), NoTrace())
    for transport in ("udp", "tcp"):
        await node.listen("echo", ListenAddress.parse(f"{transport}:127.0.0.1:{sys.argv[1]}"))
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
