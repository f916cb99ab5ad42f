"""How many connections peers may open, in all and from one address, and which of them make room for another one."""

from __future__ import annotations

import ipaddress
from collections import Counter, deque
from collections.abc import Callable, Collection

from talkburst.daemon.log import Log
from talkburst.net.seldom import Seldom
from talkburst.net.tcp import TcpConnection
from talkburst.net.tcp_limits import TcpLimits

FOUND_AT_ONCE = 64  # connections that one look at all of them puts down as those to go next
LOOK_AGAIN = 1.0  # seconds after a look that found none
EVERYWHERE = ""  # instead of an address


class Room:
    """The connections that were accepted.

    Where there is no room for another one, the one makes room that has been silent longest: for at least
    `limits.spare` seconds without a whole message or a keep-alive, owed no answer, and nobody registered over it
    (`keeps`). Without such a one the new one is refused.
    """

    def __init__(
        self, limits: TcpLimits, keeps: Callable[[TcpConnection], bool], counters: Counter[str], log: Log
    ) -> None:
        self._limits = limits
        self._keeps = keeps
        self._counters = counters
        self._all: dict[TcpConnection, str] = {}  # and where each comes from
        self._of_place: dict[str, set[TcpConnection]] = {}
        self._next_to_go: dict[str, deque[TcpConnection]] = {}
        self._look_at: dict[str, float] = {}
        self._refusals = Seldom(log, "connections refused")

    def take(self, connection: TcpConnection) -> bool:
        """Count a new connection in, or say that there is no room for it."""
        place = place_of(connection.remote[0])
        own = self._of_place.get(place, set())
        if len(own) >= self._limits.connections_per_address and not self._make_room(place, own, connection.heard):
            self._refuse(f"{len(own)} are open from {place}, the limit", connection.heard)
            return False
        if len(self._all) >= self._limits.connections and not self._make_room(EVERYWHERE, self._all, connection.heard):
            self._refuse(f"{len(self._all)} are open, the limit", connection.heard)
            return False
        self._all[connection] = place
        self._of_place.setdefault(place, set()).add(connection)
        return True

    def give_back(self, connection: TcpConnection) -> None:
        """It is closed, or about to be."""
        place = self._all.pop(connection, None)
        if place is None:
            return
        own = self._of_place[place]
        own.discard(connection)
        if not own:
            del self._of_place[place]
            self._next_to_go.pop(place, None)
            self._look_at.pop(place, None)

    def _refuse(self, why: str, now: float) -> None:
        self._counters["connections_refused"] += 1
        self._refusals.warn(now, reason=why)

    def _make_room(self, place: str, among: Collection[TcpConnection], now: float) -> bool:
        """Close one of `among`. To look at all of them is dear, so what is found is put down for the next times."""
        found = self._next_to_go.get(place)
        if not found and self._look_at.get(place, now) <= now:
            silent = sorted((each for each in among if self._is_spare(each, now)), key=lambda each: each.heard)
            found = self._next_to_go[place] = deque(silent[:FOUND_AT_ONCE])
            self._look_at[place] = now if silent else now + LOOK_AGAIN
        while found:
            connection = found.popleft()
            if connection in self._all and self._is_spare(connection, now):
                self._counters["connections_making_room"] += 1
                connection.cut("makes room for another one")
                self.give_back(connection)
                return True
        return False

    def _is_spare(self, connection: TcpConnection, now: float) -> bool:
        silent = connection.heard + self._limits.spare <= now
        return silent and not connection.owed and not self._keeps(connection)


def place_of(host: str) -> str:
    """What counts as one address: an IPv4 address, or the network of one IPv6 link, whose hosts choose theirs."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
