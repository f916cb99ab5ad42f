"""What the reg event tells the PoC server about a user: the PoC Addresses and the PoC contacts behind them.

The third-party REGISTER says only that somebody registered; the PoC tag of the client stands in the reg event
(RFC 3680 5.1, unknown-param). A user's PoC Addresses are the identities whose active contact carries it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from talkburst.sip.agenda import Agenda, Alarm
from talkburst.sip.backoff import Backoff
from talkburst.sip.headers import SubscriptionState
from talkburst.sip.message import Request
from talkburst.sip.subscriber import State, Subscription
from talkburst.xml.document import XmlError
from talkburst.xml.reginfo import ReginfoTable, from_xml, has_tag
from talkburst_server.decision import Decide
from talkburst_server.users import PocContact, address_of_record

TAG: Final = "+g.poc.talkburst"

# Ends after which asking again brings nothing before the next third-party REGISTER.
# DEVIATION(RFC 6665 4.1.3): a subscriber should come back at once after "deactivated". A core says it of a user who is
# not registered any more, and would answer 480 for as long as one asks.
_FINAL_REASONS: Final = frozenset({"deactivated", "rejected", "noresource", "invariant"})


@dataclass(slots=True, frozen=True)
class PocRegistration:
    """One reading of the reg event: PoC Addresses as the document writes them, and the contacts with the tag."""

    addresses: tuple[str, ...] = ()
    contacts: tuple[PocContact, ...] = ()

    @property
    def canonical(self) -> list[str]:
        """The addresses in the form in which they are compared."""
        found = (address_of_record(address) for address in self.addresses)
        return [address for address in found if address is not None]


Subscribe = Callable[
    [
        str,  # the user's URI
        str | None,  # Route
        Callable[[Request, SubscriptionState, float], None],  # on_notify
        Callable[[str, float | None, float], None],  # on_end
    ],
    Subscription,
]


class RegWatcher:
    """Follows one user's reg event for as long as the user is registered.

    `subscribe` makes a subscription that is not started yet. `on_registration(watcher, before, now)` is called with
    every reading; `before` is the one before it.
    """

    def __init__(
        self,
        user: str,
        agenda: Agenda,
        subscribe: Subscribe,
        on_registration: Callable[["RegWatcher", PocRegistration | None, float], None],
        decide: Decide,
    ) -> None:
        self.user = user
        self.address = address_of_record(user) or user
        self.registration: PocRegistration | None = None
        """The last reading, None until there was one."""
        self.documents_due = False
        """A third-party REGISTER came after the last time that XDM documents were fetched."""
        self._agenda = agenda
        self._subscribe = subscribe
        self._on_registration = on_registration
        self._decide = decide
        self._table = ReginfoTable()
        self._subscription: Subscription | None = None
        self._route: str | None = None
        self._registered = False
        self._untried = False  # a third-party REGISTER gave the right to a new subscription that was not used yet
        self._backoff = Backoff()
        self._retry: Alarm | None = None

    @property
    def watching(self) -> bool:
        """Whether there is a subscription, or one is being made."""
        return self._subscription is not None

    @property
    def subscription_state(self) -> str:
        return "none" if self._subscription is None else self._subscription.state.name.lower()

    def registered(self, route: str | None, now: float) -> None:
        """A third-party REGISTER: refreshes the subscription, or makes one where there is none. `route` leads to the
        core for a request without a dialog."""
        self._registered, self._untried, self.documents_due = True, True, True
        self._route = route
        self._backoff.reset()
        if self._subscription is None:
            self._start(now)
        else:
            self._subscription.refresh(now)

    def left(self) -> None:
        """The user deregistered: the subscription ends by the core's last NOTIFY, and no other is made."""
        self._registered = self._untried = False
        self.registration = None
        self._cancel_retry()

    def _start(self, now: float) -> None:
        self._cancel_retry()
        self._untried = False
        self._table = ReginfoTable()
        self._subscription = self._subscribe(self.user, self._route, self._on_notify, self._on_end)
        self._subscription.start(now)

    def _on_notify(self, request: Request, told: SubscriptionState, now: float) -> None:
        if told.state != "terminated":
            self._untried = False
            self._backoff.reset()
        if request.body and self._read(request, now):
            before, self.registration = self.registration, self._reading()
            self._on_registration(self, before, now)

    def _on_end(self, reason: str, retry_after: float | None, now: float) -> None:
        self._subscription = None
        if not self._registered:
            return
        facts: dict[str, object] = {"user": self.user, "why": reason or "no reason given"}
        if self._untried:
            self._decide("reg subscription ended, making a new one", facts)
            self._start(now)
        elif reason in _FINAL_REASONS or reason.startswith("4"):
            self._decide("reg subscription ended, waiting for the next third-party REGISTER", facts)
        else:
            delay = self._backoff.next(retry_after)
            self._decide("reg subscription ended, trying again", {**facts, "seconds": delay})
            self._retry = self._agenda.schedule(now + delay, self._start)

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _read(self, request: Request, now: float) -> bool:
        """Whether the document says something new."""
        try:
            document = from_xml(request.body)
        except XmlError as error:
            self._decide("reg event not understood", {"user": self.user, "why": str(error), "call_id": request.call_id})
            return False
        late = self._table.discarded
        missed = self._table.apply(document)
        if self._table.discarded != late:
            facts = {"user": self.user, "version": document.version, "call_id": request.call_id}
            self._decide("reg event came too late, discarded", facts)
            return False
        if missed and self._subscription is not None and self._subscription.state is State.ACTIVE:
            # RFC 3680 5.2: documents are missing before this one, a refresh brings the full state.
            self._subscription.refresh(now)
        return True

    def _reading(self) -> PocRegistration:
        contacts: dict[str, PocContact] = {}
        for registration in self._table.registrations:
            if registration.state != "active":
                continue
            for contact in registration.contacts:
                if has_tag(contact, TAG):
                    found = PocContact.of(contact)
                    contacts.setdefault(found.key, found)
        return PocRegistration(tuple(self._table.addresses_with(TAG)), tuple(contacts.values()))
