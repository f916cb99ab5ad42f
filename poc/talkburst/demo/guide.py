"""What somebody who puts a program of their own into the demo has to know: a block for each role, to copy from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from talkburst.daemon.address import show_host_port
from talkburst.daemon.settings import ClientSettings, Settings
from talkburst.demo.documents import DOCUMENTS
from talkburst.demo.placement import External
from talkburst.demo.subscriber import UserProfile, profile_of
from talkburst.demo.world import World
from talkburst.flow.roles import ROLES, Role
from talkburst.sip import parse_uri
from talkburst.ua.account import TAG
from talkburst.xcap.uri import user_document

Row = tuple[str, str]

_WIDTH: Final = 100
_LABEL: Final = 14
_TITLES: Final[dict[Role, str]] = {
    "client": "Your client takes the place of ours:",
    "core": "Your core takes the place of ours:",
    "server": "Your PoC server takes the place of ours:",
    "xdms": "Your XDMS takes the place of ours:",
}


@dataclass(slots=True, frozen=True)
class Guide:
    """The addresses, names and credentials of one demo, in words. The credentials are for this demo and no other."""

    world: World
    settings: Settings
    client: ClientSettings
    profile: UserProfile

    @classmethod
    def of(cls, world: World) -> Guide:
        """For a world whose ports are known. `client` is the one whose flow is judged."""
        settings = Settings.model_validate(world.configuration())
        client = settings.client.model_copy(update=world.scenario.second)
        return cls(world, settings, client, profile_of(client.private_id, settings.core.profiles))

    def blocks(self) -> list[str]:
        """A block for each program from outside."""
        tell = {"client": self._client, "core": self._core, "server": self._server, "xdms": self._xdms}
        return [
            "\n".join([_TITLES[role], *(_row(*row) for row in tell[role](self.world.placement.external[role]))])
            for role in ROLES
            if role in self.world.placement.external
        ]

    def awaited(self) -> str:
        """The first message that has to come where no client of ours begins."""
        ours = {part.name for part in self.world.parts}
        if "core" in ours:
            return f"a REGISTER of your client at {self._at('core.listen')}"
        if "server" in ours:
            return f"a third-party REGISTER of your core at {self._at('server.listen')}"
        return f"a GET of your server at {self.world.xcap_root}"

    def _client(self, peer: External) -> Iterator[Row]:
        yield "registrar", self.client.registrar
        yield "reached at", self._at("core.listen")
        yield from self._account()
        yield from self._identities("public id")
        yield "Contact", f"{self._contact()} in every REGISTER; without the tag there is no step 5"
        yield "Events", "reg (step 12 on); poc-settings, which it watches (16 on) and publishes (24 on)"

    def _core(self, peer: External) -> Iterator[Row]:
        yield "registrar", self.client.registrar
        yield "reached at", self._at("core.listen")
        yield from self._account()
        yield from self._identities("public id")
        yield "criteria", f"the InitialFilterCriteria of {self.profile.path}"
        yield (
            "server URI",
            f"{self.settings.server.uri}, told by third-party REGISTER with From and Contact yours (step 5)",
        )
        yield "server", self._at("server.listen")
        if "server" not in self.world.placement.external:
            yield "trusted", f"what comes from {_or(peer.addresses)}, with P-Asserted-Identity (steps 17, 25)"

    def _server(self, peer: External) -> Iterator[Row]:
        yield "own URI", self.settings.server.uri
        yield "reached at", f"{self._at('server.listen')}: the third-party REGISTER comes there (step 5)"
        yield "core", f"{self._at('core.listen_servers')}: SUBSCRIBE with Event: reg goes there (step 7)"
        if "core" not in self.world.placement.external:
            yield "trusted", f"what comes from {_or(peer.addresses)}, and from no other address"
        yield "XCAP root", f"{self.world.xcap_root}: GET the user's documents there (step 11)"
        yield "XCAP account", self._xcap_account()
        yield from self._identities("user")

    def _xdms(self, peer: External) -> Iterator[Row]:
        owner = self.world.scenario.owner
        yield "XCAP root", self.world.xcap_root
        yield "reader", f"{self._xcap_account()}: the PoC server, which may read all (step 11)"
        yield "owner", f"{owner}, password {self.world.scenario.password}"
        for auid, name, _, _ in DOCUMENTS:
            yield "document", str(user_document(auid, owner, name))

    def _account(self) -> Iterator[Row]:
        yield "private id", self.client.private_id
        yield "realm", self.settings.core.realm or self.client.private_id.rpartition("@")[2]
        yield "password", self.client.password.get_secret_value()

    def _identities(self, label: str) -> Iterator[Row]:
        yield label, self.client.public_id
        others = [identity for identity in self.profile.identities if identity != self.client.public_id]
        if others:
            yield "also theirs", ", ".join(others)

    def _xcap_account(self) -> str:
        server = self.settings.server
        return f"{server.xcap_user}, password {server.xcap_password.get_secret_value()}"

    def _contact(self) -> str:
        uri = parse_uri(self.client.public_id)
        return f"<sip:{getattr(uri, 'user', None) or 'poc'}@HOST:PORT>;{TAG}"

    def _at(self, place: str) -> str:
        address = show_host_port(*self.world.addresses[place])
        part, _, _ = place.partition(".")
        if part in self.world.placement.external and part != "client":
            return f"{self.world.transport} {address}"
        return f"{address}, UDP and TCP"


def _or(addresses: tuple[str, ...]) -> str:
    return " or ".join(addresses)


def _row(label: str, value: str) -> str:
    indent = " " * (_LABEL + 2)
    return textwrap.fill(
        value,
        _WIDTH,
        initial_indent=f"  {label:{_LABEL}}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
