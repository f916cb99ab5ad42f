"""The event state compositor: takes PUBLISH requests and keeps what they publish (RFC 3903 section 6).

    EventStateCompositor(uas, agenda, package, token, *, journal=None, decide=...)
    compositor.on_publish(transaction, request, now)     for Uas.serve("PUBLISH", ...)
    compositor.publications(resource) -> list[Publication]
    compositor.remove(publication)                       drops one without telling the package
    compositor.move(old, new)                            two resources turn out to be one
    compositor.own(publication, owner)                   whom the package ties it to
    compositor.restore(rows, resume_at=None)             the publications become those that were stored

What a document means is the package's business (`PublicationPackage`). It hears of each change after the answer has
been handed to the engine, so that the 200 leaves before what the change causes.

With a journal each publication is a row of the table "publications" under its entity-tag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Generic, NamedTuple

from talkburst.sip.agenda import Agenda
from talkburst.sip.defects import Defect
from talkburst.sip.flow import DEFAULT_PORT, Flow
from talkburst.sip.headers import is_token
from talkburst.sip.journal import Journal, Row, RowError, Rows, number, octets, optional_text, text
from talkburst.sip.message import Request
from talkburst.sip.negotiation import Refusal
from talkburst.sip.publication import Content, Publication, PublicationPackage
from talkburst.sip.transaction.server import ServerTransaction
from talkburst.sip.uas import Uas

__all__ = ["TABLE", "EventStateCompositor", "Publication", "PublicationPackage", "asserted_identities", "bottom_via"]

Decide = Callable[[str, Mapping[str, object]], None]

TABLE: Final = "publications"

_RETRY_AFTER: Final = 60  # seconds


class _Order(NamedTuple, Generic[Content]):
    """What a request that passed every check asks for. `content` None: no body, so the state stays as it is."""

    resource: str
    publication: Publication[Content] | None
    expires: int
    content: Content | None


class EventStateCompositor(Generic[Content]):
    """RFC 3903 6: each request either takes effect as a whole and gets a new entity-tag, or changes nothing."""

    def __init__(
        self,
        uas: Uas,
        agenda: Agenda,
        package: PublicationPackage[Content],
        token: Callable[[], str],
        *,
        journal: Journal | None = None,
        decide: Decide = lambda what, facts: None,
    ) -> None:
        self._uas = uas
        self._agenda = agenda
        self._package = package
        self._token = token
        self._journal = journal
        self._decide = decide
        self._resources: dict[str, dict[str, Publication[Content]]] = {}

    def publications(self, resource: str) -> list[Publication[Content]]:
        """What is published for a resource now; what was published last stands last."""
        published = list(self._resources.get(resource, {}).values())
        if len(published) > 1:
            published.sort(key=lambda publication: publication.published_at)
        return published

    def resources(self) -> list[str]:
        """Every resource for which something is published."""
        return list(self._resources)

    def on_publish(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Answers one PUBLISH. Record-Route and Contact mean nothing here and are not looked at (RFC 3903 4)."""
        order = self._judge(request, transaction.flow, now)
        if isinstance(order, Refusal):
            self._decide(
                "PUBLISH refused",
                {"status": order.status, "why": order.reason, "call_id": request.call_id, "event": str(request.event)},
            )
            self._uas.reply(transaction, order.status, now, order.reason, order.headers)
            return
        etag, changed = self._perform(order, request, now)
        self._decide(
            "PUBLISH accepted",
            {"resource": order.resource, "expires": order.expires, "etag": etag, "call_id": request.call_id},
        )
        self._uas.reply(transaction, 200, now, headers=[("Expires", order.expires), ("SIP-ETag", etag)])
        if changed is None:
            return
        if order.expires == 0:
            self._package.withdrawn(changed, "removed by its publisher", now)
        else:
            self._package.published(changed, now)

    def remove(self, publication: Publication[Content]) -> None:
        """Drop a publication; who drops it knows, so the package is not told. Nothing happens when it is gone."""
        if publication.expiry is None:
            return
        publication.expiry.cancel()
        publication.expiry = None
        stored = self._resources[publication.resource]
        del stored[publication.etag]
        if self._journal is not None:
            self._journal.delete(TABLE, publication.etag)
        if not stored:
            del self._resources[publication.resource]

    def move(self, old: str, new: str) -> None:
        """What was published for `old` belongs to `new` from now on, under the same entity-tags."""
        moved = self._resources.pop(old, {}) if old != new else {}
        for publication in moved.values():
            publication.resource = new
            self._save(publication)
        if moved:
            self._resources.setdefault(new, {}).update(moved)

    def own(self, publication: Publication[Content], owner: str | None) -> None:
        """Ties a publication that is stored to `owner`."""
        if publication.owner != owner:
            publication.owner = owner
            self._save(publication)

    def restore(self, rows: Rows, resume_at: float | None = None) -> None:
        """Makes the publications what `rows` say, whatever they are now. The package is not told of that.

        It is told of what has expired: at the next run of the agenda, or at `resume_at`. Raises RowError.
        """
        publications = [self._from_row(etag, row) for etag, row in rows.items()]
        for stored in self._resources.values():
            for publication in stored.values():
                if publication.expiry is not None:
                    publication.expiry.cancel()
                    publication.expiry = None
        self._resources.clear()
        for publication in publications:
            self._enter(publication, max(publication.expires_at, resume_at or 0.0))

    # The six steps of RFC 3903 6, in their order.

    def _judge(self, request: Request, flow: Flow, now: float) -> _Order[Content] | Refusal:
        resource = self._package.authorise(request, flow, now)
        if not isinstance(resource, str):
            return Refusal(*resource)
        event = request.event
        if event is None or event.package != self._package.name:
            return Refusal(489, None, (("Allow-Events", ", ".join(self._uas.allow_events) or self._package.name),))
        publication = self._match(request, resource)
        if isinstance(publication, Refusal):
            return publication
        expires = self._grant(request)
        if isinstance(expires, Refusal):
            return expires
        content = self._content(request, publication)
        if isinstance(content, Refusal):
            return content
        if publication is None and len(self._resources.get(resource, ())) >= self._package.max_publications:
            return Refusal(503, "too many publications for this resource", (("Retry-After", _RETRY_AFTER),))
        return _Order(resource, publication, expires, content)

    def _match(self, request: Request, resource: str) -> Publication[Content] | Refusal | None:
        """Step 3: the publication that SIP-If-Match names."""
        fields = request.get_all("SIP-If-Match")
        if not fields:
            return None
        if len(fields) > 1 or not is_token(fields[0]):
            return Refusal(400, "SIP-If-Match has to be one entity-tag")
        return self._resources.get(resource, {}).get(fields[0]) or Refusal(412)

    def _grant(self, request: Request) -> int | Refusal:
        """Step 4: the duration. It may be shortened and is never lengthened; 0 is never too brief."""
        asked = request.expires
        if asked is None:
            return self._package.default_expires
        if 0 < asked < self._package.min_expires:
            return Refusal(423, None, (("Min-Expires", self._package.min_expires),))
        return min(asked, self._package.max_expires)

    def _content(self, request: Request, publication: Publication[Content] | None) -> Content | Refusal | None:
        """Step 5: the document. None when the request has no body and refreshes or removes `publication`."""
        if len(request.body) > self._package.max_bytes:
            return Refusal(413, f"a document has at most {self._package.max_bytes} bytes here")
        if not request.body:
            return Refusal(400, "neither a document nor SIP-If-Match") if publication is None else None
        content_type = request.content_type
        if content_type is None or content_type.media_type != self._package.media_type:
            return Refusal(415, None, (("Accept", self._package.media_type),))
        content = self._package.read(request.body)
        return Refusal(content.status, content.text) if isinstance(content, Defect) else content

    def _perform(self, order: _Order[Content], request: Request, now: float) -> tuple[str, Publication[Content] | None]:
        """Step 6: the new entity-tag, and the publication whose state changed."""
        etag, publication = self._token(), order.publication
        if order.expires == 0:
            if publication is not None:
                self.remove(publication)
            return etag, publication
        if publication is None:
            assert order.content is not None  # without a publication to refer to, step 5 refuses a missing body
            publication = Publication(etag, order.resource, b"", order.content, now, now, "")
        else:
            self.remove(publication)
        publication.etag, publication.expires_at = etag, now + order.expires
        publication.source = bottom_via(request)
        if order.content is not None:
            publication.body, publication.content, publication.published_at = request.body, order.content, now
        self._enter(publication, publication.expires_at)
        self._save(publication)
        return etag, None if order.content is None else publication

    def _enter(self, publication: Publication[Content], end_at: float) -> None:
        self._resources.setdefault(publication.resource, {})[publication.etag] = publication
        publication.expiry = self._agenda.schedule(end_at, partial(self._expired, publication))

    def _save(self, publication: Publication[Content]) -> None:
        if self._journal is not None:
            self._journal.put(TABLE, publication.etag, publication.to_row())

    def _from_row(self, etag: str, row: Row) -> Publication[Content]:
        body = octets(row, "body")
        content = self._package.read(body)
        if isinstance(content, Defect):
            raise RowError(f"body cannot be read: {content.text}")
        return Publication(
            etag=etag,
            resource=text(row, "resource"),
            body=body,
            content=content,
            published_at=number(row, "published_at"),
            expires_at=number(row, "expires_at"),
            source=text(row, "source"),
            owner=optional_text(row, "owner"),
        )

    def _expired(self, publication: Publication[Content], now: float) -> None:
        self.remove(publication)
        self._package.withdrawn(publication, "expired", now)


def bottom_via(request: Request) -> str:
    """The sent-by of whoever made the request, as host:port; the port is there even if it is the default."""
    via = request.vias[-1]
    return f"{via.host}:{via.port or DEFAULT_PORT}".lower()


def asserted_identities(request: Request) -> tuple[str, ...]:
    """The P-Asserted-Identity values as received; RFC 3325 9.1 allows one SIP URI and one tel URI."""
    return tuple(request.values("P-Asserted-Identity"))
