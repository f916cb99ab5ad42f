"""A complete, right capture of the 32 steps as literal messages."""

from dataclasses import dataclass, field

from documents import REGINFO, settings
from recording import START, Recording, Shot
from talkburst.flow.roles import Role
from talkburst.obs.frame import Endpoint

CLIENT = ("192.0.2.10", 5090)
CORE = ("192.0.2.1", 5060)
CORE_SERVERS = ("192.0.2.1", 5054)
SERVER = ("192.0.2.2", 5070)
SERVER_HTTP = ("192.0.2.2", 41000)
XDMS = ("192.0.2.3", 8080)


def sip(start: str, headers: str, body: str = "", content_type: str = "") -> bytes:
    """A message from its start line and header lines; blanks before header lines are no continuation here."""
    lines = [start, *(line.strip() for line in headers.strip().splitlines())]
    if body:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"Content-Length: {len(body.encode())}", "", body]
    return "\r\n".join(lines).encode()


@dataclass
class Author:
    """Writes the messages of one client's run, in their order, ten milliseconds apart."""

    client: Endpoint = CLIENT
    name: str = "a"
    instance: str = "urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a"
    start: float = START
    public: str = "sip:alice@ims.example"
    registered: str = "sip:alice@ims.example"
    published: tuple[str, str] = ("false", "automatic")
    shown_before: tuple[tuple[str, str, str], ...] = ()
    transport: str = "UDP"
    recording: Recording = field(default_factory=Recording)

    def write(self, publishes: bool = True) -> Recording:
        self._registration()
        self._third_party()
        self._server_watches()
        self._documents()
        self._client_watches()
        self._settings()
        if publishes:
            self._publication()
        return self.recording

    @property
    def place(self) -> str:
        return f"{self.client[0]}:{self.client[1]}"

    def _put(self, step: int | None, sender: Role, receiver: Role, payload: bytes, protocol: str = "sip") -> None:
        ends: dict[tuple[Role, Role], tuple[Endpoint, Endpoint]] = {
            ("client", "core"): (self.client, CORE),
            ("core", "server"): (CORE_SERVERS, SERVER),
            ("server", "xdms"): (SERVER_HTTP, XDMS),
        }
        source, destination = ends.get((sender, receiver)) or tuple(reversed(ends[receiver, sender]))
        time = self.start + len(self.recording.shots) * 0.01
        transport = "TCP" if protocol == "http" else self.transport
        self.recording.shots.append(
            Shot(step, sender, receiver, source, destination, payload, time, protocol, transport)
        )

    def _via(self, *hops: str) -> str:
        places = {"C": self.place, "I": "192.0.2.1:5054", "i": "192.0.2.1:5060", "S": "192.0.2.2:5070"}
        return "\n".join(
            f"Via: SIP/2.0/{self.transport} {places[hop[0]]};branch=z9hG4bK-{self.name}-{hop}" for hop in hops
        )

    def _contact(self) -> str:
        return f'<sip:alice@{self.place}>;+g.poc.talkburst;+sip.instance="<{self.instance}>"'

    def _registration(self) -> None:
        def register(number: int, more: str = "") -> bytes:
            return sip(
                "REGISTER sip:ims.example SIP/2.0",
                f"""{self._via(f"C-reg{number}")}
                Max-Forwards: 70
                From: <{self.registered}>;tag=c-reg
                To: <{self.registered}>
                Call-ID: reg-{self.name}
                CSeq: {number} REGISTER
                Contact: {self._contact()}
                Expires: 600000
                {more}""".rstrip(),
            )

        def answer(number: int, line: str, more: str) -> bytes:
            return sip(
                f"SIP/2.0 {line}",
                f"""{self._via(f"C-reg{number}")}
                From: <{self.registered}>;tag=c-reg
                To: <{self.registered}>;tag=i-reg{number}
                Call-ID: reg-{self.name}
                CSeq: {number} REGISTER
                {more}""",
            )

        credentials = (
            'Authorization: Digest username="alice@ims.example", realm="ims.example", nonce="0123456789abcdef", '
            'uri="sip:ims.example", response="699ca1779d08371ddf40495e54e7e034", algorithm=MD5, '
            'cnonce="0a4f113b", qop=auth, nc=00000001'
        )
        challenge = 'WWW-Authenticate: Digest realm="ims.example", nonce="0123456789abcdef", algorithm=MD5, qop="auth"'
        granted = f"""Contact: {self._contact()};expires=3600
                P-Associated-URI: <sip:alice@ims.example>, <sip:+12025550101@ims.example;user=phone>, <tel:+12025550101>
                Service-Route: <sip:orig@192.0.2.1:5060;lr>"""
        self._put(1, "client", "core", register(1))
        self._put(2, "core", "client", answer(1, "401 Unauthorized", challenge))
        self._put(3, "client", "core", register(2, credentials))
        self._put(4, "core", "client", answer(2, "200 OK", granted))

    def _third_party(self) -> None:
        common = f"""From: <sip:scscf.ims.example>;tag=i-third
            To: <sip:alice@ims.example>{{tag}}
            Call-ID: third-{self.name}
            CSeq: 1 REGISTER
            Contact: <sip:192.0.2.1:5054>
            Expires: 3600"""
        via = self._via("I-third")
        self._put(5, "core", "server", sip("REGISTER sip:poc.ims.example SIP/2.0", f"{via}\n{common.format(tag='')}"))
        self._put(6, "server", "core", sip("SIP/2.0 200 OK", f"{via}\n{common.format(tag=';tag=s-third')}"))

    def _exchange(
        self, steps: tuple[int, int], sender: Role, receiver: Role, start: str, headers: str, answer: str, **body: str
    ) -> None:
        """A request and its 200: `headers` serve both, `answer` are those that the response adds."""
        self._put(steps[0], sender, receiver, sip(start, headers, **body))
        kept = [
            line.strip()
            for line in headers.splitlines()
            if line.strip().split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
        ]
        to = next(line for line in kept if line.startswith("To:"))
        if ";tag=" not in to:
            kept[kept.index(to)] = f"{to};tag=answer-{self.name}"
        self._put(steps[1], receiver, sender, sip("SIP/2.0 200 OK", "\n".join([*kept, answer]).strip()))

    def _notify_reg(self, steps: tuple[int, int], receiver: Role, target: str, call_id: str, watcher: str) -> None:
        self._exchange(
            steps,
            "core",
            receiver,
            f"NOTIFY {target} SIP/2.0",
            f"""{self._via(f"i-{call_id}-n1" if receiver == "client" else f"I-{call_id}-n1")}
            From: <{self.public}>;tag=answer-{self.name}
            To: <{watcher}>;tag=w-{call_id}
            Call-ID: {call_id}-{self.name}
            CSeq: 1 NOTIFY
            Event: reg
            Subscription-State: active;expires=3761""",
            "",
            body=REGINFO.format(version=0, call_id=f"reg-{self.name}", place=self.place, instance=self.instance),
            content_type="application/reginfo+xml",
        )

    def _server_watches(self) -> None:
        self._exchange(
            (7, 8),
            "server",
            "core",
            "SUBSCRIBE sip:alice@ims.example SIP/2.0",
            f"""{self._via("S-swatch")}
            From: <sip:poc.ims.example>;tag=w-swatch
            To: <sip:alice@ims.example>
            Call-ID: swatch-{self.name}
            CSeq: 1 SUBSCRIBE
            P-Asserted-Identity: <sip:poc.ims.example>
            Contact: <sip:192.0.2.2:5070>
            Event: reg
            Expires: 600000""",
            "Expires: 3761",
        )
        public, self.public = self.public, "sip:alice@ims.example"
        self._notify_reg((9, 10), "server", "sip:192.0.2.2:5070", "swatch", "sip:poc.ims.example")
        self.public = public

    def _documents(self) -> None:
        root = "/xcap-root"
        rules = f"{root}/org.openmobilealliance.poc-rules/users/sip:alice@ims.example/pocrules"
        lists = f"{root}/resource-lists/users/sip:alice@ims.example/index"
        for target, status in ((rules, "404 Not Found"), (lists, "200 OK")):
            for line in ("401 Unauthorized", status):
                credentials = "" if line.startswith("401") else "Authorization: Digest username=poc\r\n"
                get = f"GET {target} HTTP/1.1\r\nHost: 192.0.2.3:8080\r\n{credentials}\r\n"
                self._put(11, "server", "xdms", get.encode(), "http")
                self._put(None, "xdms", "server", f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode(), "http")

    def _client_watches(self) -> None:
        self._exchange(
            (12, 13),
            "client",
            "core",
            f"SUBSCRIBE {self.public} SIP/2.0",
            f"""{self._via("C-cwatch")}
            Route: <sip:orig@192.0.2.1:5060;lr>
            From: <{self.public}>;tag=w-cwatch
            To: <{self.public}>
            Call-ID: cwatch-{self.name}
            CSeq: 1 SUBSCRIBE
            Contact: <sip:alice@{self.place}>
            Event: reg
            Expires: 600000""",
            "Expires: 3761",
        )
        self._notify_reg((14, 15), "client", f"sip:alice@{self.place}", "cwatch", self.public)

    def _passed_on(
        self,
        steps: tuple[int, int, int, int],
        roles: tuple[Role, Role, Role],
        start: str,
        vias: tuple[str, str],
        headers: str,
        answer: str,
        **body: str,
    ) -> None:
        """A request over two hops and its 200 back over both: steps in the order request, copy, answer, its copy."""
        first, second = self._via(vias[0]), self._via(vias[1], vias[0])
        route = "Record-Route: <sip:192.0.2.1:5054;lr>"
        self._exchange((steps[0], -1), roles[0], roles[1], start, f"{first}\n{headers}", "", **body)
        self.recording.shots.pop()
        self._exchange((steps[1], steps[2]), roles[1], roles[2], start, f"{second}\n{route}\n{headers}", answer, **body)
        last = self.recording.shots[-1].payload.decode().replace(f"{self._via(vias[1])}\r\n", "", 1)
        self._put(steps[3], roles[1], roles[0], last.encode())

    def _notify_settings(self, steps: tuple[int, int, int, int], cseq: int, *shown: tuple[str, str, str]) -> None:
        self._passed_on(
            steps,
            ("server", "core", "client"),
            f"NOTIFY sip:alice@{self.place} SIP/2.0",
            (f"S-n{cseq}", f"i-n{cseq}"),
            f"""From: <sip:alice@ims.example>;tag=answer-{self.name}
            To: <{self.public}>;tag=c-set
            Call-ID: settings-{self.name}
            CSeq: {cseq} NOTIFY
            Event: poc-settings
            Subscription-State: active;expires=3600""",
            "",
            body=settings(*shown),
            content_type="application/poc-settings+xml",
        )

    def _settings(self) -> None:
        self._passed_on(
            (16, 17, 18, 19),
            ("client", "core", "server"),
            "SUBSCRIBE sip:alice@ims.example SIP/2.0",
            ("C-set", "I-set"),
            f"""Route: <sip:orig@192.0.2.1:5060;lr>
            From: <{self.public}>;tag=c-set
            To: <sip:alice@ims.example>
            Call-ID: settings-{self.name}
            CSeq: 1 SUBSCRIBE
            Contact: <sip:alice@{self.place}>
            Event: poc-settings
            Expires: 3600""",
            "Expires: 3600",
        )
        self._notify_settings((20, 21, 22, 23), 1, *self.shown_before)

    def _publication(self) -> None:
        own = (self.instance, *self.published)
        self._passed_on(
            (24, 25, 26, 27),
            ("client", "core", "server"),
            "PUBLISH sip:alice@ims.example SIP/2.0",
            ("C-pub", "I-pub"),
            f"""From: <{self.public}>;tag=c-pub
            To: <sip:alice@ims.example>
            Call-ID: publish-{self.name}
            CSeq: 1 PUBLISH
            Event: poc-settings
            Expires: 3600""",
            f"SIP-ETag: etag-{self.name}\nExpires: 3600",
            body=settings(own),
            content_type="application/poc-settings+xml",
        )
        self._notify_settings((29, 30, 31, 32), 2, *self.shown_before, own)
