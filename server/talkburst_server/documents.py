"""The XDM documents of a user: fetched from the PoC XDMS and the Shared XDMS, and kept to be validated later.

For each PoC Address: the directory, the access policy, the group documents that the directory lists, the URI lists.
That there is no such document is normal. An XDMS that cannot be reached, or says itself that it failed (5xx), is asked
again, at growing intervals; one that answers with another fault, at the user's next registration. Neither holds
anything else up.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from talkburst.daemon.shown import Table
from talkburst.sip.backoff import Backoff
from talkburst.xcap.client import XcapAnswer, XcapUnreachableError
from talkburst.xcap.uri import XcapUri, XcapUriError, parse_entry, user_document
from talkburst.xml.document import XmlError
from talkburst.xml.xcap_directory import from_xml
from talkburst_server.decision import Decide

GROUPS: Final = "org.openmobilealliance.poc-groups"
RULES: Final = "org.openmobilealliance.poc-rules"
DIRECTORY: Final = "org.openmobilealliance.xcap-directory"
LISTS: Final = "resource-lists"


class XdmSource(Protocol):
    """The part of the XCAP client that is needed here."""

    root_path: str

    async def get(self, uri: XcapUri, etag: str | None = None) -> XcapAnswer: ...


class XdmDocument(NamedTuple):
    """A document as the XDMS gave it."""

    etag: str | None
    body: bytes
    content_type: str


class _Tally:
    """What one round of requests brought, for its log line."""

    __slots__ = ("fetched", "missing", "unchanged")

    def __init__(self) -> None:
        self.fetched = self.unchanged = self.missing = 0


class UserDocuments:
    """The documents of all users by address. `poc` and `shared` may be the same XDMS."""

    def __init__(self, poc: XdmSource, shared: XdmSource, decide: Decide) -> None:
        self._poc = poc
        self._shared = shared
        self._decide = decide
        self._kept: dict[str, dict[XcapUri, XdmDocument]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._next: dict[str, Sequence[str]] = {}
        self._retries: dict[str, asyncio.TimerHandle] = {}
        self._backoffs: defaultdict[str, Backoff] = defaultdict(Backoff)

    def fetch(self, addresses: Sequence[str]) -> None:
        """Fetch the documents of a user's PoC Addresses in the background, one round for a user at a time."""
        key = addresses[0]
        self._cancel_retry(key)
        if key in self._running:
            self._next[key] = addresses
            return
        task = asyncio.get_running_loop().create_task(self.fetch_now(addresses))
        self._running[key] = task
        task.add_done_callback(lambda done: self._finished(key, done))

    def forget(self, addresses: Iterable[str]) -> None:
        """The user has gone; what was kept for these addresses is of no use any more."""
        for address in addresses:
            self._kept.pop(address, None)
            self._next.pop(address, None)
            self._cancel_retry(address)
            self._backoffs.pop(address, None)
            if address in self._running:
                self._running[address].cancel()

    def of(self, address: str) -> dict[XcapUri, XdmDocument]:
        """What is kept for one PoC Address."""
        return dict(self._kept.get(address, {}))

    def show(self) -> Table:
        """For a human: the documents of each address with their entity tags."""
        return Table(
            self._kept, lambda address: {str(uri): document.etag for uri, document in self._kept[address].items()}
        )

    async def close(self) -> None:
        """Give up what is under way."""
        self._next.clear()
        for key in list(self._retries):
            self._cancel_retry(key)
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def fetch_now(self, addresses: Sequence[str]) -> None:
        """One round for all addresses of a user, which ends with the first fault of an XDMS."""
        tally = _Tally()
        try:
            for address in addresses:
                await self._fetch_user(address, tally)
        except XcapUnreachableError as error:
            again = f"in {self._try_later(addresses):g} s"
            self._decide("XDM documents not fetched", {"user": addresses[0], "why": str(error), "again": again})
            return
        except XdmError as error:
            why = {"why": str(error), "again": "at the next registration"}
            self._decide("XDM documents not fetched", {"user": addresses[0], **why})
            return
        self._backoffs.pop(addresses[0], None)
        self._decide(
            "XDM documents fetched",
            {"user": addresses[0], "new": tally.fetched, "unchanged": tally.unchanged, "missing": tally.missing},
        )

    def _try_later(self, addresses: Sequence[str]) -> float:
        """Arrange for another round; the seconds until then."""
        key = addresses[0]
        delay = self._backoffs[key].next()
        self._retries[key] = asyncio.get_running_loop().call_later(delay, self.fetch, addresses)
        return delay

    def _cancel_retry(self, key: str) -> None:
        waiting = self._retries.pop(key, None)
        if waiting is not None:
            waiting.cancel()

    def _finished(self, key: str, done: "asyncio.Task[None]") -> None:
        del self._running[key]
        following = self._next.pop(key, None)
        if following is not None:
            self.fetch(following)
        if not done.cancelled() and (error := done.exception()) is not None:
            raise error

    async def _fetch_user(self, address: str, tally: _Tally) -> None:
        directory = await self._get(self._poc, address, user_document(DIRECTORY, address, "directory.xml"), tally)
        await self._get(self._poc, address, user_document(RULES, address, "pocrules"), tally)
        for group in self._groups(directory):
            await self._get(self._poc, address, group, tally)
        await self._get(self._shared, address, user_document(LISTS, address, "index"), tally)

    async def _get(self, source: XdmSource, address: str, uri: XcapUri, tally: _Tally) -> XdmDocument | None:
        """The document, fetched or still valid; None when there is none. Raises XdmError, XcapUnreachableError."""
        kept = self._kept.setdefault(address, {})
        known = kept.get(uri)
        answer = await source.get(uri, known.etag if known is not None else None)
        if answer.status == 304 and known is not None:
            tally.unchanged += 1
            return known
        if answer.status == 200:
            tally.fetched += 1
            kept[uri] = XdmDocument(answer.etag, answer.body, answer.content_type)
            return kept[uri]
        if answer.status == 404:
            tally.missing += 1
            kept.pop(uri, None)
            return None
        why = f"{uri}: {answer.status} {answer.problem}".rstrip()
        raise XcapUnreachableError(why) if answer.status >= 500 else XdmError(why)

    def _groups(self, directory: XdmDocument | None) -> list[XcapUri]:
        """The group documents that a directory lists, absolute or below the root."""
        if directory is None:
            return []
        try:
            folders = from_xml(directory.body)
        except XmlError as error:
            raise XdmError(f"directory.xml is not understood: {error}") from None
        found = []
        for entry in (entry for folder in folders if folder.auid == GROUPS for entry in folder.entries):
            try:
                found.append(parse_entry(entry.uri, self._poc.root_path))
            except XcapUriError as error:
                self._decide("directory entry passed over", {"uri": entry.uri, "why": str(error)})
        return found


class XdmError(Exception):
    """An XDMS that does not give what it should."""
