"""One TCP connection on the event loop."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol, cast

from talkburst.net.listen import plain
from talkburst.net.pings import PING, Pings
from talkburst.net.tcp_limits import DEAF, IDLE, SILENT, UNFINISHED, TcpLimits
from talkburst.sip.actions import Send
from talkburst.sip.flow import Address, Flow
from talkburst.sip.framer import KeepAlive, StreamFramer
from talkburst.sip.parser import Malformed

PONG = b"\r\n"


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
        self._pings = Pings(self._loop, limits, self._send_ping, self.cut)
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
            if not self.accepted:
                self._pings.begin()
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
                self._pings.answered()
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

    def _send_ping(self) -> bool:
        self._framer.expect_pong()
        return self.write(PING)

    def _stop_waiting(self) -> None:
        self._pings.stop()
        for alarm in (self._alarm, self._rest):
            if alarm is not None:
                alarm.cancel()

    def _tell_closing(self, reason: str) -> None:
        if not self._told_closing:
            self._told_closing = True
            self._user.on_closing(self, reason)

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
