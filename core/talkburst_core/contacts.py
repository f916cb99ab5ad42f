"""Where the users of ours are: their contacts, and the way to each (RFC 3261 16.5, RFC 3327 5.4, RFC 5626 5.3)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from talkburst.daemon.trust import Trust
from talkburst.sip import Request, SipUri, Uri
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow
from talkburst.sip.next_hop import deciding_uri
from talkburst.sip.next_hop import target_of as place_of
from talkburst.sip.proxy import Target
from talkburst.sip.sips import as_sip, is_sips
from talkburst_core.bindings import Binding, Registration
from talkburst_core.dialog_flows import DialogFlows
from talkburst_core.identity import INTERNAL, PRIVATE, STRIPPED
from talkburst_core.profile import Subscriber, Subscribers


@dataclass(slots=True)
class Contacts:
    """`trust` holds the addresses of the peers that are believed; `clients` names the listeners by which users are
    reached."""

    engine: Engine
    subscribers: Subscribers
    registration: Callable[[str], Registration | None]
    trust: Trust
    clients: str = "clients"
    dialogs: DialogFlows = field(init=False)

    def __post_init__(self) -> None:
        self.dialogs = DialogFlows(self.engine)

    def is_registered(self, subscriber: Subscriber) -> bool:
        registration = self.registration(subscriber.key)
        return registration is not None and registration.active

    def of(self, subscriber: Subscriber) -> list[Binding]:
        registration = self.registration(subscriber.key)
        return list(registration.bindings) if registration is not None else []

    def is_trusted(self, request: Request, listener: str) -> bool:
        """Whether the next hop of a request may read what is internal, and is believed (RFC 3325 5).

        It has to have a trusted address of its own or by [hosts]: trust hangs on nobody's DNS, and not on the side by
        which the request leaves, for whoever sends it may write a Route.
        """
        if listener.startswith(self.clients):
            return False
        place = place_of(deciding_uri(request), self.engine.hosts)
        return place is not None and place.is_literal and place.host in self.trust

    def target(self, request: Request, listener: str, inbound: str) -> Target:
        """The way of a request along its Route, else to its Request-URI. `inbound`: the listener that it came by.

        To a device by the flow over which it began the dialog or registered (RFC 5626 5.3), else by its Contact.
        """
        if not listener.startswith(self.clients):
            trusted = self.is_trusted(request, listener)
            return self.trusted_target(listener, inbound) if trusted else Target(listener, distrusted=STRIPPED)
        flow = None if request.get("Route") is not None else self._way_within(request)
        return Target(flow.listener if flow else listener, distrusted=STRIPPED, flow=flow)

    def _way_within(self, request: Request) -> Flow | None:
        return self.dialogs.find(request) or self.way_to(str(request.to.uri), request.parsed_uri)

    def trusted_target(self, listener: str, inbound: str, route: Sequence[str] = ()) -> Target:
        """A trusted peer: a client that asked (`inbound`) may not read all of its answer (RFC 3325 5 and 7)."""
        if inbound.startswith(self.clients):
            return Target(listener, route=route, distrusted=INTERNAL, private=PRIVATE)
        return Target(listener, route=route)

    def way_to(self, user: str, uri: Uri) -> Flow | None:
        """The flow that leads to the device whose Contact is `uri`, among those of one user.

        Not among everybody's: a user may register whatever Contact, and must not get what is for another one.
        """
        found = self.subscribers.find(user)
        for binding in self.of(found[0]) if found is not None else ():
            way = binding.way
            if way is not None and self.engine.is_usable(way) and _same_place(binding.contact.uri, uri):
                return way
        return None


def target_of(binding: Binding, instead: Target | None = None, *, sips: bool = False) -> Target:
    """RFC 5626 7: over the flow by which the device registered, unless a proxy stands in between (RFC 3327).

    A SIPS contact is called by the SIP URI of it where the request is not `sips`, but over TLS (RFC 5630 5.3).
    """
    uri = binding.contact.uri
    secure = is_sips(uri) and not sips
    if secure and isinstance(uri, SipUri):
        uri = as_sip(uri)
    return Target(binding.flow.listener, str(uri), binding.path, STRIPPED, binding.way, instead, secure)


def open_to(bindings: Iterable[Binding], *, sips: bool) -> list[Binding]:
    """Those that a request may go to: SIPS contacts alone, where it is `sips` (RFC 5630 5.3)."""
    return [binding for binding in bindings if not sips or is_sips(binding.contact.uri)]


def targets_of(bindings: Iterable[Binding], *, sips: bool = False) -> list[Target]:
    """One target for each device; where it has several flows (reg-id), one after the other, the latest first.

    RFC 5626 7: never more than one contact with the same instance id at a time.
    """
    devices: dict[object, Target] = {}
    for binding in bindings:
        device = (binding.private_id, binding.instance) if binding.instance is not None else binding.id
        devices[device] = target_of(binding, devices.pop(device, None), sips=sips)
    return list(devices.values())


def _same_place(one: Uri, other: Uri) -> bool:
    """Whether two contacts are one device's; which transport they name is no matter."""
    if not isinstance(one, SipUri) or not isinstance(other, SipUri):
        return False
    return (one.user, one.host, one.port) == (other.user, other.host, other.port)
