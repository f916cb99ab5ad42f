"""Who sent a request: the identity that the core asserts to everybody behind it (RFC 3325, TS 24.229 5.4.3).

On the listener for clients nothing is believed but a digest answer, or the source of a REGISTER that had one. On the
listener for servers P-Asserted-Identity is believed, and only trusted peers get in.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from talkburst.sip import NameAddr, Request, SipUri, TelUri, parse_uri
from talkburst.sip.flow import Flow
from talkburst.sip.headers import HeaderError, parse_name_addr
from talkburst.sip.privacy import hides_identity
from talkburst_core.authentication import PROXY, Authentication, Decide
from talkburst_core.bindings import Registration
from talkburst_core.profile import Identity, Subscriber, Subscribers
from talkburst_core.refusal import Refusal

# What an untrusted peer may not say; RFC 3325 5, RFC 5502, RFC 7315.
STRIPPED: Final = (
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "P-Served-User",
    "P-Charging-Vector",
    "P-Charging-Function-Addresses",
    "P-Profile-Key",
    "P-Asserted-Service",
)
# What nobody outside may read; RFC 5502, RFC 7315 4.6 and 5.6.
INTERNAL: Final = ("P-Served-User", "P-Charging-Vector", "P-Charging-Function-Addresses", "P-Profile-Key")

# What nobody outside may read where privacy is wanted; RFC 3325 7.
PRIVATE: Final = ("P-Asserted-Identity",)

FlowKey = tuple[str, str, tuple[str, int], int]


class Asserted:
    """The user whom a request comes from, and under which of the identities."""

    __slots__ = ("identity", "subscriber")

    def __init__(self, subscriber: Subscriber, identity: Identity) -> None:
        self.subscriber: Final = subscriber
        self.identity: Final = identity

    @property
    def header(self) -> NameAddr:
        """The value of P-Asserted-Identity."""
        return NameAddr(self.identity.display_name or "", parse_uri(self.identity.uri), {})


class RegisteredFlows:
    """Which users have a contact that was registered over which flow."""

    def __init__(self) -> None:
        self._users: dict[FlowKey, dict[str, Subscriber]] = {}
        self._flows: dict[str, tuple[FlowKey, ...]] = {}

    def clear(self) -> None:
        self._users.clear()
        self._flows.clear()

    def update(self, registration: Registration) -> None:
        """Takes in what the bindings of one subscriber say now."""
        subscriber = registration.subscriber
        known = self._flows.get(subscriber.key, ())
        keys = [flow_key(binding.flow) for binding in registration.bindings]
        present = tuple(keys if len(keys) < 2 else dict.fromkeys(keys))
        if present == known:
            return
        for gone in set(known).difference(present):
            users = self._users.get(gone, {})
            users.pop(subscriber.key, None)
            if not users:
                self._users.pop(gone, None)
        for key in present:
            self._users.setdefault(key, {})[subscriber.key] = subscriber
        if present:
            self._flows[subscriber.key] = present
        else:
            self._flows.pop(subscriber.key, None)

    def holds(self, flow: Flow) -> bool:
        return flow_key(flow) in self._users

    def user(self, flow: Flow, named: Iterable[Subscriber]) -> Subscriber | None:
        """The user of a flow; where several share one (a proxy, a load generator), the first of `named` among them.

        As cheap with very many users on one flow as with one.
        """
        users = self._users.get(flow_key(flow))
        if users is None:
            return None
        found = next((users[user.key] for user in named if user.key in users), None)
        return found if found is not None or len(users) > 1 else next(iter(users.values()))


def flow_key(flow: Flow) -> FlowKey:
    """What makes two requests come from the same place: source, listener and, where there is one, connection."""
    return flow.transport, flow.listener, flow.remote, flow.connection


@dataclass(slots=True, frozen=True)
class Claims:
    """Which private id an identity stands for. `domains` are ours, `home` is the first of them."""

    subscribers: Subscribers
    home: str
    domains: frozenset[str]

    def of(self, identities: Iterable[str]) -> str | None:
        """The private id of the first of them that stands for one; users go before strangers."""
        claimed = sorted(identities, key=lambda aor: self.subscribers.by_identity(aor) is None)
        return next((found for found in map(self.private_id, claimed) if found is not None), None)

    def private_id(self, aor: str) -> str | None:
        """The private id to ask credentials of; None for an identity of another domain.

        Who is nobody of ours is asked too, as if the identity were a user's: the answer tells nobody who is one.
        """
        subscriber = self.subscribers.by_identity(aor)
        if subscriber is not None:
            return private_id_for(aor, subscriber)
        uri = parse_uri(aor)
        if isinstance(uri, TelUri):
            return f"{uri.digits}@{self.home}"
        ours = isinstance(uri, SipUri) and uri.user is not None and uri.host in self.domains
        return aor.partition(":")[2] if ours else None


class Identification:
    """Finds the user whom a request on the listener for clients comes from.

    `challenge_all`: every request needs credentials; else only one from a flow that nobody registered over.
    """

    def __init__(
        self,
        claims: Claims,
        authentication: Authentication,
        flows: RegisteredFlows,
        decide: Decide,
        challenge_all: bool = False,
    ) -> None:
        self._claims = claims
        self._authentication = authentication
        self._flows = flows
        self._decide = decide
        self._challenge_all = challenge_all

    def identify(self, request: Request, flow: Flow, now: float) -> Asserted | Refusal:
        """The asserted user, or what to answer: 407, or 403 for an identity that is barred. Raises `HeaderError`."""
        hints = list(_hints(request))
        subscriber = None if self._challenge_all else self._by_flow(flow, hints)
        if subscriber is None:
            outcome = self._authentication.authenticate(request, PROXY, self._claims.of(hints), now)
            if isinstance(outcome, Refusal):
                return outcome
            subscriber = outcome.subscriber
        return self._asserted(request, subscriber, hints)

    def _by_flow(self, flow: Flow, hints: list[str]) -> Subscriber | None:
        """The user who registered over this flow; where several did, the one whom the request names."""
        named = (self._claims.subscribers.by_identity(hint) for hint in hints)
        return self._flows.user(flow, (user for user in named if user is not None))

    def _asserted(self, request: Request, subscriber: Subscriber, hints: list[str]) -> Asserted | Refusal:
        """The preferred identity if it is one of the user's, else the default one (TS 24.229 5.2.6.3)."""
        preferred = [identity for hint in hints if (identity := subscriber.identity(hint)) is not None]
        barred = next((identity for identity in preferred if identity.barred), None)
        if barred is not None:
            return self._refused(request, f"{barred.uri} is barred, it is for registration only")
        wanted = subscriber.identity(hints[0]) if hints and request.get("P-Preferred-Identity") else None
        identity = wanted or subscriber.default_identity
        if identity is None:
            return self._refused(request, "every identity of the user is barred")
        return Asserted(subscriber, identity)

    def _refused(self, request: Request, why: str) -> Refusal:
        self._decide(f"403 to {request.method}: {why}", {"call_id": request.call_id})
        return Refusal(403, why)


def private_id_for(aor: str, subscriber: Subscriber) -> str:
    """The private id to ask credentials of when only an identity is known (TS 24.229 5.4.1.1)."""
    derived = aor.partition(":")[2]
    return derived if derived in subscriber.private_ids else subscriber.private_ids[0]


def _hints(request: Request) -> Iterator[str]:
    """The identities that a request claims, the strongest claim first: P-Preferred-Identity, then From."""
    for value in request.values("P-Preferred-Identity"):
        yield parse_name_addr(value).uri.addr_of_record()
    yield request.from_.uri.addr_of_record()


def assert_identity(request: Request, asserted: Asserted) -> None:
    """Replaces what the client said of itself by what we know (RFC 3325 5)."""
    strip(request)
    request.add("P-Asserted-Identity", asserted.header)


def strip(request: Request) -> None:
    """Takes out what somebody we do not trust may not say."""
    _remove(request, STRIPPED)


def withhold(request: Request) -> None:
    """Takes out what somebody we do not trust may not read; who is asking too, where privacy is wanted (RFC 3325 7)."""
    _remove(request, INTERNAL)
    if hides_identity(request):
        _remove(request, PRIVATE)


def _remove(request: Request, names: Iterable[str]) -> None:
    for name in names:
        if request.get(name) is not None:
            request.remove(name)


def asserted_by_peer(request: Request, subscribers: Subscribers) -> Asserted | None:
    """The user of ours whom a trusted peer names in P-Served-User or P-Asserted-Identity; None for anybody else."""
    for name in ("P-Served-User", "P-Asserted-Identity"):
        for value in request.values(name):
            try:
                found = subscribers.find(str(parse_name_addr(value).uri))
            except HeaderError:
                continue
            if found is not None:
                return Asserted(*found)
    return None
