"""Third-party registration at the PoC server: the core tells that a user registered (TS 24.229 5.4.1.7 and 5.7.1.1).

From and Contact of such a REGISTER are the core's, so it binds nothing. It says whose reg event is worth watching,
and the way back to the core.

With a journal each user is a row of the table "registrations" under the canonical form of To, from the first REGISTER
to the last NOTIFY of the reg event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from talkburst.sip.agenda import Agenda, Alarm
from talkburst.sip.flow import Flow
from talkburst.sip.headers import HeaderError, parse_delta_seconds
from talkburst.sip.journal import Journal, Rows, optional_number, text
from talkburst.sip.message import Request
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uas import Uas
from talkburst.sip.uri import SipUri, TelUri, Uri
from talkburst_server.decision import Decide
from talkburst_server.reg_watcher import RegWatcher

TABLE: Final = "registrations"
DEFAULT_EXPIRES: Final = 3600
# Seconds a registration may be overdue before the server takes it for ended: 64*T1 for the core's own news of the end.
# As long the core may take to answer whether it has.
GRACE: Final = 32.0
# After a restart the reg event of every user is asked for; so many a second, for the core has other things to do.
RESUMED_PER_SECOND: Final = 100


@dataclass(slots=True)
class ThirdPartyRegistration:
    """A user whom the core announced. `address` is the canonical form of To."""

    address: str
    watcher: RegWatcher
    expires_at: float
    overdue: Alarm


class ThirdPartyRegistrar:
    """Takes REGISTER from the core. `watcher(user)` makes the watcher of a user's reg event.

    `on_left(registration, now)` is called when the core says that the user is gone.
    """

    def __init__(
        self,
        uas: Uas,
        agenda: Agenda,
        *,
        trusted: Callable[[Flow], bool],
        watcher: Callable[[str], RegWatcher],
        on_left: Callable[[ThirdPartyRegistration, float], None],
        decide: Decide,
        journal: Journal | None = None,
    ) -> None:
        self._uas = uas
        self._agenda = agenda
        self._trusted = trusted
        self._watcher = watcher
        self._on_left = on_left
        self._decide = decide
        self._journal = journal
        self._registrations: dict[str, ThirdPartyRegistration] = {}
        self._watchers: dict[str, RegWatcher] = {}

    @property
    def registrations(self) -> list[ThirdPartyRegistration]:
        """The users whom the core announced and did not take back."""
        return list(self._registrations.values())

    def knows(self, address: str) -> bool:
        """Whether the core announced a user under this address, or the reg event of it is still followed."""
        return address in self._registrations or address in self._watchers

    def keep(self, watcher: RegWatcher) -> None:
        """Writes a user to the journal as it is now; one who left, and whose reg event has ended, is forgotten."""
        address = watcher.address
        registration = self._registrations.get(address)
        gone = registration is None and not watcher.watching
        if gone:
            self._watchers.pop(address, None)
        if self._journal is None:
            return
        if gone:
            self._journal.delete(TABLE, address)
        else:
            expires_at = None if registration is None else registration.expires_at
            self._journal.put(TABLE, address, {**watcher.to_row(), "expires_at": expires_at})

    def restore(self, rows: Rows, now: float, resume_at: float) -> None:
        """Makes the users what `rows` say, whatever they are now. Sends nothing before `resume_at`.

        Who is overdue by then has GRACE for the reg event to say otherwise. Raises RowError or HeaderError.
        """
        for registration in self._registrations.values():
            registration.overdue.cancel()
        for watcher in self._watchers.values():
            watcher.abandon(now)
        self._registrations.clear()
        self._watchers.clear()
        for number, (address, row) in enumerate(rows.items()):
            watcher = self._watchers[address] = self._watcher(text(row, "user"))
            expires_at = optional_number(row, "expires_at")
            if expires_at is not None:
                overdue = self._agenda.schedule(max(expires_at, resume_at) + GRACE, partial(self._expired, address))
                self._registrations[address] = ThirdPartyRegistration(address, watcher, expires_at, overdue)
            watcher.restore(row, resume_at + number / RESUMED_PER_SECOND)

    def on_register(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Answers at once; what follows from the REGISTER follows after the 200."""
        facts: dict[str, object] = {
            "user": str(request.to.uri),
            "peer": transaction.flow.remote[0],
            "call_id": request.call_id,
        }
        if not self._trusted(transaction.flow):
            self._decide("third-party REGISTER refused: the peer is not in trust.peers", facts)
            self._uas.reply(transaction, 403, now, "Peer is not trusted to register users")
            return
        passed_on = request.get("P-Asserted-Identity")
        if passed_on is not None:
            # The core lets no client's request by without it, and puts none in its own (TS 24.229 5.4.1.7).
            self._decide(f"third-party REGISTER refused: passed on for {passed_on}", facts)
            self._uas.reply(transaction, 403, now, "Not the core's own")
            return
        user = request.to.uri
        if not isinstance(user, SipUri | TelUri):
            self._decide("third-party REGISTER refused: To is neither a SIP nor a tel URI", facts)
            self._uas.reply(transaction, 404, now, "To is no public user identity")
            return
        expires = _expires(request)
        self._decide("third-party REGISTER accepted", {**facts, "expires": expires})
        # No Contact: RFC 3261 10.3 would list bindings, and there is none here.
        self._uas.reply(transaction, 200, now, headers=[("Expires", expires)])
        if expires > 0:
            self._register(user, _way_back(request), now + expires, now)
        else:
            self._leave(user.addr_of_record(), now)

    def _register(self, user: Uri, route: str | None, expires_at: float, now: float) -> None:
        address = user.addr_of_record()
        known = self._registrations.get(address)
        if known is not None:
            known.overdue.cancel()
        watcher = self._watchers.get(address)
        if watcher is None:
            watcher = self._watchers[address] = self._watcher(str(user))
        overdue = self._agenda.schedule(expires_at + GRACE, partial(self._expired, address))
        self._registrations[address] = ThirdPartyRegistration(address, watcher, expires_at, overdue)
        watcher.registered(route, now)

    def _leave(self, address: str, now: float) -> None:
        registration = self._registrations.pop(address, None)
        if registration is None:
            return
        registration.overdue.cancel()
        self._on_left(registration, now)
        registration.watcher.left()

    def _expired(self, address: str, now: float) -> None:
        """Overdue. The reg event knows better, another client may be registered longer; so the core is asked."""
        registration = self._registrations[address]
        if not registration.watcher.watching:
            self._has_expired(address, now)
            return
        registration.watcher.ask(now)
        registration.overdue = self._agenda.schedule(now + GRACE, partial(self._asked, address))

    def _asked(self, address: str, now: float) -> None:
        """The core has had its time to say that the user is gone. One that is away itself is asked again."""
        registration = self._registrations[address]
        if not registration.watcher.trying:
            self._has_expired(address, now)
            return
        registration.overdue = self._agenda.schedule(now + DEFAULT_EXPIRES, partial(self._expired, address))

    def _has_expired(self, address: str, now: float) -> None:
        self._decide("third-party registration expired", {"user": address})
        self._leave(address, now)


def _expires(request: Request) -> int:
    """Seconds: of the Contact, else of Expires, else an hour (RFC 3261 10.2.1.1)."""
    if not request.contact_is_wildcard and request.contacts:
        own = request.contacts[0].params.get("expires")
        try:
            if own is not None:
                return parse_delta_seconds(own)
        except HeaderError:
            return DEFAULT_EXPIRES  # RFC 3261 10.2: what cannot be read counts as 3600
    return DEFAULT_EXPIRES if request.expires is None else request.expires


def _way_back(request: Request) -> str | None:
    """Route to the core that sent this: its Contact, else its From. None when neither is a SIP URI."""
    contacts = [] if request.contact_is_wildcard else request.contacts
    for uri in [*(contact.uri for contact in contacts), request.from_.uri]:
        if isinstance(uri, SipUri):
            target = SipUri(uri.scheme, uri.user, uri.host, uri.port, {**uri.params, "lr": None})
            return f"<{target}>"
    return None
