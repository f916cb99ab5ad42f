"""What an event package decides at the notifier, and what the notifier keeps of each subscription (RFC 6665 5)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from talkburst.sip.agenda import Alarm
from talkburst.sip.dialog import Dialog
from talkburst.sip.flow import Flow
from talkburst.sip.message import Request
from talkburst.sip.transaction.client import ClientTransaction


class Ending(NamedTuple):
    """The last NOTIFY of a subscription, its document made when the end was decided."""

    reason: str
    retry_after: int | None
    body: bytes | None


@dataclass(slots=True, eq=False)
class NotifierSubscription:
    """One subscriber and what it watches.

    `version` is the number for the next document and grows by one with each. `subscriber` is the first
    P-Asserted-Identity, else the From, as an address of record. `data` is the package's own.
    """

    id: str
    package: str
    resource: str
    dialog: Dialog
    subscriber: str
    event_id: str | None
    listener: str
    contact: str
    flow: Flow | None = None  # the connection its last SUBSCRIBE came on; None over UDP
    accept: list[str] = field(default_factory=list)
    expires_at: float = 0.0
    version: int = 0
    data: dict[str, object] = field(default_factory=dict)
    unanswered: bool = False  # a NOTIFY is under way
    held: bool = False  # and another one is due
    notify: ClientTransaction | None = None  # the last one
    ending: Ending | None = None
    expiry: Alarm | None = None

    @property
    def event(self) -> str:
        """The value of Event in its NOTIFYs."""
        return self.package if self.event_id is None else f"{self.package};id={self.event_id}"


class Package(Protocol):
    """An event package. Durations are whole seconds, `notify_interval` is seconds (0: no throttle)."""

    name: str
    default_expires: int
    min_expires: int
    max_expires: int
    media_type: str
    notify_interval: float

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        """The resource that is watched, or status and reason of a refusal. Asked for initial SUBSCRIBEs only."""

    def state(self, subscription: NotifierSubscription, now: float) -> bytes | None:
        """The full document for this subscription, None for a NOTIFY without a body."""

    def throttle_key(self, subscription: NotifierSubscription) -> Hashable:
        """What the package counts its notification rate by."""
