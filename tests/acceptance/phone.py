"""A user agent made of our own engine and sockets, in the process of the test: it registers, calls and is called."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from talkburst.net import Clock, ListenAddress, SipNode, Tls
from talkburst.sip.dialog import Dialog
from talkburst.sip.digest import DigestClient
from talkburst.sip.engine import ClientTransaction, Engine, Failure, ServerTransaction
from talkburst.sip.flow import Flow
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.requester import Requester

PATIENCE = 20.0  # seconds


def _token() -> str:
    return secrets.token_hex(8)


class Phone:
    """`core` is HOST:PORT of its listener over TLS. `scheme` is that of every URI the phone makes.

    `received` and `outcomes` is what came, in its order. Whatever is no INVITE is answered 200 at once; an INVITE waits
    for `answer`.
    """

    looked_at = True  # it is its own trace

    def __init__(self, name: str, tls: Tls, core: str, scheme: str = "sip") -> None:
        self.name = name
        self.scheme = scheme
        self.received: list[Request] = []
        self.ringing: list[ServerTransaction] = []
        self.outcomes: list[Response | Failure] = []
        self.route: list[str] = []
        self.wires: list[tuple[bool, str, bytes]] = []
        self._news = asyncio.Event()
        hosts = {"ims.example": f"{core};transport=tls"}
        self.engine = Engine(self, token=_token, hosts=hosts, usual="TLS")
        self._requester = Requester(self.engine, DigestClient(f"{name}@ims.example", name), _token)
        self.node = SipNode(self.engine, Clock(), self, tls=tls)

    # What the node and the engine tell

    def message(self, data, local, remote, outbound, protocol, transport, at) -> None:
        self.wires.append((outbound, transport, data))

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.received.append(request)
        if request.method == "INVITE":
            self.ringing.append(transaction)
            self.answer(180)
        else:
            self.engine.respond(transaction, response_to(request, 200, to_tag=transaction.to_tag), now)
        self._news.set()

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        self.received.append(request)
        self._news.set()

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        self.engine.respond(transaction, response_to(transaction.request, 487, to_tag=transaction.to_tag), now)
        self._news.set()

    def _on_outcome(self, outcome: Response | Failure, now: float) -> None:
        self.outcomes.append(outcome)
        self._news.set()

    # What the test asks for

    @property
    def aor(self) -> str:
        return f"{self.scheme}:{self.name}@ims.example"

    def contact(self, scheme: str) -> str:
        listener = self.engine.listener()
        return f"<{scheme}:{self.name}@{listener.hostport if scheme == 'sip' else listener.sent_by}>"

    async def start(self, listen: str = "tls:127.0.0.1:0") -> Phone:
        await self.node.listen("phone", ListenAddress.parse(listen))
        return self

    async def register(self) -> Response | Failure:
        """REGISTER with the credentials of the demo world; its final outcome."""
        request = Request("REGISTER", f"{self.scheme}:ims.example", self._who(self.aor, self.aor, "REGISTER"))
        request.add("Contact", self.contact(self.scheme))
        request.add("Expires", 600)
        done: asyncio.Future[Response | Failure] = asyncio.get_running_loop().create_future()
        self._requester.send(request, lambda outcome, now: done.set_result(outcome), self.node.now())
        self.node.pump()
        outcome = await asyncio.wait_for(done, PATIENCE)
        if isinstance(outcome, Response):
            self.route = outcome.values("Service-Route")
        return outcome

    def invite(self, uri: str) -> ClientTransaction:
        """An INVITE; `outcomes` has what comes back."""
        request = Request("INVITE", uri, [("Route", route) for route in self.route])
        for name, value in self._who(self.aor, uri, "INVITE"):
            request.add(name, value)
        request.add("Contact", self.contact(self.scheme))
        sent = self.engine.send_request(request, self._on_outcome, self.node.now())
        self.node.pump()
        return sent

    def answer(self, status: int) -> Dialog:
        """Say `status` to the INVITE that came last; the dialog as this side has it."""
        transaction = self.ringing[-1]
        request = transaction.request
        routes = [("Record-Route", value) for value in request.get_all("Record-Route")]
        contact = self.contact(request.uri.partition(":")[0])  # RFC 3261 12.1.1
        headers: list[tuple[str, object]] = [("Contact", contact), *routes]
        response = response_to(request, status, to_tag=transaction.to_tag, headers=headers)
        self.engine.respond(transaction, response, self.node.now())
        self.node.pump()
        return Dialog.as_uas(request, transaction.to_tag)

    def acknowledge(self, invite: Request, accepted: Response) -> Dialog:
        """The ACK of a 200; the dialog as this side has it."""
        dialog = Dialog.as_uac(invite, accepted)
        dialog.local_cseq -= 1  # the ACK has the number of its INVITE
        self.engine.send_stateless(dialog.request("ACK"), self.node.now())
        self.node.pump()
        return dialog

    def ask(self, request: Request) -> None:
        self.engine.send_request(request, self._on_outcome, self.node.now())
        self.node.pump()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what makes `condition` true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def outcome(self, status: int) -> Response:
        """The first response of that status, when it is there."""
        await self.until(lambda: any(_status(each) == status for each in self.outcomes))
        return next(each for each in self.outcomes if isinstance(each, Response) and each.status == status)

    async def request(self, method: str) -> Request:
        """The last request of that method, when one is there."""
        await self.until(lambda: any(each.method == method for each in self.received))
        return [each for each in self.received if each.method == method][-1]

    def _who(self, own: str, other: str, method: str) -> list[tuple[str, object]]:
        return [
            ("From", f"<{own}>;tag={_token()}"),
            ("To", f"<{other}>"),
            ("Call-ID", _token()),
            ("CSeq", f"1 {method}"),
        ]


def _status(outcome: Response | Failure) -> int:
    return outcome.status if isinstance(outcome, Response) else 0
