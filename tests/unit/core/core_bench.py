"""The core on a bench: literal SIP text of clients and servers in, what it sends out, a clock that moves when told."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from sent import Batch, Sent, lines

from talkburst.daemon.trust import Trust
from talkburst.net.tcp_limits import TcpLimits
from talkburst.sip.actions import LimitSilence
from talkburst.sip.engine import Connect, Disconnect, Engine, Resolve, Send
from talkburst.sip.flow import Flow, Listener, bracketed
from talkburst.sip.journal import Journal
from talkburst.sip.locating import Located
from talkburst.sip.message import Request, Response
from talkburst.sip.parser import parse_message
from talkburst_core import profile
from talkburst_core.core import Core
from talkburst_core.credentials import load as load_credentials
from talkburst_core.daemon import world
from talkburst_core.policy import Policy

CLIENTS = ("127.0.0.1", 5060)
SERVERS = ("127.0.0.1", 5054)
CLIENT = ("127.0.0.1", 5090)
POC = ("127.0.0.2", 5070)
HOSTS = {
    "ims.example": "127.0.0.1:5060",
    "scscf.ims.example": "127.0.0.1:5054",
    "poc.ims.example": "127.0.0.2:5070",
    "other.ims.example": "127.0.0.3:5070",
}
START = 1_763_798_400.0  # 22 November 2025, 08:00 UTC
CONNECTING = TcpLimits().connect
TAG = "+g.poc.talkburst"


class CoreBench:
    """`transport` is what clients and application servers speak.

    Over TCP nobody listens at the addresses in `refusing`, and nothing is heard of those in `unreachable`. `names` is
    what the DNS says.
    """

    def __init__(
        self,
        profiles: dict[str, str] | None = None,
        *,
        transport: str = "UDP",
        credentials: str | None = None,
        now: float = START,
        tokens: Iterator[int] | None = None,
        **policy: object,
    ) -> None:
        numbers = self.tokens = tokens or itertools.count(1)
        self.made_with = {"profiles": profiles, "credentials": credentials, **policy}
        self.now = now
        self.journal = Journal()
        self.tables: dict[str, dict[str, Any]] = {}
        self.decisions: list[tuple[str, dict[str, object]]] = []
        files = {file.name: file.read_bytes() for file in (world() / "profiles").iterdir()}
        files |= {name: text.encode() for name, text in (profiles or {}).items()}
        self.subscribers, self.defects = profile.load(files.items())
        self.transport = transport
        self.names: dict[str, list[Located]] = {}
        self.refusing: set[tuple[str, int]] = set()
        self.unreachable: set[tuple[str, int]] = set()
        self._accepted: dict[tuple[str, tuple[str, int]], Flow] = {}
        over = "" if transport == "UDP" else f";transport={transport.lower()}"
        hosts = {name: place + over for name, place in HOSTS.items()}
        self.engine = Engine(None, token=lambda: f"t{next(numbers)}", hosts=hosts)
        for name, address in (("clients", CLIENTS), ("servers", SERVERS)):
            for spoken in dict.fromkeys(("UDP", transport)):
                self.engine.add_listener(Listener(name, spoken, *address, advertised=address))
        self.core = Core(
            self.subscribers,
            load_credentials("credentials.toml", credentials or (world() / "credentials.toml").read_text("utf-8")),
            Policy(domains=("ims.mnc001.mcc001.3gppnetwork.org",), **policy),  # type: ignore[arg-type]
            Trust(["127.0.0.2", "127.0.0.3"], HOSTS),
            self.engine,
            nonce_key=b"k" * 32,
            started_at=now,
            journal=self.journal,
            decide=lambda what, facts: self.decisions.append((what, dict(facts))),
        )
        self.sent: list[Sent] = []
        self.limited: list[tuple[int, float | None]] = []  # by the port of the peer, how long it may be silent
        self._branches = itertools.count(1)

    # What the shell does

    def receive(self, text: str, listener: str, source: tuple[str, int], flow: Flow | None = None) -> Batch:
        self.engine.receive(lines(text), flow or self._flow(listener, source), self.now)
        return self.collect()

    def _flow(self, listener: str, source: tuple[str, int]) -> Flow:
        """How a peer reaches the core: by datagrams, or on the one connection that it opened."""
        local = CLIENTS if listener == "clients" else SERVERS
        if self.transport == "UDP":
            return Flow("UDP", local, source, listener=listener)
        if (listener, source) not in self._accepted:
            self._accepted[listener, source] = self.engine.accepted(
                self.engine.listener(listener, self.transport), source
            )
        return self._accepted[listener, source]

    def collect(self) -> Batch:
        """What was sent, as whoever receives it reads it."""
        news = Batch()
        self.store()
        while actions := self.engine.take():
            for action in actions:
                if isinstance(action, Connect):
                    self._connect(action.flow, action.domain)
                elif isinstance(action, Resolve):
                    self.engine.resolved(action.token, self.names.get(action.wanted.host, []), self.now)
                elif isinstance(action, LimitSilence):
                    self.limited.append((action.flow.remote[1], action.seconds))
                elif not isinstance(action, Disconnect):
                    assert isinstance(action, Send), action
                    message = parse_message(action.data)
                    assert isinstance(message, Request | Response), message
                    flow = action.flow
                    news.append(Sent(message, flow.listener, flow.remote, round(self.now - START, 3), flow))
        self.sent += news
        return news

    def _connect(self, flow: Flow, domain: str) -> None:
        if flow.remote in self.refusing:
            self.engine.transport_failed(flow, self.now)
        elif flow.remote in self.unreachable:
            self.engine.agenda.schedule(self.now + CONNECTING, lambda now: self.engine.transport_failed(flow, now))
        else:
            self.engine.connected(flow, self.now, frozenset({domain}))

    def store(self) -> None:
        """What is written before anything leaves."""
        for table, key, row in self.journal.take():
            if row is None:
                self.tables.get(table, {}).pop(key, None)
            else:
                self.tables.setdefault(table, {})[key] = json.loads(json.dumps(row))

    def restarted(self, after: float = 0.0, **changed: Any) -> tuple["CoreBench", Batch]:
        """The core that starts over what this one stored, `after` seconds later, and what it sends at once."""
        self.store()
        news = CoreBench(now=self.now + after, tokens=self.tokens, **{**self.made_with, **changed})
        news.tables = self.tables
        news.core.restore(self.tables, news.now)
        return news, news.advance(0.0)

    def advance(self, seconds: float) -> Batch:
        """Lets time pass, deadline by deadline."""
        end, news = self.now + seconds, Batch()
        while (deadline := self.engine.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.engine.handle_timer(self.now)
            news += self.collect()
        self.now = end
        return news

    def refuse(self, remote: tuple[str, int]) -> Batch:
        """An ICMP error says that nobody listens there."""
        return self.fail(Flow("UDP", SERVERS, remote, listener="servers"))

    def fail(self, flow: Flow) -> Batch:
        """Nothing gets through there any more: a connection is closed, or an ICMP error came."""
        self.engine.transport_failed(flow, self.now)
        return self.collect()

    # What peers do

    def client(self, text: str, source: tuple[str, int] = CLIENT) -> Batch:
        """A request of a client; Via and what else every request needs is put in where it is missing."""
        return self.receive(self._completed(text, source), "clients", source)

    def server(self, text: str, source: tuple[str, int] = POC) -> Batch:
        return self.receive(self._completed(text, source), "servers", source)

    def _completed(self, text: str, source: tuple[str, int]) -> str:
        first, _, rest = "\n".join(line.strip() for line in text.strip().splitlines()).partition("\n")
        head, gap, body = rest.partition("\n\n")
        sent_by = f"{bracketed(source[0])}:{source[1]}"
        missing = {
            "Via": f"SIP/2.0/{self.transport} {sent_by};branch=z9hG4bKp{next(self._branches)};rport",
            "Max-Forwards": "70",
            "Content-Length": str(len(body.replace("\n", "\r\n"))),
        }
        present = {line.partition(":")[0].strip().lower() for line in head.splitlines()}
        added = [f"{name}: {value}" for name, value in missing.items() if name.lower() not in present]
        return "\n".join([first, *added, head]) + gap + body

    def answer(self, request: Sent, status: str, headers: str = "", to_tag: str = "peer") -> Batch:
        """The response of the peer that a request of the core went to."""
        message = request.message
        to = message.get("To") or ""
        given = [
            f"SIP/2.0 {status}",
            *(f"Via: {value}" for value in message.get_all("Via")),
            f"From: {message.get('From')}",
            f"To: {to}" + ("" if ";tag=" in to else f";tag={to_tag}"),
            f"Call-ID: {message.call_id}",
            f"CSeq: {message.get('CSeq')}",
            *(f"Record-Route: {value}" for value in message.get_all("Record-Route")),
            *(line.strip() for line in headers.strip().splitlines()),
            "Content-Length: 0",
        ]
        return self.receive("\n".join(given), request.listener, request.to, request.flow)

    # The steps that most tests begin with

    def register(
        self,
        user: str = "alice",
        contact: str | None = None,
        *,
        private_id: str | None = None,
        aor: str | None = None,
        password: str | None = None,
        source: tuple[str, int] = CLIENT,
        cseq: int = 1,
        call_id: str | None = None,
        expires: int = 600000,
        headers: str = "",
        scheme: str = "sip",
    ) -> Batch:
        """REGISTER, 401, REGISTER; what the second one led to."""
        private_id = private_id or f"{user}@ims.example"
        aor = aor or f"sip:{user}@ims.example"
        contact = f"<sip:{user}@{source[0]}:{source[1]}>;{TAG}" if contact is None else contact
        domain = private_id.rpartition("@")[2]
        head = f"""
            REGISTER {scheme}:{domain} SIP/2.0
            From: <{aor}>;tag=reg
            To: <{aor}>
            Call-ID: {call_id or f"register-{private_id}"}
            Expires: {expires}
            Supported: path
        """
        fields = [line.strip() for line in [*head.splitlines(), *headers.splitlines()] if line.strip()]
        fields += [f"Contact: {contact}"] if contact else []

        def send(number: int, authorization: str) -> Batch:
            return self.client(
                "\n".join([*fields, f"CSeq: {number} REGISTER", f"Authorization: {authorization}"]), source
            )

        uri = f"{scheme}:{domain}"
        challenged = send(cseq, f'Digest username="{private_id}", realm="{domain}", uri="{uri}", nonce="", response=""')
        assert challenged[0].line == "SIP/2.0 401 Unauthorized", challenged[0].text
        return send(cseq + 1, self.credentials(challenged[0], private_id, password or user, "REGISTER", uri))

    def credentials(
        self,
        challenge: Sent,
        private_id: str,
        password: str,
        method: str,
        uri: str,
        header: str = "WWW-Authenticate",
        count: str = "00000001",
    ) -> str:
        """The answer to an MD5 challenge with qop=auth, worked out here (RFC 2617 3.2.2)."""
        value = challenge.header(header) or ""
        realm, nonce = (re.search(f'{name}="([^"]*)"', value)[1] for name in ("realm", "nonce"))  # type: ignore[index]

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        ha1, ha2 = md5(f"{private_id}:{realm}:{password}"), md5(f"{method}:{uri}")
        response = md5(f"{ha1}:{nonce}:{count}:0a4f113b:auth:{ha2}")
        return (
            f'Digest username="{private_id}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
            f'algorithm=MD5, qop=auth, cnonce="0a4f113b", nc={count}'
        )

    def subscribe(
        self,
        event: str = "reg",
        *,
        uri: str = "sip:alice@ims.example",
        source: tuple[str, int] = CLIENT,
        call_id: str = "watch",
        headers: str = "",
        method: str = "SUBSCRIBE",
        body: str = "",
        asserted: str | None = None,
    ) -> Batch:
        """A request of a client, or of a server where `asserted` says whose."""
        text = [
            f"{method} {uri} SIP/2.0",
            f"From: <{asserted or uri}>;tag=w",
            f"To: <{uri}>",
            f"Call-ID: {call_id}",
            f"CSeq: 1 {method}",
            f"Event: {event}",
            f"Contact: <sip:{source[0]}:{source[1]}>",
            *(line.strip() for line in headers.strip().splitlines()),
        ]
        if asserted:
            text.append(f"P-Asserted-Identity: <{asserted}>")
            text.append("Route: <sip:127.0.0.1:5054;lr>")
        message = "\n".join(text) + (f"\n\n{body}" if body else "")
        return self.server(message, source) if asserted else self.client(message, source)

    # What the test looks at

    def reasons(self, *words: str) -> list[str]:
        """The decisions that hold all of these words."""
        return [what for what, _ in self.decisions if all(word in what for word in words)]
