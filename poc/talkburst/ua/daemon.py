"""The PoC client as a daemon: its settings, its listener, what it keeps, the command that changes the PoC settings."""

import asyncio
from collections.abc import Mapping
from typing import Final

import talkburst
from talkburst.daemon.control import Answer, Command, ControlError
from talkburst.daemon.log import Log
from talkburst.daemon.settings import ClientSettings, ConfigurationError, Settings
from talkburst.daemon.start_error import StartError, cannot_use
from talkburst.daemon.state import state_directory
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
from talkburst.sip.digest import DigestClient
from talkburst.sip.engine import Engine
from talkburst.sip.timers import Timers
from talkburst.sip.uri import UriError
from talkburst.store import StoreError
from talkburst.ua.account import Account
from talkburst.ua.chosen import Choice, ChosenSettings
from talkburst.ua.client import PocClient
from talkburst.ua.settings import Fate, Wishes
from talkburst.ua.state import ClientState
from talkburst.xml.poc_settings import AnswerMode

USER_AGENT: Final = f"PoC-client/OMA1.0 talkburst/{talkburst.__version__}"
KEEP_ALIVE: Final = (95.0, 120.0)  # seconds between the pings on a connection (RFC 5626 4.4.1)
ANSWERED_WITHIN: Final = 4.0  # seconds that `client settings` waits for the server; twice that is less than `ask` waits
STOP_LIMIT: Final = 4.8  # seconds for all of taking leave; `talkburst.daemon.run` allows 5

_REMEDY: Final = "name another place with --state DIR"


class ClientDaemon:
    """What `talkburst.daemon.run` runs."""

    name = "client"

    def __init__(self, settings: Settings, trace: Trace, log: Log) -> None:
        own = settings.client
        self._settings = own
        self._log = log
        self._state = _state(settings)
        self._account = Account(
            own.private_id,
            own.public_id,
            own.registrar,
            self._state.instance,
            expires=own.expires,
            outbound=own.outbound,
            user_agent=USER_AGENT,
        )
        try:
            _ = self._account.routes
        except UriError as error:
            raise ConfigurationError(f"client.outbound: {error}; write HOST:PORT or a SIP URI") from None
        self._engine = Engine(
            None,
            timers=Timers(t1=settings.timers.t1, t2=settings.timers.t2, t4=settings.timers.t4),
            token=Tokens().next,
            hosts=settings.hosts_for("client"),
            software=USER_AGENT,
            usual=own.transport.upper(),
        )
        self._engine.message_limits = message_limits(settings.limits)
        self._engine.retry_after = settings.limits.retry_after
        self._chosen = _chosen(own, self._state, log)
        self._tls = tls_for(settings, self.name, must_listen=False)
        self._node = SipNode(
            self._engine,
            Clock(),
            trace,
            tcp_limits(settings.limits, KEEP_ALIVE),
            tls=self._tls,
            resolver=name_resolver(settings.dns),
            queue=queue_limits(settings.limits),
        )
        self._client: PocClient | None = None
        self._changing = asyncio.Lock()
        self._refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def commands(self) -> Mapping[str, Command]:
        return {"settings": self._change}

    async def start(self) -> list[str]:
        """Opens the listeners and begins to register. Whether the core is there yet makes no difference."""
        own = self._settings
        addresses = await listen_all(self._node, self.name, own.listen, own.advertise)
        self._client = PocClient(
            self._engine,
            self._engine.token,
            DigestClient(own.private_id, own.password.get_secret_value()),
            self._account,
            self._chosen.wishes,
            on_refused=self._on_refused,
            decide=self._log.decide,
            etag=self._state.etag,
            on_etag=self._keep_etag,
            on_published=self._keep_published,
        )
        self._engine.user = self._client.uas
        self._client.start(self._node.now())
        self._node.pump()
        return addresses

    async def ended(self) -> None:
        """Raises StartError when the home network refuses the client for good."""
        raise StartError(await asyncio.shield(self._refused))

    async def stop(self) -> None:
        """Withdraws the settings, unsubscribes and unregisters, as far as somebody answers."""
        if self._client is not None:
            over = asyncio.Event()
            self._client.stop(self._node.now(), lambda now: over.set())
            self._node.pump()
            try:
                await asyncio.wait_for(over.wait(), STOP_LIMIT)
            except TimeoutError:
                self._log.warning("left without all answers", seconds=STOP_LIMIT)
        await self._node.close()
        self._state.close()

    def reload(self) -> None:
        """Reads the files of [tls] again; raises ConfigurationError."""
        if self._tls is not None:
            self._tls.reload()

    def show(self) -> dict[str, object]:
        """The registration, the PoC Address, the settings as the server tells them."""
        shown = {} if self._client is None else self._client.show(self._node.now())
        return {**shown, "wishes_from": self._chosen.source, "counters": dict(self._engine.counters)}

    def lacks(self) -> str:
        """What is still to be done until the user's settings are known, and ours are published if they are to be."""
        return "not started yet" if self._client is None else self._client.lacks()

    def _on_refused(self, why: str) -> None:
        if not self._refused.done():
            self._refused.set_result(why)

    def _keep_etag(self, address: str, etag: str | None) -> None:
        try:
            self._state.keep_etag(address, etag)
        except OSError as error:  # costs a 412 after the next start, no more
            self._log.warning("entity-tag not kept", file=error.filename, why=error.strerror)

    def _keep_published(self) -> None:
        try:
            self._chosen.published()
        except OSError as error:  # costs a word with another client's settings after the next start, no more
            self._log.warning("not kept that the settings are published", file=error.filename, why=error.strerror)

    async def _change(self, arguments: Answer) -> Answer:
        """`settings`: change answer_mode, barring or both, or `reset` them to the configuration's; else only tell."""
        if self._client is None:
            raise ControlError("the client has not started yet")
        answer_mode, barring, reset = _read(arguments)
        if not reset and answer_mode is None and barring is None:
            return self._told(self._client, "unchanged", "")
        async with self._changing:
            before = self._chosen.choice
            try:
                if reset:
                    self._chosen.keep(None)
                else:
                    self._chosen.choose(answer_mode, barring, self._node.now())
            except OSError as error:
                raise ControlError(f"nothing changed, cannot keep it in {error.filename}: {error.strerror}") from None
            fate, why = await self._adopt(self._client)
            if fate is Fate.REFUSED:
                self._take_back(self._client, before)
                raise ControlError(f"the server refused the settings: {why}; they are what they were")
            return self._told(self._client, fate.value, why)

    async def _adopt(self, client: PocClient) -> tuple[Fate, str]:
        """Publish what is wanted now; what became of it within a while."""
        told: asyncio.Future[tuple[Fate, str]] = asyncio.get_running_loop().create_future()

        def on_fate(fate: Fate, why: str) -> None:
            if not told.done():
                told.set_result((fate, why))

        client.adopt(self._node.now(), self._chosen.wishes, on_fate)
        self._node.pump()
        try:
            return await asyncio.wait_for(told, ANSWERED_WITHIN)
        except TimeoutError:
            return Fate.PENDING, f"no answer from the server within {ANSWERED_WITHIN:g} s"

    def _take_back(self, client: PocClient, before: Choice | None) -> None:
        try:
            self._chosen.keep(before)
        except OSError as error:
            self._log.warning("refused settings stay kept", file=error.filename, why=error.strerror)
        client.restore(self._node.now(), self._chosen.wishes)
        self._node.pump()

    def _told(self, client: PocClient, outcome: str, why: str) -> Answer:
        shown = client.show(self._node.now())
        wishes = {"wishes": shown["wishes"], "wishes_from": self._chosen.source}
        return {"outcome": outcome, "why": why, **wishes, "settings": shown["settings"]}


def _read(arguments: Answer) -> tuple[AnswerMode | None, bool | None, bool]:
    """The arguments of `settings`; raises ControlError, for whoever asks may be no program of ours."""
    unknown = sorted(set(arguments) - {"answer_mode", "barring", "reset"})
    if unknown:
        raise ControlError(f"no such setting: {unknown[0]}; there are answer_mode and barring")
    answer_mode, barring, reset = (arguments.get(name) for name in ("answer_mode", "barring", "reset"))
    if answer_mode not in (None, "automatic", "manual"):
        raise ControlError(f"answer_mode = {answer_mode!r}: must be automatic or manual")
    if not (barring is None or isinstance(barring, bool)):
        raise ControlError(f"barring = {barring!r}: must be true or false")
    if not (reset is None or isinstance(reset, bool)):
        raise ControlError(f"reset = {reset!r}: must be true or false")
    if reset and (answer_mode is not None or barring is not None):
        raise ControlError("reset goes back to the configuration's settings, so it takes no others")
    return answer_mode, barring, bool(reset)


def _chosen(own: ClientSettings, state: ClientState, log: Log) -> ChosenSettings:
    try:
        return ChosenSettings(Wishes(own.answer_mode, own.barring, own.publish, own.on_conflict), state, log.decide)
    except OSError as error:
        raise StartError(f"cannot write {error.filename}: {error.strerror}; {_REMEDY}") from None


def _state(settings: Settings) -> ClientState:
    directory = state_directory(settings)
    try:
        return ClientState(directory, settings.client.private_id, settings.client.instance)
    except OSError as error:
        raise StartError(f"cannot write in {directory}: {error.strerror}; {_REMEDY}") from None
    except StoreError as error:
        raise cannot_use(error) from None
