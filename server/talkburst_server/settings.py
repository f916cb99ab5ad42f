"""The poc-settings package at the PoC server: what users publish, who may see it, and what the document says.

RFC 4354. The server composes by union: one entity for each client of the user, so that a client sees what the others
published and can resolve a conflict. For the server's own use the last publication counts.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Final

from talkburst.sip import compositor, notifier
from talkburst.sip.compositor import EventStateCompositor, Publication, asserted_identities
from talkburst.sip.defects import Defect
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow
from talkburst.sip.headers import HeaderError, parse_name_addr
from talkburst.sip.journal import Journal, Rows
from talkburst.sip.message import Request
from talkburst.sip.notifier import Notifier, NotifierSubscription, is_of_subscriber
from talkburst.sip.uas import Uas
from talkburst.sip.uri import SipUri, TelUri
from talkburst.xml.document import XmlError
from talkburst.xml.poc_settings import MEDIA_TYPE, Entity, PocSettings, from_xml, to_xml
from talkburst_server.decision import Decide
from talkburst_server.users import PocContact, User, Users, address_of_record

PACKAGE: Final = "poc-settings"
DEFAULT_EXPIRES: Final = 3600  # RFC 4354 5.4
MIN_EXPIRES: Final = 60
# What one user may have the server keep and send: 32 clients, and a document of the union that still is a datagram.
MAX_PUBLICATIONS: Final = 32
MAX_BYTES: Final = 1 << 14

SettingsPublication = Publication[PocSettings]


class PocSettingsPackage:
    """Compositor, notifier and policy of poc-settings in one; `trusted` says whose P-Asserted-Identity is believed."""

    name = PACKAGE
    media_type = MEDIA_TYPE
    max_publications = MAX_PUBLICATIONS
    max_bytes = MAX_BYTES

    def __init__(
        self,
        engine: Engine,
        uas: Uas,
        users: Users,
        token: Callable[[], str],
        *,
        trusted: Callable[[Flow], bool],
        decide: Decide,
        max_expires: int = DEFAULT_EXPIRES,
        notify_interval: float = 5.0,
        notify_first: bool = False,
        journal: Journal | None = None,
    ) -> None:
        self.max_expires = max_expires
        self.default_expires = min(DEFAULT_EXPIRES, max_expires)
        self.min_expires = min(MIN_EXPIRES, max_expires)
        self.notify_interval = notify_interval
        self._users = users
        self._agenda = engine.agenda
        self._trusted = trusted
        self._decide = decide
        self._document, self._document_of = to_xml(PocSettings()), list[str]()  # the last one, and of which states
        self.compositor: EventStateCompositor[PocSettings] = EventStateCompositor(
            uas, engine.agenda, self, token, journal=journal, decide=decide
        )
        self.notifier = Notifier(
            engine, uas, [self], token, notify_first=notify_first, decide=decide, journal=journal, owns=self._owns
        )
        users.on_merge = self._merge

    def restore(self, tables: Mapping[str, Rows], now: float, resume_at: float | None = None) -> None:
        """Makes publications and subscriptions what the journal's tables say; see `PocServer.restore`."""
        self.compositor.restore(tables.get(compositor.TABLE, {}), resume_at)
        self.notifier.restore(tables.get(notifier.TABLE, {}), now, resume_at)

    # What both roles ask for.

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        """The settings record that Request-URI and trusted identity name; else who is refused, and why.

        RFC 4354 5.6.2: nobody but the user. No registration is needed and no reg event waited for.
        """
        if not self._trusted(flow):
            return 403, "Peer is not trusted to assert identities"
        uri = request.parsed_uri
        if not (isinstance(uri, TelUri) or (isinstance(uri, SipUri) and uri.user)):
            return 404, "Request-URI is no PoC Address"
        user = self._users.asserted(_identities(request))
        if user is None:
            return 403, "No P-Asserted-Identity"
        if uri.addr_of_record() not in user.addresses:
            return 403, "P-Asserted-Identity is not this user"
        return user.key

    def _owns(self, subscription: NotifierSubscription, request: Request) -> bool:
        """Users watch their own settings only, so whoever goes on has to be the user, under any of the addresses."""
        user = self._users.by_key(subscription.resource)
        known = user is not None and not set(user.addresses).isdisjoint(_identities(request))
        return known or is_of_subscriber(subscription, request)

    # Publications.

    def read(self, body: bytes) -> PocSettings | Defect:
        """A document that says something about its publisher (RFC 4354 5.14); what can be understood is taken."""
        try:
            settings = from_xml(body)
        except XmlError as error:
            return Defect("RFC 4354 6", f"poc-settings: {error}", 400)
        if not settings.entities:
            return Defect("RFC 4354 5.14", "poc-settings: no entity", 400)
        return settings

    def published(self, publication: SettingsPublication, now: float) -> None:
        """Stores the user's settings: ties them to the contact they came from, and tells the user's clients."""
        user = self._user(publication.resource)
        self._supersede(publication)
        contact = _contact_of(publication, user.contacts)
        self.compositor.own(publication, contact.key if contact else None)
        entity = publication.content.entities[0]
        self._decide(
            "settings stored",
            {
                "user": user.name,
                "entity": entity.id,
                "barring": entity.barring,
                "answer_mode": entity.answer_mode,
                "tolerated": publication.content.tolerated or None,
            },
        )
        self.changed(user, now)

    def withdrawn(self, publication: SettingsPublication, why: str, now: float) -> None:
        user = self._user(publication.resource)
        self._tell_gone(user, publication, why)
        self.changed(user, now)

    def _supersede(self, publication: SettingsPublication) -> None:
        """A client that lost its entity-tag publishes anew; what it published before is the same entity from the same
        place, and must not come back when the new state goes."""
        others = self.compositor.publications(publication.resource)
        if len(others) == 1:
            return
        ids = {entity.id for entity in publication.content.entities}
        for other in others:
            same_place = other.source == publication.source
            if other is not publication and same_place and ids & {entity.id for entity in other.content.entities}:
                self.compositor.remove(other)

    # Notifications.

    def state(self, subscription: NotifierSubscription, now: float) -> bytes:
        """The document: no entity when nothing is published (RFC 4354 5.7)."""
        user = self._users.by_key(subscription.resource)
        published = self.compositor.publications(user.key) if user else []
        etags = [publication.etag for publication in published]
        if etags != self._document_of:  # whoever watches a user is told the same
            self._document, self._document_of = to_xml(PocSettings(_union(published))), etags
        return self._document

    def throttle_key(self, subscription: NotifierSubscription) -> Hashable:
        """RFC 4354 5.10 counts notifications per user."""
        user = self._users.by_key(subscription.resource)
        return user.key if user else subscription.resource

    def changed(self, user: User, now: float) -> None:
        """Tell whoever watches this user."""
        self.notifier.changed(PACKAGE, user.key, now)

    # What the rest of the server asks for and tells.

    def entities(self, user: User) -> list[Entity]:
        """One entity for each client. Two that chose the same id are one, and what came last counts."""
        return _union(self.compositor.publications(user.key))

    def effective(self, user: User) -> Entity | None:
        """The settings that count for the user: the last publication's. None when there is none."""
        publications = self.compositor.publications(user.key)
        return publications[-1].content.entities[0] if publications else None

    def contacts(self, user: User, contacts: Iterable[PocContact], now: float) -> None:
        """The user's PoC contacts as the reg event shows them; settings of a contact that is gone go with it.

        Settings that no contact was found for yet stay: their publisher may have registered a moment ago.
        """
        had_contacts = bool(user.contacts)
        user.contacts = list(contacts)
        self._users.keep(user)
        gone = []
        for publication in self.compositor.publications(user.key):
            contact = _contact_of(publication, user.contacts)
            if contact is not None:
                self.compositor.own(publication, contact.key)
            elif publication.owner is not None or (had_contacts and not user.contacts):
                gone.append(publication)
        self._drop(user, gone, "its contact is no longer registered", now)

    def deregistered(self, user: User, now: float) -> None:
        """The user has left: the settings are dropped, and whoever watches them is told so for the last time."""
        user.contacts = []
        self._users.keep(user)
        publications = self.compositor.publications(user.key)
        for publication in publications:
            self.compositor.remove(publication)
            self._tell_gone(user, publication, "the user deregistered")
        self.notifier.terminate(PACKAGE, user.key, "deactivated", now)

    def _drop(self, user: User, publications: list[SettingsPublication], why: str, now: float) -> None:
        for publication in publications:
            self.compositor.remove(publication)
            self._tell_gone(user, publication, why)
        if publications:
            self.changed(user, now)

    def _tell_gone(self, user: User, publication: SettingsPublication, why: str) -> None:
        entity = publication.content.entities[0]
        self._decide("settings dropped", {"user": user.name, "entity": entity.id, "why": why})

    def _merge(self, old: str, new: str) -> None:
        self.compositor.move(old, new)
        self.notifier.move(PACKAGE, old, new)
        if self.compositor.publications(new):
            # Whoever watched under one name does not know what was published under the other.
            self.notifier.owe(PACKAGE, new)
            self._agenda.schedule(0.0, partial(self._tell_merged, new))

    def _tell_merged(self, key: str, now: float) -> None:
        user = self._users.by_key(key)
        if user is not None:  # else what joined two users could not be stored, and is undone
            self.changed(user, now)

    def _user(self, key: str) -> User:
        user = self._users.by_key(key)
        assert user is not None, key  # `authorise` made the key
        return user


def _identities(request: Request) -> list[str]:
    """The canonical addresses in P-Asserted-Identity; a value that is none is passed over."""
    found = []
    for value in asserted_identities(request):
        try:
            found.append(parse_name_addr(value).uri.addr_of_record())
        except HeaderError:
            address = address_of_record(value)
            if address is not None:
                found.append(address)
    return found


def _contact_of(publication: SettingsPublication, contacts: Iterable[PocContact]) -> PocContact | None:
    """The contact that published: its instance id is the entity id, else it is reached where the PUBLISH came from."""
    ids = [entity.id for entity in publication.content.entities]
    here: PocContact | None = None
    for contact in contacts:
        if contact.instance in ids:
            return contact
        if here is None and contact.sent_by == publication.source:
            here = contact
    return here


def _union(publications: Iterable[SettingsPublication]) -> list[Entity]:
    """One entity for each client, in the order in which they were published."""
    found: dict[str, Entity] = {}
    for publication in publications:
        for entity in publication.content.entities:
            known = found.get(entity.id)
            found[entity.id] = entity if known is None else entity.over(known)
    return list(found.values())
