"""Which damaged messages have to be answered, and whether they were; OPTIONS as the sign that a daemon is well."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import cast

from damage import options
from talkburst.sip import Malformed, Request, Response, parse_message
from talkburst.sip.framer import StreamFramer
from watched import within_a_second

Address = tuple[str, int]
ANSWERED_WITHIN = 10.0  # seconds until the last answer to what was sent, of a busy machine
_numbers = itertools.count()  # of the OPTIONS: none may be taken for another one


def has_to_be_answered(data: bytes) -> str | None:
    """The Call-ID of what can be read well enough to be answered."""
    request = answerable(data)
    return None if request is None else request.get("Call-ID")


def branch_to_be_answered(data: bytes, port: int) -> str | None:
    """The branch of what has to be answered to `port`, by datagram or (0) on the connection it came on."""
    request = answerable(data)
    if request is None or (port and "rport" not in request.via.params and request.via.port != port):
        return None
    return request.via.branch


def answerable(data: bytes) -> Request | None:
    """A request that can be read well enough to be answered."""
    message = parse_message(data)
    if isinstance(message, Malformed):
        message = message.request
    if not isinstance(message, Request) or message.method in ("ACK", "CANCEL"):
        return None
    try:
        parts = (message.via.branch, message.from_, message.to, message.cseq, message.via.host, message.get("Call-ID"))
    except ValueError:
        return None
    return message if all(parts) else None


class DatagramPeer(asyncio.DatagramProtocol):
    """Sends what it is told and keeps what was answered, by Call-ID and by branch; requests go to `on_request`."""

    def __init__(self, on_request: Callable[[Request, Address], None] = lambda request, source: None) -> None:
        self.answered: set[str] = set()
        self.statuses: dict[str, int] = {}  # of the last answer, by branch
        self._news = asyncio.Event()
        self.transport: asyncio.DatagramTransport
        self._on_request = on_request
        self._probes: dict[str, asyncio.Future[Response]] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, on_request: Callable[[Request, Address], None] = lambda request, source: None
    ) -> AsyncIterator["DatagramPeer"]:
        loop = asyncio.get_running_loop()
        transport, peer = await loop.create_datagram_endpoint(lambda: cls(on_request), local_addr=("127.0.0.1", 0))
        try:
            yield peer
        finally:
            transport.close()
            await asyncio.sleep(0)

    @property
    def address(self) -> Address:
        host, port = self.transport.get_extra_info("sockname")
        return host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        message = parse_message(data)
        if isinstance(message, Request):
            self._on_request(message, addr)
        elif isinstance(message, Response) and message.get("Call-ID") is not None:
            self.answered.add(message.call_id)
            with suppress(ValueError):  # an answer to what has a broken Via
                self.statuses[message.via.branch or ""] = message.status
            probe = self._probes.pop(message.call_id, None)
            if probe is not None:
                probe.set_result(message)
        self._news.set()

    async def until(self, condition: Callable[[], object], within: float = ANSWERED_WITHIN) -> None:
        """Waits for what arrives to make `condition` true, and no longer than that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not condition():
                    self._news.clear()
                    await self._news.wait()

    async def probe(self, target: Address) -> None:
        """OPTIONS, which has to be answered with 200 within a second."""
        number = next(_numbers)
        self.transport.sendto(options(number, self.address, target), target)
        answer = await within_a_second(self._final(f"options-{number}"))
        assert answer.status == 200, answer.start_line

    async def ask(self, request: Request, target: Address) -> Response:
        """The first answer to a request with a Call-ID of its own."""
        self.transport.sendto(request.to_bytes(), target)
        return await asyncio.wait_for(self._final(request.call_id), ANSWERED_WITHIN)

    async def _final(self, call_id: str) -> Response:
        future = self._probes[call_id] = asyncio.get_running_loop().create_future()
        return await future


class StreamPeer:
    """One connection to a daemon."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.answers: list[Response] = []
        self.ended = False
        self.missing: set[str] = set()
        self._framer = StreamFramer()

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Address) -> AsyncIterator["StreamPeer"]:
        peer = cls(*await asyncio.open_connection(*target))
        try:
            yield peer
        finally:
            await peer.close()

    @property
    def address(self) -> Address:
        host, port = self.writer.get_extra_info("sockname")
        return host, port

    @property
    def answered(self) -> set[str]:
        return {answer.get("Call-ID") or "" for answer in self.answers}

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def until_answered(self, call_ids: Iterable[str], within: float = ANSWERED_WITHIN) -> None:
        """Reads until each of these has a final answer; what is wrong is told by `missing`."""
        self.missing = {*call_ids}
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.missing and not self.ended:
                    await self._read()

    async def until_closed(self, within: float = ANSWERED_WITHIN) -> None:
        """Reads until the daemon closes the connection."""
        async with asyncio.timeout(within):
            while not self.ended:
                await self._read()

    async def _read(self) -> None:
        try:
            data = await self.reader.read(1 << 16)
        except ConnectionError:
            data = b""
        self.ended = not data
        for item in self._framer.feed(data):
            message = parse_message(item) if isinstance(item, bytes) else None
            if isinstance(message, Response) and message.status >= 200:
                self.answers.append(message)
                self.missing.discard(message.get("Call-ID") or "")
            else:
                assert not isinstance(item, Malformed), item

    def reset(self) -> None:
        """Hangs up without a word: the daemon gets a reset."""
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def probe_stream(target: Address) -> None:
    """OPTIONS on a fresh connection, which has to be answered with 200 within a second."""
    await within_a_second(_ask_on_fresh_connection(next(_numbers), target))


async def _ask_on_fresh_connection(number: int, target: Address) -> None:
    async with StreamPeer.open(target) as peer:
        peer.send(options(number, peer.address, target, "TCP"))
        await peer.until_answered({f"options-{number}"})
        assert [answer.status for answer in peer.answers] == [200]
