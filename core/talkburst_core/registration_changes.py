"""What follows a change of a registration: who is found over which flow, what is stored, who is told."""

from talkburst.sip.notifier import Notifier
from talkburst_core.bindings import Registration
from talkburst_core.identity import RegisteredFlows
from talkburst_core.reg_event import RegEvent
from talkburst_core.registrar import Registrar
from talkburst_core.registration_event import RegistrationEvent
from talkburst_core.third_party import ThirdPartyRegistration


class RegistrationChanges:
    """Carries each change on, after the 200 to the REGISTER that made it, if one did."""

    def __init__(
        self,
        registrar: Registrar,
        flows: RegisteredFlows,
        third_party: ThirdPartyRegistration,
        notifier: Notifier,
        package: RegEvent,
    ) -> None:
        self._registrar = registrar
        self._flows = flows
        self._third_party = third_party
        self._notifier = notifier
        self._package = package

    def follow(self, registration: Registration, event: RegistrationEvent | None, now: float) -> None:
        """Tells the application servers, then whoever watches."""
        self._flows.update(registration)
        self._save(registration)
        if event is not None:
            self._third_party.on_event(event, now)
        key = registration.subscriber.key
        if registration.active:
            self._notifier.changed(self._package.name, key, now)
        else:
            # TS 24.229 5.4.2.1.2: with the last contact the subscriptions end.
            self._notifier.terminate(self._package.name, key, "deactivated", now)

    def _save(self, registration: Registration) -> None:
        if registration.ended:
            watchers = self._notifier.watching(self._package.name, registration.subscriber.key)
            told = (self._package.ended_confirmed(watcher, registration) for watcher in watchers)
            registration.forget_ended(min(told, default=registration.ended_count))
        self._registrar.save(registration)
