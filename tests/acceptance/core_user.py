"""Users of the core, and who watches them: they remember what they were promised."""

from dataclasses import dataclass, field
from xml.etree import ElementTree

from sip_peer import Peer, challenge_of
from talkburst.sip.digest import DigestClient
from talkburst.sip.headers import parse_auth
from talkburst.sip.message import Request, Response

EXPIRES = 1800


@dataclass
class Notified:
    cseq: int
    version: int
    state: str


def _notified(request: Request) -> Notified:
    version = int(ElementTree.fromstring(request.body).get("version") or -1)
    return Notified(request.cseq.number, version, request.get("Subscription-State") or "")


@dataclass
class Watch:
    """A subscription to the reg event of a user."""

    peer: Peer
    aor: str
    watcher: str
    call_id: str
    asserted: bool = False
    cseq: int = 0
    tag: str | None = None

    async def subscribe(self, expires: int = EXPIRES) -> Response:
        """A new one, or in the dialog that the last 200 named."""
        self.cseq += 1
        tag = f";tag={self.tag}" if self.tag else ""
        uri = self.aor if self.tag is None else "sip:{}:{}".format(*self.peer.wire.target)
        headers: list[tuple[str, object]] = [
            ("From", f"<{self.watcher}>;tag=w"),
            ("To", f"<{self.aor}>{tag}"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} SUBSCRIBE"),
            ("Event", "reg"),
            ("Contact", f"<{self.peer.wire.uri('watcher')}>"),
            ("Expires", expires),
        ]
        if self.asserted:
            headers.append(("P-Asserted-Identity", f"<{self.watcher}>"))
        answer = await self.peer.ask(Request("SUBSCRIBE", uri, headers))
        if answer.status == 200:
            assert self.tag in (None, answer.to.tag)
            self.tag = answer.to.tag
        return answer

    def notified(self) -> list[Notified]:
        """What NOTIFY requests of the dialog said, in the order of their numbers."""
        of_dialog = (
            each
            for each in self.peer.requests
            if (each.method, each.call_id, each.from_.tag) == ("NOTIFY", self.call_id, self.tag)
        )
        return sorted((_notified(each) for each in of_dialog), key=lambda each: each.cseq)

    async def goes_on(self, lost: int = 0) -> None:
        """A refresh succeeds, in the old dialog comes the next NOTIFY, and at most `lost` of all went missing."""
        before = self.notified()
        answer = await self.subscribe()
        assert answer.status == 200, answer.to_bytes()
        await self.peer.until(lambda: len(self.notified()) > len(before))
        after = self.notified()
        assert after[: len(before)] == before
        assert {each.cseq - each.version for each in after} == {1}
        missing = after[-1].cseq - len(after)
        assert 0 <= missing <= lost, (missing, after)


@dataclass
class User:
    """A client that registers and watches itself. `registered` is what the last 200 to REGISTER said; `asked`: another
    REGISTER was sent since."""

    number: int
    peer: Peer
    cseq: int = 0
    registered: bool | None = None
    asked: bool = False
    nonce: str | None = None
    watches: int = 0
    _uses: DigestClient = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"user{self.number}"
        self.aor = f"sip:{self.name}@ims.example"
        self._uses = DigestClient(f"{self.name}@ims.example", "secret")
        self.watch_anew()

    def watch_anew(self) -> None:
        """With the last contact the subscriptions of a user end."""
        self.watches += 1
        self.watch = Watch(self.peer, self.aor, self.aor, f"watch-{self.watches}-{self.name}")

    @property
    def contact(self) -> str:
        return f"<{self.peer.wire.uri(self.name)}>;+g.poc.talkburst"

    async def register(self, expires: int | None = EXPIRES) -> Response:
        """REGISTER, with the challenge that is known, else with the one that comes; `expires` None asks only."""
        self.asked = self.asked or expires is not None
        if expires == 0:
            self.watch_anew()
        answer = await self._register(expires)
        if answer.status == 401:
            self.nonce = challenge_of(answer)["nonce"]
            answer = await self._register(expires)
        if answer.status == 200 and expires is not None:
            self.registered, self.asked = expires > 0, False
        return answer

    async def _register(self, expires: int | None) -> Response:
        self.cseq += 1
        headers: list[tuple[str, object]] = [
            ("From", f"<{self.aor}>;tag=r"),
            ("To", f"<{self.aor}>"),
            ("Call-ID", f"register-{self.name}"),
            ("CSeq", f"{self.cseq} REGISTER"),
        ]
        if expires is not None:
            headers += [("Contact", self.contact), ("Expires", expires)]
        if self.nonce is not None:
            headers.append(("Authorization", self._credentials(self.nonce)))
        return await self.peer.ask(Request("REGISTER", "sip:ims.example", headers))

    def _credentials(self, nonce: str) -> object:
        challenge = parse_auth(f'Digest realm="ims.example", nonce="{nonce}", algorithm=MD5, qop="auth"')
        return self._uses.authorization([challenge], "REGISTER", "sip:ims.example", b"", lambda: "0a4f113b")
