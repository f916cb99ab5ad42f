"""Which connections are open, which are being opened, and who waits for them (RFC 3261 18).

A connection belongs to a listener and to the address at its other end. A request is sent on one that is open to the
very address and port of its next hop, whoever opened it; from any other port of a peer nothing can be concluded: over
TCP anybody may claim an `alias`, which is why RFC 5923 has them over TLS alone. Over TLS a connection carries requests
for the domains that the certificate at its other end proved, and for no others (RFC 5922 7.3).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from talkburst.sip.actions import Action, Connect, Disconnect, LimitSilence
from talkburst.sip.agenda import Agenda, Alarm
from talkburst.sip.flow import Address, Flow, Listener

Routed = Callable[[Flow | None, float], None]  # told the flow of a message, or None when its next hop cannot be reached
Peer = tuple[str, str, Address]  # name and transport of the listener, address of the other end


class Waiter:
    """Somebody who wants a connection that is being opened."""

    __slots__ = ("alarm", "routed")

    def __init__(self, routed: Routed) -> None:
        self.routed = routed
        self.alarm: Alarm | None = None


class Attempt:
    """A connection that is being opened, over TLS to whoever is `domain`."""

    __slots__ = ("domain", "flow", "waiters")

    def __init__(self, flow: Flow, domain: str) -> None:
        self.flow = flow
        self.domain = domain
        self.waiters: list[Waiter] = []


class Connections:
    """The connections of an engine by their number and by the peer they lead to."""

    __slots__ = (
        "_act",
        "_agenda",
        "_answerable",
        "_attempts",
        "_by_peer",
        "_coming",
        "_number",
        "_open",
        "_opened",
        "_proved",
        "_silence",
    )

    def __init__(self, agenda: Agenda, act: Callable[[Action], None]) -> None:
        self._agenda = agenda
        self._act = act
        self._number = 0
        self._open: dict[int, Flow] = {}
        self._opened: set[int] = set()  # those of them that we opened
        self._answerable: dict[int, Flow] = {}  # open no more, but their peers may still read what they are owed
        self._by_peer: dict[Peer, list[Flow]] = {}  # several to one peer: the last is the latest
        self._proved: dict[int, frozenset[str]] = {}  # domains, of those over TLS
        self._silence: dict[int, float] = {}  # seconds, of those that keep-alives are expected on
        self._attempts: dict[tuple[Peer, str], Attempt] = {}  # by peer and domain
        self._coming: dict[int, Attempt] = {}  # the same, by the number that each will have

    def __len__(self) -> int:
        return len(self._open)

    def is_open(self, flow: Flow) -> bool:
        """Whether this very connection is. The number alone says nothing: it may be from before a restart."""
        return self._open.get(flow.connection) == flow

    def takes_answers(self, flow: Flow) -> bool:
        """Whether a response can be sent on this very connection."""
        return self.is_open(flow) or self._answerable.get(flow.connection) == flow

    def is_ours(self, flow: Flow) -> bool:
        """Whether it is open, and we opened it."""
        return flow.connection in self._opened

    def find(self, listener: Listener, remote: Address, domain: str = "") -> Flow | None:
        """An open connection to exactly this address, over TLS one that is proved to be to `domain`."""
        flows = self._by_peer.get(_peer(listener, remote))
        if not flows:
            return None
        if listener.transport != "TLS":
            return flows[-1]
        return next((flow for flow in reversed(flows) if domain in self._proved.get(flow.connection, ())), None)

    def limit_silence(self, flow: Flow, seconds: float | None) -> None:
        """Expect something on an open connection every so many seconds, or (None) no more than on any other."""
        if self._silence.get(flow.connection) == seconds or not self.is_open(flow):
            return
        if seconds is None:
            del self._silence[flow.connection]
        else:
            self._silence[flow.connection] = seconds
        self._act(LimitSilence(flow, seconds))

    def reach(
        self,
        listener: Listener,
        remote: Address,
        routed: Routed,
        now: float,
        *,
        domain: str = "",
        patience: float | None = None,
    ) -> None:
        """Tell `routed` the connection to `remote`: at once when one is open, else as soon as one is.

        It is told None when the connection is refused, or is not there after `patience` seconds.
        """
        flow = self.find(listener, remote, domain)
        if flow is not None:
            routed(flow, now)
            return
        waiter = self.expect(listener, remote, routed, domain)
        if patience is not None:
            wanted = (_peer(listener, remote), _proof(listener, domain))
            waiter.alarm = self._agenda.schedule(now + patience, partial(self._lose_patience, wanted, waiter))

    def expect(self, listener: Listener, remote: Address, routed: Routed, domain: str = "") -> Waiter:
        """Wait for a connection that is being opened, or have it opened."""
        wanted = (_peer(listener, remote), _proof(listener, domain))
        attempt = self._attempts.get(wanted)
        if attempt is None:
            attempt = self._attempts[wanted] = Attempt(self._new_flow(listener, remote), wanted[1])
            self._coming[attempt.flow.connection] = attempt
            self._act(Connect(attempt.flow, attempt.domain))
        waiter = Waiter(routed)
        attempt.waiters.append(waiter)
        return waiter

    # What happens to connections

    def accepted(self, listener: Listener, remote: Address, proved: frozenset[str] = frozenset()) -> Flow:
        """A peer opened one; its flow. `proved` are the domains of its certificate."""
        flow = self._new_flow(listener, remote)
        self._add(flow, proved)
        return flow

    def connected(self, flow: Flow, now: float, proved: frozenset[str] = frozenset()) -> None:
        """One of ours is up. Nobody may be waiting for it any more."""
        attempt = self._coming.get(flow.connection)
        if attempt is None:
            self._act(Disconnect(flow))
            return
        self._add(flow, proved)
        self._opened.add(flow.connection)
        self._end(attempt, flow, now)

    def half_closed(self, flow: Flow, now: float) -> bool:
        """The peer of one sends no more: no request goes there, answers do until it is lost. True if it was open."""
        was_open = self.is_open(flow) and self.lost(flow, now)
        if was_open:
            self._answerable[flow.connection] = flow
        return was_open

    def lost(self, flow: Flow, now: float) -> bool:
        """One is closed, or could not be opened; True when it had been open."""
        self._answerable.pop(flow.connection, None)
        if flow.connection in self._open:
            del self._open[flow.connection]
            self._opened.discard(flow.connection)
            self._proved.pop(flow.connection, None)
            self._silence.pop(flow.connection, None)
            peer = _peer_of(flow)
            flows = self._by_peer[peer]
            flows.remove(flow)
            if not flows:
                del self._by_peer[peer]
            return True
        attempt = self._coming.get(flow.connection)
        if attempt is not None:
            self._end(attempt, None, now)
        return False

    def _new_flow(self, listener: Listener, remote: Address) -> Flow:
        self._number += 1
        return Flow(listener.transport, (listener.host, listener.port), remote, self._number, listener.name)

    def _add(self, flow: Flow, proved: frozenset[str]) -> None:
        self._open[flow.connection] = flow
        if proved:
            self._proved[flow.connection] = proved
        self._by_peer.setdefault(_peer_of(flow), []).append(flow)

    def _end(self, attempt: Attempt, flow: Flow | None, now: float) -> None:
        """Tell everybody who waited; also when one of them raises."""
        self._forget(attempt)
        with ExitStack() as all_of_them:
            for waiter in reversed(attempt.waiters):  # an ExitStack calls the last one first
                if waiter.alarm is not None:
                    waiter.alarm.cancel()
                all_of_them.callback(waiter.routed, flow, now)

    def _lose_patience(self, wanted: tuple[Peer, str], waiter: Waiter, now: float) -> None:
        attempt = self._attempts[wanted]
        attempt.waiters.remove(waiter)
        if not attempt.waiters:
            self._forget(attempt)
            self._act(Disconnect(attempt.flow))
        waiter.routed(None, now)

    def _forget(self, attempt: Attempt) -> None:
        del self._attempts[_peer_of(attempt.flow), attempt.domain]
        del self._coming[attempt.flow.connection]


def _peer(listener: Listener, remote: Address) -> Peer:
    return listener.name, listener.transport, remote


def _peer_of(flow: Flow) -> Peer:
    return flow.listener, flow.transport, flow.remote


def _proof(listener: Listener, domain: str) -> str:
    """What the other end has to prove; over TCP nothing can be proved."""
    return domain if listener.transport == "TLS" else ""
