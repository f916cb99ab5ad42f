"""One UDP socket on the event loop."""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable

from talkburst.net.listen import DATAGRAM_SIZE, IP_RECVERR, IPV6_RECVERR

Address = tuple[str, int]

DRAIN = 64  # datagrams read before the loop gets its turn
READ_AHEAD = 1024  # of them, when they come faster than they are served
ATTEMPTS = 3  # a send that reports the error of an earlier one is made again
BACKLOG = 4096  # datagrams that wait for the kernel to take them
ANCILLARY_SIZE = 512  # bytes for an extended error and the address of its sender
# Linux numbers the standard library has no names for: SO_MEMINFO, and which of its numbers counts what was dropped.
SO_MEMINFO = 55
MEMINFO = struct.Struct("=9I")
DROPS = 8

# struct sock_extended_err of <linux/errqueue.h>: errno, origin, type, code, padding, info, data.
EXTENDED_ERROR = struct.Struct("=IBBBBII")
UNREACHABLE = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENOPROTOOPT, errno.EPROTO}
)
# Origin and type of these errors: ICMP 11, ICMPv6 3. Linux gives them the number of "host unreachable".
TIME_EXCEEDED = frozenset({(2, 11), (3, 3)})


class DatagramUser:
    """Whom a socket tells what happens to it."""

    def on_datagram(self, data: bytes, remote: Address, local: str) -> None:
        """Something came, to the address `local`; empty where there is one address alone."""
        raise NotImplementedError

    def on_drained(self, full: bool) -> None:
        """What was there is told; `full` when there may be more than the `batch` that is read at once."""
        raise NotImplementedError

    def on_unreachable(self, remote: Address) -> None:
        """An ICMP error came back (on Linux; elsewhere a socket that is not connected hears of none)."""
        raise NotImplementedError


class UdpSocket:
    """Reads and writes datagrams, and hears which destinations refuse them.

    An error of an earlier datagram is reported by the next call of the kernel, which does nothing else then; which
    destination it is about stands in an error queue. So that is looked at when a call fails, and when there was
    nothing to be read: then an error is what woke us.
    """

    def __init__(self, bound: socket.socket, user: DatagramUser) -> None:
        self.socket = bound
        self.local: Address = bound.getsockname()[:2]
        self.batch = DRAIN
        self.dropped = 0  # datagrams to be sent that there was no room for
        self._lost = 0  # those that came and found no room, as the kernel counts them
        self._user = user
        self._closed = False
        self._waiting: deque[tuple[bytes, Address, str]] = deque()
        self._watch = Watch(bound, self._on_ready)

    def send(self, data: bytes, remote: Address, local: str = "") -> None:
        """Send a datagram, or keep it until the kernel has room. Raises OSError when it can never be sent.

        `local` is the address it leaves from, which only matters where there are several.
        """
        if self._waiting or not self._try_send(data, remote, local):
            if len(self._waiting) >= BACKLOG:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((data, remote, local))
            self._watch.writable(True)

    def lost(self) -> int:
        """How many datagrams the kernel had no room for since this was asked last; Linux alone tells, others say 0."""
        if sys.platform != "linux" or self._closed:
            return 0
        told = self.socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size)
        if len(told) < MEMINFO.size:  # before Linux 4.12
            return 0
        count: int = MEMINFO.unpack(told)[DROPS]
        lost, self._lost = (count - self._lost) % 2**32, count
        return lost

    def close(self) -> None:
        """Close the socket; what still waits is lost, as UDP may lose it."""
        if not self._closed:
            self._closed = True
            self._watch.close()
            self.socket.close()

    def _receive(self) -> tuple[bytes, Address, str]:
        """One datagram, where it came from, and where it came to unless there is one place alone."""
        data, address = self.socket.recvfrom(DATAGRAM_SIZE)
        return data, address[:2], ""

    def _transmit(self, data: bytes, remote: Address, local: str) -> None:
        self.socket.sendto(data, remote)

    def _refused(self, remote: Address) -> None:
        self._user.on_unreachable(remote)

    def _try_send(self, data: bytes, remote: Address, local: str) -> bool:
        """False when the kernel has no room.

        With IP_RECVERR a send first reports the errors of earlier ones, whatever their destination; they are taken
        off the error queue, which names it, and the datagram is sent again.
        """
        for attempt in range(ATTEMPTS):
            try:
                self._transmit(data, remote, local)
                break
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                if not self._drain_errors() or attempt == ATTEMPTS - 1:
                    raise
        return True

    def _on_ready(self) -> None:
        read = 0
        while read < self.batch:
            try:
                data, remote, local = self._receive()
            except (BlockingIOError, InterruptedError):
                if not read:
                    self._drain_errors()
                break
            except OSError:
                self._drain_errors()
                if self._closed:
                    return  # by what somebody does whose destination is unreachable
                read += 1
                continue
            read += 1
            self._user.on_datagram(data, remote, local)
            if self._closed:
                return  # by what a datagram led to
        full = read >= self.batch
        self._flush()
        self._user.on_drained(full)

    def _flush(self) -> None:
        if not self._waiting:
            return
        while self._waiting and not self._closed:
            data, remote, local = self._waiting[0]
            try:
                if not self._try_send(data, remote, local):
                    return
            except OSError:
                self._refused(remote)
            self._waiting.popleft()
        if not self._closed:
            self._watch.writable(False)

    def _drain_errors(self) -> bool:
        """Report every destination the error queue names; False when the queue was empty."""
        if sys.platform != "linux":
            return False
        found = False
        for _ in range(DRAIN):
            try:
                _, ancillary, _, address = self.socket.recvmsg(0, ANCILLARY_SIZE, socket.MSG_ERRQUEUE)
            except OSError:
                break
            found = True
            if is_failure(ancillary):
                self._refused(address[:2])
        return found


def is_failure(ancillary: list[tuple[int, int, bytes]]) -> bool:
    """Whether a queued error means that what was sent will not arrive; time exceeded does not (RFC 3261 18.4)."""
    for level, kind, data in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            number, origin, kind, *_ = EXTENDED_ERROR.unpack_from(data)
            return number in UNREACHABLE and (origin, kind) not in TIME_EXCEEDED
    return False


class Watch:
    """Calls back when a socket is readable, and on demand when it is writable.

    On Linux the loop watches an epoll object that watches the socket: libuv, below uvloop, stops watching a descriptor
    that reports POLLERR, which is what a waiting ICMP error does.
    """

    def __init__(self, watched: socket.socket, call: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched = watched
        self._call = call
        if sys.platform == "linux":
            self._epoll = select.epoll()
            self._epoll.register(watched, select.EPOLLIN)
            self._loop.add_reader(self._epoll.fileno(), call)
        else:
            self._loop.add_reader(watched.fileno(), call)

    def writable(self, wanted: bool) -> None:
        if sys.platform == "linux":
            self._epoll.modify(self._watched, select.EPOLLIN | (select.EPOLLOUT if wanted else 0))
        elif wanted:
            self._loop.add_writer(self._watched.fileno(), self._call)
        else:
            self._loop.remove_writer(self._watched.fileno())

    def close(self) -> None:
        """Stop watching; to be called before the socket is closed."""
        if sys.platform == "linux":
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        else:
            self._loop.remove_reader(self._watched.fileno())
            self._loop.remove_writer(self._watched.fileno())
