"""Third-party registration: application servers learn that a user registered (TS 24.229 5.4.1.7).

After the 200 to the user, one REGISTER goes to every application server whose criterion matches. A server that was told
is told the end too, whatever the de-registration looks like: it carries no feature tags any more, or was no request at
all but the clock. The requests to one server about one user have one Call-ID and go one by one (RFC 3261 10.2).

A server that fails although the user may stay registered without it (DefaultHandling 0) is told again, at growing
intervals, until it answers or the registration ends: servers may start after their users. The end is told again too,
for as long as the server may take the user for registered by what it was told before.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from talkburst.sip import Request, Response
from talkburst.sip.backoff import retry_after
from talkburst.sip.engine import Engine, Failure
from talkburst.sip.journal import Journal, Rows, text
from talkburst_core.filter_criteria import (
    DefaultHandling,
    Evaluation,
    RegistrationType,
    SessionCase,
    Subject,
)
from talkburst_core.profile import Profile, Subscriber, Subscribers
from talkburst_core.registration_event import Order, RegistrationEvent, addressee, evaluations, facts_of, why_nobody
from talkburst_core.service_information import body_of
from talkburst_core.told import Told, told_from

Decide = Callable[[str, Mapping[str, object]], None]
TABLE: Final = "told"
# Copied from the REGISTER of the user (TS 24.229 5.4.1.7).
COPIED = ("P-Access-Network-Info", "P-Visited-Network-ID")
COPIED_FROM_RESPONSE = ("P-Charging-Function-Addresses",)


@dataclass(slots=True)
class ThirdPartyRegistration:
    """Sends third-party REGISTER requests. `uri` is the core's, `contact(server)` where that server reaches it.

    `on_terminated(subscriber, now)` is called when a server fails whose criterion says that the user may not stay
    registered without it (DefaultHandling 1). `patience`: seconds that all machines behind the name of a server have
    until the last one is asked.
    """

    engine: Engine
    uri: str
    contact: Callable[[str], str]
    listener: str
    decide: Decide
    on_terminated: Callable[[Subscriber, str, float], None]
    patience: float
    journal: Journal | None = None
    _told: dict[str, dict[str, Told]] = field(default_factory=dict)

    def told(self, subscriber: Subscriber) -> Mapping[str, Told]:
        """The servers that know of the user's registration, by name."""
        return self._told.get(subscriber.key, {})

    def restore(self, rows: Rows, subscribers: Subscribers, now: float, resume_at: float) -> None:
        """Makes what the servers know what `rows` say. At `resume_at` those are told who have not answered.

        A server that no criterion of the user names any more is forgotten. Raises RowError, HeaderError or UriError.
        """
        restored = [(key, row, told_from(row, subscribers)) for key, row in rows.items()]
        for told in (told for servers in self._told.values() for told in servers.values()):
            if told.transaction is not None:
                told.transaction.abandon(now)
            if told.again is not None:
                told.again.cancel()
        self._told = {}
        for key, row, found in restored:
            if found is None:
                self.decide("what a server was told is dropped: the profile has no such user or server", {"told": key})
                if self.journal is not None:
                    self.journal.delete(TABLE, key)
                continue
            subscriber, told = found
            server = text(row, "server")
            self._told.setdefault(subscriber.key, {})[server] = told
            if told.sent is not None:
                told.again = self.engine.agenda.schedule(
                    resume_at, partial(self._repeat, server, told, subscriber, told.sent)
                )

    def _save(self, server: str, told: Told, subscriber: Subscriber) -> None:
        if self.journal is not None:
            self.journal.put(TABLE, f"{subscriber.key} {server}", told.to_row(subscriber.key, server))

    def on_event(self, event: RegistrationEvent, now: float) -> None:
        """Tells every server that is to know."""
        if not (event.subscriber.has_criteria or self.told(event.subscriber)):
            self.decide("no third-party REGISTER: the profile has no criteria", facts_of(event))
            return
        evaluated = evaluations(event)
        orders = self._orders(event, evaluated)
        unmatched = " | ".join(evaluation.reason for _, evaluation in evaluated if not evaluation.matched)
        for server, order in orders.items():
            facts = {
                **facts_of(event),
                "to": order.to,
                "expires": event.expires,
                "unmatched": unmatched or None,
            }
            self.decide(f"third-party REGISTER to {server}: {order.reason}", facts)
            self._tell(server, order, event, now)
        if not orders:
            self.decide("no third-party REGISTER: " + (why_nobody(event) or unmatched), facts_of(event))

    # Which servers

    def _orders(self, event: RegistrationEvent, evaluated: list[tuple[Profile, Evaluation]]) -> dict[str, Order]:
        """One for each application server, whose first matching criterion counts."""
        orders: dict[str, Order] = {}
        if event.kind is RegistrationType.DE_REGISTRATION:
            orders.update(self._farewells(event))
        for profile, evaluation in evaluated:
            server, to = evaluation.criterion.server.server_name, addressee(profile, event)
            if evaluation.matched and to is not None:
                orders.setdefault(server, Order(evaluation.criterion, to.uri, evaluation.reason))
        return orders

    def _farewells(self, event: RegistrationEvent) -> Iterator[tuple[str, Order]]:
        """Servers that were told, unless their criterion is not for de-registrations.

        It is evaluated against the REGISTER that they were told of: the present one, if any, lacks what matched then.
        """
        for server, told in self.told(event.subscriber).items():
            subject = Subject(told.request, SessionCase.ORIGINATING, True, RegistrationType.DE_REGISTRATION)
            evaluation = told.criterion.evaluate(subject)
            if evaluation.matched:
                yield server, Order(told.criterion, told.to, "the server was told of the registration")
            else:
                self.decide(f"{server} is not told of the end: {evaluation.reason}", facts_of(event))

    # Telling them

    def _tell(self, server: str, order: Order, event: RegistrationEvent, now: float) -> None:
        users = self._told.setdefault(event.subscriber.key, {})
        told = users.get(server)
        if told is None:
            request = event.request
            assert request is not None  # only a REGISTER brings in a new server
            told = users[server] = Told(order.criterion, order.to, self.engine.token(), request)
        if event.kind is not RegistrationType.DE_REGISTRATION and event.request is not None:
            told.criterion, told.to, told.request = order.criterion, order.to, event.request
        if told.again is not None:
            told.again.cancel()
            told.again = None
        told.cseq += 1
        if event.kind is not RegistrationType.DE_REGISTRATION:
            told.ends_at = now + event.expires
        told.waiting = self._request(server, told, event)
        self._save(server, told, event.subscriber)
        self._send_next(server, told, event.subscriber, now)

    def _request(self, server: str, told: Told, event: RegistrationEvent) -> Request:
        headers: list[tuple[str, object]] = [
            ("From", f"<{self.uri}>;tag={self.engine.token()}"),
            ("To", f"<{told.to}>"),
            ("Call-ID", told.call_id),
            ("CSeq", f"{told.cseq} REGISTER"),
            ("Contact", f"<{self.contact(server)}>"),
            ("Expires", event.expires),
        ]
        if event.charging:
            headers.append(("P-Charging-Vector", event.charging))
        for source, names in ((event.request, COPIED), (event.response, COPIED_FROM_RESPONSE)):
            if source is not None:
                headers += [(name, value) for name in names for value in source.get_all(name)]
        request = Request("REGISTER", server, headers)
        content = body_of(told.criterion.server, event.kind, event.request, event.response, self.engine.token)
        if content is not None:
            request.set_body(*content)
        return request

    def _send_next(self, server: str, told: Told, subscriber: Subscriber, now: float) -> None:
        """One at a time; of those that wait the last one says it all."""
        if told.transaction is not None or told.waiting is None:
            return
        request = told.sent = told.waiting
        told.waiting = None
        handler = partial(self._answered, server, told, subscriber, request)
        told.transaction = self.engine.send_request(
            request, handler, now, listener=self.listener, patience=self.patience
        )

    def _answered(
        self, server: str, told: Told, subscriber: Subscriber, request: Request, outcome: Response | Failure, now: float
    ) -> None:
        if isinstance(outcome, Response) and outcome.status < 200:
            return
        told.transaction = None
        expires = int(request.get("Expires") or 0)
        failed = not isinstance(outcome, Response) or outcome.status == 408 or 500 <= outcome.status < 600
        refused = isinstance(outcome, Response) and outcome.status >= 300 and not failed
        if failed or refused:
            self._report(server, told, subscriber, request, outcome)
        else:
            told.backoff.reset()
        told.sent = None
        if failed and (expires == 0 or told.criterion.default_handling is DefaultHandling.SESSION_CONTINUED):
            asked = retry_after(outcome) if isinstance(outcome, Response) else None
            self._tell_again(server, told, subscriber, request, asked, now)
        if not told.unanswered and (expires == 0 or refused):
            self._forget(server, told, subscriber)
        else:
            self._save(server, told, subscriber)
        self._send_next(server, told, subscriber, now)
        if failed and expires > 0 and told.criterion.default_handling is DefaultHandling.SESSION_TERMINATED:
            # TS 24.229 5.4.1.7: the user can not stay registered without this server.
            self.on_terminated(subscriber, f"{server} failed, DefaultHandling is SESSION_TERMINATED", now)

    def _tell_again(
        self, server: str, told: Told, subscriber: Subscriber, request: Request, asked: float | None, now: float
    ) -> None:
        """Repeat a REGISTER that failed, with what is left of its time, unless something newer waits or it is over.

        `asked` is the Retry-After of the answer (RFC 3261 21.5.4). After an end, that time is what the server has been
        told before.
        """
        at = now + told.backoff.next(asked)
        if told.waiting is not None or at >= told.ends_at:
            return
        told.sent = request
        told.again = self.engine.agenda.schedule(at, partial(self._repeat, server, told, subscriber, request))

    def _repeat(self, server: str, told: Told, subscriber: Subscriber, request: Request, now: float) -> None:
        """Send a REGISTER once more, under the next CSeq number and with what is left of its time."""
        told.again = None
        current = self._told.get(subscriber.key, {}).get(server)
        if current is not told or told.waiting is not None or told.transaction is not None:
            return
        told.cseq += 1
        told.waiting = request.copy()
        told.waiting.set("CSeq", f"{told.cseq} REGISTER")
        if request.get("Expires") != "0":
            told.waiting.set("Expires", max(1, int(told.ends_at - now)))
        self._save(server, told, subscriber)
        self._send_next(server, told, subscriber, now)

    def _report(
        self, server: str, told: Told, subscriber: Subscriber, request: Request, outcome: Response | Failure
    ) -> None:
        handling = told.criterion.default_handling.name
        self.decide(
            f"third-party REGISTER to {server} failed: {outcome_words(outcome)}, DefaultHandling is {handling}",
            {"user": subscriber.key, "call_id": request.call_id},
        )

    def _forget(self, server: str, told: Told, subscriber: Subscriber) -> None:
        users = self._told.get(subscriber.key, {})
        if users.get(server) is told:
            del users[server]
            if self.journal is not None:
                self.journal.delete(TABLE, f"{subscriber.key} {server}")
        if not users:
            self._told.pop(subscriber.key, None)


def outcome_words(outcome: Response | Failure) -> str:
    """The end of a transaction, for people: "503 Service Unavailable", "no answer", "unreachable"."""
    if isinstance(outcome, Response):
        return f"{outcome.status} {outcome.reason}"
    return "no answer" if outcome is Failure.TIMEOUT else "unreachable"
