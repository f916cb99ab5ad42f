"""The registrar: answers REGISTER and keeps the bindings (RFC 3261 10.3, TS 24.229 5.4.1).

Nothing here waits for an application server: whoever wants to know of a registration is told after the 200.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from typing import Final

from talkburst.sip import Request, Response, SipUri, response_to
from talkburst.sip.agenda import Alarm
from talkburst.sip.engine import Engine, ServerTransaction
from talkburst.sip.flow import Flow, unbracketed
from talkburst.sip.journal import Journal, Row, Rows
from talkburst_core.authentication import REGISTRAR, Authenticated, Authentication, Decide
from talkburst_core.bindings import Binding, ContactEvent, Registration
from talkburst_core.filter_criteria import RegistrationType
from talkburst_core.identity import Claims
from talkburst_core.profile import Identity, Subscriber, Subscribers
from talkburst_core.refusal import Refusal
from talkburst_core.registration_event import RegistrationEvent
from talkburst_core.registration_update import OUTBOUND, Limits, Update, update_of
from talkburst_core.rows import highest_number, registration_from, registration_row

TABLE: Final = "registrations"
# Seconds beyond Flow-Timer that a keep-alive may take to get here (RFC 5626 5.4).
GRACE: Final = 20.0

OnEvent = Callable[[Registration, RegistrationEvent | None, float], None]
"""Told after every change, and of what it means for application servers; None when it means nothing to them."""


@dataclass(slots=True)
class Registrar:
    """The bindings of all subscribers. `service_route` and `charging` give header values of the 200 and of events,
    `flow_timer` the seconds between keep-alives that devices with `outbound` are asked for; 0 asks for none.

    `on_event` is to call `save` for the registration that changed. `run` names the process.
    """

    engine: Engine
    subscribers: Subscribers
    authentication: Authentication
    claims: Claims
    service_route: Callable[[Flow], str]
    charging: Callable[[Request | None], str]
    flow_timer: Callable[[Flow], int]
    decide: Decide
    on_event: OnEvent = lambda registration, event, now: None
    limits: Limits = field(default_factory=Limits)
    journal: Journal | None = None
    run: str = ""
    _registrations: dict[str, Registration] = field(default_factory=dict)
    _alarms: dict[str, Alarm] = field(default_factory=dict)
    _contact_count: int = 0
    _dated: tuple[int, str] = (-1, "")

    def registration(self, key: str) -> Registration | None:
        """The registration of the subscriber that is filed under `key`, None when there never was one."""
        return self._registrations.get(key)

    def registrations(self) -> Iterator[Registration]:
        """Those of users who are registered."""
        return (registration for registration in self._registrations.values() if registration.active)

    def save(self, registration: Registration) -> None:
        """Writes a registration to the journal; one without contacts is no row."""
        if self.journal is None:
            return
        key = registration.subscriber.key
        if registration.active:
            self.journal.put(TABLE, key, registration_row(registration, self.run))
        else:
            self.journal.delete(TABLE, key)

    def restore(self, rows: Rows, resume_at: float) -> None:
        """Makes the registrations what `rows` say, whatever they are now; what has expired ends at `resume_at`.

        Who is no user any more has no registration. Raises RowError, HeaderError or UriError.
        """
        restored = [registration for key, row in rows.items() if (registration := self._restored(key, row)) is not None]
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
        self._registrations = {registration.subscriber.key: registration for registration in restored}
        for registration in restored:
            for binding in registration.bindings:
                # Nobody is granted more than that; it was stored by a clock that was ahead of this one.
                binding.expires_at = min(binding.expires_at, resume_at + self.limits.longest)
            ended = (each.binding.id for each in registration.ended)
            given = highest_number([*(binding.id for binding in registration.bindings), *ended])
            self._contact_count = max(self._contact_count, given)
            self._watch_expiry(registration, resume_at)

    def _restored(self, key: str, row: Row) -> Registration | None:
        subscriber = self.subscribers.by_identity(key)
        if subscriber is None or subscriber.key != key:
            self.decide("stored registration is dropped: there is no such user", {"user": key})
            if self.journal is not None:
                self.journal.delete(TABLE, key)
            return None
        registration = registration_from(row, subscriber, self.run)
        for binding in registration.bindings:
            if binding.private_id not in subscriber.private_ids:
                binding.expires_at = 0.0
        return registration

    def on_register(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Answers one REGISTER. Raises `HeaderError` or `UriError` for a header that cannot be read."""
        outcome = self._register(transaction, request, now)
        if isinstance(outcome, Refusal):
            response = response_to(
                request, outcome.status, outcome.reason, to_tag=transaction.to_tag, headers=outcome.headers
            )
            self.engine.respond(transaction, response, now)

    def _register(self, transaction: ServerTransaction, request: Request, now: float) -> Refusal | None:
        uri = request.parsed_uri
        if not isinstance(uri, SipUri) or uri.host not in self.claims.domains:
            return self._refused(request, 404, f"{request.uri} is no domain of this core")
        to = request.to.uri
        if not isinstance(to, SipUri):
            return self._refused(request, 400, f"{to} in To is no SIP URI (RFC 3261 10.2)")
        aor = to.addr_of_record()
        claimed = self.claims.private_id(aor)
        if claimed is None:
            return self._refused(request, 404, f"{aor} is in no domain of this core")
        who = self.authentication.authenticate(request, REGISTRAR, claimed, now)
        if isinstance(who, Refusal):
            return who
        identity = who.subscriber.identity(aor)
        if identity is None:
            known = self.subscribers.by_identity(aor) is not None
            return self._refused(request, 403 if known else 404, f"{aor} does not belong to {who.private_id}")
        if not who.subscriber.unbarred:
            return self._refused(request, 403, f"every public identity of {who.private_id} is barred")
        return self._update(transaction, request, who, identity, now)

    def _refused(self, request: Request, status: int, why: str) -> Refusal:
        self.decide(f"{status} to REGISTER: {why}", {"call_id": request.call_id})
        return Refusal(status)

    def _update(
        self, transaction: ServerTransaction, request: Request, who: Authenticated, identity: Identity, now: float
    ) -> Refusal | None:
        update = update_of(request, who.private_id, transaction.flow, self.limits)
        if isinstance(update, Refusal):
            self.decide(f"{update.status} to REGISTER: {update.reason}", {"call_id": request.call_id})
            return update
        registration = self._registrations.get(who.subscriber.key) or Registration(who.subscriber)
        was_active = registration.active
        refusal = registration.apply(update, identity.aor, now, self._new_contact_id, self._is_lost)
        if refusal is not None:
            self.decide(f"{refusal.status} to REGISTER: {refusal.reason}", {"call_id": request.call_id})
            return refusal
        self._registrations[who.subscriber.key] = registration
        flow_timer = self.flow_timer(transaction.flow) if update.outbound and update.direct and update.expires else 0
        response = self._success(transaction, request, registration, now)
        if update.outbound:
            response.add("Require", OUTBOUND)
        if flow_timer:
            response.add("Flow-Timer", flow_timer)
        self.engine.respond(transaction, response, now)
        if not update.fetch:
            self.engine.limit_silence(transaction.flow, flow_timer + GRACE if flow_timer else None)
        if update.fetch:
            self.save(registration)  # the answer shows what may not have been stored yet
        else:
            self._report(registration, was_active, update, identity, request, response, now)
        return None

    def _is_lost(self, binding: Binding) -> bool:
        """Whether a contact names the client's own end of a connection that is closed: nobody listens there.

        A client that has no instance id leaves one behind with each connection.
        """
        uri, flow = binding.contact.uri, binding.flow
        own_end = isinstance(uri, SipUri) and (unbracketed(uri.host), uri.port) == flow.remote
        return bool(flow.connection) and own_end and not binding.path and not self.engine.is_open(flow)

    def _new_contact_id(self) -> str:
        self._contact_count += 1
        return f"c{self._contact_count}"

    def _success(
        self, transaction: ServerTransaction, request: Request, registration: Registration, now: float
    ) -> Response:
        """RFC 3261 10.3 step 8 with RFC 3327 5.3, RFC 3608 6.3 and RFC 7315 4.1."""
        headers: list[tuple[str, object]] = [("Contact", binding.header(now)) for binding in registration.bindings]
        headers += [("Path", value) for value in request.get_all("Path")]
        if registration.active:
            headers.append(("Service-Route", self.service_route(transaction.flow)))
        headers.append(("P-Associated-URI", registration.subscriber.associated))
        headers.append(("Date", self._date(now)))
        return response_to(request, 200, to_tag=transaction.to_tag, headers=headers)

    def _date(self, now: float) -> str:
        """RFC 3261 20.17; made once a second."""
        second = int(now)
        if second != self._dated[0]:
            self._dated = (second, formatdate(now, usegmt=True))
        return self._dated[1]

    def _report(
        self,
        registration: Registration,
        was_active: bool,
        update: Update,
        identity: Identity,
        request: Request,
        response: Response,
        now: float,
    ) -> None:
        """Says what happened, and sees to the expiry."""
        self._watch_expiry(registration)
        expires, kind = update.expires, RegistrationType.DE_REGISTRATION
        if expires:
            kind = RegistrationType.RE_REGISTRATION if was_active else RegistrationType.INITIAL
        self.decide(
            f"200 to REGISTER: {kind.words}",
            {
                "private_id": update.private_id,
                "identity": identity.uri,
                "expires": expires,
                "contacts": len(registration.bindings),
                "call_id": request.call_id,
            },
        )
        event = None
        if expires or (was_active and not registration.active):
            charging = self.charging(request) if registration.subscriber.has_criteria else ""
            event = RegistrationEvent(registration.subscriber, kind, identity, expires, request, response, charging)
        self.on_event(registration, event, now)

    # The end of a registration without a REGISTER

    def _watch_expiry(self, registration: Registration, not_before: float = 0.0) -> None:
        key = registration.subscriber.key
        alarm, at = self._alarms.get(key), registration.next_expiry()
        if at is None:
            if alarm is not None:
                alarm.cancel()
                del self._alarms[key]
            return
        at = max(at, not_before)
        if alarm is not None:
            if alarm.pending and alarm.at <= at:
                return  # a refresh: the alarm finds nothing expired and looks again
            alarm.cancel()
        self._alarms[key] = self.engine.agenda.schedule(at, partial(self._expire, registration))

    def _expire(self, registration: Registration, now: float) -> None:
        gone = registration.expire(now)
        for binding in gone:
            contact = str(binding.contact.uri)
            self.decide("contact expired", {"user": registration.subscriber.key, "contact": contact})
        self._end(registration, bool(gone), now)

    def deregister(self, subscriber: Subscriber, why: str, now: float) -> None:
        """Takes all contacts of a user away on behalf of the network (TS 24.229 5.4.1.5)."""
        registration = self._registrations.get(subscriber.key)
        if registration is not None and registration.active:
            self.decide(f"user is de-registered: {why}", {"user": subscriber.key})
            self._end(registration, bool(registration.remove(ContactEvent.DEACTIVATED, now)), now)

    def _end(self, registration: Registration, changed: bool, now: float) -> None:
        self._watch_expiry(registration)
        if changed:
            event = None
            if not registration.active:
                event = RegistrationEvent(
                    registration.subscriber, RegistrationType.DE_REGISTRATION, charging=self.charging(None)
                )
            self.on_event(registration, event, now)
