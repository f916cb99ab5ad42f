"""Documents in memory only: for tests, and for a server that may forget."""

from collections.abc import Sequence

from talkburst.store.documents import Claim, Condition, Document, DocumentInfo, DocumentKey, Outcome, PutResult


class MemoryDocuments:
    """A `DocumentStore` of two dictionaries."""

    def __init__(self) -> None:
        self._documents: dict[DocumentKey, Document] = {}
        self._holders: dict[Claim, DocumentKey] = {}

    def get(self, key: DocumentKey) -> Document | None:
        return self._documents.get(key)

    def documents_of(self, user: str) -> list[DocumentInfo]:
        return [
            DocumentInfo(key, document.etag, document.modified, len(document.body))
            for key, document in sorted(self._documents.items())
            if key.user == user
        ]

    def holder(self, claim: Claim) -> DocumentKey | None:
        return self._holders.get(claim)

    async def put(
        self, document: Document, claims: Sequence[Claim], condition: Condition, most: int | None = None
    ) -> PutResult:
        before = self._documents.get(document.key)
        if not condition(before.etag if before else None):
            return PutResult(Outcome.PRECONDITION_FAILED)
        if before is None and most is not None and len(self.documents_of(document.key.user)) >= most:
            return PutResult(Outcome.FULL)
        for claim in claims:
            if self._holders.get(claim, document.key) != document.key:
                return PutResult(Outcome.TAKEN, claim)
        self._release(document.key)
        self._holders.update(dict.fromkeys(claims, document.key))
        self._documents[document.key] = document
        return PutResult(Outcome.REPLACED if before else Outcome.CREATED)

    async def delete(self, key: DocumentKey, condition: Condition) -> Outcome:
        document = self._documents.get(key)
        if document is None:
            return Outcome.NOT_FOUND
        if not condition(document.etag):
            return Outcome.PRECONDITION_FAILED
        self._release(key)
        del self._documents[key]
        return Outcome.REMOVED

    def counts(self) -> tuple[int, int]:
        return len(self._documents), len({key.user for key in self._documents})

    async def close(self) -> None:
        """Nothing is held open."""

    def _release(self, key: DocumentKey) -> None:
        for claim in [claim for claim, holder in self._holders.items() if holder == key]:
            del self._holders[claim]
