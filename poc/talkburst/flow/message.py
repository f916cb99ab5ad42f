"""One SIP message of the capture: the facts that identify it, where it was seen, and its body as a document."""

from dataclasses import dataclass, field
from typing import NamedTuple, cast

from talkburst.flow.roles import Role
from talkburst.obs.frame import Endpoint
from talkburst.sip import HeaderError, NameAddr, Request, Response, UriError, parse_uri
from talkburst.xml import poc_settings, reginfo
from talkburst.xml.document import XmlError

# Where a message names no port (RFC 3261 18.1.1).
DEFAULT_PORT = 5060


class ViaMark(NamedTuple):
    """What of a Via survives every hop: who added it, and its branch."""

    host: str
    port: int
    branch: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port};branch={self.branch}"


class TransactionKey(NamedTuple):
    """What ties a response to its request. The CSeq number is in it because some clients reuse the branch."""

    branch: str
    call_id: str
    cseq: int
    method: str


@dataclass(slots=True)
class Facts:
    """What the checker compares, read once. `event` is the package alone; an AOR is in the form of RFC 3261 10.3."""

    method: str
    status: int | None
    call_id: str
    cseq: int
    from_tag: str
    to_tag: str
    from_aor: str
    to_aor: str
    uri_aor: str
    event: str
    vias: list[ViaMark]

    @property
    def transaction(self) -> TransactionKey:
        branch = self.vias[0].branch if self.vias else ""
        return TransactionKey(branch, self.call_id, self.cseq, self.method)


def read_facts(sip: Request | Response) -> Facts:
    """The facts of a message. Raises HeaderError for one that is too broken to say what it belongs to."""
    from_, to, cseq, event = sip.from_, sip.to, sip.cseq, sip.event
    vias = [ViaMark(via.host.lower(), via.port or DEFAULT_PORT, via.branch or "") for via in sip.vias]
    is_request = isinstance(sip, Request)
    return Facts(
        method=sip.method if isinstance(sip, Request) else cseq.method,
        status=None if isinstance(sip, Request) else sip.status,
        call_id=sip.call_id,
        cseq=cseq.number,
        from_tag=from_.tag or "",
        to_tag=to.tag or "",
        from_aor=from_.uri.addr_of_record(),
        to_aor=to.uri.addr_of_record(),
        uri_aor=address_of_record(cast(Request, sip).uri) if is_request else "",
        event=event.package if event is not None else "",
        vias=vias,
    )


def address_of_record(uri: str) -> str:
    """The canonical text of a URI (RFC 3261 10.3 step 5), the text itself where it is no URI."""
    try:
        return parse_uri(uri.strip()).addr_of_record()
    except UriError:
        return uri.strip()


@dataclass(slots=True)
class Sighting:
    """One time that a message was seen. `sent` is True at its sender, False at its receiver, None in between."""

    time: float
    node: Role | None
    sent: bool | None


@dataclass(slots=True, eq=False)
class Transaction:
    """A request and the responses to it, on one hop. The request may have escaped the capture."""

    request: "ObservedMessage | None" = None
    responses: list["ObservedMessage"] = field(default_factory=list)

    @property
    def final(self) -> "ObservedMessage | None":
        """The final response; 1xx is no answer yet."""
        finals = [response for response in self.responses if (response.status or 0) >= 200]
        return min(finals, key=lambda response: response.time, default=None)


@dataclass(slots=True, eq=False)
class ObservedMessage:
    """A message that went from one role to another, once, however often and wherever it was seen.

    `sip` is what the receiver got, where that is known: only that can have an effect. `altered` says that the sender
    had sent other bytes, and `sent_body` which body it was.
    """

    sip: Request | Response
    facts: Facts
    sender: Role
    receiver: Role
    source: Endpoint
    destination: Endpoint
    transport: str
    time: float
    payload: bytes
    transaction: Transaction
    sightings: list[Sighting] = field(default_factory=list)
    altered: bool = False
    sent_body: bytes | None = None
    _documents: dict[str, object] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.facts.method

    @property
    def status(self) -> int | None:
        return self.facts.status

    @property
    def call_id(self) -> str:
        return self.facts.call_id

    @property
    def request(self) -> Request:
        """The message as the request it is. A programmer's error on a response."""
        assert isinstance(self.sip, Request)
        return self.sip

    @property
    def start_line(self) -> str:
        return self.sip.start_line

    @property
    def body(self) -> bytes:
        return self.sip.body

    @property
    def title(self) -> str:
        """The message in few words: "NOTIFY Event: reg", "200 OK"."""
        if isinstance(self.sip, Response):
            return f"{self.sip.status} {self.sip.reason}".rstrip()
        return f"{self.method} Event: {self.facts.event}" if self.facts.event else self.method

    @property
    def expires(self) -> int | None:
        """Seconds of the Expires header; None without one, or where it is no number."""
        try:
            return self.sip.expires
        except HeaderError:
            return None

    @property
    def contacts(self) -> list[NameAddr]:
        """The Contact values, none where they cannot be read or are a wildcard."""
        try:
            return [] if self.sip.contact_is_wildcard else self.sip.contacts
        except HeaderError:
            return []

    @property
    def sights(self) -> int:
        """How often the message passed the place where it was seen most often."""
        sent = sum(sighting.sent is True for sighting in self.sightings)
        received = sum(sighting.sent is False for sighting in self.sightings)
        return max(sent, received, len(self.sightings) - sent - received)

    def time_at(self, role: Role) -> float:
        """When `role` itself saw the message, by its own clock; else when it was seen first."""
        return min((sighting.time for sighting in self.sightings if sighting.node == role), default=self.time)

    def seen_again(self, sighting: Sighting, payload: bytes, sip: Request | Response, facts: Facts) -> None:
        """Take note of another sighting, and of what became of the message on its way."""
        self.sightings.append(sighting)
        self.time = min(self.time, sighting.time)
        if payload == self.payload or sighting.sent is None:
            return
        self.altered = True
        if sighting.sent:
            self.sent_body = sip.body
        else:
            self.sent_body = self.sip.body
            self.sip, self.facts = sip, facts
            self._documents.clear()

    def reginfo(self) -> reginfo.Reginfo | XmlError:
        """The body as registration information, or what is wrong with it."""
        if "reginfo" not in self._documents:
            try:
                self._documents["reginfo"] = reginfo.from_xml(self.body)
            except XmlError as error:
                self._documents["reginfo"] = error
        return cast("reginfo.Reginfo | XmlError", self._documents["reginfo"])

    def poc_settings(self) -> poc_settings.PocSettings | XmlError:
        """The body as PoC settings, or what is wrong with it."""
        if "poc-settings" not in self._documents:
            self._documents["poc-settings"] = read_poc_settings(self.body)
        return cast("poc_settings.PocSettings | XmlError", self._documents["poc-settings"])


def read_poc_settings(body: bytes) -> poc_settings.PocSettings | XmlError:
    """A body as PoC settings, or what is wrong with it."""
    try:
        return poc_settings.from_xml(body)
    except XmlError as error:
        return error
