"""The core as a daemon: its settings, its files, its two listeners."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import talkburst
from talkburst.daemon.address import show_host_port
from talkburst.daemon.control import Command
from talkburst.daemon.log import Log
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.daemon.shown import Counted, Listing
from talkburst.daemon.start_error import StartError, cannot_listen, cannot_use
from talkburst.daemon.state import state_directory
from talkburst.daemon.trust import Trust
from talkburst.net import (
    Clock,
    SipNode,
    Tokens,
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
from talkburst.sip.journal import RowError
from talkburst.sip.notifier import NotifierSubscription
from talkburst.sip.timers import Timers
from talkburst.sip.uri import UriError
from talkburst.store import Journal, SqliteState, StoreError
from talkburst_core import credentials, profile
from talkburst_core.bindings import Binding, Registration
from talkburst_core.core import Core
from talkburst_core.destination import CLIENTS, SERVERS
from talkburst_core.policy import Policy
from talkburst_core.profile import Subscriber
from talkburst_core.registration_update import Limits

SOFTWARE: Final = f"talkburst-core/{talkburst.__version__}"
NONCE_KEY_SIZE: Final = 32
STORE: Final = "core.db"
# Seconds after a failed commit before something is sent that needs another one.
RETRY: Final = 5.0


class CoreDaemon:
    """What `talkburst.daemon.run` runs."""

    name = "core"

    def __init__(self, settings: Settings, trace: Trace, log: Log) -> None:
        self._whole = settings
        self._settings = settings.core
        self._trace = trace
        self._log = log
        self._clock = Clock()
        self._journal = None if settings.store == "memory" else Journal()
        self._store: SqliteState | None = None
        self._node: SipNode | None = None
        self._lost = asyncio.Event()
        self._why_lost = ""
        self._tls = tls_for(settings, self.name)
        hosts = settings.hosts_for("core")
        times = settings.timers
        self._engine = Engine(
            None,
            timers=Timers(t1=times.t1, t2=times.t2, t4=times.t4),
            token=Tokens().next,
            hosts=hosts,
            software=SOFTWARE,
        )
        self._engine.message_limits = message_limits(settings.limits)
        self._engine.retry_after = settings.limits.retry_after
        self.core = Core(
            _subscribers(self._settings.profiles, log),
            _credentials(self._settings.credentials),
            _policy(settings),
            _trust(settings.trust.peers, hosts),
            self._engine,
            nonce_key=secrets.token_bytes(NONCE_KEY_SIZE),
            started_at=self._clock.now(),
            journal=self._journal,
            decide=log.decide,
        )

    @property
    def commands(self) -> Mapping[str, Command]:
        return {}

    async def start(self) -> list[str]:
        """Takes up what is stored, then opens the listener for clients and the one for servers.

        Raises StartError for a store that cannot be used, and OSError.
        """
        if self._journal is not None:
            self._store = self._open(state_directory(self._whole) / STORE)
        node = self._node = SipNode(
            self._engine,
            self._clock,
            self._trace,
            tcp_limits(self._whole.limits),
            queue=queue_limits(self._whole.limits),
            journal=self._journal,
            store=self._store,
            on_lost=self._revert,
            keeps=self.core.is_registered_over,
            tls=self._tls,
            resolver=name_resolver(self._whole.dns),
        )
        own = self._settings
        addresses = await listen_all(node, CLIENTS, own.listen, own.advertise, begin=False)
        try:
            addresses += await listen_all(node, SERVERS, own.listen_servers, own.advertise_servers, begin=False)
        except OSError as error:
            raise cannot_listen(" or ".join(own.listen_servers), error, self.name, "listen_servers") from error
        await node.begin()
        node.pump()
        return addresses

    def _open(self, path: Path) -> SqliteState:
        try:
            store = SqliteState(path)
        except StoreError as error:
            raise cannot_use(error) from None
        self._store = store
        try:
            self.core.restore(store.load(), self._clock.now())
        except StoreError as error:
            raise cannot_use(error) from None
        except (RowError, HeaderError, UriError) as error:
            raise cannot_use(error, path) from None
        return store

    def _revert(self, now: float) -> None:
        """Something could not be stored: go back to what is. A daemon that cannot even do that has to end."""
        assert self._store is not None
        try:
            self.core.restore(self._store.load(), now, resume_at=now + RETRY)
        except (StoreError, RowError, HeaderError, UriError) as error:
            self._why_lost = f"the state can be neither written nor read: {error}"
            self._lost.set()

    async def ended(self) -> None:
        await self._lost.wait()
        raise StartError(self._why_lost)

    async def stop(self) -> None:
        if self._node is not None:
            await self._node.close()
        if self._store is not None:
            await self._store.close()

    def reload(self) -> None:
        """Reads the files of [tls] again; raises ConfigurationError."""
        if self._tls is not None:
            self._tls.reload()

    def show(self) -> dict[str, object]:
        """Users, who of them is registered where, who watches, which servers were told."""
        now = self._clock.now()
        return {
            "subscribers": Counted(self.core.subscribers, self._subscriber, _names_of_subscriber, same_user=True),
            "registrations": Listing(
                self.core.registrar.registrations(),
                lambda each: self._registration(each, now),
                _names,
                same_user=True,
            ),
            "subscriptions": Listing(
                self.core.notifier.subscriptions,
                lambda each: _subscription(each, now),
                lambda each: (each.resource, each.subscriber),
            ),
            "in_progress": {
                "requests_received": len(self._engine.servers),
                "requests_sent": len(self._engine.clients),
                "requests_forwarded": self.core.proxy.pending,
            },
            "commits": 0 if self._store is None else self._store.commits,
            "counters": dict(self._engine.counters),
        }

    def _subscriber(self, subscriber: Subscriber) -> dict[str, object]:
        registration = self.core.registrar.registration(subscriber.key)
        return {
            "private_ids": list(subscriber.private_ids),
            "identities": [identity.uri for identity in subscriber.identities],
            "criteria": [f"{each.priority}: {each.server.server_name}" for _, each in subscriber.criteria()],
            "registered": registration is not None and registration.active,
        }

    def _registration(self, registration: Registration, now: float) -> dict[str, object]:
        subscriber = registration.subscriber
        told = self.core.third_party.told(subscriber)
        return {
            "identities": [identity.uri for identity in subscriber.identities],
            "barred": [identity.uri for identity in subscriber.identities if identity.barred],
            "contacts": [_contact(binding, now) for binding in registration.bindings],
            "told": sorted(server for server in told if not told[server].unanswered),
            "not_answered": sorted(server for server in told if told[server].unanswered),
        }


def _names_of_subscriber(subscriber: Subscriber) -> Iterator[str]:
    yield from (identity.uri for identity in subscriber.identities)
    yield from subscriber.private_ids


def _names(registration: Registration) -> Iterator[str]:
    """What a user is known by."""
    yield from (identity.uri for identity in registration.subscriber.identities)
    yield from (binding.private_id for binding in registration.bindings)


def _subscription(subscription: NotifierSubscription, now: float) -> dict[str, object]:
    return {
        "event": subscription.event,
        "resource": subscription.resource,
        "subscriber": subscription.subscriber,
        "expires": max(0, round(subscription.expires_at - now)),
    }


def _contact(binding: Binding, now: float) -> dict[str, object]:
    return {
        "contact": binding.header(now),
        "private_id": binding.private_id,
        "source": show_host_port(*binding.flow.remote),
        "path": list(binding.path),
    }


def _policy(whole: Settings) -> Policy:
    settings = whole.core
    return Policy(
        domain=settings.domain,
        domains=tuple(settings.domains),
        uri=settings.uri,
        realm=settings.realm,
        limits=Limits(settings.expires_min, settings.expires_max),
        flow_timer=settings.flow_timer,
        flow_timer_udp=settings.flow_timer_udp,
        challenge_all=settings.auth_requests == "challenge",
        notify_interval=settings.notify_interval,
        notify_first=settings.notify_first,
        # The 504 has to be there before Timer F of the client (64*T1) ends its wait.
        liveness=min(settings.liveness, 32 * whole.timers.t1),
        nonce_lifetime=settings.nonce_lifetime,
        software=SOFTWARE,
        tolerate=frozenset(settings.tolerate),
    )


def _trust(peers: list[str], hosts: Mapping[str, str]) -> Trust:
    try:
        return Trust(peers, hosts)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def world() -> Traversable:
    """The subscribers that come with the package."""
    return resources.files("talkburst_core") / "world"


def _subscribers(directory: str, log: Log) -> profile.Subscribers:
    """Every *.xml of a directory; what cannot be used is named in the log and left out. Raises ConfigurationError."""
    place: Traversable | Path = Path(directory) if directory else world() / "profiles"
    if not place.is_dir():
        raise ConfigurationError(
            f"core.profiles: {directory} is no directory; it has to hold IMSSubscription *.xml files"
        )
    files = sorted((file for file in place.iterdir() if file.name.endswith(".xml")), key=lambda file: file.name)
    subscribers, defects = profile.load((file.name, file.read_bytes()) for file in files)
    for defect in defects:
        log.warning("criterion skipped" if defect.profile_is_used else "profile skipped", where=str(defect))
    if not len(subscribers):
        log.warning("nobody can register: no profile could be used", directory=str(place), files=len(files))
    return subscribers


def _credentials(path: str) -> dict[str, credentials.Credentials]:
    """Raises ConfigurationError."""
    file: Traversable | Path = Path(path) if path else world() / "credentials.toml"
    try:
        return credentials.load(file.name, file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"core.credentials: cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"core.credentials: {error}") from None
