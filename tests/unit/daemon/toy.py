"""A small daemon on one UDP socket, run as a process by the tests; TOY_FAULT names what it does wrong."""

import asyncio
import os
import sys
from collections.abc import Mapping

from talkburst.daemon import run
from talkburst.daemon.command import Asked, Flag, asking, daemon_command
from talkburst.daemon.control import Answer, Command
from talkburst.daemon.log import Log
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.daemon.start_error import StartError
from talkburst.obs.trace import Trace

FAULT = os.environ.get("TOY_FAULT", "")
if "short drain" in FAULT:
    run.DRAIN = 0.2
if "no uvloop" in FAULT:
    sys.modules["uvloop"] = None  # type: ignore[assignment]  # makes the import fail


class Toy(asyncio.DatagramProtocol):
    name = "core"

    def __init__(self, settings: Settings, trace: Trace, log: Log) -> None:
        if "make" in FAULT:
            raise ConfigurationError("core.profiles: /nowhere is no directory")
        self.settings = settings
        self.trace = trace
        self.log = log
        self.transport: asyncio.DatagramTransport | None = None
        if "ends" in FAULT:
            self.ended = self.end
        self.commands: Mapping[str, Command] = {"say": self.say}

    async def end(self) -> None:
        raise StartError("the password is wrong")

    async def say(self, arguments: Answer) -> Answer:
        return {"said": arguments["word"]}

    async def start(self) -> list[str]:
        if "start hangs" in FAULT:
            self.log.info("starting")
            await asyncio.Event().wait()
        if "bug" in FAULT:
            raise KeyError("a bug")
        _, host, port = self.settings.core.listen[0].split(":")
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, int(port)))
        host, port = self.transport.get_extra_info("sockname")
        self._message(b"OPTIONS sip:start SIP/2.0\r\n\r\n")
        return [f"udp:{host}:{port}"]

    async def stop(self) -> None:
        self._message(b"OPTIONS sip:stop SIP/2.0\r\n\r\n")
        if self.transport is not None:
            self.transport.close()
        if "stop hangs" in FAULT:
            self.log.info("stop hangs")
            await asyncio.Event().wait()
        if "stop fails" in FAULT:
            raise KeyError("a bug")

    def _message(self, data: bytes) -> None:
        self.trace.message(data, ("127.0.0.1", 5060), ("127.0.0.1", 5090), True, "sip", "UDP", 1.0)

    def show(self) -> dict[str, object]:
        return {"domain": self.settings.core.domain, "loop": type(asyncio.get_running_loop()).__module__}


main = daemon_command("core", Toy, "A toy.", Flag("--domain", "domain", "the home domain", "NAME"))


@main.command("say")
@asking
def say(core: Asked) -> None:
    """Say something."""
    print(core.ask("say", word="hello")["said"])  # noqa: T201


if __name__ == "__main__":
    main()
