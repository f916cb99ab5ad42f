"""Damage in the middle of a flow at the core: a registered user's requests with good credentials and in dialogs, what
servers send, and the answers that clients and servers give."""

import random
import secrets
from itertools import count as numbers
from pathlib import Path

import pytest

from answers import DatagramPeer, branch_to_be_answered
from damage import damage
from scripted_core import settings
from talkburst.sip import Message, Request, Response, response_to
from talkburst.sip.digest import DigestClient
from talkburst.sip.headers import AuthHeader, parse_auth
from watched import Address, free, watched

pytestmark = pytest.mark.acceptance

SEED = 20261127
BATCH = 40  # damaged messages before everything is made good again
GROWTH = 24 * 1024  # KiB that the core may grow between the first tenth and the end
ALICE = "sip:alice@ims.example"
Headers = tuple[tuple[str, object], ...]


class Alice:
    """Her client, and in one with it the application server that her profile names."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.spoils = False
        self.peer: DatagramPeer
        self.clients: Address
        self.servers: Address
        self._numbers = numbers(1)
        self._digest = DigestClient("alice@ims.example", "alice")
        self._challenge: AuthHeader | None = None
        self._dialog: tuple[str, str] = ("", "")  # Call-ID and remote tag of her reg subscription

    def on_request(self, request: Request, source: Address) -> None:
        answer = response_to(request, 200, to_tag="peer", headers=[("Expires", "60")]).to_bytes()
        spoilt = self.spoils and self.dice.random() < 0.3
        self.peer.transport.sendto(damage(answer, self.dice) if spoilt else answer, source)

    @property
    def _uri(self) -> str:
        return "sip:alice@{}:{}".format(*self.peer.address)

    def _request(self, method: str, uri: str, *headers: tuple[str, object], to: str = f"<{ALICE}>") -> Request:
        number = next(self._numbers)
        fields: list[tuple[str, object]] = [
            ("Via", "SIP/2.0/UDP {}:{};branch=z9hG4bKalice{};rport".format(*self.peer.address, number)),
            ("Max-Forwards", 70),
            ("From", f"<{ALICE}>;tag=alice"),
            ("To", to),
            ("CSeq", f"{number} {method}"),
        ]
        if not any(name == "Call-ID" for name, _ in headers):
            fields.append(("Call-ID", f"call-{number}"))
        return Request(method, uri, [*fields, *headers])

    def register(self, expires: int = 3600, contact: str = "") -> Request:
        own = f'<{self._uri}>;+g.poc.talkburst;+sip.instance="<urn:uuid:alice>"'
        request = self._request("REGISTER", "sip:ims.example", ("Contact", contact or own), ("Expires", expires))
        if self._challenge is not None:
            credentials = self._digest.authorization(
                [self._challenge], "REGISTER", "sip:ims.example", b"", lambda: secrets.token_hex(4)
            )
            request.set("Authorization", credentials)
        return request

    def subscribe(self, event: str) -> Request:
        return self._request(
            "SUBSCRIBE", ALICE, ("Event", event), ("Contact", f"<{self._uri}>"), ("Expires", 3600), ("Accept", "*/*")
        )

    def refresh(self) -> Request:
        """Within the dialog of her reg subscription."""
        call_id, tag = self._dialog
        return self._request(
            "SUBSCRIBE",
            "sip:{}:{}".format(*self.clients),
            *(("Call-ID", call_id), ("Event", "reg"), ("Contact", f"<{self._uri}>")),
            ("Expires", self.dice.choice((0, 60, 3600))),
            to=f"<{ALICE}>;tag={tag}",
        )

    def publish(self) -> Request:
        request = self._request("PUBLISH", ALICE, ("Event", "poc-settings"), ("Expires", 3600))
        request.set_body(settings("alice", "manual"), "application/poc-settings+xml")
        return request

    def watched_by_server(self) -> Request:
        asserted = ("P-Asserted-Identity", "<sip:poc.ims.example>")
        return self._request(
            "SUBSCRIBE", ALICE, ("Event", "reg"), ("Contact", f"<{self._uri}>"), ("Expires", 60), asserted
        )

    def from_server(self) -> Request:
        """To her, through the core."""
        return self._request(self.dice.choice(("MESSAGE", "INVITE", "NOTIFY")), ALICE, ("Contact", f"<{self._uri}>"))

    async def ask(self, request: Request, target: Address) -> Response:
        return await self.peer.ask(request, target)

    async def make_good(self) -> None:
        """She registers and watches as ever; what the damage has left of her is gone before."""
        self.spoils = False
        for target in (self.clients, self.servers):
            await self.peer.probe(target)
        self._challenge = None
        refused = await self.ask(self.register(), self.clients)
        assert refused.status == 401, refused.start_line
        self._challenge = parse_auth(refused.get("WWW-Authenticate") or "")
        for request in (self.register(0, "*"), self.register()):
            answer = await self.ask(request, self.clients)
            assert answer.status == 200, answer.start_line
        watching = self.subscribe("reg")
        answer = await self.ask(watching, self.clients)
        assert answer.status == 200, answer.start_line
        self._dialog = watching.call_id, answer.to.tag or ""
        stored = await self.ask(self.publish(), self.clients)
        assert stored.status == 200, stored.start_line
        self.spoils = True

    def next_damage(self) -> tuple[bytes, Address]:
        kind = self.dice.randrange(7)
        if kind < 2:
            request: Message = self.register(self.dice.choice((60, 3600)))
        elif kind == 2:
            request = self.refresh()
        elif kind == 3:
            request = self.publish()
        elif kind == 4:
            request = self.subscribe(self.dice.choice(("reg", "poc-settings")))
        else:
            request = self.watched_by_server() if kind == 5 else self.from_server()
        return damage(request.to_bytes(), self.dice), self.clients if kind < 5 else self.servers


@pytest.mark.parametrize("count", [2000, pytest.param(8000, marks=pytest.mark.longer)])
async def test_damage_in_the_middle_of_a_flow_leaves_the_core_as_able_as_before(count: int, tmp_path: Path) -> None:
    alice = Alice(random.Random(SEED))
    awaited: dict[str, bytes] = {}
    early = 0
    async with DatagramPeer.open(alice.on_request) as peer:
        alice.peer = peer
        hosts = {"poc.ims.example": "{}:{}".format(*peer.address)}
        async with watched("core", tmp_path, free(core={"hosts": hosts, "notify_interval": 0.0})) as core:
            alice.clients, alice.servers = core.address("udp", 0), core.address("udp", 1)
            for number in range(count):
                if number % BATCH == 0:
                    await alice.make_good()
                data, target = alice.next_damage()
                branch = branch_to_be_answered(data, peer.address[1])
                if branch is not None:
                    awaited[branch] = data
                peer.transport.sendto(data, target)
                if number == count // 10:
                    early = core.memory
            await alice.make_good()
            await peer.until(lambda: awaited.keys() <= peer.statuses.keys())
            unanswered = [data for branch, data in awaited.items() if branch not in peer.statuses]
            assert len(awaited) > count // 4
            assert not unanswered, f"{len(unanswered)} of {len(awaited)}, such as {unanswered[0]!r}"
            assert core.memory - early < GROWTH
