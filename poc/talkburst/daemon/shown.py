"""What `show` asks for: all of what a daemon knows, so many entries of each list, or what concerns one identity.

A daemon with thousands of users gives `Listing` and `Table`, which make an entry when it is asked for and not before.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar, overload

from talkburst.sip.uri import UriError, parse_uri

T = TypeVar("T")
Shown = dict[str, Any]


class NothingKnownError(ValueError):
    """Nothing that is shown concerns the identity."""


class Listing(Sequence[Shown], Generic[T]):
    """A list of `show` whose entries are made on demand.

    `names(item)` are the identities that an item is about; with `same_user` they are all names of one user, so that
    whoever asks for one of them is also shown what concerns the others.
    """

    def __init__(
        self,
        items: Iterable[T],
        shown: Callable[[T], Shown],
        names: Callable[[T], Iterable[str]],
        *,
        same_user: bool = False,
    ) -> None:
        self._items = list(items)
        self._shown = shown
        self._names = names
        self.same_user = same_user

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Shown: ...
    @overload
    def __getitem__(self, index: slice) -> list[Shown]: ...
    def __getitem__(self, index: int | slice) -> Shown | list[Shown]:
        if isinstance(index, slice):
            return [self._shown(item) for item in self._items[index]]
        return self._shown(self._items[index])

    def __iter__(self) -> Iterator[Shown]:
        return map(self._shown, self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def concerning(self, names: set[str]) -> "Listing[T]":
        """The entries about one of these, which are added to `names` where they are names of the same user."""
        found = []
        for item in self._items:
            own = {form for name in self._names(item) for form in (name, name.partition(";")[0])}
            if not own.isdisjoint(names):
                found.append(item)
                if self.same_user:
                    names |= own
        return Listing(found, self._shown, self._names, same_user=self.same_user)


class Counted(Listing[T]):
    """One of which only the length is shown, unless somebody asks for an identity."""


class Table(Mapping[str, Any]):
    """A table of `show` by identity."""

    def __init__(self, keys: Collection[str], shown: Callable[[str], object]) -> None:
        self._keys = keys
        self._shown = shown

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __getitem__(self, key: str) -> object:
        if key not in self._keys:
            raise KeyError(key)
        return self._shown(key)

    def concerning(self, names: set[str]) -> "Table":
        """The entries of these."""
        return Table([key for key in self._keys if not names.isdisjoint((key, key.partition(";")[0]))], self._shown)


def select(shown: Mapping[str, object], of: object = None, limit: object = None) -> Shown:
    """What `show` answers: everything, at most `limit` entries of each list, or only what concerns identity `of`.

    `more` in the answer says how many entries of which list were left out. Raises ValueError, for the one who asks.
    """
    if not (limit is None or (type(limit) is int and limit >= 0)):
        raise ValueError(f"limit = {limit!r}: must be a whole number, 0 or more")
    if of is not None:
        shown = _concerning(shown, of)
    answer: Shown = {}
    more: dict[str, int] = {}
    for key, value in shown.items():
        if isinstance(value, Counted):
            answer[key] = len(value)
        elif isinstance(value, Listing | Table):
            count = len(value) if limit is None else min(limit, len(value))
            answer[key] = value[:count] if isinstance(value, Listing) else dict(islice(value.items(), count))
            if count < len(value):
                more[key] = len(value) - count
        else:
            answer[key] = value
    return {**answer, "more": more} if more else answer


def _concerning(shown: Mapping[str, object], of: object) -> dict[str, object]:
    if not isinstance(of, str):
        raise ValueError(f"of = {of!r}: must be an identity, such as sip:alice@ims.example")
    lists = {key: value for key, value in shown.items() if isinstance(value, Listing | Table)}
    if not lists:
        raise ValueError("there is one user here alone; ask without an identity")
    names = _names(of)
    found = {key: value.concerning(names) for key, value in lists.items()}
    if not any(found.values()):
        raise NothingKnownError(f"nothing is known of {of}")
    return dict(found)


def _names(of: str) -> set[str]:
    """An identity as it is written, and as it is stored: `alice@ims.example` is a private id and a SIP URI."""
    names = {of}
    for text in (of, f"sip:{of}"):
        try:
            names.add(parse_uri(text).addr_of_record())
        except UriError:
            continue
    return names
