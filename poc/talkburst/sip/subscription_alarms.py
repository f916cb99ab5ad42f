"""What a subscriber waits for: one alarm for each of a few names, the last that was set."""

from __future__ import annotations

from collections.abc import Callable

from talkburst.sip.agenda import Agenda, Alarm


class SubscriptionAlarms:
    """The alarms of one subscription: "N" (RFC 6665 4.1.2), "refresh", "expiry"."""

    __slots__ = ("_agenda", "_alarms")

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._alarms: dict[str, Alarm] = {}

    def set(self, name: str, at: float, call: Callable[[float], None]) -> None:
        """`call(now)` at `at`, and nothing any more at the time that was set under that name before."""
        self.stop(name)
        self._alarms[name] = self._agenda.schedule(at, call)

    def stop(self, name: str) -> None:
        alarm = self._alarms.pop(name, None)
        if alarm is not None:
            alarm.cancel()

    def stop_all(self) -> None:
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
