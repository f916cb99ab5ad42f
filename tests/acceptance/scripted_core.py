"""A core that a test plays: it registers a user with the PoC server, watches and publishes, and notes all it is told.

Nothing is lost on the way, since the server's socket outlives the server. What a server had read when it was killed is
sent again by `send_again`; not before, or a copy would be waiting for the next life of one that has answered already.
Over TCP that is what was sent on a connection that is closed since.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from killable import WITHIN
from talkburst.sip.message import Message, Request, Response, response_to
from talkburst.xml.poc_settings import from_xml
from wire import Send, Way, Wire

Address = tuple[str, int]


def instance(user: str) -> str:
    return f"urn:uuid:{user}"


def settings(user: str, mode: str) -> bytes:
    """What a client of the user publishes."""
    return (
        '<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings">'
        f'<entity id="{instance(user)}"><isb-settings><incoming-session-barring active="false"/></isb-settings>'
        f"<am-settings><answer-mode>{mode}</answer-mode></am-settings></entity></poc-settings>"
    ).encode()


def shown(notify: Request) -> dict[str, str | None]:
    """Entity id: answer mode of a document that the server sent."""
    return {entity.id: entity.answer_mode for entity in from_xml(notify.body).entities}


@dataclass
class Watch:
    """One poc-settings subscription of a user, as its client has it."""

    user: str
    call_id: str
    tag: str
    remote_tag: str = ""
    cseq: int = 0
    notifies: list[Request] = field(default_factory=list)

    @property
    def last(self) -> Request:
        return self.notifies[-1]


class ScriptedCore:
    """One address toward the server. `on_message(message)` hears all that comes from there, `on_sent(message)` all
    that goes there."""

    def __init__(self, server: Address, transport: str = "udp") -> None:
        self.server = server
        self.wire = Wire(server, transport, self._take)
        self.on_message: Callable[[Message], None] = lambda message: None
        self.on_sent: Callable[[Message], None] = lambda message: None
        self.answers_notify = True
        self.spoil: Callable[[bytes], bytes] = lambda answer: answer  # what becomes of the answers that are sent
        self.log: list[Message] = []
        self.watches: dict[str, Watch] = {}  # by Call-ID
        self.reg_subscribes: dict[str, list[Request]] = defaultdict(list)  # by user, all that were taken
        self.unregistered: set[str] = set()
        self._reg_versions: dict[str, itertools.count[int]] = {}
        self._reg_cseq: dict[str, int] = defaultdict(int)
        self._answers: dict[tuple[str, str], asyncio.Future[Response]] = {}
        self._unanswered: dict[tuple[str, str], tuple[Request, Way]] = {}
        self._numbers = itertools.count(1)
        self._news = asyncio.Event()

    @classmethod
    async def open(cls, server: Address, transport: str = "udp") -> "ScriptedCore":
        core = cls(server, transport)
        core.host, core.port = await core.wire.open()
        return core

    async def close(self) -> None:
        await self.wire.close()

    # In

    def _take(self, message: Message, answer: Send) -> None:
        self.log.append(message)
        self.on_message(message)
        if isinstance(message, Response):
            # As text: what answers a damaged request may lack the one and have the other broken.
            waiting = self._answers.get((message.get("Call-ID") or "", message.get("CSeq") or ""))
            if waiting is not None and not waiting.done() and message.status >= 200:
                waiting.set_result(message)
        elif isinstance(message, Request) and message.method == "NOTIFY":
            self._take_notify(message, answer)
        elif isinstance(message, Request) and message.method == "SUBSCRIBE":
            self._take_reg_subscribe(message, answer)
        self._news.set()

    def _take_notify(self, notify: Request, answer: Send) -> None:
        watch = self.watches.get(notify.call_id)
        remote_tag = notify.from_.tag or ""
        if watch is None or watch.remote_tag not in ("", remote_tag):
            self._reply(answer, notify, 481)
            return
        watch.remote_tag = remote_tag
        if all(notify.cseq.number != known.cseq.number for known in watch.notifies):
            watch.notifies.append(notify)
        if self.answers_notify:
            self._reply(answer, notify, 200)

    def _take_reg_subscribe(self, subscribe: Request, answer: Send) -> None:
        user = str(subscribe.to.uri).removeprefix("sip:").partition("@")[0]
        if user in self.unregistered:
            self._reply(answer, subscribe, 481 if subscribe.to.tag else 480)
            return
        self.reg_subscribes[user].append(subscribe)
        expires = subscribe.get("Expires") or "0"
        self._reply(answer, subscribe, 200, ("Expires", expires), ("Contact", f"<{self.wire.uri()}>"))
        self.notify_reg(user)

    def _reply(self, answer: Send, request: Request, status: int, *headers: tuple[str, object]) -> None:
        response = response_to(request, status, to_tag=request.to.tag or "core", headers=headers)
        answer(self.spoil(response.to_bytes()))
        self.on_sent(response)

    # Out

    def _send(self, message: Message) -> Way:
        way = self.wire.send(message.to_bytes())
        self.on_sent(message)
        return way

    def notify_reg(self, user: str, *, contact: bool = True, state: str = "active;expires=600000") -> None:
        """A NOTIFY in the dialog of the server's reg subscription; nobody waits for its answer."""
        self._send(self.reg_notify(user, contact=contact, state=state))

    def reg_notify(self, user: str, *, contact: bool = True, state: str = "active;expires=600000") -> Request:
        """The next NOTIFY in the dialog of the server's reg subscription."""
        subscribe = self.reg_subscribes[user][-1]
        versions = self._reg_versions.setdefault(subscribe.call_id, itertools.count())
        self._reg_cseq[subscribe.call_id] += 1
        headers = [
            ("From", f"<sip:{user}@ims.example>;tag={subscribe.to.tag or 'core'}"),
            ("To", str(subscribe.from_)),
            ("Call-ID", subscribe.call_id),
            ("CSeq", f"{self._reg_cseq[subscribe.call_id]} NOTIFY"),
            ("Contact", f"<{self.wire.uri()}>"),
            ("Event", "reg"),
            ("Subscription-State", state),
        ]
        request = self._request("NOTIFY", f"sip:{self.server[0]}:{self.server[1]}", headers)
        request.set_body(self._reginfo(user, next(versions), contact), "application/reginfo+xml")
        return request

    def _reginfo(self, user: str, version: int, contact: bool) -> bytes:
        bound = (
            f'<contact id="c" state="active" event="registered"><uri>sip:{user}@127.0.0.1:5090</uri>'
            '<unknown-param name="+g.poc.talkburst"/>'
            f'<unknown-param name="+sip.instance">"&lt;{instance(user)}&gt;"</unknown-param></contact>'
        )
        return (
            f'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="full">'
            f'<registration aor="sip:{user}@ims.example" id="r" state="{"active" if contact else "terminated"}">'
            f"{bound if contact else ''}</registration></reginfo>"
        ).encode()

    def _request(self, method: str, uri: str, headers: list[tuple[str, str]], via: str = "") -> Request:
        branch = f"z9hG4bK{next(self._numbers)}"
        top = [("Via", f"{self.wire.via};branch={branch}")]
        below = [("Via", f"SIP/2.0/UDP {via};branch={branch}x")] if via else []
        return Request(method, uri, [*top, *below, ("Max-Forwards", "69"), *headers])

    async def ask(self, request: Request) -> Response:
        """The final answer to a request."""
        key = request.call_id, str(request.cseq)
        self._answers[key] = asyncio.get_running_loop().create_future()
        self._unanswered[key] = request, self._send(request)
        answer = await asyncio.wait_for(self._answers[key], WITHIN)
        del self._unanswered[key]
        return answer

    def send_again(self) -> None:
        """What a client does while it has no answer: the same request once more."""
        for key, (request, way) in list(self._unanswered.items()):
            if way.lost:
                self._unanswered[key] = request, self.wire.send(request.to_bytes())

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what the server sends to make `condition` true."""
        async with asyncio.timeout(WITHIN):
            while not condition():
                self._news.clear()
                await self._news.wait()

    # What users do

    async def register(self, user: str, expires: int = 3600) -> Response:
        """Third-party registration of a user."""
        return await self.ask(self.third_party_register(user, expires))

    def third_party_register(self, user: str, expires: int = 3600) -> Request:
        headers = [
            ("From", "<sip:scscf.ims.example>;tag=core"),
            ("To", f"<sip:{user}@ims.example>"),
            ("Call-ID", f"register-{next(self._numbers)}"),
            ("CSeq", "1 REGISTER"),
            ("Contact", f"<{self.wire.uri()}>"),
            ("Expires", str(expires)),
        ]
        return self._request("REGISTER", "sip:poc.ims.example", headers)

    async def watch(self, user: str, expires: int = 3600) -> Watch:
        """SUBSCRIBE poc-settings; returns when it was accepted and told."""
        number = next(self._numbers)
        watch = Watch(user, f"watch-{number}", f"tag-{number}")
        self.watches[watch.call_id] = watch
        answer = await self.subscribe(watch, expires)
        assert answer.status == 200, answer.start_line
        await self.until(lambda: watch.notifies)
        return watch

    async def subscribe(self, watch: Watch, expires: int = 3600) -> Response:
        """The next SUBSCRIBE of a subscription."""
        return await self.ask(self.next_subscribe(watch, expires))

    def next_subscribe(self, watch: Watch, expires: int = 3600) -> Request:
        watch.cseq += 1
        tag = f";tag={watch.remote_tag}" if watch.remote_tag else ""
        headers = [
            ("From", f"<sip:{watch.user}@ims.example>;tag={watch.tag}"),
            ("To", f"<sip:{watch.user}@ims.example>{tag}"),
            ("Call-ID", watch.call_id),
            ("CSeq", f"{watch.cseq} SUBSCRIBE"),
            ("Contact", f"<{self.wire.uri(watch.user)}>"),
            ("Record-Route", f"<{self.wire.uri()};lr>"),
            ("Event", "poc-settings"),
            ("Expires", str(expires)),
            ("P-Asserted-Identity", f"<sip:{watch.user}@ims.example>"),
        ]
        target = f"sip:{self.server[0]}:{self.server[1]}" if tag else f"sip:{watch.user}@ims.example"
        return self._request("SUBSCRIBE", target, headers)

    async def publish(self, user: str, mode: str = "", etag: str | None = None, expires: int = 3600) -> Response:
        """PUBLISH; without a mode it is a refresh, or with Expires 0 the end."""
        return await self.ask(self.settings_publish(user, mode, etag, expires))

    def settings_publish(self, user: str, mode: str = "", etag: str | None = None, expires: int = 3600) -> Request:
        number = next(self._numbers)
        headers = [
            ("From", f"<sip:{user}@ims.example>;tag=p{number}"),
            ("To", f"<sip:{user}@ims.example>"),
            ("Call-ID", f"publish-{number}"),
            ("CSeq", "1 PUBLISH"),
            ("Event", "poc-settings"),
            ("Expires", str(expires)),
            ("P-Asserted-Identity", f"<sip:{user}@ims.example>"),
        ]
        if etag is not None:
            headers.append(("SIP-If-Match", etag))
        request = self._request("PUBLISH", f"sip:{user}@ims.example", headers, via="127.0.0.1:5090")
        if mode:
            request.set_body(settings(user, mode), "application/poc-settings+xml")
        return request
