"""The subscriptions of a notifier, stored: each is a row from its SUBSCRIBE to the answer to its last NOTIFY."""

from __future__ import annotations

from collections.abc import Iterator

from talkburst.sip.dialog import Dialog
from talkburst.sip.event_package import NotifierSubscription
from talkburst.sip.journal import Journal
from talkburst.sip.message import Request

TABLE = "subscriptions"


class KeptSubscriptions:
    """All that live, and those that only wait for their last answer. Without a journal nothing is written."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._kept: dict[str, NotifierSubscription] = {}  # by id
        self._restored: dict[tuple[str, str], NotifierSubscription] = {}  # by what the subscriber gave the dialog

    def __iter__(self) -> Iterator[NotifierSubscription]:
        return iter(list(self._kept.values()))

    def add(self, subscription: NotifierSubscription) -> None:
        self._kept[subscription.id] = subscription

    def save(self, subscription: NotifierSubscription, waits: bool) -> None:
        """Write it as it is now. `waits`: a NOTIFY is owed that its package's rate holds back."""
        if self._journal is not None and subscription.id in self._kept:
            owed = subscription.unanswered or subscription.held or subscription.due or waits
            self._journal.put(TABLE, subscription.id, subscription.to_row(owed))

    def drop(self, subscription: NotifierSubscription) -> None:
        """The last NOTIFY has been answered, or there will be none."""
        del self._kept[subscription.id]
        if self._journal is not None:
            self._journal.delete(TABLE, subscription.id)

    def replace(self, restored: list[NotifierSubscription]) -> None:
        """These and no others, as they were stored."""
        self._kept = {subscription.id: subscription for subscription in restored}
        living = (subscription for subscription in restored if subscription.ending is None)
        self._restored = {_subscriber_end(subscription.dialog): subscription for subscription in living}

    def end(self, subscription: NotifierSubscription) -> None:
        """No SUBSCRIBE finds it any more."""
        self._restored.pop(_subscriber_end(subscription.dialog), None)

    def repeated(self, request: Request, subscriber: str) -> NotifierSubscription | None:
        """The subscription that an initial SUBSCRIBE made before the restart that it is retransmitted after."""
        found = self._restored.get((request.call_id, request.from_.tag or ""))
        if found is None or found.dialog.remote_cseq != request.cseq.number or request.event is None:
            return None
        same = (found.package, found.event_id) == (request.event.package, request.event.id)
        return found if same and found.subscriber == subscriber else None


def _subscriber_end(dialog: Dialog) -> tuple[str, str]:
    """What the subscriber gave a dialog: it is in the first SUBSCRIBE already."""
    return dialog.call_id, dialog.remote_tag
