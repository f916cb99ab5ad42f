"""Where a request goes: application servers by filter criteria, then the user (TS 24.229 5.4.3.2 and 5.4.3.3).

An originating request passes the application servers that the criteria of its user name, one after the other, then
those of the user it is for, then the contacts of that user. A request within a dialog follows its Route, nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from talkburst.sip import Request, Response, SipUri, TelUri, UriError, parse_uri
from talkburst.sip.engine import Engine, Failure, ServerTransaction
from talkburst.sip.flow import Flow
from talkburst.sip.proxy import Proxy, Target
from talkburst.sip.sips import NOT_ALLOWED, names_sips
from talkburst_core.authentication import Decide
from talkburst_core.contacts import Contacts, open_to, target_of, targets_of
from talkburst_core.filter_criteria import Criterion, DefaultHandling, SessionCase, Subject
from talkburst_core.identity import asserted_by_peer, flow_key, withhold
from talkburst_core.leg import Leg, Marks
from talkburst_core.profile import Identity, Subscriber, Subscribers
from talkburst_core.third_party import outcome_words

# Requests that make a dialog, and NOTIFY, which makes the subscriber's (RFC 6665 4.3, 4.4.1): the core stays on the
# way. What makes none has no use for a Record-Route (RFC 3903 4).
RECORD_ROUTED: Final = frozenset({"INVITE", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE"})


@dataclass(slots=True)
class Routing:
    """Sends requests on their way. `clients` and `servers` are the names of the listeners for each."""

    engine: Engine
    proxy: Proxy
    subscribers: Subscribers
    contacts: Contacts
    marks: Marks
    domains: frozenset[str]
    decide: Decide
    liveness: float = 5.0
    clients: str = "clients"
    servers: str = "servers"

    # Ways in

    def originate(
        self, transaction: ServerTransaction, request: Request, subscriber: Subscriber, identity: Identity, now: float
    ) -> None:
        """An initial request from one of our users."""
        registered = self.contacts.is_registered(subscriber)
        case = SessionCase.ORIGINATING if registered else SessionCase.ORIGINATING_UNREGISTERED
        self._advance(Leg(transaction, request, subscriber, identity, case), now)

    def terminate(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A request that nobody but its Request-URI has a say in any more."""
        if self._is_elsewhere(request):
            self.follow(transaction, request, self.servers, now)
            return
        found = self.subscribers.find(request.uri)
        if found is None:
            self._leave(transaction, request, now)
            return
        subscriber, identity = found
        if identity.barred:
            self._answer(transaction, request, 403, f"{identity.uri} is barred", now)
            return
        registered = self.contacts.is_registered(subscriber)
        case = SessionCase.TERMINATING_REGISTERED if registered else SessionCase.TERMINATING_UNREGISTERED
        self._advance(Leg(transaction, request, subscriber, identity, case), now)

    def returned(self, transaction: ServerTransaction, request: Request, own: Iterable[SipUri], now: float) -> bool:
        """Takes up where an application server was asked, if one of our Route entries says so."""
        for uri in own:
            leg = self.marks.leg(uri.user or "", transaction, request)
            if leg is not None:
                self._advance(leg, now)
                return True
        return False

    def follow(self, transaction: ServerTransaction, request: Request, listener: str, now: float) -> None:
        """Sends a request where its Route, else its Request-URI, says.

        Where that is a user of ours, it stands for the contacts (RFC 3261 16.5): not every client learns the Contact of
        the other end, and the address of our domain would bring the request back to us. A tag in To is no proof that
        there is a dialog, so the criteria of that user hold.
        """
        if request.get("Route") is None and self._is_ours(request):
            self.terminate(transaction, request, now)
            return
        if not self.contacts.is_trusted(request, listener):
            withhold(request)
        target, head = self.contacts.target(request, listener, transaction.listener), request.head()
        self.proxy.forward(
            transaction,
            request,
            [target],
            now,
            record_route=request.method in RECORD_ROUTED,
            on_failure=lambda outcome, later: self._lost(transaction, head, target, outcome, later),
        )

    def _lost(
        self, transaction: ServerTransaction, request: Request, target: Target, outcome: Response | Failure, now: float
    ) -> bool:
        """RFC 5626 5.3.1: the connection to a device is gone, and by its Contact it cannot be reached either."""
        device = target.listener.startswith(self.clients) and request.get("Route") is None
        if outcome is not Failure.TRANSPORT or not device:
            return False
        if not self.engine.source(request, listener=target.listener, flow=target.flow).reliable:
            return False
        self._answer(transaction, request, 430, "no connection to the device", now)
        return True

    def acknowledge(self, request: Request, flow: Flow, listener: str, now: float, *, known: bool) -> None:
        """Sends the ACK of a 2xx the same way. `known`: it is from a user who has registered, or a trusted server.

        Where it names the user alone, to every contact but the sender's: the one that answered is among them, and to
        the others it is an ACK of nothing.
        """
        if not self.contacts.is_trusted(request, listener):
            withhold(request)
        targets = [self.contacts.target(request, listener, flow.listener)]
        if request.get("Route") is None and self._is_ours(request):
            found = self.subscribers.find(request.uri)
            others = [] if found is None else [each for each in self.contacts.of(found[0]) if each.flow != flow]
            sips = names_sips(request.uri)
            targets = [target_of(binding, sips=sips) for binding in open_to(others, sips=sips)]
        for target in targets:
            self.proxy.forward_ack(request, target, now, None if known else flow)

    def _is_ours(self, request: Request) -> bool:
        uri = request.parsed_uri
        return isinstance(uri, SipUri) and uri.host in self.domains and uri.port is None and "maddr" not in uri.params

    def _is_elsewhere(self, request: Request) -> bool:
        """RFC 3261 16.5: a maddr is the only target, whoever the rest of the Request-URI names."""
        uri = request.parsed_uri
        return isinstance(uri, SipUri) and "maddr" in uri.params

    # Application servers

    def _advance(self, leg: Leg, now: float) -> None:
        """On to the next application server, or past the last one."""
        subject = Subject(leg.request, leg.case, self.contacts.is_registered(leg.subscriber))
        while leg.position < len(leg.criteria):
            criterion = leg.criteria[leg.position]
            leg.position += 1
            evaluation = criterion.evaluate(subject)
            if evaluation.matched:
                self._log(leg, f"{leg.request.method} to {criterion.server.server_name}: {evaluation.reason}")
                self._ask(leg, criterion, now)
                return
            leg.unmatched.append(evaluation.reason)
        why, leg.unmatched = " | ".join(leg.unmatched), []
        if why:
            self._log(leg, f"no application server for {leg.request.method}: {why}")
        if leg.originating:
            self.terminate(leg.transaction, leg.request, now)
        else:
            self._deliver(leg, now)

    def _log(self, leg: Leg, what: str) -> None:
        self.decide(
            what,
            {
                "user": leg.identity.uri,
                "session_case": leg.case.words,
                "event": leg.request.get("Event"),
                "unmatched": " | ".join(leg.unmatched) or None,
                "call_id": leg.request.call_id,
            },
        )

    def _ask(self, leg: Leg, criterion: Criterion, now: float) -> None:
        """Sends the request to an application server; it comes back by the second Route if there is more to do."""
        route = (_loose_route(criterion.server.server_name), self._way_back(leg, criterion))
        self.proxy.forward(
            leg.transaction,
            leg.request,
            [self.contacts.trusted_target(self.servers, leg.transaction.listener, route)],
            now,
            record_route=leg.request.method in RECORD_ROUTED,
            timeout=self.liveness,
            on_failure=lambda outcome, later: self._failed(leg, criterion, outcome, later),
        )

    def _way_back(self, leg: Leg, criterion: Criterion) -> str:
        """The Route entry by which the application server brings the request back."""
        server = parse_uri(criterion.server.server_name)
        source = self.engine.source(leg.request, listener=self.servers, next_hop=server)
        return f"<sip:{self.marks.of(leg)}@{source.hostport};lr>"

    def _failed(self, leg: Leg, criterion: Criterion, outcome: Response | Failure, now: float) -> bool:
        """What DefaultHandling says of a server that gives no answer, or 408, or 5xx (TS 24.229 5.4.3.2)."""
        silent = outcome is Failure.TIMEOUT or (isinstance(outcome, Response) and outcome.status == 408)
        if isinstance(outcome, Response) and not silent and not 500 <= outcome.status < 600:
            return False
        handling, what = criterion.default_handling, outcome_words(outcome)
        server = criterion.server.server_name
        self._log(leg, f"{server} failed for {leg.request.method}: {what}, DefaultHandling is {handling.name}")
        if handling is DefaultHandling.SESSION_CONTINUED:
            self._advance(leg, now)
            return True
        if silent:
            # RFC 4320 4.2 has no 408 for SUBSCRIBE and PUBLISH, and the client must not be left to its own timer.
            self._respond(leg.transaction, 504, f"{server} does not answer", now)
            return True
        return False

    # The user

    def _deliver(self, leg: Leg, now: float) -> None:
        """To all contacts of the user but, where users call themselves, the one that they call from.

        RFC 3261 16.5, RFC 3327 5.4. The source alone does not tell: all users behind one proxy share it.
        """
        bindings = self.contacts.of(leg.subscriber)
        caller = asserted_by_peer(leg.request, self.subscribers)
        own = caller is not None and caller.subscriber is leg.subscriber
        source = flow_key(leg.transaction.flow)
        others = [binding for binding in bindings if not own or flow_key(binding.flow) != source]
        if not others:
            why = "is not registered" if not bindings else "has no contact but the one that asks"
            self._answer(leg.transaction, leg.request, 480, f"{leg.identity.uri} {why}", now)
            return
        sips = names_sips(leg.request.uri)
        others = open_to(others, sips=sips)
        if not others:
            self._answer_not_allowed(leg, now)
            return
        request, leg.request = leg.request.copy(), leg.request.head()
        withhold(request)
        request.set("P-Called-Party-ID", f"<{leg.identity.uri}>")
        self.proxy.forward(
            leg.transaction,
            request,
            targets_of(others, sips=sips),
            now,
            record_route=request.method in RECORD_ROUTED,
            on_failure=lambda outcome, later: self._unreachable(leg, outcome, later),
        )

    def _answer_not_allowed(self, leg: Leg, now: float) -> None:
        """RFC 5630 5.3: a request to a SIPS URI goes to no contact that is not one."""
        why = f"the request is SIPS, and no contact of {leg.identity.uri} is"
        self.decide(f"480 to {leg.request.method}: {why}", {"call_id": leg.request.call_id})
        agent = self.engine.listener(leg.transaction.listener).sent_by
        self.proxy.respond(leg.transaction, 480, now, None, [("Warning", NOT_ALLOWED.format(agent))])

    def _unreachable(self, leg: Leg, outcome: Response | Failure, now: float) -> bool:
        """A user whom no contact leads to is not there for the moment, whatever is registered."""
        if outcome is not Failure.TRANSPORT:
            return False
        self._answer(leg.transaction, leg.request, 480, f"no contact of {leg.identity.uri} can be reached", now)
        return True

    def _leave(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """For nobody of ours: 404 if it should have been, else on to where the Request-URI says."""
        try:
            uri = parse_uri(request.uri)
        except UriError as error:
            self._answer(transaction, request, 400, str(error), now)
            return
        if isinstance(uri, TelUri) or (isinstance(uri, SipUri) and uri.host in self.domains):
            self._answer(transaction, request, 404, f"{request.uri} is no user of this core", now)
        else:
            self.follow(transaction, request, self.servers, now)

    def _answer(self, transaction: ServerTransaction, request: Request, status: int, why: str, now: float) -> None:
        self.decide(f"{status} to {request.method}: {why}", {"call_id": request.call_id})
        self._respond(transaction, status, None, now)

    def _respond(self, transaction: ServerTransaction, status: int, reason: str | None, now: float) -> None:
        self.proxy.respond(transaction, status, now, reason)


def _loose_route(server: str) -> str:
    """The Route entry for a ServerName."""
    uri = parse_uri(server)
    if isinstance(uri, SipUri) and not uri.lr:
        uri = uri.with_param("lr")
    return f"<{uri}>"
