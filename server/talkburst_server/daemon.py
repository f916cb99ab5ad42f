"""The PoC server as a daemon: its settings, its listener, its XDMS."""

import secrets
from collections.abc import Mapping
from typing import Final

import talkburst
from talkburst.daemon.control import Command
from talkburst.daemon.log import Log
from talkburst.daemon.settings import ConfigurationError, Settings
from talkburst.daemon.trust import Trust
from talkburst.net import Clock, SipNode, listen_all
from talkburst.obs.trace import Trace
from talkburst.sip.engine import Engine
from talkburst.sip.timers import Timers
from talkburst.xcap.client import XcapClient
from talkburst_server.documents import UserDocuments
from talkburst_server.server import SOFTWARE as PRODUCT
from talkburst_server.server import PocServer

SOFTWARE: Final = f"{PRODUCT} talkburst/{talkburst.__version__}"


def _token() -> str:
    """128 bits: more than RFC 3261 19.3 asks of a tag, and enough for an entity-tag that is never used twice."""
    return secrets.token_hex(16)


class ServerDaemon:
    """What `talkburst.daemon.run` runs."""

    name = "server"

    def __init__(self, settings: Settings, trace: Trace, log: Log) -> None:
        own, hosts = settings.server, settings.hosts_for("server")
        clock = Clock()
        self._settings = own
        self._xdms = _xdms(settings, trace, clock)
        self._documents = UserDocuments(self._xdms[0], self._xdms[-1], log.decide)
        self._engine = Engine(
            None,
            timers=Timers(t1=settings.timers.t1, t2=settings.timers.t2, t4=settings.timers.t4),
            token=_token,
            hosts=hosts,
            software=SOFTWARE,
        )
        self._node = SipNode(self._engine, clock, trace)
        trust = _trust(settings.trust.peers, hosts)
        self._server = PocServer(
            self._engine,
            _token,
            uri=own.uri,
            trusted=lambda flow: flow.remote[0] in trust,
            fetch=lambda addresses, now: self._documents.fetch(addresses),
            forget=self._documents.forget,
            decide=log.decide,
            software=SOFTWARE,
            reg_expires=own.reg_expires,
            settings_expires_max=own.settings_expires_max,
            notify_interval=own.notify_interval,
            notify_first=own.notify_first,
        )
        self._engine.user = self._server.uas

    @property
    def commands(self) -> Mapping[str, Command]:
        return {}

    async def start(self) -> list[str]:
        """Opens the listeners. Nothing else has to be up: what the server needs it asks for when users register."""
        return await listen_all(self._node, self.name, self._settings.listen, self._settings.advertise)

    async def stop(self) -> None:
        """Subscriptions are left to the other side: it finds out with its next request in them."""
        await self._documents.close()
        await self._node.close()
        for xdms in self._xdms:
            await xdms.close()

    def show(self) -> dict[str, object]:
        """Users, who of them is registered, what they published, who watches, and the XDM documents that are kept."""
        return {
            **self._server.show(self._node.now()),
            "documents": self._documents.show(),
            "counters": dict(self._engine.counters),
        }


def _xdms(settings: Settings, trace: Trace, clock: Clock) -> list[XcapClient]:
    """The PoC XDMS and, where it is another one, the Shared XDMS."""
    own = settings.server
    roots = dict.fromkeys([own.xcap_root, own.shared_xcap_root or own.xcap_root])
    return [
        XcapClient(
            root,
            own.xcap_user,
            own.xcap_password.get_secret_value(),
            trace=trace,
            now=clock.now,
            hosts=settings.hosts_for("server"),
        )
        for root in roots
    ]


def _trust(peers: list[str], hosts: Mapping[str, str]) -> Trust:
    try:
        return Trust(peers, hosts)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
