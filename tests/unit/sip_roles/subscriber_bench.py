"""A subscriber on a bench, against a stranger who writes each message by hand."""

from typing import Any

from talkburst.sip.digest import DigestClient
from talkburst.sip.headers import SubscriptionState
from talkburst.sip.message import Request, Response
from talkburst.sip.requester import Requester
from talkburst.sip.subscriber import State, Subscriber, Subscription
from talkburst.sip.uas import Uas

OURS, PEER = ("192.0.2.2", 5070), ("192.0.2.9", 5090)

NOTIFY = """
    NOTIFY sip:as@192.0.2.2:5070 SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bKn{number};rport
    Record-Route: <sip:192.0.2.9:5090;lr;near>
    Record-Route: <sip:192.0.2.9:5091;lr;far>
    From: <sip:alice@ims.example>;tag={tag}
    To: <sip:as@ims.example>;tag={to_tag}
    Call-ID: {call}
    CSeq: {cseq} NOTIFY
    Contact: <sip:alice@192.0.2.9:5099>
"""


class Bench:
    def __init__(self, net: Any, **options: Any) -> None:
        self.net = net
        self.engine = net.engine(OURS)
        self.uas = Uas(self.engine, net.token)
        self.subscriber = Subscriber(self.engine, self.uas, packages=["poc-settings"])
        self.uas.serve("NOTIFY", self.subscriber.on_notify)
        self.engine.user = self.uas
        self.told: list[tuple[str, bytes]] = []
        self.ends: list[tuple[str, float | None]] = []
        self.accepted: list[int] = []
        requester = Requester(self.engine, DigestClient("as", "poc"), net.token)
        requests = net.watching_alice("<sip:192.0.2.9:5090;lr>")
        self.subscription = Subscription(
            requester,
            requests,
            subscriber=self.subscriber,
            **{
                "expires": 600000,
                "on_notify": self.on_notify,
                "on_end": lambda reason, delay, now: self.ends.append((reason, delay)),
                "on_accept": lambda response, now: self.accepted.append(response.status),
                **options,
            },
        )
        self.number = 0

    def on_notify(self, request: Request, state: SubscriptionState, now: float) -> None:
        self.told.append((str(state), request.body))

    def start(self) -> Request:
        self.subscription.start(self.net.now)
        return self.asked()

    def asked(self, since: int = 0) -> Request:
        """The last SUBSCRIBE sent."""
        self.net.run(0.05)
        self.net.take_mail()
        self.last: Request = self.net.sent("SUBSCRIBE")[-1]
        return self.last

    def asks(self) -> list[int]:
        """The CSeq numbers of the SUBSCRIBEs so far, retransmissions left out."""
        self.net.run(0)
        return sorted({message.cseq.number for message in self.net.sent("SUBSCRIBE")})

    def answer(self, status: str = "200 OK", *headers: str) -> None:
        self.net.answer(self.asked(), status, *headers, to=OURS)

    def notify(self, state: str = "active;expires=3600", *headers: str, body: bytes = b"", **parts: Any) -> Response:
        """Sends a NOTIFY in the dialog and returns the answer to it."""
        self.number += 1
        subscribe = self.net.sent("SUBSCRIBE")[-1]
        values = {
            "number": self.number,
            "tag": "peer",
            "to_tag": subscribe.from_.tag,
            "call": subscribe.call_id,
            "cseq": self.number,
            **parts,
        }
        if not any(header.startswith("Event") for header in headers):
            headers = ("Event: reg", *headers)
        lines = [*NOTIFY.format(**values).splitlines(), *headers]
        if state:
            lines.append(f"Subscription-State: {state}")
        if body:
            lines.append("Content-Type: application/reginfo+xml")
        without = values.get("without")
        self.net.take_mail()
        self.net.inject("\n".join(line.strip() for line in lines if not without or without not in line), OURS, body)
        answers = [message for message in self.net.take_mail() if isinstance(message, Response)]
        assert len(answers) == 1
        return answers[0]

    def establish(self, granted: int = 3600) -> None:
        self.start()
        self.answer("200 OK", f"Expires: {granted}")
        assert self.notify(f"active;expires={granted}").status == 200
        assert self.subscription.state is State.ACTIVE
