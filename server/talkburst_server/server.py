"""The PoC server without its sockets: which room takes which request, and what one tells another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from talkburst.daemon.shown import Listing
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow
from talkburst.sip.headers import NameAddr, SubscriptionState, parse_name_addr
from talkburst.sip.journal import Journal, Rows
from talkburst.sip.message import Request
from talkburst.sip.notifier import contact_uri
from talkburst.sip.requester import Requester
from talkburst.sip.subscriber import Subscriber, SubscribeRequests, Subscription
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uas import Handler, Uas
from talkburst.xml.poc_settings import MEDIA_TYPE as SETTINGS_TYPE
from talkburst.xml.reginfo import MEDIA_TYPE as REGINFO_TYPE
from talkburst_server import third_party, users
from talkburst_server.decision import Decide
from talkburst_server.idle_users import IdleUsers
from talkburst_server.reg_watcher import TAG, PocRegistration, RegWatcher
from talkburst_server.settings import DEFAULT_EXPIRES, PACKAGE, PocSettingsPackage
from talkburst_server.third_party import ThirdPartyRegistrar, ThirdPartyRegistration
from talkburst_server.users import User, Users

# What deployed PoC servers call themselves in Server; our name and version follow.
SOFTWARE: Final = "PoC-serv/OMA1.0"


@dataclass(slots=True, frozen=True, kw_only=True)
class ServerPolicy:
    """What the configuration decides; `uri` is the server's own. Durations are seconds."""

    uri: str
    software: str = SOFTWARE
    reg_expires: int = 600_000
    settings_expires_max: int = DEFAULT_EXPIRES
    notify_interval: float = 5.0
    notify_first: bool = False


class PocServer:
    """The participating PoC server of its users, behind an IMS core.

    `trusted(flow)` says whose identities it believes.
    `fetch(addresses, now)` is called when the XDM documents of a user's PoC Addresses are due, and `forget(addresses)`
    when the user has gone. Neither may block. What must not be lost is written to `journal`.
    """

    def __init__(
        self,
        engine: Engine,
        token: Callable[[], str],
        policy: ServerPolicy,
        *,
        trusted: Callable[[Flow], bool],
        fetch: Callable[[Sequence[str], float], None],
        forget: Callable[[Sequence[str]], None],
        decide: Decide,
        journal: Journal | None = None,
    ) -> None:
        self._engine = engine
        engine.believes = trusted
        self._trusted = trusted
        self._policy = policy
        self._fetch = fetch
        self._forget = forget
        self._decide = decide
        self.users = Users(journal=journal)
        self.uas = Uas(
            engine, token, allow_events=(PACKAGE,), accept=(SETTINGS_TYPE, REGINFO_TYPE), software=policy.software
        )
        self.settings = PocSettingsPackage(
            engine,
            self.uas,
            self.users,
            token,
            trusted=trusted,
            decide=decide,
            max_expires=policy.settings_expires_max,
            notify_interval=policy.notify_interval,
            notify_first=policy.notify_first,
            journal=journal,
        )
        self.third_party = ThirdPartyRegistrar(
            self.uas,
            engine.agenda,
            trusted=trusted,
            watcher=self._watcher,
            on_left=self._on_left,
            decide=decide,
            journal=journal,
        )
        self._idle = IdleUsers(engine.agenda, self.users, self._in_use, self._on_forgotten)
        self._requester = Requester(engine, None, token)
        self.subscriber = Subscriber(engine, self.uas, packages=("reg",))
        self._serve()

    def _serve(self) -> None:
        """Which room takes which request."""
        self.uas.serve("REGISTER", self.third_party.on_register)
        self.uas.serve("NOTIFY", self._from_trusted(self.subscriber.on_notify))
        self.uas.serve("SUBSCRIBE", self._from_trusted(self.settings.notifier.on_subscribe))
        self.uas.serve("PUBLISH", self.settings.compositor.on_publish)

    def restore(self, tables: Mapping[str, Rows], now: float, resume_at: float | None = None) -> None:
        """Makes the state what the journal's tables say, whatever it is now. A listener has to be there.

        Nothing is sent before `resume_at` (default: now). Then what expired in the meantime is told, owed NOTIFYs leave
        and the reg event of every user is asked for. Raises RowError or HeaderError.
        """
        none: Rows = {}
        self.users.restore(tables.get(users.TABLE, none))
        self._idle.restore(now if resume_at is None else resume_at)
        self.settings.restore(tables, now, resume_at)
        self.third_party.restore(tables.get(third_party.TABLE, none), now, now if resume_at is None else resume_at)

    def show(self, now: float) -> dict[str, object]:
        """What the server knows, for a human."""
        registrations = self.third_party.registrations
        return {
            "registrations": Listing(
                registrations, lambda each: _show_registration(each, now), _names_of_registration, same_user=True
            ),
            "users": Listing(
                self.users.all(), lambda each: self._show_user(each, now), lambda each: each.addresses, same_user=True
            ),
        }

    def _from_trusted(self, handler: Handler) -> Handler:
        """Dialogs are with the core alone: to know the tags of one does not make a peer trusted."""

        def guarded(transaction: ServerTransaction, request: Request, now: float) -> None:
            if self._trusted(transaction.flow):
                handler(transaction, request, now)
            else:
                self.uas.reply(transaction, 403, now, "Peer is not trusted to assert identities")

        return guarded

    # The reg event

    def _watcher(self, user: str) -> RegWatcher:
        return RegWatcher(
            user,
            self._engine.agenda,
            self._subscribe,
            self._on_registration,
            self._decide,
            on_change=self.third_party.keep,
        )

    def _subscribe(
        self,
        user: str,
        route: str | None,
        on_notify: Callable[[Request, SubscriptionState, float], None],
        on_end: Callable[[str, float | None, float], None],
        on_change: Callable[[], None],
    ) -> Subscription:
        """TS 24.229 5.7.1.1: an application server watches under its own identity, which stands in the criteria."""
        own = parse_name_addr(f"<{self._policy.uri}>")
        listener = self._engine.source(Request("SUBSCRIBE", user, [("Route", route)] if route else []))
        return Subscription(
            self._requester,
            SubscribeRequests(
                event="reg",
                target=user,
                from_=own,
                to=NameAddr("", parse_name_addr(f"<{user}>").uri, {}),
                contact=f"<{contact_uri(listener)}>",
                accept=REGINFO_TYPE,
                headers=[("P-Asserted-Identity", own), ("User-Agent", self._policy.software)],
                route=[route] if route else [],
            ),
            subscriber=self.subscriber,
            expires=self._policy.reg_expires,
            on_notify=on_notify,
            on_end=on_end,
            on_change=on_change,
        )

    def _on_registration(self, watcher: RegWatcher, before: PocRegistration | None, now: float) -> None:
        registration = watcher.registration or PocRegistration()
        user = self.users.learn(watcher.address, registration.canonical) or self._user_of(watcher.address, before)
        changed = before is None or before.addresses != registration.addresses
        if changed:
            what = "PoC Addresses learnt" if registration.addresses else f"no active contact of the user has {TAG}"
            facts = {"addresses": registration.addresses or None, "contacts": len(registration.contacts)}
            self._decide(what, {"user": watcher.user, **facts})
            left = [each for each in before.addresses if each not in registration.addresses] if before else []
            if left:
                self._forget(left)
        if user is not None:
            self.settings.contacts(user, registration.contacts, now)
        if registration.addresses and (changed or watcher.documents_due):
            watcher.documents_due = False
            self._fetch(registration.addresses, now)

    def _on_left(self, registration: ThirdPartyRegistration, now: float) -> None:
        reading = registration.watcher.registration
        user = self._user_of(registration.address, reading)
        if user is not None:
            self.settings.deregistered(user, now)
        if reading is not None:
            self._forget(reading.addresses)

    def _user_of(self, address: str, reading: PocRegistration | None) -> User | None:
        """The user registered as `address`, which need not be a PoC Address; then `reading` tells which are."""
        known = map(self.users.of, [address, *(reading.canonical if reading is not None else ())])
        return next((user for user in known if user is not None), None)

    # Users of whom nothing is left

    def _in_use(self, user: User) -> bool:
        """Registered, as far as the core or the reg event knows, or published or watched."""
        settings = self.settings
        return bool(
            user.contacts
            or any(map(self.third_party.knows, user.addresses))
            or settings.compositor.publications(user.key)
            or settings.notifier.watching(PACKAGE, user.key)
        )

    def _on_forgotten(self, user: User) -> None:
        self._decide("user forgotten, nothing is left of it", {"user": user.name})

    # For a human

    def _show_user(self, user: User, now: float) -> dict[str, object]:
        effective = self.settings.effective(user)
        return {
            "addresses": user.addresses,
            "learnt_from_reg_event": user.confirmed,
            "contacts": [contact.uri for contact in user.contacts],
            "effective": None
            if effective is None
            else {"entity": effective.id, "barring": effective.barring, "answer_mode": effective.answer_mode},
            "publications": [
                {
                    "entities": [entity.id for entity in publication.content.entities],
                    "expires_in": round(publication.expires_at - now),
                    "from": publication.source,
                    "contact": publication.owner,
                }
                for publication in self.settings.compositor.publications(user.key)
            ],
            "watchers": [
                {"subscriber": watcher.subscriber, "expires_in": round(watcher.expires_at - now)}
                for watcher in self.settings.notifier.watching(PACKAGE, user.key)
            ],
        }


def _names_of_registration(registration: ThirdPartyRegistration) -> list[str]:
    reading = registration.watcher.registration
    return [registration.watcher.user, *(reading.addresses if reading is not None else ())]


def _show_registration(registration: ThirdPartyRegistration, now: float) -> dict[str, object]:
    reading = registration.watcher.registration
    return {
        "user": registration.watcher.user,
        "expires_in": round(registration.expires_at - now),
        "reg_subscription": registration.watcher.subscription_state,
        "poc_addresses": None if reading is None else list(reading.addresses),
    }
