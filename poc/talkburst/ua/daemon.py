"""The PoC client as a daemon: its settings, its listener, what it keeps, the command that changes the PoC settings."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final

import talkburst
from talkburst.daemon.control import Answer, Command, ControlError
from talkburst.daemon.log import Log
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.daemon.start_error import StartError
from talkburst.daemon.state import state_directory
from talkburst.net import Clock, SipNode, TcpLimits, listen_all
from talkburst.obs.trace import Trace
from talkburst.sip.digest import DigestClient
from talkburst.sip.engine import Engine
from talkburst.sip.timers import Timers
from talkburst.sip.uri import UriError
from talkburst.ua.account import Account
from talkburst.ua.client import PocClient
from talkburst.ua.settings import Wishes
from talkburst.ua.state import ClientState

USER_AGENT: Final = f"PoC-client/OMA1.0 talkburst/{talkburst.__version__}"
KEEP_ALIVE: Final = (95.0, 120.0)  # seconds between the pings on a connection (RFC 5626 4.4.1)
STOP_LIMIT: Final = 4.8  # seconds for all of taking leave; `talkburst.daemon.run` allows 5


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
            token=lambda: secrets.token_hex(8),
            hosts=settings.hosts_for("client"),
            software=USER_AGENT,
            usual=own.transport.upper(),
        )
        self._node = SipNode(self._engine, Clock(), trace, TcpLimits(keep_alive=KEEP_ALIVE))
        self._client: PocClient | None = None
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
            Wishes(own.answer_mode, own.barring, own.publish, own.on_conflict),
            on_refused=self._on_refused,
            decide=self._log.decide,
            etag=self._state.etag,
            on_etag=self._keep_etag,
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

    def show(self) -> dict[str, object]:
        """The registration, the PoC Address, the settings as the server tells them."""
        shown = {} if self._client is None else self._client.show(self._node.now())
        return {**shown, "counters": dict(self._engine.counters)}

    def _on_refused(self, why: str) -> None:
        if not self._refused.done():
            self._refused.set_result(why)

    def _keep_etag(self, address: str, etag: str | None) -> None:
        try:
            self._state.keep_etag(address, etag)
        except OSError as error:  # costs a 412 after the next start, no more
            self._log.warning("entity-tag not kept", file=error.filename, why=error.strerror)

    async def _change(self, arguments: Answer) -> Answer:
        """`settings`: change answer_mode, barring or both; without either, only tell."""
        if self._client is None:
            raise ControlError("the client has not started yet")
        unknown = sorted(set(arguments) - {"answer_mode", "barring"})
        if unknown:
            raise ControlError(f"no such setting: {unknown[0]}; there are answer_mode and barring")
        answer_mode, barring = arguments.get("answer_mode"), arguments.get("barring")
        if answer_mode not in (None, "automatic", "manual"):
            raise ControlError(f"answer_mode = {answer_mode!r}: must be automatic or manual")
        if barring not in (None, True, False):
            raise ControlError(f"barring = {barring!r}: must be true or false")
        if answer_mode is not None or barring is not None:
            self._client.change(self._node.now(), answer_mode=answer_mode, barring=barring)
            self._node.pump()
        shown: dict[str, Any] = self._client.show(self._node.now())
        return {"wishes": shown["wishes"], "settings": shown["settings"]}


def _state(settings: Settings) -> ClientState:
    directory = state_directory(settings)
    try:
        return ClientState(directory, settings.client.private_id, settings.client.instance)
    except OSError as error:
        raise StartError(f"cannot write in {directory}: {error.strerror}; name another with --state DIR") from None
