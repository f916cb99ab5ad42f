"""Subscribers: who exists, under which identities, and which criteria apply to them (TS 29.228 annex B).

One IMSSubscription document is one private identity with one implicit registration set. Documents that list the same
public identities are devices of the same user and share the set, its bindings and its criteria.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from talkburst.sip import NameAddr, UriError, parse_uri
from talkburst.xml import XmlError, ims_subscription
from talkburst_core.filter_criteria import Criterion, CriterionError, criterion


@dataclass(slots=True, frozen=True)
class Identity:
    """One public identity: `uri` as the profile writes it, `aor` in the form that is compared (RFC 3261 10.3 step 5).

    A barred identity may be registered and nothing else (TS 29.228 B.2.1).
    """

    uri: str
    aor: str
    barred: bool = False
    display_name: str | None = None


def _associated(identity: Identity) -> str:
    return str(NameAddr(identity.display_name or "", parse_uri(identity.uri), {}))


@dataclass(slots=True)
class Profile:
    """Identities of one user that share criteria; the criteria are in the order in which they are evaluated."""

    identities: list[Identity]
    criteria: list[Criterion]


@dataclass(slots=True)
class Subscriber:
    """One implicit registration set: registering one identity registers all of them.

    `key` is what the set is filed under: its first identity, barred or not. `unbarred` are the identities for
    P-Associated-URI, the default one first; `associated` is its value. Profiles stay as they are.
    """

    private_ids: list[str]
    profiles: list[Profile]
    key: str = field(init=False, repr=False)
    unbarred: tuple[Identity, ...] = field(init=False, repr=False)
    associated: str = field(init=False, repr=False)
    has_criteria: bool = field(init=False, repr=False)
    _by_aor: dict[str, tuple[Identity, Profile]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._by_aor = {
            identity.aor: (identity, profile) for profile in self.profiles for identity in profile.identities
        }
        self.key = next(iter(self._by_aor), "")
        self.unbarred = tuple(identity for identity in self.identities if not identity.barred)
        self.has_criteria = any(profile.criteria for profile in self.profiles)
        self.associated = ", ".join(map(_associated, self.unbarred))

    @property
    def identities(self) -> list[Identity]:
        return [identity for identity, _ in self._by_aor.values()]

    @property
    def default_identity(self) -> Identity | None:
        return self.unbarred[0] if self.unbarred else None

    def identity(self, aor: str) -> Identity | None:
        found = self._by_aor.get(aor)
        return found[0] if found else None

    def profile_of(self, identity: Identity) -> Profile:
        return self._by_aor[identity.aor][1]

    def criteria(self) -> list[tuple[Profile, Criterion]]:
        """Every criterion of the set, each with the service profile that it stands in."""
        return [(profile, each) for profile in self.profiles for each in profile.criteria]

    @property
    def application_servers(self) -> set[str]:
        """The servers that the criteria name, in the form of `address_of_record`."""
        return {address_of_record(each.server.server_name) for _, each in self.criteria()}


@dataclass(slots=True, frozen=True)
class ProfileDefect:
    """What could not be used of a profile: in which file, and why.

    Of a single criterion `criterion` is the place in the file, from 0, or `priority` what it has there.
    """

    file: str
    reason: str
    criterion: int | None = None
    priority: int | None = None

    @property
    def profile_is_used(self) -> bool:
        """All but one criterion is."""
        return self.criterion is not None or self.priority is not None

    def __str__(self) -> str:
        place = "" if self.criterion is None else f", InitialFilterCriteria {self.criterion}"
        place += "" if self.priority is None else f": criterion {self.priority} is skipped"
        return f"{self.file}{place}: {self.reason}"


def address_of_record(uri: str) -> str:
    """The form in which identities are compared (RFC 3261 10.3 step 5). Raises `UriError`."""
    return parse_uri(uri).addr_of_record()


class Subscribers:
    """All subscribers of this core, found by private id or by public identity."""

    def __init__(self, subscribers: Iterable[Subscriber] = ()) -> None:
        self._by_private_id: dict[str, Subscriber] = {}
        self._by_aor: dict[str, Subscriber] = {}
        for subscriber in subscribers:
            self.add(subscriber)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter({id(subscriber): subscriber for subscriber in self._by_aor.values()}.values())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def add(self, subscriber: Subscriber) -> None:
        """Files a subscriber; one with the same identities as another adds its private ids to that one.

        Raises ValueError when only some of the identities are taken, or a private id is.
        """
        for private_id in subscriber.private_ids:
            if private_id in self._by_private_id:
                raise ValueError(f"private id {private_id} is in another profile already")
        identities = {identity.aor: identity.barred for identity in subscriber.identities}
        taken = {aor: self._by_aor[aor] for aor in identities if aor in self._by_aor}
        if not taken:
            self._by_aor.update(dict.fromkeys(identities, subscriber))
        else:
            subscriber = self._shared(subscriber, identities, taken)
        self._by_private_id.update(dict.fromkeys(subscriber.private_ids, subscriber))

    def _shared(self, news: Subscriber, identities: dict[str, bool], taken: dict[str, Subscriber]) -> Subscriber:
        """The subscriber that is there already under exactly these identities, with the new private ids."""
        aor, known = next(iter(taken.items()))
        if {identity.aor: identity.barred for identity in known.identities} != identities:
            owners = ", ".join(known.private_ids)
            raise ValueError(f"{aor} belongs to {owners} already, whose public identities are not the same set")
        known.private_ids.extend(news.private_ids)
        return known

    def by_private_id(self, private_id: str) -> Subscriber | None:
        return self._by_private_id.get(private_id)

    def by_identity(self, aor: str) -> Subscriber | None:
        return self._by_aor.get(aor)

    def find(self, uri: str) -> tuple[Subscriber, Identity] | None:
        """The owner of a URI, in whatever form it is written; None for a stranger or for no URI at all."""
        try:
            aor = address_of_record(uri)
        except UriError:
            return None
        subscriber = self._by_aor.get(aor)
        identity = subscriber.identity(aor) if subscriber else None
        return (subscriber, identity) if subscriber and identity else None


def load(documents: Iterable[tuple[str, bytes]]) -> tuple[Subscribers, list[ProfileDefect]]:
    """Reads IMSSubscription documents, given with the names of their files.

    A document or criterion that cannot be used is left out and named; the others go on.
    """
    subscribers, defects = Subscribers(), list[ProfileDefect]()
    for name, data in documents:
        try:
            subscribers.add(_subscriber(name, ims_subscription.from_xml(data), defects))
        except (XmlError, UriError, ValueError) as error:
            defects.append(ProfileDefect(name, str(error)))
    return subscribers, defects


def _subscriber(name: str, subscription: ims_subscription.ImsSubscription, defects: list[ProfileDefect]) -> Subscriber:
    profiles = []
    for raw in subscription.service_profiles:
        identities = [
            Identity(each.identity, address_of_record(each.identity), each.barred, each.display_name)
            for each in raw.public_identities
        ]
        defects.extend(ProfileDefect(name, skipped.reason, skipped.index) for skipped in raw.skipped)
        profiles.append(Profile(identities, list(_criteria(name, raw, defects))))
    return Subscriber([_private_id(subscription.private_id)], profiles)


def _criteria(name: str, raw: ims_subscription.ServiceProfile, defects: list[ProfileDefect]) -> Iterator[Criterion]:
    for each in raw.criteria:
        try:
            yield criterion(each)
        except CriterionError as error:
            defects.append(ProfileDefect(name, str(error), priority=each.priority))


def _private_id(text: str) -> str:
    """PrivateID is an anyURI; some exports write it as a sip URI, which the Authorization user name never is."""
    return text.removeprefix("sip:")
