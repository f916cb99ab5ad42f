"""One TCP connection on the event loop."""

from __future__ import annotations

import asyncio
import math
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

from talkburst.net.listen import plain
from talkburst.sip.actions import Send
from talkburst.sip.flow import Address, Flow
from talkburst.sip.framer import KeepAlive, StreamFramer, StreamLimits
from talkburst.sip.parser import Malformed

PING = b"\r\n\r\n"
PONG = b"\r\n"

# Why we close a connection that nothing is wrong with but its peer.
IDLE = "idle"
SILENT = "no keep-alive"
UNFINISHED = "a message does not end"
DEAF = "the peer does not read"


@dataclass(slots=True, frozen=True)
class TcpLimits:
    """What a peer may make us keep and how long we wait for it; bytes and seconds."""

    connections: int = 4096  # accepted ones, at any one time
    connections_per_address: int = 1024  # those of them that come from one address, or from one /64 of IPv6
    spare: float = 5.0  # without a whole message or a keep-alive, until a connection may have to make room
    unread: int = 262_144  # what may wait for a peer that does not read
    idle: float = 600.0  # without a whole message or a keep-alive, unless somebody is registered over it
    unfinished: float = 16.0  # from the first byte of a message to its last one
    connect: float = 10.0  # for a connection of ours to come up
    handshake: float = 10.0  # of TLS, for a peer that connected
    handshakes: int = 256  # that are under way at one time; the oldest gives way
    close: float = 1.0  # for what was written last to leave
    answers: float = 3.0  # for what is still to be answered to a peer that sends no more
    keep_alive: tuple[float, float] | None = None  # least and longest time between pings where we connected
    first_ping: tuple[float, float] = (5.0, 10.0)  # until the one that shows whether the peer answers them
    pong: float = 10.0  # for the answer to one, from a peer that has answered one before
    message: StreamLimits = field(default_factory=StreamLimits)


class ConnectionUser(Protocol):
    """Whom a connection tells what happens to it."""

    def on_open(self, connection: TcpConnection) -> bool:
        """It is up. False refuses it."""

    def on_message(self, connection: TcpConnection, data: bytes) -> None:
        """A whole message arrived."""

    def on_broken(self, connection: TcpConnection, fault: Malformed) -> None:
        """What arrives can no longer be cut into messages; to be answered, then closed."""

    def on_drained(self, connection: TcpConnection, size: int) -> None:
        """The `size` bytes that could be read for now have been told."""

    def keeps(self, connection: TcpConnection) -> bool:
        """Whether it stays open however long nothing comes."""

    def on_half_closed(self, connection: TcpConnection) -> None:
        """The peer sends no more, and may still read what it is owed."""

    def on_closing(self, connection: TcpConnection, reason: str) -> None:
        """Nothing more is sent or received on it. Told once."""

    def on_closed(self, connection: TcpConnection) -> None:
        """Its socket is closed. Told once, and after `on_closing` if it was ever open."""


class TcpConnection(asyncio.Protocol):
    """Cuts what arrives into messages, sends and answers keep-alives, and keeps a peer within the limits.

    It is closed by the peer, by `finish` (what is written leaves first) or by `cut` (it does not).
    """

    def __init__(self, user: ConnectionUser, limits: TcpLimits, listener: str, flow: Flow | None = None) -> None:
        self.listener = listener
        self.flow = flow  # known from the start when we connect, else when it is accepted
        self.accepted = False
        self.speaks: Literal["TCP", "TLS"] = "TCP"
        self.proved: frozenset[str] = frozenset()  # domains in the certificate of the other end (RFC 5922 7.1)
        self.local: Address = ("", 0)
        self.remote: Address = ("", 0)
        self._user = user
        self._limits = limits
        self._framer = StreamFramer(limits.message)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._alarm: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None  # while the rest of a message is awaited
        self._keep_alive: asyncio.TimerHandle | None = None  # until the next ping, or while its answer is insisted on
        self._pinged_at: float | None = None  # while an answer may come in time
        self._answers_pings = False
        self._silence = math.inf  # seconds that may pass without anything from a peer that promised keep-alives
        self._owed = 0  # requests without a final answer
        self.half_closed = False
        self.uncertain: list[Send] = []  # answers since then: of a peer that has gone altogether nobody would hear
        self.heard = self._loop.time()  # the last whole message or keep-alive
        self._begun = self.heard  # the first byte of the message that is not complete
        self._told_closing = False
        self._paused = False

    @property
    def owed(self) -> int:
        """How many of its requests have no final answer yet."""
        return self._owed

    def write(self, data: bytes) -> bool:
        """Send, or keep until the peer reads. False when it is closing already, or is cut because the peer does not."""
        if not self._told_closing and not self._transport.is_closing():
            waiting = self._transport.get_write_buffer_size()
            if waiting and waiting + len(data) > self._limits.unread:
                self.cut(DEAF)
                return False
            self._transport.write(data)
        if self._transport.is_closing():  # perhaps only since it was written to: the peer has reset it
            self._tell_closing("closed")
        return not self._told_closing

    def pause(self) -> None:
        """Read nothing for now."""
        if not (self._paused or self._told_closing or self._transport.is_closing()):
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def limit_silence(self, seconds: float | None) -> None:
        """Close when for so long neither a message nor a keep-alive has come, whoever is registered over it; None: not
        for that."""
        self._silence = math.inf if seconds is None else seconds
        if not self._told_closing and not self.half_closed:
            self._check_idle()

    def answered(self, send: Send) -> None:
        """A final answer was written. The last one that a peer is owed who sends no more is followed by the close."""
        self._owed = max(0, self._owed - 1)
        if self.half_closed:
            self.uncertain.append(send)
            if not self._owed:
                self._wait(self._limits.close, self._see_off)

    def _see_off(self) -> None:
        """By now a peer that has closed its end altogether has answered with a reset; it leaves an error behind."""
        if not self._transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.uncertain.clear()
        self._tell_closing("closed by the peer")
        self._wait(self._limits.close, self._transport.abort)
        self._transport.close()

    def finish(self, reason: str) -> None:
        """Close once everything written has left; what still arrives is not looked at.

        The sending side is closed first: closing the whole socket over bytes that nobody read makes the kernel send a
        reset, which may reach the peer before our last answer.
        """
        if self._told_closing:
            return
        self._tell_closing(reason)
        self._wait(self._limits.close, self._transport.abort)
        self.resume()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            with suppress(OSError):  # the peer has reset it, and nobody has told us yet
                self._transport.write_eof()

    def cut(self, reason: str) -> None:
        """Close at once."""
        self._tell_closing(reason)
        self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is no subclass of it
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if not local or not remote:  # reset before we came to look
            self._told_closing = True
            self._transport.abort()
            return
        self.local, self.remote = (plain(local[0]), local[1]), (plain(remote[0]), remote[1])
        self.heard = self._loop.time()  # which may be after a handshake
        if self._user.on_open(self):
            self._wait(self._limits.idle, self._check_idle)
            self._ping_within(self._limits.first_ping)
        else:
            self._told_closing = True
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        unfinished, now = self._framer.unfinished, self._loop.time()
        for item in self._framer.feed(data):
            if self._told_closing:
                return
            unfinished, self.heard = False, now
            if item is KeepAlive.PING:
                self.write(PONG)
            elif item is KeepAlive.PONG:
                self._take_pong()
            elif isinstance(item, bytes):
                self._owed += not item.startswith((b"SIP/2.0 ", b"ACK "))
                self._user.on_message(self, item)
            elif isinstance(item, Malformed):
                self._user.on_broken(self, item)
        if self._framer.unfinished and not self._told_closing:
            if not unfinished:
                self._begun = now
            if self._rest is None:
                self._rest = self._loop.call_later(self._limits.unfinished, self._check_rest)
        self._user.on_drained(self, len(data))

    def eof_received(self) -> bool:
        """The peer sends no more: close, what is written leaves first, and what it is owed (RFC 3261 18.2.2)."""
        if self._told_closing or not self._owed:
            self._tell_closing("closed by the peer")
            return False
        self.half_closed = True
        self._stop_waiting()
        self._wait(self._limits.answers, self._see_off)
        self._user.on_half_closed(self)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_waiting()
        self._tell_closing("closed" if error is None else str(error) or type(error).__name__)
        self._user.on_closed(self)

    def _stop_waiting(self) -> None:
        for alarm in (self._alarm, self._rest, self._keep_alive):
            if alarm is not None:
                alarm.cancel()

    def _tell_closing(self, reason: str) -> None:
        if not self._told_closing:
            self._told_closing = True
            self._user.on_closing(self, reason)

    def _ping_within(self, bounds: tuple[float, float] | None) -> None:
        """RFC 5626 4.4.1: at random times, so that the clients of a proxy that restarts do not all ping at once."""
        if self._limits.keep_alive is None or bounds is None or self.accepted:
            return
        if self._keep_alive is not None:
            self._keep_alive.cancel()
        self._keep_alive = self._loop.call_later(random.uniform(*bounds), self._ping)

    def _ping(self) -> None:
        """A peer without RFC 5626 reads over a ping (RFC 3261 7.5), so only one that has answered before has to."""
        self._framer.expect_pong()
        if not self.write(PING):
            return
        self._pinged_at = self._loop.time()
        if self._answers_pings:
            self._keep_alive = self._loop.call_later(self._limits.pong, self.cut, "no answer to a keep-alive")
        else:
            self._ping_within(self._limits.keep_alive)

    def _take_pong(self) -> None:
        """One that comes too late, or that nobody asked for, says nothing about the next."""
        if self._pinged_at is not None and self._loop.time() - self._pinged_at <= self._limits.pong:
            self._answers_pings = True
            self._ping_within(self._limits.keep_alive)
        self._pinged_at = None

    def _check_idle(self) -> None:
        """The one alarm is moved only when it rings: a message costs no timer."""
        silent = self._loop.time() - self.heard
        left = self._limits.idle - silent
        if left <= 0 and self._is_kept():
            left = self._limits.idle
        if silent >= self._silence:
            self.finish(SILENT)
        elif left > 0:
            self._wait(min(left, self._silence - silent), self._check_idle)
        else:
            self.finish(IDLE)

    def _is_kept(self) -> bool:
        """What we keep alive by pings ends with the pings, a registered flow with the registration."""
        return (self._limits.keep_alive is not None and not self.accepted) or self._user.keeps(self)

    def _check_rest(self) -> None:
        """Of a busy stream there is always a part of a message here, but each time of another one."""
        self._rest = None
        left = self._begun + self._limits.unfinished - self._loop.time()
        if not self._framer.unfinished:
            return
        if left > 0:
            self._rest = self._loop.call_later(left, self._check_rest)
        else:
            self.finish(UNFINISHED)

    def _wait(self, seconds: float, call: Callable[[], None]) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_later(seconds, call)
