"""A notifier on a bench, and a stranger who subscribes at it."""

from collections.abc import Hashable
from typing import Any

from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response
from talkburst.sip.notifier import Notifier, NotifierSubscription
from talkburst.sip.uas import Uas

OURS = ("192.0.2.1", 5060)

SUBSCRIBE = """
    SUBSCRIBE {uri} SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK{call}{cseq};rport
    Record-Route: <sip:192.0.2.9:5090;lr;two>
    Record-Route: <sip:192.0.2.9:5091;lr;one>
    From: "AS" <sip:as@ims.example>;tag={from_tag}
    To: <sip:alice@ims.example>{to_tag}
    Call-ID: {call}
    CSeq: {cseq} SUBSCRIBE
    Contact: <sip:as@{contact}>
    P-Asserted-Identity: <{asserted}>
"""


class Reg:
    """Says its version and who asks. Alice may be watched, Bob may not, nobody else is here."""

    name = "reg"
    default_expires = 3761
    min_expires = 60
    max_expires = 7200
    media_type = "application/reginfo+xml"

    def __init__(self, notify_interval: float = 5.0) -> None:
        self.notify_interval = notify_interval
        self.text: str | None = "alice"

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        verdicts: dict[str, tuple[int, str] | str] = {
            "sip:alice@ims.example": "alice",
            "sip:bob@ims.example": (403, "Not your business"),
        }
        return verdicts.get(request.uri, (480, "Temporarily Unavailable"))

    def state(self, subscription: NotifierSubscription, now: float) -> bytes | None:
        return f"{self.text} {subscription.version}".encode() if self.text is not None else None

    def throttle_key(self, subscription: NotifierSubscription) -> Hashable:
        return subscription.subscriber


class Bench:
    """A stranger subscribes at our notifier. `answers` is what it says to each NOTIFY; None leaves it unanswered."""

    def __init__(self, net: Any, notify_first: bool = False, interval: float = 5.0) -> None:
        self.net = net
        engine = net.engine(OURS)
        self.package = Reg(interval)
        self.decisions: list[tuple[str, dict[str, object]]] = []
        self.uas = Uas(engine, net.token, allow_events=["reg"])
        self.notifier = Notifier(
            engine,
            self.uas,
            [self.package],
            net.token,
            notify_first=notify_first,
            decide=lambda what, facts: self.decisions.append((what, dict(facts))),
        )
        self.uas.serve("SUBSCRIBE", self.notifier.on_subscribe)
        engine.user = self.uas
        self.answers: str | None = "200 OK"

    def subscribe(
        self, *headers: str, call: str = "c1", cseq: int = 1, body: bytes = b"", without: str = "", **parts: str
    ) -> Response:
        """Sends a SUBSCRIBE, answers its NOTIFYs, and returns the answer to it."""
        values = {
            "uri": "sip:alice@ims.example",
            "from_tag": "f1",
            "to_tag": "",
            "contact": "192.0.2.9:5090",
            "asserted": "sip:as@ims.example",
            **parts,
        }
        if not any(header.startswith("Event") for header in headers) and without != "Event":
            headers = ("Event: reg", *headers)
        text = SUBSCRIBE.format(call=call, cseq=cseq, **values) + "".join(f"    {line}\n" for line in headers)
        lines = [line for line in text.splitlines() if not without or not line.strip().startswith(without)]
        self.mail: list[Request | Response] = []
        self.net.inject("\n".join(lines), OURS, body)
        self.run(0.1)
        answers = [message for message in self.mail if isinstance(message, Response)]
        assert len(answers) == 1
        self.tag = answers[0].to.tag
        return answers[0]

    def again(self, *headers: str, cseq: int = 2, call: str = "c1", **parts: str) -> Response:
        """The same within the dialog of the last answer."""
        return self.subscribe(
            *headers, call=call, cseq=cseq, uri="sip:192.0.2.1:5060", to_tag=f";tag={self.tag}", **parts
        )

    def run(self, seconds: float) -> list[Request]:
        """Lets time pass, answers each NOTIFY once, and returns them."""
        end, notifies = self.net.now + seconds, []
        while True:
            self.net.run(min(0.05, max(0.0, end - self.net.now)))
            for message in self.net.take_mail():
                self.mail.append(message)
                if isinstance(message, Request):
                    notifies.append(message)
                    if self.answers is not None:
                        self.net.answer(message, self.answers, to=OURS)
            if self.net.now >= end:
                return notifies

    def change(self, text: str) -> None:
        self.package.text = text
        self.notifier.changed("reg", "alice", self.net.now)

    @property
    def notifies(self) -> list[Request]:
        return [message for message in self.mail if isinstance(message, Request)]

    @property
    def notify(self) -> Request:
        (only,) = self.notifies
        return only


def states(notifies: list[Request]) -> list[tuple[str, str | None]]:
    return [(request.body.decode(), request.get("Subscription-State")) for request in notifies]
