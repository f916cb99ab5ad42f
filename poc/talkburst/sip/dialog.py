"""Dialogs: what two user agents remember of each other between requests (RFC 3261 12).

    Dialog.as_uas(request, local_tag)             the side that got the request; route set in the order received
    Dialog.as_uac(request, response)              the side that sent it; route set reversed
    dialog.request("NOTIFY") -> Request           next CSeq, route set, remote target, and what else it is given
    dialog.next_hop                               the URI to send it to where Route does not say so: a strict router
    dialog.accepts(request) -> bool               CSeq check, remembers the number; False is answered 500
    dialog.refresh_target(message)                a target refresh request or its 2xx moves the remote target
    dialog.key                                    (Call-ID, local tag, remote tag)
    dialog.to_row(), Dialog.from_row(row)         as it is stored; from_row raises RowError or HeaderError
    key_of(request)                               the key of the dialog that an incoming request belongs to

A dialog is plain data, so that it can be stored and continued after a restart. The constructors raise HeaderError when
the peer's headers do not make a dialog.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from talkburst.sip.headers import HeaderError, NameAddr, parse_name_addr
from talkburst.sip.journal import Row, integer, optional_integer, text, texts
from talkburst.sip.message import Message, Request, Response
from talkburst.sip.sips import as_sips, names_sips
from talkburst.sip.uri import SipUri, Uri

DialogKey = tuple[str, str, str]


def key_of(request: Request) -> DialogKey:
    """Call-ID, local tag and remote tag as the receiver of `request` has them. An absent tag is the empty string."""
    return request.call_id, request.to.tag or "", request.from_.tag or ""


def without_tag(address: NameAddr) -> NameAddr:
    """The address of a From or To, as a dialog keeps it: RFC 3261 12.1 calls it the URI, display names come along."""
    params = {name: value for name, value in address.params.items() if name != "tag"}
    return NameAddr(address.display, address.uri, params)


def with_tag(address: NameAddr, tag: str) -> NameAddr:
    """`address` with a tag; an empty tag (RFC 2543 peers, RFC 3261 12.1.1) adds no parameter."""
    return NameAddr(address.display, address.uri, {**address.params, "tag": tag} if tag else dict(address.params))


@dataclass(slots=True)
class Dialog:
    """RFC 3261 12: `local` and `remote` are kept without their tags; `route_set` holds Route header values."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: NameAddr
    remote: NameAddr
    remote_target: str
    route_set: list[str] = field(default_factory=list)
    local_cseq: int = 0
    remote_cseq: int | None = None
    _written: tuple[str, str] | None = field(default=None, init=False, repr=False, compare=False)  # From and To

    @classmethod
    def as_uas(cls, request: Request, local_tag: str) -> Dialog:
        """The dialog that a request creates at the side that received it. RFC 3261 12.1.1, RFC 6665 4.4.1.

        A subscriber makes its dialog this way too: out of the NOTIFY, not out of the 200 of its SUBSCRIBE.
        """
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_.tag or "",
            local=without_tag(request.to),
            remote=without_tag(request.from_),
            remote_target=contact_of(request),
            route_set=request.values("Record-Route"),
            remote_cseq=request.cseq.number,
        )

    @classmethod
    def as_uac(cls, request: Request, response: Response) -> Dialog:
        """The dialog that a 2xx, or a 101-199 with a To tag, creates at the side that asked. RFC 3261 12.1.2."""
        return cls(
            call_id=request.call_id,
            local_tag=request.from_.tag or "",
            remote_tag=response.to.tag or "",
            local=without_tag(request.from_),
            remote=without_tag(request.to),
            remote_target=contact_of(response),
            route_set=response.values("Record-Route")[::-1],
            local_cseq=request.cseq.number,
        )

    def to_row(self) -> Row:
        return {
            "call_id": self.call_id,
            "local_tag": self.local_tag,
            "remote_tag": self.remote_tag,
            "local": str(self.local),
            "remote": str(self.remote),
            "remote_target": self.remote_target,
            "route_set": list(self.route_set),
            "local_cseq": self.local_cseq,
            "remote_cseq": self.remote_cseq,
        }

    @classmethod
    def from_row(cls, row: Row) -> Dialog:
        return cls(
            call_id=text(row, "call_id"),
            local_tag=text(row, "local_tag"),
            remote_tag=text(row, "remote_tag"),
            local=parse_name_addr(text(row, "local")),
            remote=parse_name_addr(text(row, "remote")),
            remote_target=text(row, "remote_target"),
            route_set=texts(row, "route_set"),
            local_cseq=integer(row, "local_cseq"),
            remote_cseq=optional_integer(row, "remote_cseq"),
        )

    @property
    def key(self) -> DialogKey:
        return self.call_id, self.local_tag, self.remote_tag

    @property
    def next_hop(self) -> Uri | None:
        """Where the requests go, which a strict router keeps from their Route (RFC 3261 8.1.2); None: by their Route.

        To a SIPS remote target the way begins over TLS, though its URI is in the Route (RFC 3261 26.2.2).
        """
        if not self.route_set or _is_loose(self.route_set[0]):
            return None
        uri = parse_name_addr(self.route_set[0]).uri
        return as_sips(uri) if isinstance(uri, SipUri) and names_sips(self.remote_target) else uri

    def next_cseq(self) -> int:
        """Counts up and returns the number for the next request in this dialog, or for its authenticated repetition."""
        self.local_cseq += 1
        return self.local_cseq

    def request(self, method: str, headers: Iterable[tuple[str, object]] = (), body: bytes = b"") -> Request:
        """A new request within the dialog, complete but for Via and Max-Forwards, and for Contact unless it is among
        `headers`. RFC 3261 12.2.1.1."""
        target, routes = self.remote_target, self.route_set
        if routes and not _is_loose(routes[0]):
            # A strict router wants to see itself in the Request-URI; the remote target travels as the last Route.
            target, routes = _request_uri(parse_name_addr(routes[0]).uri), [*routes[1:], f"<{self.remote_target}>"]
        if self._written is None:  # both are the same in every request
            self._written = str(with_tag(self.local, self.local_tag)), str(with_tag(self.remote, self.remote_tag))
        local, remote = self._written
        own: list[tuple[str, object]] = [("Route", route) for route in routes]
        own += [
            ("From", local),
            ("To", remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.next_cseq()} {method}"),
        ]
        own += headers
        return Request(method, target, own, body)

    def accepts(self, request: Request) -> bool:
        """Whether the CSeq number is not lower than one seen before; remembers it. RFC 3261 12.2.2.

        False is answered with 500. An equal number is let through: retransmissions never come this far.
        """
        number = request.cseq.number
        if self.remote_cseq is not None and number < self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh_target(self, message: Message) -> None:
        """Takes the Contact, if any, of a target refresh request or of its 2xx. RFC 3261 12.2.1.2 and 12.2.2."""
        if message.get("Contact") is not None:
            self.remote_target = contact_of(message)


def contact_of(message: Message) -> str:
    """The URI of the one Contact that a dialog needs. Raises HeaderError when it is missing or `*`."""
    contacts = [] if message.contact_is_wildcard else message.contacts
    if not contacts:
        raise HeaderError("Contact is missing, and a dialog needs one")
    return _request_uri(contacts[0].uri)


def _is_loose(route: str) -> bool:
    uri = parse_name_addr(route).uri
    return not isinstance(uri, SipUri) or uri.lr


def _request_uri(uri: Uri) -> str:
    """The URI of a Route or Contact without what a Request-URI may not have. RFC 3261 12.2.1.1 and table 1."""
    if isinstance(uri, SipUri):
        params = {name: value for name, value in uri.params.items() if name != "method"}
        uri = SipUri(uri.scheme, uri.user, uri.host, uri.port, params, None, uri.password)
    return str(uri)
