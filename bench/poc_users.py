"""What the users of `make bench-flow` do: register, the whole flow, watch and publish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from flow_load import Message, User, authorization, header
from users import PASSWORD, private_id

SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<poc-settings xmlns="urn:oma:params:xml:ns:poc:poc-settings"><entity id="e{number}"><isb-settings>\
<incoming-session-barring active="{barring}"/></isb-settings><am-settings><answer-mode>automatic</answer-mode>\
</am-settings></entity></poc-settings>
"""

PRESENCE = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:{user}"><tuple id="t{number}"><status><basic>open</basic>\
</status><contact priority="0.8">sip:{user}</contact><note xml:lang="en">{barring}</note></tuple></presence>
"""

# Kamailio's ims_auth answers 401 before it keeps the nonce: whoever is very quick gets a second one.
MOST_CHALLENGES = 2


@dataclass(slots=True, frozen=True)
class Place:
    """Where the load is and whom it speaks with. `run` makes Call-IDs of one run differ from those of another."""

    port: int
    domain: str
    run: str
    expires: int = 3600
    tag: str = ";+g.poc.talkburst"


class Package(NamedTuple):
    """An event package that is published and watched; `extra` are further header lines of each request."""

    event: str
    media_type: str
    document: str
    extra: str = ""


POC_SETTINGS = Package("poc-settings", "application/poc-settings+xml", SETTINGS)
PIDF = Package("presence", "application/pidf+xml", PRESENCE)


class Caller(User):
    """One user and the requests that it makes. Call-IDs are KIND-NUMBER-RUN, by which answers find back."""

    def __init__(self, place: Place, number: int) -> None:
        self.place = place
        self.number = number
        self.user = private_id(number, place.domain)
        self.contact = f"<sip:{self.user.partition('@')[0]}@127.0.0.1:{place.port}>"

    def request(self, kind: str, method: str, uri: str, cseq: int, lines: str, body: str = "") -> bytes:
        """A request outside of dialogs; `kind` is what its Call-ID begins with."""
        own = f"{kind}-{self.number}-{self.place.run}"
        return (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.place.port};branch=z9hG4bK{own}-{cseq}\r\n"
            f"Max-Forwards: 70\r\n"
            f"From: <sip:{self.user}>;tag={own}\r\n"
            f"To: <sip:{self.user}>\r\n"
            f"Call-ID: {own}\r\n"
            f"CSeq: {cseq} {method}\r\n"
            f"{lines}Content-Length: {len(body.encode())}\r\n\r\n{body}"
        ).encode()

    def register(self, cseq: int, credentials: str = "") -> bytes:
        contact = f"Contact: {self.contact}{self.place.tag};expires={self.place.expires}\r\n"
        return self.request("reg", "REGISTER", f"sip:{self.place.domain}", cseq, contact + credentials)

    def subscribe(self, kind: str, event: str, accept: str, lines: str) -> bytes:
        own = f"Contact: {self.contact}\r\nEvent: {event}\r\nAccept: {accept}\r\nExpires: 3600\r\n"
        return self.request(kind, "SUBSCRIBE", f"sip:{self.user}", 1, own + lines)

    def publish(
        self, package: Package, cseq: int, lines: str, etag: bytes = b"", barring: str = "false", kind: str = "publish"
    ) -> bytes:
        lines += f"Event: {package.event}\r\nExpires: 3600\r\nContent-Type: {package.media_type}\r\n"
        if etag:
            lines += f"SIP-If-Match: {etag.decode()}\r\n"
        body = package.document.format(user=self.user, number=self.number, barring=barring)
        return self.request(kind, "PUBLISH", f"sip:{self.user}", cseq, lines, body)

    def challenged(self, message: Message) -> str:
        return authorization(message.data, self.user, PASSWORD, f"sip:{self.place.domain}")

    def unexpected(self, message: Message) -> None:
        start, _, _ = message.data.partition(b"\r\n")
        self.fault = f"{start.decode()} to the {message.method.decode()} of {message.kind.decode()}"


class Registrant(Caller):
    """Registers: REGISTER, 401, REGISTER, 200. `round_` counts the registrations of a user from 0."""

    def __init__(self, place: Place, number: int, round_: int = 0) -> None:
        super().__init__(place, number)
        self.cseq = 3 * round_ + 1
        self.challenges = 0

    def start(self) -> Iterator[bytes]:
        yield self.register(self.cseq)

    def take(self, message: Message) -> Iterator[bytes]:
        if message.status == 401 and self.challenges < MOST_CHALLENGES:
            self.cseq += 1
            self.challenges += 1
            yield self.register(self.cseq, self.challenged(message))
        elif message.status == 200:
            self.finished = True
        elif message.status:
            self.unexpected(message)


class PocUser(Registrant):
    """The flow: registration, its reg event, poc-settings watched, published and told."""

    def __init__(self, place: Place, number: int) -> None:
        super().__init__(place, number)
        self.route = ""
        self.waits: set[tuple[bytes, bytes]] = set()

    def take(self, message: Message) -> Iterator[bytes]:
        match message.kind, message.method, message.status:
            case b"reg", _, 401:
                yield from super().take(message)
            case b"reg", _, 200:
                route = header(message.data, b"Service-Route").decode()
                self.route = f"Route: {route}\r\nP-Preferred-Identity: <sip:{self.user}>\r\n"
                self.waits = {(b"event", b"SUBSCRIBE"), (b"event", b"NOTIFY")}
                yield self.subscribe("event", "reg", "application/reginfo+xml", self.route)
            case b"settings", b"NOTIFY", 0 if b'"e%d"' % self.number in message.data:
                yield from self._met(b"told", b"NOTIFY")
            case kind, method, 0 | 200 | 202:
                yield from self._met(kind, method)
            case _:
                self.unexpected(message)

    def _met(self, kind: bytes, method: bytes) -> Iterator[bytes]:
        """One of the messages that the next step waits for came."""
        if (kind, method) not in self.waits:
            return
        self.waits.discard((kind, method))
        if self.waits:
            return
        if kind == b"event":
            self.waits = {(b"settings", b"SUBSCRIBE"), (b"settings", b"NOTIFY")}
            yield self.subscribe("settings", POC_SETTINGS.event, POC_SETTINGS.media_type, self.route)
        elif kind == b"settings":
            self.waits = {(b"publish", b"PUBLISH"), (b"told", b"NOTIFY")}
            yield self.publish(POC_SETTINGS, 1, self.route)
        else:
            self.finished = True


class Watcher(Caller):
    """Subscribes to the state of `number`; several watch one user when their `name` differs."""

    def __init__(self, place: Place, number: int, package: Package, name: str = "") -> None:
        super().__init__(place, number)
        self.package = package
        self.kind = f"watch{name}"
        self.waits = {b"SUBSCRIBE", b"NOTIFY"}

    def start(self) -> Iterator[bytes]:
        package = self.package
        yield self.subscribe(self.kind, package.event, package.media_type, package.extra.format(user=self.user))

    def take(self, message: Message) -> Iterator[bytes]:
        if message.status in (0, 200, 202):
            self.waits.discard(message.method)
            self.finished = not self.waits
        else:
            self.unexpected(message)
        yield from ()


class Publisher(Caller):
    """Publishes `count` times, each after the answer to the one before and `told` NOTIFYs of it.

    Several that publish for one user differ in their `name`.
    """

    def __init__(self, place: Place, number: int, package: Package, count: int, told: int, name: str = "") -> None:
        super().__init__(place, number)
        self.kind = f"publish{name}"
        self.package = package
        self.left = count
        self.cseq = 0
        self.told = told
        self.owed = 0
        self.answered = False
        self.etag = b""

    def start(self) -> Iterator[bytes]:
        yield from self._next()

    def take(self, message: Message) -> Iterator[bytes]:
        if message.status == 0:
            self.owed -= 1
        elif message.status == 200:
            self.etag = header(message.data, b"SIP-ETag")
            self.answered = True
        else:
            self.unexpected(message)
        if self.answered and self.owed <= 0 and not self.fault:
            yield from self._next()

    def _next(self) -> Iterator[bytes]:
        if not self.left:
            self.finished = True
            return
        self.left -= 1
        self.cseq += 1
        self.owed, self.answered = self.told, False
        barring = "true" if self.cseq % 2 else "false"
        extra = self.package.extra.format(user=self.user)
        yield self.publish(self.package, self.cseq, extra, self.etag, barring, self.kind)
