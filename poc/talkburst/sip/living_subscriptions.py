"""The subscriptions of a notifier that live: by their dialog, and by what they watch."""

from __future__ import annotations

from collections.abc import Iterator

from talkburst.sip.dialog import DialogKey, key_of
from talkburst.sip.event_package import NotifierSubscription
from talkburst.sip.message import Request


class LivingSubscriptions:
    """Those that a SUBSCRIBE may still refresh and a change is told to, the oldest first."""

    def __init__(self) -> None:
        self._dialogs: dict[DialogKey, NotifierSubscription] = {}
        self._watchers: dict[tuple[str, str], dict[NotifierSubscription, None]] = {}

    def __iter__(self) -> Iterator[NotifierSubscription]:
        return iter(list(self._dialogs.values()))

    def of_dialog(self, request: Request) -> NotifierSubscription | None:
        """The one whose dialog a request belongs to."""
        return self._dialogs.get(key_of(request))

    def watching(self, package: str, resource: str) -> list[NotifierSubscription]:
        return list(self._watchers.get((package, resource), ()))

    def enter(self, subscription: NotifierSubscription) -> None:
        self._dialogs[subscription.dialog.key] = subscription
        self._watchers.setdefault((subscription.package, subscription.resource), {})[subscription] = None

    def remove(self, subscription: NotifierSubscription) -> None:
        """Nothing happens when it is gone already."""
        self._dialogs.pop(subscription.dialog.key, None)
        place = (subscription.package, subscription.resource)
        watchers = self._watchers.get(place, {})
        watchers.pop(subscription, None)
        if not watchers:
            self._watchers.pop(place, None)

    def move(self, package: str, old: str, new: str) -> list[NotifierSubscription]:
        """Who watched `old` watches `new`; who that is."""
        moved = self._watchers.pop((package, old), {}) if old != new else {}
        for subscription in moved:
            subscription.resource = new
        if moved:
            self._watchers.setdefault((package, new), {}).update(moved)
        return list(moved)

    def clear(self) -> None:
        self._dialogs.clear()
        self._watchers.clear()
