"""A scripted SIP peer: it asks until it has an answer, and says 200 to what it is asked."""

import asyncio
import itertools
import secrets
from collections.abc import Callable

from talkburst.sip.headers import parse_auth
from talkburst.sip.message import Message, Request, Response, response_to
from talkburst.sip.parser import parse_message
from wire import Address, Send, Wire

RETRANSMIT = 0.1  # seconds
PATIENCE = 20.0  # seconds


class Peer:
    """One address. `requests` is what came, each once; `on_message` is told of everything that comes. Methods in
    `silent_about` are not answered."""

    def __init__(
        self, core: Address, on_message: Callable[[Message], None] = lambda message: None, transport: str = "udp"
    ) -> None:
        self.requests: list[Request] = []
        self.silent_about: set[str] = set()
        self.on_message = on_message
        self.wire = Wire(core, transport, self._take)
        self._answers: dict[str, asyncio.Future[Response]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._news = asyncio.Event()
        self._branches = itertools.count(1)
        self._mark = secrets.token_hex(4)

    async def start(self) -> None:
        await self.wire.open()

    async def close(self) -> None:
        await self.wire.close()

    async def ask(self, request: Request) -> Response:
        """Send a request until its final response is there, also across a restart of the other side: over UDP again and
        again, over TCP when the connection is lost."""
        branch = f"z9hG4bK{self._mark}{next(self._branches)}"
        sent = request.copy()
        sent.prepend("Via", f"{self.wire.via};branch={branch};rport")
        sent.set("Max-Forwards", 70)
        future = self._answers[branch] = asyncio.get_running_loop().create_future()
        self.last_sent = sent.to_bytes()
        way = self.wire.send(self.last_sent)
        async with asyncio.timeout(PATIENCE):
            while not future.done():
                await asyncio.wait([future], timeout=RETRANSMIT)
                if way.lost and not future.done():
                    way = self.wire.send(sent.to_bytes())
        return future.result()

    async def repeat(self, data: bytes) -> Response:
        """Send a request again that was answered; what is sent back to that."""
        message = parse_message(data)
        assert isinstance(message, Request)
        assert message.via.branch is not None
        future = self._answers[message.via.branch] = asyncio.get_running_loop().create_future()
        self.wire.send(data)
        return await asyncio.wait_for(future, PATIENCE)

    async def request(self, matches: Callable[[Request], bool], after: int = 0) -> Request:
        """The first request that `matches` among those that came after the first `after`."""
        await self.until(lambda: any(matches(each) for each in self.requests[after:]))
        return next(each for each in self.requests[after:] if matches(each))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for requests that make `condition` true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def _take(self, message: Message, answer: Send) -> None:
        self.on_message(message)
        if isinstance(message, Response):
            future = self._answers.get(message.via.branch or "")
            if message.status >= 200 and future is not None and not future.done():
                future.set_result(message)
            return
        assert isinstance(message, Request)
        if message.method not in self.silent_about:
            answer(response_to(message, 200, to_tag="peer").to_bytes())
        mark = (message.call_id, str(message.cseq))
        if mark not in self._seen:
            self._seen.add(mark)
            self.requests.append(message)
            self._news.set()


def challenge_of(response: Response) -> dict[str, str]:
    """The directives of a challenge."""
    return parse_auth(response.get("WWW-Authenticate") or "").params
