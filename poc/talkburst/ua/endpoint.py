"""What every request of a registered client has in common."""

from collections.abc import Callable
from dataclasses import dataclass

from talkburst.sip.engine import Engine
from talkburst.sip.headers import NameAddr, SubscriptionState
from talkburst.sip.message import Request
from talkburst.sip.requester import Requester
from talkburst.sip.sips import as_sip, is_sips, names_sips
from talkburst.sip.subscriber import Subscriber, SubscribeRequests, Subscription
from talkburst.sip.uri import SipUri
from talkburst.ua.account import Account
from talkburst.ua.decision import Decide


@dataclass(slots=True)
class Endpoint:
    """The client as the network sees it. `routes` gives the Route of an initial request at the moment it is made."""

    engine: Engine
    requester: Requester
    subscriber: Subscriber
    account: Account
    contact: SipUri
    routes: Callable[[], list[str]]
    decide: Decide

    def headers(self, identity: NameAddr) -> list[tuple[str, object]]:
        """Headers of an initial request. The hint says under which identity we want to be known (RFC 3325 9.2)."""
        return [("P-Preferred-Identity", identity), ("User-Agent", self.account.user_agent)]

    def subscription(
        self,
        event: str,
        identity: NameAddr,
        *,
        accept: str,
        expires: int,
        on_notify: Callable[[Request, SubscriptionState, float], None],
        on_end: Callable[[str, float | None, float], None],
        headers: list[tuple[str, object]],
    ) -> Subscription:
        """A subscription to one's own state: Request-URI, From and To are the same identity.

        The Contact of its dialog is SIPS only where the request asks for it (RFC 5630 5.1.1.2).
        """
        routes, contact = self.routes(), self.contact
        if self.account.sips and not is_sips(identity.uri) and not (routes and names_sips(routes[0].lstrip(" <"))):
            contact = as_sip(contact).with_param("transport", "tls")
        return Subscription(
            self.requester,
            SubscribeRequests(
                event=event,
                target=str(identity.uri),
                from_=identity,
                to=identity,
                contact=f"<{contact}>",
                accept=accept,
                headers=[*headers, *self.headers(identity)],
                route=routes,
            ),
            subscriber=self.subscriber,
            expires=expires,
            on_notify=on_notify,
            on_end=on_end,
        )
