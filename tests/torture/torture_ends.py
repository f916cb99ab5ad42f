"""The ends that a torture message passes between: plain sockets, and accounts that register them with the core."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Protocol, cast

from talkburst.sip.digest import DigestClient
from talkburst.sip.headers import parse_auth
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message
from torture_row import DOMAIN

Address = tuple[str, int]
WITHIN = 10.0  # seconds until an answer, of a busy machine

_numbers = itertools.count()  # of the REGISTERs: none may be taken for another one

Answering = Callable[[Request], bytes | None]


def answer_200(request: Request) -> bytes | None:
    return None if request.method == "ACK" else response_to(request, 200, to_tag="end").to_bytes()


class End(asyncio.DatagramProtocol):
    """A socket that keeps every datagram it gets, and answers requests as `answering` says."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.answering: Answering = answer_200
        self._news = asyncio.Event()
        self._transport: asyncio.DatagramTransport

    async def open(self) -> "End":
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def close(self) -> None:
        self._transport.close()

    @property
    def address(self) -> Address:
        host, port = self._transport.get_extra_info("sockname")
        return host, port

    @property
    def sent_by(self) -> str:
        return "{}:{}".format(*self.address)

    def send(self, data: bytes, to: Address) -> None:
        self._transport.sendto(data, to)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.heard.append(data)
        self._news.set()
        message = parse_message(data)
        if isinstance(message, Request):
            answer = self.answering(message)
            if answer is not None:
                self._transport.sendto(answer, addr)

    async def until(self, wanted: Callable[[bytes], bool], after: int = 0, number: int = 1) -> list[bytes]:
        """The first `number` of wanted datagrams that came after the first `after` ones; fewer when none come."""
        found: list[bytes] = []
        try:
            async with asyncio.timeout(WITHIN):
                while True:
                    found = [data for data in self.heard[after:] if wanted(data)][:number]
                    if len(found) == number:
                        return found
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return found

    async def ask(self, data: bytes, to: Address, call_id: bytes = b"") -> Response | None:
        """Send a request; the final answer to it, or to what has that Call-ID. An INVITE that is refused is ACKed."""
        after = len(self.heard)
        self.send(data, to)
        found = await self.until(lambda heard: _is_final(heard) and call_id in heard, after)
        response = parse_message(found[0]) if found else None
        if not isinstance(response, Response):
            return None
        if data.lstrip().startswith(b"INVITE ") and response.status >= 300 and response.get("Call-ID"):
            self.send(_ack(data, response), to)
        return response


def _is_final(data: bytes) -> bool:
    return data.startswith(b"SIP/2.0 ") and data[8:9] != b"1"


def _ack(invite: bytes, response: Response) -> bytes:
    """RFC 3261 17.1.1.3, with the top Via of the INVITE."""
    uri = invite.split(b" ")[1].decode()
    top = response.values("Via")[0]
    headers = [(name, response.get(name) or "") for name in ("From", "To", "Call-ID")]
    number = (response.get("CSeq") or "").split()[0]
    return Request("ACK", uri, [("Via", top), *headers, ("CSeq", f"{number} ACK"), ("Max-Forwards", "70")]).to_bytes()


class Asking(Protocol):
    """What an account registers from."""

    @property
    def sent_by(self) -> str: ...

    async def ask(self, data: bytes, to: Address, call_id: bytes = b"") -> Response | None: ...


class Account:
    """A subscriber of the core, and the REGISTERs of that user."""

    def __init__(self, end: "Asking", core: Address, user: str) -> None:
        self._end = end
        self._core = core
        self._private_id = f"{user}@{DOMAIN}"
        self._client = DigestClient(self._private_id, user)
        self.challenge = ""

    async def register(self, *headers: tuple[str, object]) -> Response:
        """A REGISTER with credentials, and the answer to it."""
        aor = f"sip:{self._private_id}"
        while True:
            mark = f"{self._private_id}-{next(_numbers)}"
            request = Request(
                "REGISTER",
                f"sip:{DOMAIN}",
                [
                    ("Via", f"SIP/2.0/UDP {self._end.sent_by};branch=z9hG4bK-{mark}"),
                    ("From", f"<{aor}>;tag={mark}"),
                    ("To", f"<{aor}>"),
                    ("Call-ID", mark),
                    ("CSeq", "1 REGISTER"),
                    ("Max-Forwards", "70"),
                    *headers,
                ],
            )
            if self.challenge:
                request.add("Authorization", self.credentials(request.uri))
            response = await self._end.ask(request.to_bytes(), self._core, mark.encode())
            assert response is not None, f"no answer to the REGISTER of {self._private_id}"
            if response.status != 401 or self.challenge:
                return response
            self.challenge = response.get("WWW-Authenticate") or ""

    def credentials(self, uri: str) -> str:
        """An Authorization for one more REGISTER."""
        answer = self._client.authorization([parse_auth(self.challenge)], "REGISTER", uri, b"", lambda: "token")
        assert answer is not None
        return str(answer)
