"""The XCAP server without its sockets: takes a request, decides in the order of RFC 4825, returns the reply."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from talkburst.sip.digest import DigestVerifier
from talkburst.store import DocumentStore, StoreError
from talkburst_xdms.accounts import Account, Accounts
from talkburst_xdms.authentication import Authentication
from talkburst_xdms.documents import MAX_DOCUMENTS, Documents
from talkburst_xdms.exchange import RefusalError, Reply, Request, refusal
from talkburst_xdms.resource import METHODS, READING, Kind, Resource, locate

Decide = Callable[[str, Mapping[str, object]], None]


class XcapServer:
    """`root` is the path of the XCAP root, such as /xcap-root. A user may have `max_documents`.

    Each request ends in one line to `decide`, or to `alarm` when the store failed.
    """

    def __init__(
        self,
        root: str,
        accounts: Accounts,
        store: DocumentStore,
        *,
        now: Callable[[], float],
        decide: Decide,
        alarm: Decide | None = None,
        verifier: DigestVerifier | None = None,
        asserted_peers: Iterable[str] = (),
        lenient_content_type: bool = True,
        max_documents: int = MAX_DOCUMENTS,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._root = root
        self._accounts = accounts
        self._now = now
        self._decide = decide
        self._alarm = alarm or decide
        # A nonce from before a restart is answered with stale, so the key need not be kept.
        verifier = verifier or DigestVerifier(secrets.token_bytes(32))
        self._authentication = Authentication(accounts, verifier, asserted_peers)
        self._documents = Documents(root, accounts, store, token, lenient_content_type, max_documents)
        self.requests: Counter[int] = Counter()
        """How many requests ended in which status."""

    async def answer(self, request: Request) -> Reply:
        """The reply, whatever was asked."""
        asker: list[Account] = []
        tell = self._decide
        try:
            reply = await self._answer(request, asker)
        except RefusalError as error:
            reply = error.reply
        except StoreError as error:
            text = b"the server could not read or write its store; nothing was changed\n"
            reply = Reply(500, text, "text/plain; charset=utf-8", why=str(error))
            tell = self._alarm
        self.requests[reply.status] += 1
        tell(
            f"{request.method} answered with {reply.status}",
            {
                "target": request.target,
                "user": asker[0].identity if asker else None,
                "peer": request.peer,
                "reason": reply.why or None,
            },
        )
        return reply

    def counts(self) -> tuple[int, int]:
        """How many documents there are, and how many users have some."""
        return self._documents.counts()

    async def _answer(self, request: Request, asker: list[Account]) -> Reply:
        """RFC 4825 8: what is asked for, who asks, whether they may, what is to be done."""
        resource = locate(request.target, self._root, self._accounts)
        realm = self._accounts.realm(resource.uri.xui) if resource.owner else self._accounts.default_realm
        account = self._authentication.identify(request, realm, self._now())
        asker.append(account)
        self._authorise(account, resource, request.method)
        if request.method not in METHODS[resource.kind]:
            allowed = ", ".join(METHODS[resource.kind])
            raise refusal(405, f"{request.method} is not possible here, but {allowed}", Allow=allowed)
        if resource.uri.node is not None:
            raise refusal(501, "node selectors are not served yet; ask for the document before /~~/ as a whole")
        if request.method == "PUT":
            return await self._documents.put(resource, request, self._now())
        if request.method == "DELETE":
            return await self._documents.delete(resource, request)
        return self._documents.get(resource, request, account)

    def _authorise(self, account: Account, resource: Resource, method: str) -> None:
        """RFC 4825 5.7: owners do everything in their tree; everyone reads the global one, and nobody writes there."""
        reading = method in READING
        if resource.kind is Kind.NOTHING and resource.owner is None and method in ("PUT", "DELETE"):
            raise refusal(403, f"{account.identity} may read but not change the global tree")
        if resource.owner is None or resource.owner is account or (account.reader and reading):
            return
        may = "read but not change" if account.reader else "not use"
        raise refusal(403, f"{account.identity} may {may} the documents of {resource.uri.xui}")
