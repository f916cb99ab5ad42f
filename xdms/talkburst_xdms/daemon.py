"""The XDMS as a daemon: its settings, its file, its listeners."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

from talkburst.daemon.address import Listen, parse_host_port, parse_listen, show_host_port
from talkburst.daemon.control import Command
from talkburst.daemon.log import Log
from talkburst.daemon.settings import ConfigurationError, Settings, XdmsSettings
from talkburst.daemon.shown import Listing
from talkburst.daemon.start_error import cannot_listen, cannot_use
from talkburst.daemon.state import state_directory
from talkburst.net import Clock, tls_for
from talkburst.obs.trace import Trace
from talkburst.store import DocumentStore, MemoryDocuments, SqliteDocuments, StoreError
from talkburst_xdms.accounts import Account, Accounts
from talkburst_xdms.http_server import HttpServer
from talkburst_xdms.xcap_server import XcapServer

STORE: Final = "xdms.db"


class XdmsDaemon:
    """What `talkburst.daemon.run` runs. Raises ConfigurationError for settings that do not fit together."""

    name = "xdms"

    def __init__(self, settings: Settings, trace: Trace, log: Log) -> None:
        self._settings = settings
        self._trace = trace
        self._log = log
        self._clock = Clock()
        self._listens = [_listen(entry) for entry in settings.xdms.listen]
        self._tls = tls_for(settings, self.name)
        self._accounts = _accounts(settings.xdms)
        self._peers = _networks(settings.xdms.asserted_peers, settings.hosts_for("xdms"))
        self._store: DocumentStore | None = None
        self._server: XcapServer | None = None
        self._http: HttpServer | None = None

    @property
    def commands(self) -> Mapping[str, Command]:
        return {}

    async def start(self) -> list[str]:
        """Opens the store, then the listeners. Raises StartError and OSError."""
        path = state_directory(self._settings) / STORE
        try:
            self._store = MemoryDocuments() if self._settings.store == "memory" else SqliteDocuments(path)
        except StoreError as error:
            raise cannot_use(error) from None
        now = self._clock.now
        self._server = XcapServer(
            self._settings.xdms.root,
            self._accounts,
            self._store,
            now=now,
            decide=self._log.decide,
            alarm=lambda what, facts: self._log.error(what, **facts),
            asserted_peers=self._peers,
            lenient_content_type=self._settings.xdms.lenient_content_type,
            max_documents=self._settings.xdms.max_documents,
        )
        self._http = HttpServer(
            self._server.answer, self._trace, now, self._log.exception, largest=self._settings.xdms.max_document_size
        )
        return [await self._listen(self._http, each) for each in self._listens]

    async def _listen(self, http: HttpServer, asked: Listen) -> str:
        transport = asked.transport or "tcp"
        try:
            tls = self._tls.accepting if self._tls is not None and transport == "tls" else None
            bound = await http.listen(host=asked.host, port=asked.port, fd=asked.fd, tls=tls)
        except OSError as error:
            wanted = f"fd:{asked.fd}" if asked.fd is not None else show_host_port(asked.host, asked.port)
            raise cannot_listen(f"{transport}:{wanted}", error, self.name) from None
        return f"{transport}:{show_host_port(*bound)}"

    async def stop(self) -> None:
        if self._http is not None:
            await self._http.close()
        if self._store is not None:
            await self._store.close()

    def show(self) -> dict[str, object]:
        """What is stored, and how requests ended."""
        documents, users = self._server.counts() if self._server else (0, 0)
        owners = self._settings.xdms.accounts
        answers = self._server.requests if self._server else {}
        return {
            "root": self._settings.xdms.root,
            "accounts": len(self._settings.xdms.accounts),
            "documents": documents,
            "users": users,
            "answers": {str(status): count for status, count in sorted(answers.items())},
            "malformed": self._http.malformed if self._http else 0,
            "owners": Listing(owners, self._owner, lambda identity: (identity, *owners[identity].aliases)),
        }

    def _owner(self, identity: str) -> dict[str, object]:
        """An account that may have documents, with those that it has: their names, entity tags and sizes in octets."""
        account = self._accounts.named(identity)
        stored = self._store.documents_of(self._accounts.home(account)) if self._store and account else []
        return {
            "identity": identity,
            "aliases": self._settings.xdms.accounts[identity].aliases,
            "documents": [
                {"document": f"{each.key.auid}/{each.key.name}", "etag": each.etag, "size": each.size}
                for each in stored
            ],
        }


def _listen(entry: str) -> Listen:
    listen = parse_listen(entry)
    if listen.transport == "udp":
        raise ConfigurationError(
            f"xdms.listen: {entry}: the XDMS speaks HTTP, so it must be tcp:HOST:PORT, tls:HOST:PORT or fd:N"
        )
    return listen


def _accounts(settings: XdmsSettings) -> Accounts:
    owners = [
        Account(identity, account.password.get_secret_value(), tuple(account.aliases))
        for identity, account in settings.accounts.items()
    ]
    readers = [
        Account(identity, account.password.get_secret_value(), tuple(account.aliases), reader=True)
        for identity, account in settings.readers.items()
    ]
    try:
        return Accounts([*owners, *readers])
    except ValueError as error:
        raise ConfigurationError(f"xdms.accounts, xdms.readers: {error}") from None


def _networks(peers: Iterable[str], hosts: Mapping[str, str]) -> list[str]:
    """Addresses and networks as they are, names as the hosts table has them: trust must not hang on the DNS."""
    networks: list[str] = []
    for peer in peers:
        try:
            networks.append(str(ipaddress.ip_network(peer, strict=False)))
            continue
        except ValueError:
            entry = hosts.get(peer, "").partition(";")[0]
        try:
            networks.append(str(ipaddress.ip_network(parse_host_port(entry)[0])))
        except ValueError:
            problem = f"xdms.asserted_peers: {peer} is no address, and [hosts] gives it none"
            raise ConfigurationError(problem) from None
    return networks
