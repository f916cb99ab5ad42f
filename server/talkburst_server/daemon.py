"""The PoC server as a daemon: its settings, its listener, its XDMS, the file that keeps its state."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import talkburst
from talkburst.daemon.control import Command
from talkburst.daemon.log import Log
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.daemon.start_error import StartError, cannot_use
from talkburst.daemon.state import state_directory
from talkburst.daemon.trust import Trust
from talkburst.net import (
    Clock,
    Resolver,
    SipNode,
    Tokens,
    https_context,
    listen_all,
    message_limits,
    name_resolver,
    queue_limits,
    tcp_limits,
    tls_for,
)
from talkburst.obs.trace import Trace
from talkburst.sip.engine import Engine
from talkburst.sip.headers import HeaderError
from talkburst.sip.journal import Journal, RowError
from talkburst.sip.timers import Timers
from talkburst.sip.uri import UriError
from talkburst.store import SqliteState, StoreError
from talkburst.xcap.client import XcapClient
from talkburst_server.documents import UserDocuments
from talkburst_server.server import SOFTWARE as PRODUCT
from talkburst_server.server import PocServer, ServerPolicy

SOFTWARE: Final = f"{PRODUCT} talkburst/{talkburst.__version__}"


STORE: Final = "server.db"
# Seconds after a failed commit before something is sent that needs another one.
RETRY: Final = 5.0
# 128 bits: more than RFC 3261 19.3 asks of a tag, and enough for an entity-tag that is never used twice.
TOKEN_SIZE: Final = 16
_UNREADABLE: Final = (RowError, HeaderError, UriError)


class ServerDaemon:
    """What `talkburst.daemon.run` runs."""

    name = "server"

    def __init__(self, settings: Settings, trace: Trace, log: Log) -> None:
        own, hosts = settings.server, settings.hosts_for("server")
        self._tls = tls_for(settings, self.name)
        self._whole = settings
        self._settings = own
        self._trace = trace
        self._clock = Clock()
        self._journal = None if settings.store == "memory" else Journal()
        self._store: SqliteState | None = None
        self._node: SipNode | None = None
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._resolver = name_resolver(settings.dns)
        self._xdms = _xdms(settings, trace, self._clock, self._resolver)
        self._documents = UserDocuments(self._xdms[0], self._xdms[-1], log.decide)
        tokens = Tokens(TOKEN_SIZE)
        self._engine = Engine(
            None,
            timers=Timers(t1=settings.timers.t1, t2=settings.timers.t2, t4=settings.timers.t4),
            token=tokens.next,
            hosts=hosts,
            software=SOFTWARE,
        )
        self._engine.message_limits = message_limits(settings.limits)
        self._engine.retry_after = settings.limits.retry_after
        trust = _trust(settings.trust.peers, hosts)
        self._server = PocServer(
            self._engine,
            tokens.next,
            ServerPolicy(
                uri=own.uri,
                software=SOFTWARE,
                reg_expires=own.reg_expires,
                settings_expires_max=own.settings_expires_max,
                notify_interval=own.notify_interval,
                notify_first=own.notify_first,
            ),
            trusted=lambda flow: flow.remote[0] in trust,
            fetch=lambda addresses, now: self._documents.fetch(addresses),
            forget=self._documents.forget,
            decide=log.decide,
            journal=self._journal,
        )
        self._engine.user = self._server.uas

    @property
    def commands(self) -> Mapping[str, Command]:
        return {}

    async def start(self) -> list[str]:
        """Opens the store, binds the listeners, goes on where the last run ended, and begins to listen.

        Nothing else has to be up: what the server needs it asks for when users register. Raises StartError for a store
        that cannot be used, and OSError.
        """
        path = state_directory(self._whole) / STORE
        if self._journal is not None:
            self._store = self._open(path)
        node = self._node = SipNode(
            self._engine,
            self._clock,
            self._trace,
            tcp_limits(self._whole.limits),
            queue=queue_limits(self._whole.limits),
            journal=self._journal,
            store=self._store,
            on_lost=self._revert,
            tls=self._tls,
            resolver=self._resolver,
        )
        addresses = await listen_all(node, self.name, self._settings.listen, self._settings.advertise, begin=False)
        try:
            self._server.restore({} if self._store is None else self._store.load(), node.now())
        except StoreError as error:
            raise cannot_use(error) from None
        except _UNREADABLE as error:
            raise cannot_use(error, path) from None
        await node.begin()
        node.pump()
        return addresses

    def _open(self, path: Path) -> SqliteState:
        try:
            return SqliteState(path)
        except StoreError as error:
            raise cannot_use(error) from None

    def _revert(self, now: float) -> None:
        """Something could not be stored: go back to what is, and go on from it in a moment, as after a restart.

        A daemon that cannot even do that has to end.
        """
        assert self._store is not None
        try:
            self._server.restore(self._store.load(), now, now + RETRY)
        except (StoreError, *_UNREADABLE) as error:
            if not self._lost.done():
                self._lost.set_result(f"the state can be neither written nor read: {error}")

    async def ended(self) -> None:
        """Raises StartError when the state is lost."""
        raise StartError(await asyncio.shield(self._lost))

    async def stop(self) -> None:
        """Nobody is told: the next run goes on with every subscription and publication."""
        await self._documents.close()
        if self._node is not None:
            await self._node.close()
        if self._store is not None:
            await self._store.close()
        for xdms in self._xdms:
            await xdms.close()

    def reload(self) -> None:
        """Reads the files of [tls] again; raises ConfigurationError."""
        if self._tls is not None:
            self._tls.reload()

    def show(self) -> dict[str, object]:
        """Users, who of them is registered, what they published, who watches, and the XDM documents that are kept."""
        return {
            **self._server.show(self._clock.now()),
            "documents": self._documents.show(),
            "commits": 0 if self._store is None else self._store.commits,
            "counters": dict(self._engine.counters),
        }


def _xdms(settings: Settings, trace: Trace, clock: Clock, names: Resolver) -> list[XcapClient]:
    """The PoC XDMS and, where it is another one, the Shared XDMS."""
    own = settings.server
    tls = https_context(settings.tls_for("server"), "server")
    roots = dict.fromkeys([own.xcap_root, own.shared_xcap_root or own.xcap_root])
    return [
        XcapClient(
            root,
            own.xcap_user,
            own.xcap_password.get_secret_value(),
            trace=trace,
            now=clock.now,
            hosts=settings.hosts_for("server"),
            tls=tls,
            resolver=names,
        )
        for root in roots
    ]


def _trust(peers: list[str], hosts: Mapping[str, str]) -> Trust:
    try:
        return Trust(peers, hosts)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
