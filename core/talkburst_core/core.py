"""The SIP core: everything that decides, put together on one engine (TS 24.229 5.4, RFC 3261 10 and 16).

    Core(subscribers, credentials, Policy(...), trust, engine, nonce_key=..., decide=...)

It sits between two listeners. What comes in by the one for clients comes from somebody who must say who they are; what
comes in by the one for servers comes from a trusted peer or is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from talkburst.daemon.trust import Trust
from talkburst.sip import Request, SipUri, parse_uri
from talkburst.sip.digest import DigestVerifier
from talkburst.sip.engine import Engine, ServerTransaction
from talkburst.sip.flow import Flow
from talkburst.sip.journal import Journal, Rows, text
from talkburst.sip.notifier import TABLE as SUBSCRIPTIONS
from talkburst.sip.notifier import Notifier, NotifierSubscription, contact_uri, is_of_subscriber
from talkburst.sip.proxy import Proxy, Routed
from talkburst.sip.uas import Uas
from talkburst_core.authentication import Authentication, Decide
from talkburst_core.bindings import Registration
from talkburst_core.contacts import Contacts
from talkburst_core.credentials import Credentials
from talkburst_core.identity import (
    Claims,
    Identification,
    RegisteredFlows,
    assert_identity,
    asserted_by_peer,
    strip,
)
from talkburst_core.profile import Subscribers
from talkburst_core.refusal import Refusal
from talkburst_core.reg_event import RegEvent
from talkburst_core.registrar import TABLE as REGISTRATIONS
from talkburst_core.registrar import Registrar
from talkburst_core.registration_event import RegistrationEvent
from talkburst_core.registration_update import Limits
from talkburst_core.routing import Routing
from talkburst_core.third_party import TABLE as TOLD
from talkburst_core.third_party import ThirdPartyRegistration
from talkburst_core.tolerance import FAULTS, Fault, Tolerance

CLIENTS: Final = "clients"
SERVERS: Final = "servers"
ORIGINATING: Final = "orig"
SUPPORTED: Final = ("path",)
KEYS: Final = "keys"
_NONCE: Final = "nonce"


@dataclass(slots=True, frozen=True)
class Policy:
    """What the operator decides. Times are seconds; `uri` is the core's own."""

    domain: str = "ims.example"
    domains: tuple[str, ...] = ()
    uri: str = "sip:scscf.ims.example"
    realm: str = ""
    limits: Limits = field(default_factory=Limits)
    challenge_all: bool = False
    notify_interval: float = 5.0
    notify_first: bool = False
    liveness: float = 5.0
    nonce_lifetime: float = 300.0
    software: str = ""
    tolerate: frozenset[Fault] = FAULTS

    @property
    def all_domains(self) -> frozenset[str]:
        return frozenset(domain.lower() for domain in (self.domain, *self.domains))


class Core:
    """The transaction user of the core's engine.

    With a journal it writes there what has to outlive the process. `started_at`: nonces from before are stale, because
    nobody knows any more how often they were used.
    """

    def __init__(
        self,
        subscribers: Subscribers,
        credentials: Mapping[str, Credentials],
        policy: Policy,
        trust: Trust,
        engine: Engine,
        *,
        nonce_key: bytes,
        started_at: float = 0.0,
        journal: Journal | None = None,
        decide: Decide = lambda what, facts: None,
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.subscribers = subscribers
        self._trust = trust
        self._decide = decide
        self._journal = journal
        self._flows = RegisteredFlows()
        self._verifier = DigestVerifier(nonce_key, policy.nonce_lifetime, not_before=started_at)
        tolerance = Tolerance(policy.tolerate, engine.counters, decide)
        authentication = Authentication(subscribers, credentials, self._verifier, decide, policy.realm, tolerance)
        self._claims = Claims(subscribers, policy.domain.lower(), policy.all_domains)
        self._identification = Identification(self._claims, authentication, self._flows, decide, policy.challenge_all)
        self.registrar = self._make_registrar(authentication)
        self.third_party = ThirdPartyRegistration(
            engine,
            policy.uri,
            lambda server: contact_uri(engine.source(Request("REGISTER", server), listener=SERVERS)),
            SERVERS,
            decide,
            self.registrar.deregister,
            journal,
        )
        self.proxy = Proxy(engine, _names(policy))
        self._routing = Routing(
            engine,
            self.proxy,
            subscribers,
            Contacts(engine, subscribers, self.registrar.registration, CLIENTS),
            policy.all_domains,
            decide,
            policy.liveness,
            CLIENTS,
            SERVERS,
        )
        self._uas, self.notifier = self._make_uas()
        engine.user = self

    def _make_registrar(self, authentication: Authentication) -> Registrar:
        return Registrar(
            engine=self.engine,
            subscribers=self.subscribers,
            authentication=authentication,
            claims=self._claims,
            service_route=self._service_route,
            charging=self._charging,
            decide=self._decide,
            on_event=self._on_registration,
            limits=self.policy.limits,
            journal=self._journal,
            run=self.engine.token(),
        )

    def _make_uas(self) -> tuple[Uas, Notifier]:
        package = self._reg_event = RegEvent(self.subscribers, self.registrar.registration, self.policy.notify_interval)
        uas = Uas(
            self.engine,
            self.engine.token,
            methods={"REGISTER": self.registrar.on_register},
            allow_events=(package.name,),
            accept=(package.media_type,),
            supported=SUPPORTED,
            software=self.policy.software,
        )
        notifier = Notifier(
            self.engine,
            uas,
            [package],
            self.engine.token,
            notify_first=self.policy.notify_first,
            decide=self._decide,
            journal=self._journal,
            owns=self._owns,
        )
        uas.serve("SUBSCRIBE", notifier.on_subscribe)
        return uas, notifier

    def restore(self, tables: Mapping[str, Rows], now: float, resume_at: float | None = None) -> None:
        """Makes the state what was stored, whatever it is now; nothing is sent before `resume_at` (or now).

        Raises RowError, HeaderError or UriError for what cannot be read.
        """
        resume_at = now if resume_at is None else resume_at
        self._restore_key(tables.get(KEYS, {}))
        self.registrar.restore(tables.get(REGISTRATIONS, {}), resume_at)
        self.third_party.restore(tables.get(TOLD, {}), self.subscribers, now, resume_at)
        self.notifier.restore(tables.get(SUBSCRIPTIONS, {}), now, resume_at)
        self._flows.clear()
        for registration in self.registrar.registrations():
            self._flows.update(registration)
        for resource in {each.resource for each in self.notifier.subscriptions}:
            if self.registrar.registration(resource) is None:
                gone = partial(self.notifier.terminate, RegEvent.name, resource, "noresource")
                self.engine.agenda.schedule(resume_at, gone)

    def _restore_key(self, rows: Rows) -> None:
        """The key of the nonces is the stored one; where none is stored, ours is from now on."""
        if _NONCE in rows:
            self._verifier.use_key(bytes.fromhex(text(rows[_NONCE], "key")))
        elif self._journal is not None:
            self._journal.put(KEYS, _NONCE, {"key": self._verifier.key.hex()})

    # The transaction user

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Judges where a request comes from, then takes it or routes it. What cannot be read is answered 400."""
        from_client = _side(transaction.listener) == CLIENTS
        if not from_client and transaction.flow.remote[0] not in self._trust:
            self._refuse(transaction, 403, f"{transaction.flow.remote[0]} is not in trust.peers", now)
            return
        if request.method == "REGISTER" and not self._is_for_another_domain(request):
            self._uas.on_request(transaction, request, now)
            return
        routed = self.proxy.take_routes(request)
        if request.method == "OPTIONS" and self._is_for_us(routed):
            self._uas.on_request(transaction, routed.request, now)
        elif from_client:
            self._on_client_request(transaction, routed, now)
        else:
            self._on_server_request(transaction, routed, now)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """The ACK of a 2xx goes its way along the Route; what a client says of itself in it is taken out."""
        from_client = _side(flow.listener) == CLIENTS
        if not from_client and flow.remote[0] not in self._trust:
            return
        routed = self.proxy.take_routes(request)
        if from_client:
            strip(routed.request)
        if not self._is_for_us(routed):
            self._routing.acknowledge(routed.request, flow, self._outbound(routed, flow.listener), now)

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        if not self.proxy.on_cancel(transaction, now):
            self._uas.on_cancel(transaction, now)

    # Clients

    def _on_client_request(self, transaction: ServerTransaction, routed: Routed, now: float) -> None:
        request, local = routed.request, self._is_local(routed)
        if not local and not self.proxy.admit(transaction, now):
            return
        asserted = self._identification.identify(request, transaction.flow, now)
        if isinstance(asserted, Refusal):
            self.proxy.respond(transaction, asserted.status, now, asserted.reason, asserted.headers)
            return
        assert_identity(request, asserted)
        request.remove("Proxy-Authorization")
        request.set("P-Charging-Vector", self._charging(None))
        if local:
            self._uas.on_request(transaction, request, now)
        elif request.to.tag or not routed.finished:
            self._routing.follow(transaction, request, self._outbound(routed, transaction.listener), now)
        elif request.method == "REGISTER":
            # Criteria on REGISTER are about registrations with us.
            self._routing.follow(transaction, request, SERVERS, now, foreign=True)
        else:
            self._routing.originate(transaction, request, asserted.subscriber, asserted.identity, now)

    # Servers

    def _on_server_request(self, transaction: ServerTransaction, routed: Routed, now: float) -> None:
        request = routed.request
        if self._is_local(routed):
            self._uas.on_request(transaction, request, now)
            return
        if not self.proxy.admit(transaction, now):
            return
        if request.to.tag or not routed.finished:
            self._routing.follow(transaction, request, self._outbound(routed, transaction.listener), now)
            return
        if self._routing.returned(transaction, request, routed.own, now):
            return
        served = asserted_by_peer(request, self.subscribers)
        if served is not None and request.method != "REGISTER" and any(uri.user == ORIGINATING for uri in routed.own):
            self._routing.originate(transaction, request, served.subscriber, served.identity, now)
        else:
            self._routing.terminate(transaction, request, now)

    # Both

    def _owns(self, subscription: NotifierSubscription, request: Request) -> bool:
        """A user goes on with a subscription under any of the own identities, an application server under its name."""
        if is_of_subscriber(subscription, request):
            return True
        user = self.subscribers.find(subscription.subscriber)
        asserted = asserted_by_peer(request, self.subscribers)
        return user is not None and asserted is not None and asserted.subscriber is user[0]

    def _service_route(self, flow: Flow) -> str:
        """Leads a client back where its REGISTER came in, by the same transport."""
        side = flow.listener if _side(flow.listener) == CLIENTS else CLIENTS
        listener = self.engine.listener(side)
        listener = self.engine.sibling(listener, flow.transport) or listener
        return f"<sip:{ORIGINATING}@{listener.hostport};lr>"

    def _is_for_another_domain(self, request: Request) -> bool:
        """A REGISTER for somebody else's registrar is passed on like anything else (RFC 3261 10.3 step 1)."""
        uri = request.parsed_uri
        return isinstance(uri, SipUri) and uri.host not in self.policy.all_domains and not self.proxy.is_own_route(uri)

    def _is_for_us(self, routed: Routed) -> bool:
        """Whether the Request-URI names the core itself: one of its addresses, its name, or a domain without a user.

        What came by our Record-Route (which, unlike Service-Route, has no user part) is for the other end of a dialog,
        whatever the address in the Request-URI: behind a relay or a NAT it may look like ours.
        """
        uri = routed.request.parsed_uri
        if not routed.finished or not isinstance(uri, SipUri):
            return False
        if routed.request.to.tag and routed.own and routed.own[-1].user is None:
            return False
        if uri.host in self.policy.all_domains:
            return uri.user is None
        return self.proxy.is_own_route(uri)

    def _is_local(self, routed: Routed) -> bool:
        """Whether we answer the request: it is for the core, or watches the registration of one of our users."""
        if self._is_for_us(routed):
            return True
        request = routed.request
        if request.method != "SUBSCRIBE" or not routed.finished:
            return False
        event = request.event
        return (
            event is not None
            and event.package in self._uas.allow_events
            and self.subscribers.find(request.uri) is not None
        )

    def _outbound(self, routed: Routed, inbound: str) -> str:
        """By which listener a request leaves that follows its Route: the one of the last entry that was ours."""
        listener = self.proxy.own_listener(routed.own[-1]) if routed.own else None
        return listener or inbound

    def _refuse(self, transaction: ServerTransaction, status: int, why: str, now: float) -> None:
        request = transaction.request
        self._decide(f"{status} to {request.method}: {why}", {"call_id": request.call_id})
        self.proxy.respond(transaction, status, now)

    def _charging(self, request: Request | None) -> str:
        """P-Charging-Vector (RFC 7315 4.6): the core is the first that can be trusted to make one."""
        return f"icid-value={self.engine.token()};orig-ioi={self.policy.domain}"

    def _on_registration(self, registration: Registration, event: RegistrationEvent | None, now: float) -> None:
        """After the 200: tells the application servers, then whoever watches."""
        self._flows.update(registration)
        self._save(registration)
        if event is not None:
            self.third_party.on_event(event, now)
        key = registration.subscriber.key
        if registration.active:
            self.notifier.changed(RegEvent.name, key, now)
        else:
            # TS 24.229 5.4.2.1.2: with the last contact the subscriptions end.
            self.notifier.terminate(RegEvent.name, key, "deactivated", now)

    def _save(self, registration: Registration) -> None:
        watchers = self.notifier.watching(RegEvent.name, registration.subscriber.key)
        told = (self._reg_event.ended_confirmed(watcher, registration) for watcher in watchers)
        registration.forget_ended(min(told, default=registration.ended_count))
        self.registrar.save(registration)


def _side(listener: str) -> str:
    """Which of the two sides a listener belongs to; further ones of a side are called "clients/2" and so on."""
    return listener.partition("/")[0]


def _names(policy: Policy) -> dict[str, str]:
    """Host names that are the core, each with the listener that it stands for."""
    names = dict.fromkeys(policy.all_domains, CLIENTS)
    uri = parse_uri(policy.uri)
    if isinstance(uri, SipUri):
        names.setdefault(uri.host, SERVERS)
    return names
