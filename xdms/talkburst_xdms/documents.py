"""Documents in and out of the store: validity, conditions, entity tags, the directory (RFC 4825 sections 7 and 8)."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Final

from talkburst.store import Claim, Document, DocumentKey, DocumentStore, Outcome
from talkburst.xcap.entity_tag import Conditions, EntityTag, read_conditions
from talkburst.xcap.uri import user_document
from talkburst.xml import XmlError, xcap_caps, xcap_directory
from talkburst.xml.xcap_caps import XcapCapabilities
from talkburst.xml.xcap_directory import DirectoryEntry, Folder
from talkburst.xml.xcap_error import XcapFault
from talkburst_xdms.accounts import Account, Accounts, canonical, domain_of
from talkburst_xdms.application_usage import NAMESPACES, USAGES, GroupUri
from talkburst_xdms.exchange import RefusalError, Reply, Request, conflict, refusal
from talkburst_xdms.resource import Kind, Resource

_GROUP_URI = "group-uri"
_FORM = "application/x-www-form-urlencoded"
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?", re.ASCII)
_SUGGESTIONS = 2
_LARGE: Final = 1 << 14  # bytes: some milliseconds of reading

MAX_DOCUMENTS: Final = 100


class Documents:
    """The documents of all users.

    `lenient_content_type` takes whole documents without Content-Type or as form data, as clients in the field send
    them; `token` makes entity tags and must never repeat itself. A user may have `max_documents`, 507 for one more
    (RFC 4918 11.5).
    """

    def __init__(
        self,
        root: str,
        accounts: Accounts,
        store: DocumentStore,
        token: Callable[[], str],
        lenient_content_type: bool,
        max_documents: int,
    ) -> None:
        self._root = root.rstrip("/")
        self._accounts = accounts
        self._store = store
        self._token = token
        self._lenient_content_type = lenient_content_type
        self._max_documents = max_documents
        self._reading = asyncio.Lock()

    def get(self, resource: Resource, request: Request, asker: Account) -> Reply:
        """Answers GET and HEAD. Raises `RefusalError`."""
        etag, body = self._content(resource, request, asker)
        conditions = _conditions(request)
        if conditions.if_match is not None and not conditions.if_match.matches(etag, strong=True):
            raise refusal(412, "If-Match names another version", ETag=str(EntityTag(etag)))
        headers = {"ETag": str(EntityTag(etag)), "Cache-Control": "no-cache"}
        if conditions.if_none_match is not None and conditions.if_none_match.matches(etag, strong=False):
            return Reply(304, headers=headers)
        return Reply(200, body, resource.usage.media_type, headers)

    async def put(self, resource: Resource, request: Request, now: float) -> Reply:
        """Creates or replaces a document. Raises `RefusalError` and StoreError."""
        if resource.kind is not Kind.DOCUMENT:
            raise self._no_parent(resource)
        self._check_type(resource, request)
        groups = await self._check_body(resource, request.body)
        document = Document(self._key(resource), self._token(), request.body, now)
        claims = [Claim(_GROUP_URI, group.canonical) for group in groups]
        result = await self._store.put(document, claims, _conditions(request).hold, self._max_documents)
        if result.outcome is Outcome.PRECONDITION_FAILED:
            raise _precondition_failed()
        if result.outcome is Outcome.FULL:
            limit = f"a user may have {self._max_documents} documents here, and {document.key.user} has them"
            raise refusal(507, f"{limit}; delete one, or replace one")
        if result.taken is not None:
            raise self._taken(next(group for group in groups if group.canonical == result.taken.value))
        created = result.outcome is Outcome.CREATED
        return Reply(201 if created else 200, headers={"ETag": str(EntityTag(document.etag))})

    async def delete(self, resource: Resource, request: Request) -> Reply:
        """Removes a document. Raises `RefusalError` and StoreError."""
        if resource.kind is not Kind.DOCUMENT:
            raise _no_document(resource)
        outcome = await self._store.delete(self._key(resource), _conditions(request).hold)
        if outcome is Outcome.NOT_FOUND:
            raise _no_document(resource)
        if outcome is Outcome.PRECONDITION_FAILED:
            raise _precondition_failed()
        return Reply(200)

    def _key(self, resource: Resource) -> DocumentKey:
        home = self._accounts.home(resource.owner) if resource.owner else ""
        return DocumentKey(resource.uri.auid, home, resource.uri.document)

    def _content(self, resource: Resource, request: Request, asker: Account) -> tuple[str, bytes]:
        """Entity tag and bytes of what can be read."""
        if resource.kind is Kind.CAPABILITIES:
            return _made(xcap_caps.to_xml(XcapCapabilities(tuple(USAGES), NAMESPACES)))
        if resource.kind is Kind.DIRECTORY:
            return _made(xcap_directory.to_xml(self._folders(resource, request)))
        key: DocumentKey | None = self._key(resource)
        if resource.kind is Kind.GROUP_BY_URI:
            key = self._store.holder(Claim(_GROUP_URI, canonical(resource.uri.path[1]) or ""))
            if key is not None and not asker.reader and key.user != self._accounts.home(asker):
                raise refusal(403, f"{asker.identity} may not read the group {resource.uri.path[1]!r} of another user")
        document = self._store.get(key) if key is not None and resource.kind is not Kind.NOTHING else None
        if document is None:
            raise _no_document(resource)
        return document.etag, document.body

    def _folders(self, resource: Resource, request: Request) -> Iterator[Folder]:
        """One folder for each usage of which the user has documents, their URIs absolute where the host is known."""
        assert resource.owner is not None
        host = request.headers.get("Host", "")
        base = f"http://{host}{self._root}" if _HOST.fullmatch(host) else self._root
        folders: dict[str, Folder] = {}
        for key, etag, modified, size in self._store.documents_of(self._accounts.home(resource.owner)):
            uri = f"{base}/{user_document(key.auid, resource.uri.xui, key.name)}"
            folder = folders.setdefault(key.auid, Folder(key.auid))
            folder.entries.append(DirectoryEntry(uri, etag, modified, size))
        yield from folders.values()

    def _no_parent(self, resource: Resource) -> RefusalError:
        if resource.usage.check is None or len(resource.uri.path) < 2:
            return _no_document(resource)
        home = user_document(resource.uri.auid, resource.uri.xui)
        phrase = f"{resource.usage.auid} has no directories below a user's home"
        return conflict(XcapFault("no-parent", phrase, ancestor=f"{self._root}/{home}"))

    def _check_type(self, resource: Resource, request: Request) -> None:
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise refusal(415, f"Content-Encoding {encoding} is not taken; send the document as it is")
        media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type == resource.usage.media_type or (self._lenient_content_type and media_type in ("", _FORM)):
            return
        expected = f"a document of {resource.usage.auid} is {resource.usage.media_type}"
        raise refusal(415, f"Content-Type is {media_type or 'missing'}; {expected}")

    async def _check_body(self, resource: Resource, body: bytes) -> list[GroupUri]:
        """The group addresses in a document. One that takes long to read is read beside the loop, one at a time."""
        try:
            if len(body) < _LARGE:
                groups, taken = self._read(resource, body)
            else:
                async with self._reading:
                    groups, taken = await asyncio.to_thread(self._read, resource, body)
        except XmlError as error:
            raise conflict(XcapFault(error.condition, str(error), field=error.field)) from None
        if taken is not None:
            raise self._taken(taken)
        return groups

    def _read(self, resource: Resource, body: bytes) -> tuple[list[GroupUri], GroupUri | None]:
        """The group addresses, and the first of them that is a user's. Touches nothing that ever changes."""
        assert resource.usage.check is not None
        assert resource.owner is not None
        groups = resource.usage.check(body, domain_of(resource.owner.identity) or self._accounts.default_realm)
        return groups, next((group for group in groups if self._accounts.named(group.uri) is not None), None)

    def _taken(self, group: GroupUri) -> RefusalError:
        phrase = f"{group.uri!r} is taken; a group needs an address of its own"
        alternatives = tuple(self._free_addresses(group.uri))
        return conflict(XcapFault("uniqueness-failure", phrase, field=group.field, alternatives=alternatives))

    def _free_addresses(self, uri: str) -> Iterator[str]:
        user, at, rest = uri.partition("@")
        found = 0
        for number in range(2, 100) if at else ():
            suggestion = f"{user}-{number}@{rest}"
            claim = Claim(_GROUP_URI, canonical(suggestion) or "")
            if self._store.holder(claim) is None and self._accounts.named(suggestion) is None:
                yield suggestion
                found += 1
            if found == _SUGGESTIONS:
                return

    def counts(self) -> tuple[int, int]:
        return self._store.counts()


def _made(body: bytes) -> tuple[str, bytes]:
    """A document that the server makes changes its tag when its bytes change."""
    return hashlib.sha256(body).hexdigest()[:16], body


def _conditions(request: Request) -> Conditions:
    return read_conditions(request.joined("If-Match"), request.joined("If-None-Match"))


def _precondition_failed() -> RefusalError:
    return refusal(412, "the document is not, or not any more, in the version that If-Match or If-None-Match asks for")


def _no_document(resource: Resource) -> RefusalError:
    where = f"user {resource.uri.xui}" if resource.uri.tree == "users" else "the global tree"
    name = resource.uri.document
    return refusal(
        404, f"no document {name!r} of {resource.uri.auid} in {where}" if name else f"{where} is no document"
    )
