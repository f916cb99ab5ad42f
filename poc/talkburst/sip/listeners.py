"""The addresses an engine sends from and is reached at, by the sides that they belong to."""

from __future__ import annotations

from collections.abc import Iterable

from talkburst.sip.flow import Address, Listener, plain_host


class Listeners:
    """The listeners of an engine. A side is what has one name, or that name and a number behind a slash."""

    __slots__ = ("_by_name", "_own_addresses")

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], Listener] = {}  # name and transport
        self._own_addresses: set[Address] = set()

    def add(self, listener: Listener) -> None:
        host, port = listener.advertised
        self._by_name[listener.name, listener.transport] = listener
        self._own_addresses.add((plain_host(host), port))

    def every(self) -> Iterable[Listener]:
        return self._by_name.values()

    def find(self, name: str | None, transport: str | None) -> Listener:
        """The listener of that name and transport, by default the first one; KeyError when there is none."""
        if name is not None and transport is not None and (name, transport) in self._by_name:
            return self._by_name[name, transport]
        for listener in self._by_name.values():
            if name in (None, listener.name) and transport in (None, listener.transport):
                return listener
        raise KeyError(f"no listener {name or ''} {transport or ''}".rstrip())

    def sibling(self, listener: Listener, transport: str) -> Listener | None:
        """The listener of the same name that speaks `transport`."""
        return self._by_name.get((listener.name, transport))

    def leaving(self, listener: Listener, transport: str, host: str) -> Listener | None:
        """The listener of the same side that speaks `transport` and reaches an address of the family of `host`."""
        exact = self._by_name.get((listener.name, transport))
        if exact is not None and exact.reaches(host):
            return exact
        for other in self._side(listener):
            if other.transport == transport and other.reaches(host):
                return other
        return None

    def abilities(self, listener: Listener) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """The transports and the IP versions that the side of `listener` speaks, its own first."""
        side = [listener, *self._side(listener)]
        transports = tuple(dict.fromkeys(each.transport for each in side))
        families = tuple(version for version, host in ((6, "::"), (4, "")) if any(each.reaches(host) for each in side))
        return transports, families

    def is_own_address(self, host: str, port: int) -> bool:
        """Whether one of them advertises this host and port."""
        return (plain_host(host), port) in self._own_addresses

    def _side(self, listener: Listener) -> list[Listener]:
        side = listener.name.partition("/")[0]
        return [each for (name, _), each in self._by_name.items() if name.partition("/")[0] == side]
