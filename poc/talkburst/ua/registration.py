"""The registration of the client: REGISTER, its digest, its refresh, and what the home network tells in the 200.

TS 24.229 5.1.1 over RFC 3261 10.2. One REGISTER is on its way at a time; all have the same Call-ID and rising CSeq.
"""

from collections.abc import Callable
from typing import Final

from talkburst.sip.agenda import Agenda, Alarm
from talkburst.sip.asked_duration import AskedDuration, stated_seconds
from talkburst.sip.backoff import Backoff, renewal, retry_after
from talkburst.sip.dialog import with_tag
from talkburst.sip.flow import Address
from talkburst.sip.headers import AuthHeader, HeaderError, NameAddr, parse_delta_seconds, parse_name_addrs
from talkburst.sip.message import Request, Response
from talkburst.sip.requester import CHALLENGES, Attempt, Requester, is_answerable
from talkburst.sip.transaction.client import Failure
from talkburst.sip.uri import SipUri
from talkburst.ua.account import Account, address
from talkburst.ua.decision import Decide
from talkburst.ua.registration_states import IGNORED, TRANSITIONS, Happening, State

# Answers that may be another next time, beside all 5xx: overload, a core that is starting, a server in between.
_PASSING: Final = frozenset({408, 480, 600})
# Seconds. A connection that was lost is made anew almost at once, unless it is lost again within this time.
STEADY: Final = 120.0  # RFC 5626 4.5
# Seconds. A registrar that grants less, or nothing, must not keep us registering without a pause.
SHORTEST: Final = 2


class Registration:
    """One binding of the account's public identity to this device.

    `on_registered(now)` follows every 2xx, `on_refused(why)` the answer that ends it, and nothing comes after that.
    """

    def __init__(
        self,
        requester: Requester,
        agenda: Agenda,
        token: Callable[[], str],
        account: Account,
        contact: SipUri,
        *,
        on_registered: Callable[[float], None],
        on_refused: Callable[[str], None],
        decide: Decide,
    ) -> None:
        self._requester = requester
        self._agenda = agenda
        self._account = account
        self._contact = contact
        self._on_registered = on_registered
        self._on_refused = on_refused
        self._decide = decide
        self._call_id = token()
        self._tag = token()
        self._cseq = 0
        self._asked = AskedDuration(account.expires)
        self._backoff = Backoff()
        self._recovery = Backoff()
        self._lost_at: float | None = None
        self._alarm: Alarm | None = None
        self._left: Callable[[float], None] | None = None
        self._attempt: Attempt | None = None
        self.state = State.IDLE
        self.registrar: Address | None = None
        """Where the home network is: the next hop that brought the last 200."""
        self.expires_at: float | None = None
        self.associated: list[NameAddr] = []
        """P-Associated-URI: the user's identities, the default one first, barred ones left out."""
        self.service_route: list[str] = []
        """The Route of initial requests (RFC 3608 6.1), after the outbound proxy."""

    def start(self, now: float) -> None:
        """Register. It goes on by itself from here, until `leave`."""
        self._due(now)

    def renew(self, now: float) -> None:
        """Register again at once: the home network seems to have forgotten us. Not while an answer is awaited."""
        if self.state is State.REGISTERED:
            self._due(now)

    def recover(self, now: float) -> None:
        """The connection that we registered on is lost: register on another, a little later each time this goes on."""
        if self.state is not State.REGISTERED:
            return
        if self._lost_at is None or now - self._lost_at > STEADY:
            self._recovery.reset()
        self._lost_at = now
        self._set_alarm(now + self._recovery.next())

    def leave(self, now: float, left: Callable[[float], None]) -> None:
        """Remove the binding. `left(now)` is called once, when it is gone or nobody answers."""
        self._left = left
        self._move(Happening.LEAVE, now)

    @property
    def public_identity(self) -> NameAddr:
        """The identity for everything but REGISTER: the registered one, or the first associated one if it is barred.

        A barred identity is not in P-Associated-URI. A network that sends none leaves the registered one.
        """
        own = address(self._account.public_id)
        aor = own.uri.addr_of_record()
        if not self.associated or any(each.uri.addr_of_record() == aor for each in self.associated):
            return own
        return address(self.associated[0].uri)

    @property
    def routes(self) -> list[str]:
        """Route for initial requests other than REGISTER."""
        return [*self._account.routes, *self.service_route]

    # The machine

    def _move(self, happening: Happening, now: float) -> bool:
        """Takes a transition; entering REGISTERING, LEAVING and LEFT acts. False when there is nothing to move."""
        if (self.state, happening) in IGNORED:
            return False
        self.state = TRANSITIONS[self.state, happening]
        if self.state is State.REGISTERING:
            self._send(self._asked.seconds, now)
        elif self.state is State.LEAVING:
            self._send(0, now)
        elif self.state is State.LEFT:
            self._set_alarm(None)
            left, self._left = self._left, None
            if left is not None:
                left(now)
        return True

    def _due(self, now: float) -> None:
        self._move(Happening.DUE, now)

    def _set_alarm(self, at: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if at is None else self._agenda.schedule(at, self._due)

    # Out

    def _send(self, expires: int, now: float) -> None:
        self._set_alarm(None)
        account = self._account
        own = account.address_of_record
        request = Request("REGISTER", account.registrar, [("Route", route) for route in account.routes])
        request.add("From", with_tag(own, self._tag))
        request.add("To", own)
        request.add("Call-ID", self._call_id)
        request.add("CSeq", f"{self._next_cseq()} REGISTER")
        request.add("Contact", account.contact(self._contact))
        request.add("Expires", expires)
        request.add("Supported", "path")
        if account.initial_authorization:
            request.add("Authorization", self._nothing_answered())
        request.add("User-Agent", account.user_agent)
        self._attempt = self._requester.send(request, self._answered, now, next_cseq=self._next_cseq)

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    def _nothing_answered(self) -> AuthHeader:
        """TS 24.229 5.1.1.2: names the private id, so that the home network knows whom to challenge."""
        account = self._account
        return AuthHeader(
            "Digest",
            {
                "username": account.private_id,
                "realm": account.realm,
                "uri": account.registrar,
                "nonce": "",
                "response": "",
            },
        )

    # In

    def _answered(self, outcome: Response | Failure, now: float) -> None:
        if isinstance(outcome, Response) and outcome.status < 200:
            return
        if self.state is State.LEAVING:
            self.expires_at = None
            self._move(Happening.ACCEPTED, now)
            return
        if isinstance(outcome, Response) and outcome.status < 300:
            self._accepted(outcome, now)
        elif isinstance(outcome, Response) and self._asked.prolong(outcome):
            self._send(self._asked.seconds, now)
            return
        elif not isinstance(outcome, Response) or outcome.status in _PASSING or outcome.status // 100 == 5:
            self._unavailable(outcome, now)
        else:
            self._refused(outcome, now)
        if self._left is not None:
            self._move(Happening.LEAVE, now)

    def _accepted(self, response: Response, now: float) -> None:
        self._backoff.reset()
        self._asked.accepted()
        flow = self._attempt.flow if self._attempt is not None else None
        self.registrar = None if flow is None else flow.remote
        granted = self._granted(response)
        self.expires_at = now + granted
        self.associated = _addresses(response, "P-Associated-URI")
        self.service_route = response.values("Service-Route")
        self._set_alarm(now + renewal(granted))
        self._move(Happening.ACCEPTED, now)
        self._decide(
            "registered",
            {
                "identity": str(self.public_identity.uri),
                "expires": granted,
                "associated": [str(each.uri) for each in self.associated],
                "call_id": self._call_id,
            },
        )
        if self._left is None:
            self._on_registered(now)

    def _granted(self, response: Response) -> int:
        """Seconds: of our own Contact, else of Expires, else as asked (RFC 3261 10.2.4)."""
        for contact in _addresses(response, "Contact"):
            ours = self._account.instance in (contact.params.get("+sip.instance") or "")
            expires = contact.params.get("expires")
            if expires is not None and (ours or contact.uri.equivalent(self._contact)):
                try:
                    return max(SHORTEST, parse_delta_seconds(expires))
                except HeaderError:
                    break
        stated = stated_seconds(response, "Expires")
        return max(SHORTEST, self._asked.seconds if stated is None else stated)

    def _unavailable(self, outcome: Response | Failure, now: float) -> None:
        delay = self._backoff.next(retry_after(outcome) if isinstance(outcome, Response) else None)
        self._set_alarm(now + delay)
        self._move(Happening.UNAVAILABLE, now)
        self._decide(
            f"not registered: {self._account.registrar} {_words(outcome)}, trying again",
            {"seconds": delay, "call_id": self._call_id},
        )

    def _refused(self, response: Response, now: float) -> None:
        self.expires_at = None
        self._move(Happening.REFUSED, now)
        account = self._account
        if response.status in CHALLENGES and not is_answerable(response):
            why = "it offers no Digest challenge that can be answered"
        elif response.status in CHALLENGES:
            why = f"the password of private id {account.private_id} is not accepted"
        elif response.status == 403:
            why = f"private id {account.private_id} may not register {account.public_id}"
        elif response.status == 404:
            why = f"{account.public_id} is no user there"
        else:
            why = "it does not take this REGISTER"
        self._on_refused(f"registration refused by {account.registrar}: {response.status} {response.reason} ({why})")


def _words(outcome: Response | Failure) -> str:
    if isinstance(outcome, Response):
        return f"answers {outcome.status} {outcome.reason}"
    return "does not answer" if outcome is Failure.TIMEOUT else "cannot be reached"


def _addresses(response: Response, name: str) -> list[NameAddr]:
    """The addresses in all header fields of that name; a field that cannot be read is passed over."""
    found = []
    for field in response.get_all(name):
        try:
            found += parse_name_addrs(field)
        except HeaderError:
            continue
    return found
