"""A core and a PoC server in one that a test plays for one client."""

import asyncio
import random
from collections.abc import Iterator
from itertools import count as numbers

from answers import Address, DatagramPeer
from damage import damage
from scripted_core import settings
from talkburst.sip import Request, response_to
from watched import WITHIN

ALICE = "sip:alice@ims.example"
TYPES = {"reg": "application/reginfo+xml", "poc-settings": "application/poc-settings+xml"}
ROOTS = {
    "reg": ("urn:ietf:params:xml:ns:reginfo", "reginfo"),
    "poc-settings": ("urn:oma:params:xml:ns:poc:poc-settings", "poc-settings"),
}


class Network:
    """Core and PoC server for one client: takes all it asks, and tells it what it watches. Some answers are spoilt."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.spoils = False
        self.dialogs: dict[str, Request] = {}  # event: the last SUBSCRIBE
        self.contact = ""
        self.peer: DatagramPeer
        self._numbers: Iterator[int] = numbers(1)

    def on_request(self, request: Request, source: Address) -> None:
        headers: list[tuple[str, object]] = [("Expires", request.get("Expires") or "3600")]
        if request.method == "REGISTER":
            self.contact = request.get("Contact") or self.contact
            headers += [("Contact", f"{self.contact};expires=3600"), ("P-Associated-URI", f"<{ALICE}>")]
        elif request.method == "PUBLISH":
            headers.append(("SIP-ETag", f"tag{next(self._numbers)}"))
        elif request.method == "SUBSCRIBE":
            headers.append(("Contact", f"<{self._uri}>"))
            self.dialogs[request.get("Event") or ""] = request
        answer = response_to(request, 200, to_tag="net", headers=headers).to_bytes()
        spoilt = self.spoils and self.dice.random() < 0.3
        self.peer.transport.sendto(damage(answer, self.dice) if spoilt else answer, source)
        if request.method == "SUBSCRIBE" and request.get("Expires") != "0":
            self.peer.transport.sendto(self.notify(request.get("Event") or "").to_bytes(), source)

    @property
    def _uri(self) -> str:
        return "sip:net@{}:{}".format(*self.peer.address)

    def notify(self, event: str, transport: str = "UDP") -> Request:
        """The next NOTIFY of a subscription."""
        subscribe, number = self.dialogs[event], next(self._numbers)
        headers = [
            ("Via", "SIP/2.0/{} {}:{};branch=z9hG4bKnotify{};rport".format(transport, *self.peer.address, number)),
            ("Max-Forwards", 70),
            ("From", f"<{ALICE}>;tag={subscribe.to.tag or 'net'}"),
            ("To", str(subscribe.from_)),
            ("Call-ID", subscribe.call_id),
            ("CSeq", f"{number} NOTIFY"),
            ("Contact", f"<{self._uri}>"),
            ("Event", event),
            ("Subscription-State", "active;expires=3600"),
        ]
        request = Request("NOTIFY", str(subscribe.contacts[0].uri), headers)
        request.set_body(self._reginfo(number) if event == "reg" else settings("bob", "manual"), TYPES[event])
        return request

    def _reginfo(self, version: int) -> bytes:
        uri = self.contact.partition("<")[2].partition(">")[0]
        return (
            f'<reginfo xmlns="{ROOTS["reg"][0]}" version="{version}" state="full">'
            f'<registration aor="{ALICE}" id="r" state="active"><contact id="c" state="active" event="registered">'
            f'<uri>{uri}</uri><unknown-param name="+g.poc.talkburst"/></contact></registration></reginfo>'
        ).encode()

    async def make_good(self, client: Address) -> None:
        """Each of its subscriptions takes a good NOTIFY; one that the damage ended it has made again by then."""
        async with asyncio.timeout(WITHIN):
            for event in TYPES:
                status = 0
                while status != 200:
                    notify = self.notify(event)
                    branch = notify.via.branch or ""
                    self.peer.transport.sendto(notify.to_bytes(), client)
                    await self.peer.until(lambda branch=branch: branch in self.peer.statuses)
                    status = self.peer.statuses[branch]
