"""The SIP core: everything that decides, put together on one engine (TS 24.229 5.4, RFC 3261 10 and 16).

    Core(subscribers, credentials, Policy(...), trust, engine, nonce_key=..., decide=...)

It sits between two listeners. What comes in by the one for clients comes from somebody who must say who they are; what
comes in by the one for servers comes from a trusted peer or is refused.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import Final

from talkburst.daemon.trust import Trust
from talkburst.sip import Request, parse_uri
from talkburst.sip.digest import DigestVerifier
from talkburst.sip.engine import Engine, ServerTransaction
from talkburst.sip.flow import Flow
from talkburst.sip.journal import Journal, Rows, text
from talkburst.sip.notifier import TABLE as SUBSCRIPTIONS
from talkburst.sip.notifier import Notifier, NotifierSubscription, contact_uri
from talkburst.sip.proxy import Proxy
from talkburst.sip.route_preprocessing import Routed
from talkburst.sip.uas import Uas
from talkburst_core.authentication import PROXY, Authentication, Decide
from talkburst_core.contacts import Contacts
from talkburst_core.credentials import Credentials
from talkburst_core.destination import CLIENTS, SERVERS, Destination, names_of_the_core, side_of
from talkburst_core.identity import (
    Claims,
    Identification,
    RegisteredFlows,
    assert_identity,
    asserted_by_peer,
    strip,
)
from talkburst_core.leg import Marks
from talkburst_core.policy import Policy
from talkburst_core.profile import Subscribers
from talkburst_core.refusal import Refusal
from talkburst_core.reg_event import RegEvent
from talkburst_core.registrar import TABLE as REGISTRATIONS
from talkburst_core.registrar import Registrar
from talkburst_core.registration_changes import RegistrationChanges
from talkburst_core.registration_update import OUTBOUND
from talkburst_core.routing import RECORD_ROUTED, Routing
from talkburst_core.service_route import ORIGINATING, ServiceRoute
from talkburst_core.third_party import TABLE as TOLD
from talkburst_core.third_party import ThirdPartyRegistration
from talkburst_core.tolerance import Tolerance

SUPPORTED: Final = ("path", OUTBOUND)
KEYS: Final = "keys"
_NONCE: Final = "nonce"


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
        self._authentication = authentication
        self._claims = Claims(subscribers, policy.domain.lower(), policy.all_domains)
        self._identification = Identification(self._claims, authentication, self._flows, decide, policy.challenge_all)
        self.registrar = self._make_registrar(authentication)
        self.third_party = self._make_third_party()
        self.proxy = Proxy(engine, names_of_the_core(policy.all_domains, policy.uri))
        self._marks = Marks(nonce_key, subscribers)
        self._routing = self._make_routing()
        self._uas, self.notifier = self._make_uas()
        changes = RegistrationChanges(self.registrar, self._flows, self.third_party, self.notifier, self._reg_event)
        self.registrar.on_event = changes.follow
        self._destination = Destination(self.proxy, policy.all_domains, subscribers, self._uas.allow_events)
        engine.user = self
        engine.believes = self._knows

    def _make_registrar(self, authentication: Authentication) -> Registrar:
        return Registrar(
            engine=self.engine,
            subscribers=self.subscribers,
            authentication=authentication,
            claims=self._claims,
            service_route=ServiceRoute(self.engine).of,
            charging=self._charging,
            flow_timer=lambda flow: self.policy.flow_timer if flow.reliable else self.policy.flow_timer_udp,
            decide=self._decide,
            limits=self.policy.limits,
            journal=self._journal,
            run=self.engine.token(),
        )

    def _make_third_party(self) -> ThirdPartyRegistration:
        engine = self.engine
        return ThirdPartyRegistration(
            engine,
            self.policy.uri,
            # Listeners and [hosts] stay as they are, so what leads back from a server does.
            cache(lambda server: contact_uri(engine.source(Request("REGISTER", server), listener=SERVERS))),
            SERVERS,
            self._decide,
            self.registrar.deregister,
            self.policy.liveness,
            self._journal,
        )

    def _make_routing(self) -> Routing:
        engine, subscribers, policy = self.engine, self.subscribers, self.policy
        contacts = Contacts(engine, subscribers, self.registrar.registration, self._trust, CLIENTS)
        ours = policy.all_domains, self._decide, policy.liveness, CLIENTS, SERVERS
        return Routing(engine, self.proxy, subscribers, contacts, self._marks, *ours)

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
            owns=package.owns,
            way=self._way_of,
        )
        uas.serve("SUBSCRIBE", notifier.on_subscribe)
        return uas, notifier

    def _way_of(self, subscription: NotifierSubscription) -> Flow | None:
        """How a device that watches registrations is reached over UDP; on a connection its next SUBSCRIBE says it."""
        target = parse_uri(subscription.dialog.remote_target)
        way = self._routing.contacts.way_to(subscription.subscriber, target)
        return None if way is None or way.reliable else way

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
                gone = partial(self.notifier.terminate, self._reg_event.name, resource, "noresource")
                self.engine.agenda.schedule(resume_at, gone)

    def _restore_key(self, rows: Rows) -> None:
        """The key of nonces and marks is the stored one; where none is stored, ours is from now on."""
        if _NONCE in rows:
            key = bytes.fromhex(text(rows[_NONCE], "key"))
            self._verifier.use_key(key)
            self._marks.use_key(key)
        elif self._journal is not None:
            self._journal.put(KEYS, _NONCE, {"key": self._verifier.key.hex()})

    def is_registered_over(self, flow: Flow) -> bool:
        """Whether some user has a contact that is reached on that very flow."""
        return self._flows.holds(flow)

    def _knows(self, flow: Flow) -> bool:
        """Whether whoever is at the other end has proved who he is, or is a server that we trust."""
        return self._flows.holds(flow) if side_of(flow.listener) == CLIENTS else flow.remote[0] in self._trust

    # The transaction user

    def on_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Judges where a request comes from, then takes it or routes it. What cannot be read is answered 400."""
        from_client = side_of(transaction.listener) == CLIENTS
        if not from_client and transaction.flow.remote[0] not in self._trust:
            self._refuse(transaction, 403, f"{transaction.flow.remote[0]} is not in trust.peers", now)
            return
        if request.method == "REGISTER" and not self._destination.is_for_another_domain(request):
            self._uas.on_request(transaction, request, now)
            return
        routed = self.proxy.take_routes(request, transaction.flow)
        if request.method == "OPTIONS" and self._destination.is_for_us(routed):
            self._uas.on_request(transaction, routed.request, now)
        elif from_client:
            self._on_client_request(transaction, routed, now)
        else:
            self._on_server_request(transaction, routed, now)

    def on_ack(self, request: Request, flow: Flow, now: float) -> None:
        """The ACK of a 2xx goes its way along the Route; what a client says of itself in it is taken out."""
        from_client = side_of(flow.listener) == CLIENTS
        if not from_client and flow.remote[0] not in self._trust:
            return
        routed = self.proxy.take_routes(request, flow)
        if from_client:
            strip(routed.request)
        if not self._destination.is_for_us(routed):
            listener = self._destination.outbound(routed, flow.listener)
            self._routing.acknowledge(routed.request, flow, listener, now, known=self._knows(flow))

    def on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        if not self.proxy.on_cancel(transaction, now):
            self._uas.on_cancel(transaction, now)

    # Clients

    def _on_client_request(self, transaction: ServerTransaction, routed: Routed, now: float) -> None:
        request, local = routed.request, self._destination.is_local(routed)
        if not local and not self.proxy.admit(transaction, now):
            return
        asserted = self._identification.identify(request, transaction.flow, now)
        if isinstance(asserted, Refusal):
            transaction.refuse(asserted.status, now, asserted.reason, asserted.headers)
            return
        if request.method == "REGISTER" and self._claims.private_id(request.to.uri.addr_of_record()) is not None:
            # Application servers believe a REGISTER that comes from us (TS 24.229 5.4.1.7), whoever made it.
            self._refuse(transaction, 403, f"{request.to.uri} has no other registrar than this core", now)
            return
        assert_identity(request, asserted)
        self._authentication.use_up(request, PROXY)
        request.set("P-Charging-Vector", self._charging(None))
        if transaction.flow.connection and not (local or request.to.tag) and request.method in RECORD_ROUTED:
            self._routing.contacts.dialogs.remember(request, transaction.flow)
        if local:
            self._uas.on_request(transaction, request, now)
        elif request.to.tag or not routed.finished:
            self._routing.follow(transaction, request, self._destination.outbound(routed, transaction.listener), now)
        elif request.method == "REGISTER":
            # Criteria on REGISTER are about registrations with us.
            self._routing.follow(transaction, request, SERVERS, now)
        else:
            self._routing.originate(transaction, request, asserted.subscriber, asserted.identity, now)

    # Servers

    def _on_server_request(self, transaction: ServerTransaction, routed: Routed, now: float) -> None:
        request = routed.request
        if self._destination.is_local(routed):
            self._uas.on_request(transaction, request, now)
            return
        if not self.proxy.admit(transaction, now):
            return
        if request.to.tag or not routed.finished:
            self._routing.follow(transaction, request, self._destination.outbound(routed, transaction.listener), now)
            return
        if self._routing.returned(transaction, request, routed.own, now):
            return
        served = asserted_by_peer(request, self.subscribers)
        if served is not None and request.method != "REGISTER" and any(uri.user == ORIGINATING for uri in routed.own):
            self._routing.originate(transaction, request, served.subscriber, served.identity, now)
        else:
            self._routing.terminate(transaction, request, now)

    # Both

    def _refuse(self, transaction: ServerTransaction, status: int, why: str, now: float) -> None:
        request = transaction.request
        self._decide(f"{status} to {request.method}: {why}", {"call_id": request.call_id})
        transaction.refuse(status, now)

    def _charging(self, request: Request | None) -> str:
        """P-Charging-Vector (RFC 7315 4.6): the core is the first that can be trusted to make one."""
        return f"icid-value={self.engine.token()};orig-ioi={self.policy.domain}"
