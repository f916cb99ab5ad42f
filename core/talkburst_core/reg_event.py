"""The reg event package: watchers learn the registration of a user (RFC 3680 under the rules of TS 24.229 5.4.2.1).

Every document holds full state: all identities of the set that are not barred, each with all contacts. A contact that
is gone is told once to every subscription that may have known it.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Final

from talkburst.sip import Request
from talkburst.sip.flow import Flow
from talkburst.sip.headers import HeaderError, parse_name_addr
from talkburst.sip.notifier import NotifierSubscription, is_of_subscriber
from talkburst.xml import reginfo
from talkburst_core.bindings import Binding, ContactEvent, Ended, Registration
from talkburst_core.identity import asserted_by_peer
from talkburst_core.profile import Identity, Subscribers

# RFC 3261 20.10 and 10.2: these have attributes of their own in the document, or are no news.
_KNOWN_PARAMS: Final = frozenset({"q", "expires"})
_TOLD: Final = "ended contacts told"


class RegEvent:
    """The package for the notifier. The resource is the key of the subscriber's implicit registration set."""

    name = "reg"
    default_expires = 3761  # RFC 3680 4.4
    min_expires = 60
    max_expires = 600_000  # what TS 24.229 5.1.1.3 has a UE ask for
    media_type = reginfo.MEDIA_TYPE

    def __init__(
        self,
        subscribers: Subscribers,
        registration: Callable[[str], Registration | None],
        notify_interval: float = 5.0,
    ) -> None:
        self._subscribers = subscribers
        self._registration = registration
        self.notify_interval = notify_interval

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        """Who may watch: the user, the proxies on the Path, the servers that the criteria name. TS 24.229 5.4.2.1.1.

        The watcher is who P-Asserted-Identity says; whoever let the request in has seen to it that this can be trusted.
        """
        found = self._subscribers.find(request.uri)
        if found is None:
            return 404, f"{request.uri} is no user of this core"
        subscriber, identity = found
        if identity.barred:
            return 403, f"{identity.uri} is barred"
        registration = self._registration(subscriber.key)
        if registration is None or not registration.active:
            return 480, f"{identity.uri} is not registered"
        watchers = set(_asserted(request))
        allowed = {each.aor for each in subscriber.unbarred} | subscriber.application_servers | _proxies(registration)
        if watchers.isdisjoint(allowed):
            return 403, f"{', '.join(sorted(watchers)) or 'nobody'} may not watch {identity.uri}"
        return subscriber.key

    def owns(self, subscription: NotifierSubscription, request: Request) -> bool:
        """A user goes on with a subscription under any of the own identities, an application server under its name."""
        if is_of_subscriber(subscription, request):
            return True
        user = self._subscribers.find(subscription.subscriber)
        asserted = asserted_by_peer(request, self._subscribers)
        return user is not None and asserted is not None and asserted.subscriber is user[0]

    def state(self, subscription: NotifierSubscription, now: float) -> bytes | None:
        """The document for one subscription; notes which ended contacts it has told."""
        registration = self._registration(subscription.resource)
        if registration is None:
            return None
        ended = list(registration.ended_since(_told(subscription.data, registration)))
        subscription.data[_TOLD] = registration.ended_count
        return reginfo.to_xml(_document(registration, ended, subscription.version, now))

    def ended_confirmed(self, subscription: NotifierSubscription, registration: Registration) -> int:
        """How many of the contacts that ended a subscriber knows for certain to have ended, or has never known."""
        return _told(subscription.confirmed, registration)

    def throttle_key(self, subscription: NotifierSubscription) -> Hashable:
        """RFC 3680 4.10 counts by subscriber."""
        return subscription.subscriber


def _told(data: Mapping[str, object], registration: Registration) -> int:
    told = data.get(_TOLD)
    return told if isinstance(told, int) else registration.ended_count


def _asserted(request: Request) -> Iterator[str]:
    return (parse_name_addr(value).uri.addr_of_record() for value in request.values("P-Asserted-Identity"))


def _proxies(registration: Registration) -> set[str]:
    """Every entity on a stored Path; one that has no readable URI can not ask for anything either."""
    found: set[str] = set()
    for binding in registration.bindings:
        for value in binding.path:
            try:
                found.add(parse_name_addr(value).uri.addr_of_record())
            except HeaderError:
                continue
    return found


def _document(registration: Registration, ended: list[Ended], version: int, now: float) -> reginfo.Reginfo:
    state = "active" if registration.active else "terminated"
    registrations = []
    for number, identity in enumerate(registration.subscriber.unbarred, 1):
        contacts = [_active(registration, binding, identity, number, now) for binding in registration.bindings]
        contacts += [_terminated(each, number) for each in ended]
        registrations.append(reginfo.Registration(identity.uri, f"r{number}", state, contacts))
    return reginfo.Reginfo(version, "full", registrations)


def _active(
    registration: Registration, binding: Binding, identity: Identity, number: int, now: float
) -> reginfo.Contact:
    """RFC 3680 5.1; an identity that was only registered along with another is "created" (RFC 5628 8.2)."""
    contact = _contact(binding, number, "active", _event(registration, binding, identity))
    contact.expires = binding.remaining(now)
    contact.duration_registered = max(0, int(now - binding.registered_at))  # unsigned; clocks are set back
    contact.q = binding.q
    return contact


def _event(registration: Registration, binding: Binding, identity: Identity) -> ContactEvent:
    if binding.event is ContactEvent.REGISTERED and identity.aor not in registration.by_name:
        return ContactEvent.CREATED
    return binding.event


def _terminated(ended: Ended, number: int) -> reginfo.Contact:
    return _contact(ended.binding, number, "terminated", ended.event)


def _contact(binding: Binding, number: int, state: str, event: ContactEvent) -> reginfo.Contact:
    params = {name: value for name, value in binding.contact.params.items() if name not in _KNOWN_PARAMS}
    return reginfo.Contact(
        uri=str(binding.contact.uri),
        id=f"r{number}{binding.id}",
        state=state,
        event=event.value,
        callid=binding.call_id,
        cseq=binding.cseq,
        display_name=binding.contact.display or None,
        unknown_params=params,
    )
