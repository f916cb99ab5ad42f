"""An engine with a TCP listener on a bench."""

from talkburst.sip.engine import Connect, Disconnect, Engine
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.message import Request, response_to
from virtual_time import pass_time

OURS, PEER = ("192.0.2.1", 5060), ("192.0.2.9", 5070)
RECEIVED = (
    "{method} sip:192.0.2.1 SIP/2.0\r\n"
    "Via: SIP/2.0/TCP {via}\r\n"
    "From: <sip:bob@ims.example>;tag=b1\r\n"
    "To: <sip:ims.example>\r\n"
    "Call-ID: in-1\r\n"
    "CSeq: 1 {method}\r\n"
    "Content-Length: 0\r\n\r\n"
)


class Stream:
    """An engine with a TCP listener; what it wants done is kept by kind."""

    def __init__(self, *transports: str) -> None:
        numbers = iter(range(1, 1000))
        self.user = self
        self.requests = []
        self.outcomes = []
        self.engine = Engine(self, token=lambda: f"token{next(numbers)}", hosts={"as.example": "192.0.2.9:5070"})
        for transport in transports or ("UDP", "TCP"):
            self.engine.add_listener(Listener("main", transport, *OURS, advertised=OURS))
        self.engine.add_listener(Listener("other", "TCP", "192.0.2.1", 5054, ("192.0.2.1", 5054)))
        self.now = 1000.0

    def on_request(self, transaction, request, now) -> None:
        self.requests.append(transaction)

    def on_ack(self, request, flow, now) -> None: ...

    def on_cancel(self, transaction, now) -> None: ...

    def send(self, uri: str = "sip:192.0.2.9:5070;transport=tcp", method: str = "OPTIONS", **options):
        fields = [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", "c1"), ("CSeq", f"1 {method}")]
        return self.engine.send_request(
            Request(method, uri, fields), lambda outcome, now: self.outcomes.append(outcome), self.now, **options
        )

    def accept(self, remote=PEER, name: str = "main") -> Flow:
        return self.engine.accepted(self.engine.listener(name, "TCP"), remote)

    def receive(self, flow: Flow, via: str = "192.0.2.9:5070;branch=z9hG4bK1", method: str = "OPTIONS") -> None:
        self.engine.receive(RECEIVED.format(via=via, method=method).encode(), flow, self.now)

    def answer(self, number: int = -1, status: int = 200) -> None:
        transaction = self.requests[number]
        self.engine.respond(transaction, response_to(transaction.request, status, to_tag="t"), self.now)

    def wanted(self) -> list[object]:
        """The connection to open or to give up, or the flow a message goes by."""
        return [action if isinstance(action, Connect | Disconnect) else action.flow for action in self.engine.take()]

    def connect(self) -> Flow:
        """Let the connection that is asked for come up."""
        (wanted,) = self.wanted()
        assert isinstance(wanted, Connect)
        self.engine.connected(wanted.flow, self.now)
        return wanted.flow

    def advance(self, seconds: float) -> None:
        self.now = pass_time(self.engine, self.now, seconds)
