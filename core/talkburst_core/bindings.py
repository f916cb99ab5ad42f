"""Bindings of one subscriber: where the user can be reached, and the rules by which REGISTER changes that.

RFC 3261 10.3 steps 6 and 7, RFC 3327 (Path), RFC 5626 6 (instance ids). All identities of an implicit registration set
have the same bindings. Times are seconds on the clock of the engine, durations are seconds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from talkburst.sip import NameAddr
from talkburst.sip.flow import Flow
from talkburst_core.profile import Subscriber
from talkburst_core.refusal import Refusal
from talkburst_core.registration_update import MOST_CONTACTS, Update, Wish
from talkburst_core.same_contact import comes_again, is_same_contact, is_written_the_same

# Terminated contacts that are kept for watchers who have not been told yet (RFC 3680 4.7.1: told once).
_REMEMBERED: Final = 32


class ContactEvent(Enum):
    """Why a contact is in its state (RFC 3680 5.1)."""

    REGISTERED = "registered"
    CREATED = "created"
    REFRESHED = "refreshed"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    UNREGISTERED = "unregistered"


class Binding:
    """One contact. `contact` is as registered, without the parameters `expires` and `q`."""

    __slots__ = (
        "call_id",
        "contact",
        "cseq",
        "event",
        "expires_at",
        "flow",
        "id",
        "path",
        "private_id",
        "q",
        "registered_at",
        "translated",
    )

    def __init__(
        self,
        contact_id: str,
        private_id: str,
        contact: NameAddr,
        q: str | None,
        call_id: str,
        cseq: int,
        registered_at: float,
        expires_at: float,
        path: tuple[str, ...],
        flow: Flow,
        event: ContactEvent = ContactEvent.REGISTERED,
        translated: bool = False,
    ) -> None:
        self.id: Final = contact_id
        self.private_id: Final = private_id
        self.contact: Final = contact
        self.q: Final = q
        self.call_id: Final = call_id
        self.cseq: Final = cseq
        self.registered_at: Final = registered_at
        self.expires_at = expires_at
        self.path: Final = path
        self.flow: Final = flow
        self.event: Final = event
        self.translated: Final = translated  # an address behind a NAT, which only the flow reaches

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Binding) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self.id)

    def _parts(self) -> tuple[object, ...]:
        where = self.id, self.private_id, self.contact, self.q, self.path, self.flow
        return *where, self.call_id, self.cseq, self.registered_at, self.expires_at, self.event, self.translated

    @property
    def way(self) -> Flow | None:
        """The flow that leads to the device (RFC 5626 7); None where its Path or its Contact does.

        A connection always; over UDP that of a device which says so by its reg-id, or to which nothing else leads.
        """
        if self.path:
            return None
        return self.flow if self.flow.reliable or self.translated or "reg-id" in self.contact.params else None

    @property
    def instance(self) -> str | None:
        return self.contact.params.get("+sip.instance")

    @property
    def key(self) -> tuple[str, str, str | None] | None:
        """What tells devices of a user apart (RFC 5626 6); None where only the contact URI does."""
        if self.instance is None:
            return None
        return self.private_id, self.instance, self.contact.params.get("reg-id")

    def remaining(self, now: float) -> int:
        """Whole seconds until it expires, never 0 while it has not."""
        return max(1, round(self.expires_at - now)) if self.expires_at > now else 0

    def header(self, now: float) -> str:
        """The value of Contact in a 200 to REGISTER."""
        text = f"{self.contact};expires={self.remaining(now)}"
        return text if self.q is None else f"{text};q={self.q}"


@dataclass(slots=True, frozen=True)
class Ended:
    """A contact that is gone; `number` counts up over all of them."""

    number: int
    binding: Binding
    event: ContactEvent
    at: float


@dataclass(slots=True)
class Registration:
    """The bindings of one subscriber, and which of the identities were registered by name (a tuple is smaller)."""

    subscriber: Subscriber
    bindings: list[Binding] = field(default_factory=list)
    by_name: tuple[str, ...] = ()
    ended: list[Ended] = field(default_factory=list)
    ended_count: int = 0

    @property
    def active(self) -> bool:
        return bool(self.bindings)

    @property
    def explicit(self) -> set[str]:
        """The identities that were registered by name."""
        return set(self.by_name)

    def apply(
        self,
        update: Update,
        aor: str,
        now: float,
        new_id: Callable[[], str],
        is_lost: Callable[[Binding], bool] = lambda binding: False,
    ) -> Refusal | None:
        """Performs all of `update`, or nothing and says why not. `aor` is the identity that To names.

        Where there are too many contacts, those that nothing can reach any more (`is_lost`) make room, the oldest
        first.
        """
        if update.wildcard:
            return self._clear(update, now)
        bindings, gone, untouched = list(self.bindings), list[Binding](), list(self.bindings)
        for wish in update.wishes:
            previous = _bound(untouched, update.private_id, wish.contact)
            if previous is not None:
                if (refusal := _out_of_order(previous, update)) is not None:
                    return refusal
                untouched = [binding for binding in untouched if binding is not previous]
            elif len(update.wishes) > 1 and comes_again(wish, update.wishes):
                return Refusal(400, f"Contact {wish.contact.uri} comes more than once")
            _perform(bindings, gone, previous, _binding(wish, update, previous, now, new_id))
        surplus = len(bindings) - max(MOST_CONTACTS, len(self.bindings))
        lost = [binding for binding in untouched if is_lost(binding)][:surplus] if surplus > 0 else []
        if surplus > len(lost):
            return Refusal(403, f"A user has at most {MOST_CONTACTS} contacts")
        self.bindings = [binding for binding in bindings if binding not in lost] if lost else bindings
        for binding in lost:
            self._end(binding, ContactEvent.DEACTIVATED, now)
        for binding in gone:
            self._end(binding, ContactEvent.UNREGISTERED, now)
        if self.bindings and update.expires and aor not in self.by_name:
            self.by_name = (*self.by_name, aor)
        return None

    def _clear(self, update: Update, now: float) -> Refusal | None:
        """`Contact: *` is every binding, of whichever device (RFC 3261 10.3 step 6)."""
        refusals = (_out_of_order(binding, update) for binding in self.bindings)
        refusal = next((refusal for refusal in refusals if refusal is not None), None)
        if refusal is None:
            self.remove(ContactEvent.UNREGISTERED, now)
        return refusal

    def expire(self, now: float) -> list[Binding]:
        """Takes out and returns what has run out."""
        return self.remove(ContactEvent.EXPIRED, now, lambda binding: binding.expires_at <= now)

    def remove(
        self, event: ContactEvent, now: float, which: Callable[[Binding], bool] = lambda binding: True
    ) -> list[Binding]:
        """Takes out and returns the bindings that `which` picks."""
        gone = [binding for binding in self.bindings if which(binding)]
        self.bindings = [binding for binding in self.bindings if not which(binding)]
        for binding in gone:
            self._end(binding, event, now)
        return gone

    def _end(self, binding: Binding, event: ContactEvent, now: float) -> None:
        self.ended_count += 1
        self.ended = [*self.ended, Ended(self.ended_count, binding, event, now)][-_REMEMBERED:]
        if not self.bindings:
            self.by_name = ()

    def forget_ended(self, number: int) -> None:
        """Everybody has been told of the first `number` contacts that ended."""
        self.ended = list(self.ended_since(number))

    def ended_since(self, number: int) -> Iterator[Ended]:
        """What has ended after the first `number` of them."""
        return (each for each in self.ended if each.number > number)

    def next_expiry(self) -> float | None:
        next_one: float | None = None
        for binding in self.bindings:
            if next_one is None or binding.expires_at < next_one:
                next_one = binding.expires_at
        return next_one


def _out_of_order(previous: Binding, update: Update) -> Refusal | None:
    if previous.call_id != update.call_id or previous.cseq < update.cseq:
        return None
    return Refusal(500, f"CSeq {update.cseq} is not higher than {previous.cseq} of the same Call-ID")


def _bound(bindings: list[Binding], private_id: str, contact: NameAddr) -> Binding | None:
    """The binding that a contact replaces: of the same instance, else with an equal URI (RFC 3261 19.1.4).

    A device that adds its instance id later replaces what it bound without one.
    """
    instance = contact.params.get("+sip.instance")
    if instance is not None:
        key = (private_id, instance, contact.params.get("reg-id"))
        for binding in bindings:
            if binding.key == key:
                return binding
    for binding in bindings:
        another_device = instance is not None and binding.instance is not None
        if not another_device and is_same_contact(binding.contact.uri, contact.uri):
            return binding
    return None


def _binding(
    wish: Wish, update: Update, previous: Binding | None, now: float, new_id: Callable[[], str]
) -> Binding | None:
    """What a wish makes of the binding it replaces; None when it removes."""
    if wish.expires == 0:
        return None
    same = previous is not None and is_written_the_same(previous.contact.uri, wish.contact.uri)
    kept = previous if same else None
    return Binding(
        contact_id=kept.id if kept else new_id(),
        private_id=update.private_id,
        contact=wish.contact,
        q=wish.q,
        call_id=update.call_id,
        cseq=update.cseq,
        registered_at=kept.registered_at if kept else now,
        expires_at=now + wish.expires,
        path=update.path,
        flow=update.flow,
        event=ContactEvent.REFRESHED if kept else ContactEvent.REGISTERED,
        translated=wish.translated,
    )


def _perform(bindings: list[Binding], gone: list[Binding], previous: Binding | None, made: Binding | None) -> None:
    """Puts `made` in the place of `previous`; a contact that lost its place to another URI is gone."""
    if previous is None:
        if made is not None:
            bindings.append(made)
        return
    for place, binding in enumerate(bindings):
        if binding is previous:
            if made is None:
                del bindings[place]
            else:
                bindings[place] = made
            break
    if made is None or made.id != previous.id:
        gone.append(previous)
