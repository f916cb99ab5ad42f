"""A PoC client that a test plays against a real core: it registers, watches and publishes, and keeps what it hears."""

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import TypeVar

from killable import WITHIN
from scripted_core import settings, shown
from talkburst.sip.digest import DigestClient
from talkburst.sip.headers import parse_auth
from talkburst.sip.message import Message, Request, Response, response_to
from talkburst.xml.reginfo import Reginfo
from talkburst.xml.reginfo import from_xml as reginfo_from_xml
from wire import Address, Send, Wire

Found = TypeVar("Found")
RETRANSMIT = 0.5  # seconds


class ScriptedClient:
    """One device of a user. `name` is its user name in the Contact, and what its instance id and entity id end with."""

    def __init__(self, core: Address, transport: str, private_id: str, user: str, password: str, name: str) -> None:
        self.wire = Wire(core, transport, self._take)
        self.user = f"sip:{user}@ims.example"
        self.name = name
        # TS 24.229 5.1.1.2: who asks, before there is a challenge to answer.
        self._claim = (
            f'Digest username="{private_id}", realm="ims.example", uri="sip:ims.example", nonce="", response=""'
        )
        self._credentials = DigestClient(private_id, password)
        self._mark = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._answers: dict[tuple[str, str], asyncio.Future[Response]] = {}
        self._notifies: dict[str, dict[int, Request]] = {}
        self._watches: dict[str, str] = {}  # event: Call-ID
        self._news = asyncio.Event()

    @property
    def contact(self) -> str:
        return self.wire.uri(self.name)

    # In

    def _take(self, message: Message, answer: Send) -> None:
        if isinstance(message, Response):
            waiting = self._answers.get((message.call_id, str(message.cseq)))
            if waiting is not None and not waiting.done() and message.status >= 200:
                waiting.set_result(message)
        elif isinstance(message, Request):
            self._notifies.setdefault(message.call_id, {})[message.cseq.number] = message
            answer(response_to(message, 200, to_tag="client").to_bytes())
        self._news.set()

    def notifies(self, event: str) -> list[Request]:
        """What was told of an event that is watched, in its order."""
        told = self._notifies.get(self._watches[event], {})
        return [told[number] for number in sorted(told)]

    def reginfo(self) -> list[Reginfo]:
        return [reginfo_from_xml(notify.body) for notify in self.notifies("reg")]

    def entities(self) -> dict[str, str | None]:
        """The settings that were shown last."""
        notifies = self.notifies("poc-settings")
        return shown(notifies[-1]) if notifies else {}

    async def until(self, found: Callable[[], Found]) -> Found:
        """What `found` finds, once what was told is enough for it."""
        async with asyncio.timeout(WITHIN):
            while not (result := found()):
                self._news.clear()
                await self._news.wait()
        return result

    # Out

    async def ask(self, method: str, uri: str, *headers: tuple[str, object], body: bytes = b"") -> Response:
        """Sends a request, with credentials where they are asked for; its final answer."""
        call = next((str(value) for name, value in headers if name == "Call-ID"), f"{method}-{next(self._numbers)}")
        call_id = call if self._mark in call else f"{call}-{self._mark}"
        claim = (("Authorization", self._claim),) if method == "REGISTER" else ()
        answer = await self._ask(method, uri, call_id, (*headers, *claim), body)
        if answer.status == 401:
            challenges = [parse_auth(value) for value in answer.get_all("WWW-Authenticate")]
            credentials = self._credentials.authorization(challenges, method, uri, body, secrets.token_hex)
            answer = await self._ask(method, uri, call_id, (*headers, ("Authorization", credentials)), body)
        return answer

    async def _ask(
        self, method: str, uri: str, call_id: str, headers: tuple[tuple[str, object], ...], body: bytes
    ) -> Response:
        number = next(self._numbers)
        request = Request(
            method,
            uri,
            [
                ("Via", f"{self.wire.via};branch=z9hG4bK{self._mark}{number};rport"),
                ("Max-Forwards", 70),
                ("From", f"<{self.user}>;tag={self._mark}"),
                ("To", f"<{self.user}>"),
                ("Call-ID", call_id),
                ("CSeq", f"{number} {method}"),
                *((name, value) for name, value in headers if name != "Call-ID"),
            ],
            body,
        )
        future = self._answers[call_id, f"{number} {method}"] = asyncio.get_running_loop().create_future()
        self.wire.send(request.to_bytes())
        async with asyncio.timeout(WITHIN):
            while self.wire.transport == "udp" and not (await asyncio.wait([future], timeout=RETRANSMIT))[0]:
                self.wire.send(request.to_bytes())
            return await future

    async def register(self, expires: int | None = 3600, contact: str | None = None) -> Response:
        """`expires` None asks what is bound; `contact` in place of the own one may be "*"."""
        own = f'<{self.contact}>;+g.poc.talkburst;+sip.instance="<urn:uuid:{self.name}>"'
        wish = () if expires is None else (("Contact", contact or own), ("Expires", expires))
        answer = await self.ask("REGISTER", "sip:ims.example", ("Call-ID", "register"), *wish)
        assert answer.status == 200, answer.to_bytes()
        return answer

    async def subscribe(self, event: str) -> Response:
        self._watches[event] = f"watch-{event}-{self._mark}"
        return await self.ask(
            "SUBSCRIBE",
            self.user,
            ("Call-ID", self._watches[event]),
            ("Event", event),
            ("Contact", f"<{self.contact}>"),
            ("Expires", 3600),
        )

    async def publish(self, mode: str) -> Response:
        headers = [("Event", "poc-settings"), ("Content-Type", "application/poc-settings+xml"), ("Expires", 3600)]
        return await self.ask("PUBLISH", self.user, *headers, body=settings(self.name, mode))
