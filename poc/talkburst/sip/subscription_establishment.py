"""What a notifier makes of a SUBSCRIBE: a new subscription, one to refresh, or a refusal (RFC 6665 4.2.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from talkburst.sip.dialog import Dialog, contact_of
from talkburst.sip.engine import Engine
from talkburst.sip.event_package import NotifierSubscription, Package
from talkburst.sip.flow import Flow, Listener
from talkburst.sip.headers import parse_name_addr
from talkburst.sip.kept_subscriptions import KeptSubscriptions
from talkburst.sip.living_subscriptions import LivingSubscriptions
from talkburst.sip.message import Request
from talkburst.sip.negotiation import Refusal, acceptable, granted
from talkburst.sip.sips import answer_calls_for_sips, text_as_sips
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uri import Uri

# Subscriptions to one resource, each a NOTIFY for every change, wherever its Contact says: who may watch at all could
# make more than anybody needs.
MOST_WATCHERS = 1000


Owns = Callable[[NotifierSubscription, Request], bool]
"""Whether a SUBSCRIBE in the dialog of a subscription is its subscriber's."""


class SubscriptionEstablishment:
    """Judges each SUBSCRIBE. `contact(listener)` gives the URI for Contact."""

    def __init__(
        self,
        engine: Engine,
        packages: Mapping[str, Package],
        living: LivingSubscriptions,
        kept: KeptSubscriptions,
        contact: Callable[[Listener], str],
        token: Callable[[], str],
        owns: Owns,
    ) -> None:
        self._engine = engine
        self._packages = packages
        self._living = living
        self._kept = kept
        self._contact = contact
        self._token = token
        self._owns = owns

    def judge(
        self, transaction: ServerTransaction, request: Request, now: float
    ) -> tuple[NotifierSubscription, int] | Refusal:
        """The checks of RFC 6665 4.2.1.1 to 4.2.1.3: the subscription and the seconds granted, or the refusal."""
        event = request.event
        package = self._packages.get(event.package) if event is not None else None
        if event is None or package is None:
            return Refusal(489, None, (("Allow-Events", ", ".join(self._packages)),))
        subscription: NotifierSubscription | None = None
        resource = ""
        if request.to.tag:
            subscription = self._living.of_dialog(request)
            if subscription is None or (subscription.package, subscription.event_id) != (event.package, event.id):
                return Refusal(481, "Subscription does not exist")
            if not self._owns(subscription, request):
                return Refusal(403, "Subscription is somebody else's")
            if not subscription.dialog.accepts(request):
                return Refusal(500, "CSeq is lower than one before")
        else:
            authorised = package.authorise(request, transaction.flow, now)
            if not isinstance(authorised, str):
                return Refusal(*authorised)
            resource = authorised
            subscription = self._kept.repeated(request, subscriber_of(request))
            if subscription is None and len(self._living.watching(package.name, resource)) >= MOST_WATCHERS:
                return Refusal(403, f"No more than {MOST_WATCHERS} subscriptions to {resource}")
        accept = request.values("Accept")
        if not acceptable(package.media_type, accept if request.get("Accept") is not None else None):
            return Refusal(406)
        expires = granted(request.expires, package.default_expires, package.min_expires, package.max_expires)
        if expires is None:
            return Refusal(423, None, (("Min-Expires", package.min_expires),))
        if subscription is None:
            subscription = self._subscription(transaction, request, package, resource)
        else:
            subscription.dialog.refresh_target(request)
            transaction.to_tag = subscription.dialog.local_tag
        subscription.accept, subscription.flow = accept, connection_of(transaction, request)
        return subscription, expires

    def _subscription(
        self, transaction: ServerTransaction, request: Request, package: Package, resource: str
    ) -> NotifierSubscription:
        contact_of(request)
        contact = self._contact(self._engine.listener(transaction.listener, transaction.flow.transport))
        return NotifierSubscription(
            id=self._token(),
            package=package.name,
            resource=resource,
            dialog=Dialog.as_uas(request, transaction.to_tag),
            subscriber=subscriber_of(request),
            event_id=request.event.id if request.event is not None else None,
            listener=transaction.listener,
            contact=text_as_sips(contact) if answer_calls_for_sips(request) else contact,
        )


def contact_uri(listener: Listener) -> str:
    """Where requests of a dialog reach us: the advertised address of the listener."""
    return f"sip:{listener.hostport}"


def connection_of(transaction: ServerTransaction, request: Request) -> Flow | None:
    """The connection on which requests of a new dialog reach the peer, None where there is none.

    Its other end is the peer itself, or a proxy that stays on the way; not one that only the first request passed.
    """
    direct = len(request.vias) == 1 or request.get("Record-Route") is not None or bool(request.to.tag)
    return transaction.flow if transaction.flow.connection and direct else None


def subscriber_of(request: Request) -> str:
    """Who asks, as an address of record: the first P-Asserted-Identity, else the From (24.229 5.4.2.1.1 note 1)."""
    asserted = request.values("P-Asserted-Identity")
    uri: Uri = parse_name_addr(asserted[0]).uri if asserted else request.from_.uri
    return uri.addr_of_record()


def is_of_subscriber(subscription: NotifierSubscription, request: Request) -> bool:
    """An identity that is asserted in the dialog has to be the one that was; a peer need not assert any there."""
    return request.get("P-Asserted-Identity") is None or subscriber_of(request) == subscription.subscriber


def success_headers(subscription: NotifierSubscription, request: Request, expires: int) -> list[tuple[str, object]]:
    """RFC 6665 4.2.1.1 (Expires) and RFC 3261 12.1.1 (Contact, and Record-Route where a dialog is made)."""
    headers: list[tuple[str, object]] = [("Expires", expires), ("Contact", f"<{subscription.contact}>")]
    return headers + [("Record-Route", value) for value in request.get_all("Record-Route")]
