"""What an event package decides at the notifier, and what the notifier keeps of each subscription (RFC 6665 5)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from talkburst.sip.agenda import Alarm
from talkburst.sip.backoff import Backoff
from talkburst.sip.dialog import Dialog
from talkburst.sip.flow import Flow
from talkburst.sip.journal import (
    Json,
    Row,
    as_row,
    integer,
    mapping,
    number,
    octets,
    octets_text,
    optional_integer,
    optional_text,
    text,
    texts,
)
from talkburst.sip.message import Request
from talkburst.sip.transaction.client import ClientTransaction


class Ending(NamedTuple):
    """The last NOTIFY of a subscription, its document made when the end was decided."""

    reason: str
    retry_after: int | None
    body: bytes | None

    def to_row(self) -> Row:
        body = None if self.body is None else octets_text(self.body)
        return {"reason": self.reason, "retry_after": self.retry_after, "body": body}

    @classmethod
    def from_row(cls, row: Row) -> Ending:
        body = None if row.get("body") is None else octets(row, "body")
        return cls(text(row, "reason"), optional_integer(row, "retry_after"), body)


@dataclass(slots=True, eq=False)
class NotifierSubscription:
    """One subscriber and what it watches.

    `version` is the number for the next document and grows by one with each. `subscriber` is the first
    P-Asserted-Identity, else the From, as an address of record. `data` is the package's own, as of the last document
    that was made; `confirmed` is what it was for the last one that the subscriber has answered, and what is stored.
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
    data: dict[str, Json] = field(default_factory=dict)
    confirmed: dict[str, Json] = field(default_factory=dict)
    unanswered: bool = False  # a NOTIFY is under way
    held: bool = False  # and another one is due
    due: bool = False  # a NOTIFY is owed: since before a restart, or because the last one did not get through
    backoff: Backoff = field(default_factory=Backoff)  # for one that did not get through
    again: Alarm | None = None  # when it is sent once more
    ending: Ending | None = None
    expiry: Alarm | None = None
    transaction: ClientTransaction | None = None  # of the last NOTIFY

    @property
    def event(self) -> str:
        """The value of Event in its NOTIFYs."""
        return self.package if self.event_id is None else f"{self.package};id={self.event_id}"

    def subscription_state(self, now: float) -> str:
        """RFC 6665 4.2.2: `expires` always while it lives, never at the end, which has a reason instead."""
        if self.ending is None:
            # The clock's fraction must not turn the 3600 that the 200 grants into 3599.
            return f"active;expires={max(0, int(self.expires_at - now + 0.001))}"
        retry_after = "" if self.ending.retry_after is None else f";retry-after={self.ending.retry_after}"
        return f"terminated;reason={self.ending.reason}{retry_after}"

    def notify(self, body: bytes | None, media_type: str, now: float) -> Request:
        """The NOTIFY that says how it stands (RFC 6665 4.2.2)."""
        headers: list[tuple[str, object]] = [
            ("Contact", f"<{self.contact}>"),
            ("Event", self.event),
            ("Subscription-State", self.subscription_state(now)),
        ]
        if body is None:
            return self.dialog.request("NOTIFY", headers)
        headers += [("Content-Type", media_type), ("Content-Length", len(body))]
        return self.dialog.request("NOTIFY", headers, body)

    def not_due(self) -> None:
        """No NOTIFY is owed any more, and none is sent once more."""
        self.due = False
        if self.again is not None:
            self.again.cancel()
            self.again = None

    def facts(self) -> dict[str, object]:
        """Which one it is, for the log."""
        return {
            "event": self.event,
            "resource": self.resource,
            "subscriber": self.subscriber,
            "call_id": self.dialog.call_id,
        }

    def to_row(self, owed: bool) -> Row:
        """As it is stored. `owed`: the subscriber has not confirmed that it knows the present state."""
        return {
            "package": self.package,
            "resource": self.resource,
            "dialog": self.dialog.to_row(),
            "subscriber": self.subscriber,
            "event_id": self.event_id,
            "listener": self.listener,
            "contact": self.contact,
            "accept": list(self.accept),
            "expires_at": self.expires_at,
            "version": self.version,
            "data": dict(self.confirmed),
            "owed": owed,
            "ending": None if self.ending is None else self.ending.to_row(),
        }

    @classmethod
    def from_row(cls, key: str, row: Row) -> NotifierSubscription:
        """Raises RowError or HeaderError."""
        ending = row.get("ending")
        return cls(
            id=key,
            package=text(row, "package"),
            resource=text(row, "resource"),
            dialog=Dialog.from_row(mapping(row, "dialog")),
            subscriber=text(row, "subscriber"),
            event_id=optional_text(row, "event_id"),
            listener=text(row, "listener"),
            contact=text(row, "contact"),
            accept=texts(row, "accept"),
            expires_at=number(row, "expires_at"),
            version=integer(row, "version"),
            data=dict(mapping(row, "data")),
            confirmed=dict(mapping(row, "data")),
            due=bool(row.get("owed")),
            ending=None if ending is None else Ending.from_row(as_row(ending, "ending")),
        )


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
