"""The PoC client without its sockets: from the first REGISTER to settings that the PoC server shares.

Registered, it watches its own reg event, which tells its PoC Address. Under that it watches the user's settings, and
when it knows what other clients of the user published, it publishes its own.
"""

from collections.abc import Callable
from typing import Final

from talkburst.sip.digest import DigestClient
from talkburst.sip.engine import Engine
from talkburst.sip.flow import Flow, bracketed
from talkburst.sip.headers import SubscriptionState
from talkburst.sip.message import Request
from talkburst.sip.requester import Requester
from talkburst.sip.subscriber import Subscriber, Subscription
from talkburst.sip.uas import Uas
from talkburst.ua.account import Account, address
from talkburst.ua.decision import Decide
from talkburst.ua.endpoint import Endpoint
from talkburst.ua.farewell import Done, Farewell, Step
from talkburst.ua.reg_event import REJECTED, OwnRegistration
from talkburst.ua.registration import Registration
from talkburst.ua.registration_states import State
from talkburst.ua.settings import PACKAGE, Fate, OnFate, SettingsSession, Wishes
from talkburst.ua.standing import StandingSubscription, comes_back
from talkburst.xml.document import XmlError
from talkburst.xml.poc_settings import MEDIA_TYPE as SETTINGS_TYPE
from talkburst.xml.poc_settings import AnswerMode
from talkburst.xml.reginfo import MEDIA_TYPE as REGINFO_TYPE
from talkburst.xml.reginfo import from_xml

REG_EXPIRES: Final = 600_000  # TS 24.229 5.1.1.3
# Ends of a contact after which the network wants it to be registered again (RFC 3680 5.1).
_RENEWED: Final = frozenset({"deactivated", "expired", "probation"})


class PocClient:
    """One device of one user. It is reached at the listener that REGISTER leaves from, which has to be there already,
    and over TCP on the connection that it registered on.

    `etag(address)` gives the entity-tag of a publication under that PoC Address from before a restart, and
    `on_etag(address, etag)` is told each new one; `on_published()` follows when the server has what is wanted.
    `on_refused(why)` is the end: another attempt would change nothing.
    """

    def __init__(
        self,
        engine: Engine,
        token: Callable[[], str],
        credentials: DigestClient,
        account: Account,
        wishes: Wishes,
        *,
        on_refused: Callable[[str], None],
        decide: Decide,
        etag: Callable[[str], str | None] = lambda address: None,
        on_etag: Callable[[str, str | None], None] = lambda address, etag: None,
        on_published: Callable[[], None] = lambda: None,
    ) -> None:
        routes = [("Route", route) for route in account.routes]
        listener = engine.source(Request("REGISTER", account.registrar, routes))
        engine.believes = self._knows
        if listener.reliable:
            engine.on_lost = self._on_connection_lost
        contact = account.contact_uri(listener.sent_by, listener.transport)
        requester = Requester(engine, credentials, token)
        self._agenda = engine.agenda
        self._wishes = wishes
        self._on_refused = on_refused
        self._decide = decide
        self._etag = etag
        self._on_etag = on_etag
        self._on_published = on_published
        self._leaving = False
        self._reconnected = False
        self._own = OwnRegistration(account.instance, contact)
        self._session: SettingsSession | None = None
        self.uas = Uas(engine, token, accept=(REGINFO_TYPE, SETTINGS_TYPE), software=account.user_agent)
        subscriber = Subscriber(engine, self.uas, packages=("reg", PACKAGE))
        self.uas.serve("NOTIFY", subscriber.on_notify)
        self._registration = Registration(
            requester,
            engine.agenda,
            token,
            account,
            contact,
            on_registered=self._on_registered,
            on_refused=on_refused,
            decide=decide,
        )
        self._endpoint = Endpoint(
            engine, requester, subscriber, account, contact, lambda: self._registration.routes, decide
        )
        self._reg_event = StandingSubscription(
            "reg",
            engine.agenda,
            self._subscribe,
            on_notify=self._on_notify,
            on_lost=self._on_lost,
            decide=decide,
        )

    def start(self, now: float) -> None:
        """Register; everything else follows from it."""
        self._registration.start(now)

    def stop(self, now: float, done: Done) -> None:
        """Withdraw the settings, unsubscribe, unregister. `done(now)` is called when that is over."""
        self._leaving = True
        steps: list[Step] = [
            ("SUBSCRIBE, Expires 0", self._unsubscribe),
            ("REGISTER, Expires 0", self._registration.leave),
        ]
        if self._session is not None:
            steps.insert(0, ("PUBLISH, Expires 0", self._session.withdraw))
        Farewell(self._agenda, steps, done, self._decide).begin(now)

    def change(self, now: float, *, answer_mode: AnswerMode | None = None, barring: bool | None = None) -> None:
        """The user changes settings: they are published, whatever was to be done about another client's."""
        wishes = self._wishes
        mode, barring = answer_mode or wishes.answer_mode, wishes.barring if barring is None else barring
        self.adopt(now, Wishes(mode, barring, True, "override"))

    def adopt(self, now: float, wishes: Wishes, on_fate: OnFate | None = None) -> None:
        """The user wants this from now on. `on_fate` is told what becomes of it, at once if there is no registration,
        else with the server's answer.
        """
        self._wishes.become(wishes)
        if self._session is not None:
            self._session.change(now, on_fate if self.registered else None)
        if on_fate is not None and not self.registered:
            on_fate(Fate.PENDING, f"the client is not registered, it is {self._registration.state.value}")
        elif on_fate is not None and self._session is None:
            on_fate(Fate.PENDING, "the core has not told the PoC Address yet")

    def restore(self, now: float, wishes: Wishes) -> None:
        """The server refused what was adopted: this is wanted again, as it is published."""
        self._wishes.become(wishes)
        if self._session is not None:
            self._session.restore(now)

    @property
    def registered(self) -> bool:
        return self._registration.state is State.REGISTERED

    def show(self, now: float) -> dict[str, object]:
        """What the client knows, for a human."""
        registration, account = self._registration, self._endpoint.account
        expires_at = registration.expires_at
        return {
            "private_id": account.private_id,
            "public_id": account.public_id,
            "instance": account.instance,
            "contact": str(self._endpoint.contact),
            "registration": registration.state.value,
            "expires_in": None if expires_at is None else round(expires_at - now),
            "associated": [str(each.uri) for each in registration.associated],
            "service_route": registration.service_route,
            "reg_subscription": self._reg_event.state,
            "poc_address": None if self._session is None else str(self._session.identity.uri),
            "wishes": {"answer_mode": self._wishes.answer_mode, "barring": self._wishes.barring},
            "settings": None if self._session is None else self._session.show(),
        }

    def lacks(self) -> str:
        """What is still to be done, for a human: empty when registered and agreed with the server on the settings."""
        if not self.registered:
            return f"registration: {self._registration.state.value}"
        if self._session is None:
            return "no PoC Address yet"
        return self._session.lacks()

    def _unsubscribe(self, now: float, done: Done) -> None:
        """Both subscriptions at the same time; `done` is called when both are over."""
        waiting = [self._reg_event.stop, *([] if self._session is None else [self._session.stop])]
        left = len(waiting)

        def over(later: float) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done(later)

        for stop in waiting:
            stop(now, over)

    # The registration and its reg event

    def _knows(self, flow: Flow) -> bool:
        """Whether it is the home network that is at the other end, and no stranger who has found our port."""
        return flow.remote == self._registration.registrar

    def _on_connection_lost(self, flow: Flow, now: float) -> None:
        """RFC 5626 4.5: whatever reached us by it needs another one."""
        if not self._leaving:
            remote = f"{bracketed(flow.remote[0])}:{flow.remote[1]}"
            self._decide("connection lost", {"remote": remote})
            self._reconnected = True
            self._registration.recover(now)

    def _on_registered(self, now: float) -> None:
        self._reg_event.ensure(now)
        if self._reconnected:
            self._reconnected = False
            self._reg_event.refresh(now)  # whoever notifies learns the new connection by it
        if self._session is not None:
            self._session.ensure(now)

    def _subscribe(
        self,
        on_notify: Callable[[Request, SubscriptionState, float], None],
        on_end: Callable[[str, float | None, float], None],
    ) -> Subscription:
        self._own.restart()
        return self._endpoint.subscription(
            "reg",
            self._registration.public_identity,
            accept=REGINFO_TYPE,
            expires=REG_EXPIRES,
            on_notify=on_notify,
            on_end=on_end,
            headers=[],
        )

    def _on_notify(self, request: Request, first: bool, now: float) -> None:
        if not request.body:
            return
        try:
            document = from_xml(request.body)
        except XmlError as error:
            self._decide("reg event not understood", {"why": str(error), "call_id": request.call_id})
            if first and not self._leaving:
                self._do_without("the first document of the reg event is not understood", now)
            return
        if self._own.apply(document):
            self._reg_event.refresh(now)
        if self._leaving:
            return
        found = self._own.poc_address(self._registration.associated)
        if found is not None:
            self._settle(found, now)
        elif self._own.ended is not None:
            self._on_contact_ended(self._own.ended, now)
        elif first:
            self._do_without("the reg event shows this contact without +g.poc.talkburst", now)

    def _on_lost(self, reason: str, was_active: bool, now: float) -> None:
        """No reg event any more. Where there was one, the core may have forgotten the registration with it."""
        if was_active:
            self._registration.renew(now)
        elif not comes_back(reason):
            self._do_without(f"the reg event is not to be had ({reason})", now)

    def _on_contact_ended(self, event: str, now: float) -> None:
        self._decide("the home network ended the registration of this contact", {"event": event})
        if event == REJECTED:
            self._on_refused("the home network ended the registration: rejected")
        elif event in _RENEWED:
            self._registration.renew(now)

    def _do_without(self, why: str, now: float) -> None:
        """Goes on under the identity that is usable, so that a core that tells too little costs one line, not all."""
        identity = str(self._registration.public_identity.uri)
        self._decide("PoC Address not told, taking the public identity for it", {"why": why, "address": identity})
        self._settle(identity, now)

    # Settings

    def _settle(self, poc_address: str, now: float) -> None:
        """Watch and publish settings under this PoC Address."""
        if self._session is not None:
            if str(self._session.identity.uri) == poc_address:
                return
            self._session.withdraw(now, lambda later: None)
            self._session.stop(now, lambda later: None)
        self._decide("PoC Address", {"address": poc_address})
        self._session = SettingsSession(
            self._endpoint,
            address(poc_address),
            self._wishes,
            etag=self._etag(poc_address),
            on_etag=lambda etag: self._on_etag(poc_address, etag),
            on_published=self._on_published,
            # The reg event knows whether that is so; where it is lost too, we register anew.
            on_unregistered=self._reg_event.refresh,
        )
        self._session.ensure(now)
