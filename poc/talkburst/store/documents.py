"""The port behind which XDM documents are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, Protocol


class DocumentKey(NamedTuple):
    """A document's place: application usage, home directory (empty for the global tree), name in it."""

    auid: str
    user: str
    name: str


@dataclass(slots=True, frozen=True)
class Document:
    """A stored document: the bytes as they were put. `etag` is opaque, without quotes; `modified` in epoch seconds."""

    key: DocumentKey
    etag: str
    body: bytes
    modified: float


class DocumentInfo(NamedTuple):
    """A document without its body; `size` in bytes."""

    key: DocumentKey
    etag: str
    modified: float
    size: int


class Claim(NamedTuple):
    """A value that one document only may hold, over all users: kind "group-uri", value "sip:crew@ims.example"."""

    kind: str
    value: str


class Outcome(Enum):
    CREATED = auto()
    REPLACED = auto()
    REMOVED = auto()
    NOT_FOUND = auto()
    PRECONDITION_FAILED = auto()
    TAKEN = auto()
    """Another document holds one of the claims."""
    FULL = auto()
    """The user has as many documents as a user may have."""


class PutResult(NamedTuple):
    outcome: Outcome
    taken: Claim | None = None


Condition = Callable[[str | None], bool]
"""Decides on the entity tag that is stored now, None when no document is there. Called inside the transaction."""


class DocumentStore(Protocol):
    """Reading is immediate; `put` and `delete` return when the change is durable.

    Both raise StoreError when nothing could be written; then nothing is.
    """

    def get(self, key: DocumentKey) -> Document | None: ...

    def documents_of(self, user: str) -> list[DocumentInfo]:
        """All documents of a home directory, sorted by key."""

    def holder(self, claim: Claim) -> DocumentKey | None:
        """The document that holds a claim."""

    async def put(
        self, document: Document, claims: Sequence[Claim], condition: Condition, most: int | None = None
    ) -> PutResult:
        """Creates or replaces, with the claims instead of the document's former ones, if `condition` holds.

        With `most` none is created for a user who has that many. One that is there is replaced in any case.
        """

    async def delete(self, key: DocumentKey, condition: Condition) -> Outcome: ...

    def counts(self) -> tuple[int, int]:
        """How many documents there are, and how many users have some."""

    async def close(self) -> None: ...
