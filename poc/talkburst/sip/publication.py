"""What an event package decides about publications, and what the compositor keeps of each (RFC 3903 6)."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from talkburst.sip.agenda import Alarm
from talkburst.sip.defects import Defect
from talkburst.sip.flow import Flow
from talkburst.sip.journal import Row, octets_text
from talkburst.sip.message import Request

Content = TypeVar("Content")


class Publication(Generic[Content]):
    """One piece of event state. The object stays the same while it is refreshed and modified; the entity-tag changes.

    `published_at` is when a body came last, a refresh does not move it. `source` is the sent-by of the bottom Via of
    the last request, as host:port. `owner` belongs to the package: whom it ties this state to.
    """

    __slots__ = ("body", "content", "etag", "expires_at", "expiry", "owner", "published_at", "resource", "source")

    def __init__(
        self,
        etag: str,
        resource: str,
        body: bytes,
        content: Content,
        published_at: float,
        expires_at: float,
        source: str,
        owner: str | None = None,
    ) -> None:
        self.etag = etag
        self.resource = resource
        self.body = body
        self.content = content
        self.published_at = published_at
        self.expires_at = expires_at
        self.source = source
        self.owner = owner
        self.expiry: Alarm | None = None  # as long as it is stored

    def to_row(self) -> Row:
        """As it is stored under its entity-tag. `content` is what the package reads in `body`."""
        return {
            "resource": self.resource,
            "body": octets_text(self.body),
            "published_at": self.published_at,
            "expires_at": self.expires_at,
            "source": self.source,
            "owner": self.owner,
        }


class PublicationPackage(Protocol[Content]):
    """What an event package decides about its publications. Durations are whole seconds."""

    name: str
    media_type: str
    min_expires: int
    default_expires: int
    max_expires: int
    max_publications: int
    """Of one resource at a time."""
    max_bytes: int
    """Of one document."""

    def authorise(self, request: Request, flow: Flow, now: float) -> tuple[int, str] | str:
        """The resource that is published to, or status and reason of a refusal."""

    def read(self, body: bytes) -> Content | Defect:
        """What the document says, or why it cannot be taken."""

    def published(self, publication: Publication[Content], now: float) -> None:
        """New state: an initial publication, or another body under an old one."""

    def withdrawn(self, publication: Publication[Content], why: str, now: float) -> None:
        """State that is gone: its publisher removed it, or it expired."""
