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
from talkburst.sip.journal import Row, RowError, as_row, flag, items, mapping, optional_text, text, texts
from talkburst.sip.message import Request
from talkburst.sip.subscriber import State, Subscription
from talkburst.xml.document import XmlError
from talkburst.xml.reginfo import Reginfo, ReginfoTable, from_xml, has_tag, to_xml
from talkburst_server.decision import Decide
from talkburst_server.users import PocContact, address_of_record

TAG: Final = "+g.poc.talkburst"

# Ends after which asking again brings nothing before the next third-party REGISTER.
# DEVIATION(RFC 6665 4.1.3): nobody comes back at once after "deactivated". A core says it of a user who is not
# registered any more, and would answer 480 for as long as one asks.
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

    def to_row(self) -> Row:
        return {"addresses": list(self.addresses), "contacts": [contact.to_row() for contact in self.contacts]}

    @classmethod
    def from_row(cls, row: Row) -> "PocRegistration":
        contacts = (PocContact.from_row(as_row(contact, "contacts")) for contact in items(row, "contacts"))
        return cls(tuple(texts(row, "addresses")), tuple(contacts))


Subscribe = Callable[
    [
        str,  # the user's URI
        str | None,  # Route
        Callable[[Request, SubscriptionState, float], None],  # on_notify
        Callable[[str, float | None, float], None],  # on_end
        Callable[[], None],  # on_change
    ],
    Subscription,
]


class RegWatcher:
    """Follows one user's reg event for as long as the user is registered.

    `subscribe` makes a subscription that is not started yet. `on_registration(watcher, before, now)` is called with
    every reading; `before` is the one before it. `on_change(watcher)` is told that `to_row` gives another row.
    """

    def __init__(
        self,
        user: str,
        agenda: Agenda,
        subscribe: Subscribe,
        on_registration: Callable[["RegWatcher", PocRegistration | None, float], None],
        decide: Decide,
        on_change: Callable[["RegWatcher"], None] = lambda watcher: None,
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
        self._on_change = on_change
        self._table = ReginfoTable()
        self._table_text = ""
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
    def trying(self) -> bool:
        """Whether there is a subscription, or one will be tried again."""
        return self.watching or self._retry is not None

    @property
    def subscription_state(self) -> str:
        return "none" if self._subscription is None else self._subscription.state.name.lower()

    def registered(self, route: str | None, now: float) -> None:
        """A third-party REGISTER: refreshes the subscription, or makes one where there is none. `route` leads to the
        core for a request without a dialog."""
        self._registered, self._untried, self.documents_due = True, True, True
        moved = route != self._route
        self._route = route
        self._backoff.reset()
        if self._subscription is not None and moved:
            # The dialog leads to where the core was; whoever is left there gets 481.
            self._decide(
                "the core is elsewhere now, making a new reg subscription", {"user": self.user, "route": route}
            )
            self._subscription.abandon(now)
            self._start(now)
        elif self._subscription is None:
            self._start(now)
        else:
            self._subscription.refresh(now)
        self._changed()

    def ask(self, now: float) -> None:
        """Whether the user is still registered: a refresh brings the state, or the end of the subscription."""
        if self._subscription is not None:
            self._untried = True  # 481 may only mean that the core lost the subscription
            self._subscription.refresh(now)

    def left(self) -> None:
        """The user deregistered: the subscription ends by the core's last NOTIFY, and no other is made."""
        self._registered = self._untried = False
        self.registration = None
        self._cancel_retry()
        self._changed()

    def to_row(self) -> Row:
        """What `restore` goes on with; `table` is the reginfo document of all that is known of the subscription."""
        subscription = None if self._subscription is None else self._subscription.to_row()
        return {
            "user": self.user,
            "route": self._route,
            "registered": self._registered,
            "reading": None if self.registration is None else self.registration.to_row(),
            "subscription": subscription,
            "table": self._table_text,
            # Without a dialog there is nothing to go on with. A NOTIFY for it will be answered 481.
            "subscribe": self._retry is not None or (self._subscription is not None and subscription is None),
        }

    def restore(self, row: Row, at: float) -> None:
        """Goes on where a watcher was before a restart: at the time `at` the reg event is asked for, in the dialog
        there was, or in a new one. Raises RowError or HeaderError.
        """
        self._route = optional_text(row, "route")
        # Whoever answers 481 has lost the subscription, and gets a new one.
        self._registered = self._untried = self.documents_due = flag(row, "registered")
        self.registration = None if row.get("reading") is None else PocRegistration.from_row(mapping(row, "reading"))
        self._table_text = text(row, "table")
        if self._table_text:
            try:
                self._table.apply(from_xml(self._table_text.encode()))
            except XmlError as error:
                raise RowError(f"table cannot be read: {error}") from None
        if row.get("subscription") is not None:
            self._subscription = self._subscribe(self.user, self._route, self._on_notify, self._on_end, self._changed)
            self._subscription.resume(mapping(row, "subscription"), at)
        elif self._registered and flag(row, "subscribe"):
            self._retry = self._agenda.schedule(at, self._start)

    def abandon(self, now: float) -> None:
        """Is no more, without a word to anybody."""
        self._cancel_retry()
        if self._subscription is not None:
            self._subscription.abandon(now)

    def _changed(self) -> None:
        self._on_change(self)

    def _start(self, now: float) -> None:
        self._cancel_retry()
        self._untried = False
        self._table, self._table_text = ReginfoTable(), ""
        self._subscription = self._subscribe(self.user, self._route, self._on_notify, self._on_end, self._changed)
        self._subscription.start(now)

    def _on_notify(self, request: Request, told: SubscriptionState, now: float) -> None:
        if told.state != "terminated":
            self._untried = False
            self._backoff.reset()
        if request.body and self._read(request, now):
            before, self.registration = self.registration, self._reading()
            self._changed()
            self._on_registration(self, before, now)

    def _on_end(self, reason: str, retry_after: float | None, now: float) -> None:
        self._subscription = None
        if self._registered:
            self._come_back(reason, retry_after, now)
        self._changed()

    def _come_back(self, reason: str, retry_after: float | None, now: float) -> None:
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
        self._table_text = to_xml(Reginfo(document.version, "full", self._table.registrations)).decode()
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
