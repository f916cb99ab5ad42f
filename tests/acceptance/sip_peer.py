"""A scripted SIP peer over UDP: it asks, retransmits until it has an answer, and says 200 to what it is asked."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Iterable

from talkburst.sip.headers import parse_auth
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message

Address = tuple[str, int]
RETRANSMIT = 0.1  # seconds
PATIENCE = 20.0  # seconds


class Peer(asyncio.DatagramProtocol):
    """One address. `requests` is what came, each once; `on_message` is told of every datagram."""

    def __init__(self, core: Address, on_message: Callable[[], None] = lambda: None) -> None:
        self.core = core
        self.requests: list[Request] = []
        self._on_message = on_message
        self._answers: dict[str, asyncio.Future[Response]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._news = asyncio.Event()
        self._branches = itertools.count(1)
        self._mark = secrets.token_hex(4)

    async def start(self) -> Address:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.address: Address = self._transport.get_extra_info("sockname")
        return self.address

    def close(self) -> None:
        self._transport.close()

    async def ask(self, request: Request) -> Response:
        """Send a request until its final response is there, also across a restart of the other side."""
        branch = f"z9hG4bK{self._mark}{next(self._branches)}"
        sent = request.copy()
        sent.prepend("Via", f"SIP/2.0/UDP {self.address[0]}:{self.address[1]};branch={branch};rport")
        sent.set("Max-Forwards", 70)
        future = self._answers[branch] = asyncio.get_running_loop().create_future()
        self.last_sent = sent.to_bytes()
        async with asyncio.timeout(PATIENCE):
            while not future.done():
                self._transport.sendto(sent.to_bytes(), self.core)
                await asyncio.wait([future], timeout=RETRANSMIT)
        return future.result()

    async def repeat(self, data: bytes) -> Response:
        """Retransmit a request that was answered; what is sent back to that."""
        message = parse_message(data)
        assert isinstance(message, Request)
        assert message.via.branch is not None
        future = self._answers[message.via.branch] = asyncio.get_running_loop().create_future()
        self._transport.sendto(data, self.core)
        return await asyncio.wait_for(future, PATIENCE)

    async def request(self, matches: Callable[[Request], bool], after: int = 0) -> Request:
        """The first request that `matches` among those that came after the first `after`."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for request in self.requests[after:]:
                    if matches(request):
                        return request
                self._news.clear()
                await self._news.wait()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        message = parse_message(data)
        assert isinstance(message, Request | Response), data
        self._on_message()
        if isinstance(message, Response):
            future = self._answers.get(message.via.branch or "")
            if message.status >= 200 and future is not None and not future.done():
                future.set_result(message)
            return
        self._transport.sendto(response_to(message, 200, to_tag="peer").to_bytes(), addr)
        mark = (message.call_id, str(message.cseq))
        if mark not in self._seen:
            self._seen.add(mark)
            self.requests.append(message)
            self._news.set()


def request(method: str, uri: str, headers: Iterable[tuple[str, object]]) -> Request:
    return Request(method, uri, headers)


def challenge_of(response: Response) -> dict[str, str]:
    """The directives of a challenge."""
    return parse_auth(response.get("WWW-Authenticate") or "").params
