"""The load of `make bench-flow`: one process that is many users at one socket, at most `window` of them at a time.

It makes its messages from templates and looks into those that come only as far as it must, so that it is never what
limits the daemons. It retransmits nothing: who is not done within PATIENCE has failed.
"""

from __future__ import annotations

import hashlib
import re
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Address = tuple[str, int]

PATIENCE = 40.0  # seconds that one user may take
BUFFER = 4 << 20
COPIED = re.compile(rb"^(?:Via|From|To|Call-ID|CSeq|Record-Route)[ \t]*:.*\r\n", re.IGNORECASE | re.MULTILINE)
CALL_ID = re.compile(rb"^Call-ID[ \t]*:[ \t]*([a-z0-9]+)-(\d+)-", re.IGNORECASE | re.MULTILINE)
QUOTED = re.compile(rb'(realm|nonce|opaque)="([^"]*)"')


@dataclass(slots=True)
class Message:
    """What came in: a status for a response (0 for a request), the method of CSeq, and whose it is."""

    data: bytes
    status: int
    method: bytes
    kind: bytes
    number: int


def read(data: bytes) -> Message:
    """`kind` and `number` are the two parts of a Call-ID of ours; "" and -1 where it is somebody else's."""
    start = data[: data.find(b"\r\n")]
    status = int(start[8:11]) if start.startswith(b"SIP/2.0 ") else 0
    at = data.find(b"\r\nCSeq:")
    method = data[at + 7 : data.find(b"\r\n", at + 7)].split()[-1] if status else start.partition(b" ")[0]
    mine = CALL_ID.search(data)
    return Message(data, status, method, mine[1], int(mine[2])) if mine else Message(data, status, method, b"", -1)


def header(data: bytes, name: bytes) -> bytes:
    """The value of the first header of that name, "" when there is none."""
    at = data.find(b"\r\n" + name + b":")
    return data[at + len(name) + 3 : data.find(b"\r\n", at + 2)].strip() if at >= 0 else b""


def answer(data: bytes, contact: str) -> bytes:
    """200 to a request."""
    head, _, _ = data.partition(b"\r\n\r\n")
    lines = []
    for line in COPIED.findall(head + b"\r\n"):
        tagged = line[:3].lower() != b"to:" or b";tag=" in line
        lines.append(line if tagged else line[:-2] + b";tag=load\r\n")
    return b"SIP/2.0 200 OK\r\n%bContact: <sip:%b>\r\nContent-Length: 0\r\n\r\n" % (b"".join(lines), contact.encode())


def authorization(challenge: bytes, username: str, password: str, uri: str) -> str:
    """The Authorization header that answers a 401 (RFC 7616, MD5, qop=auth)."""
    found = {name.decode(): value.decode() for name, value in QUOTED.findall(challenge)}
    realm, nonce = found["realm"], found["nonce"]
    ha1, ha2 = _md5(f"{username}:{realm}:{password}"), _md5(f"REGISTER:{uri}")
    response = _md5(f"{ha1}:{nonce}:00000001:0a4f113b:auth:{ha2}")
    opaque = f', opaque="{found["opaque"]}"' if "opaque" in found else ""
    return (
        f'Authorization: Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="0a4f113b"{opaque}\r\n'
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class User:
    """What one user does: `start` gives the first messages, `take` those that follow from what came in.

    It is done when `take` has set `finished`, and failed when it says why in `fault`.
    """

    finished = False
    fault = ""

    def start(self) -> Iterator[bytes]:
        raise NotImplementedError

    def take(self, message: Message) -> Iterator[bytes]:
        raise NotImplementedError


@dataclass(slots=True)
class Outcome:
    """What a run brought; durations are seconds, `took` of those users that were done, in ascending order."""

    elapsed: float
    took: list[float]
    faults: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.took) / self.elapsed if self.elapsed else 0.0

    def percentile(self, percent: float) -> float:
        return self.took[min(len(self.took) - 1, int(len(self.took) * percent / 100))] if self.took else 0.0


class Load:
    """One socket and whoever is at work on it.

    Requests that belong to nobody are answered 200 and counted by method in `served`: it is an application server
    too, and the subscriber who is told long after its user was done.
    """

    def __init__(self, target: Address, port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.socket.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self.socket.bind(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.target = target
        self.served: dict[bytes, int] = {}
        self._users: dict[int, User] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.socket, selectors.EVENT_READ)

    def close(self) -> None:
        self._selector.close()
        self.socket.close()

    def run(self, numbers: range, make: Callable[[int], User], window: int = 16) -> Outcome:
        """The users `numbers`, `window` at a time, until the last is done or has failed."""
        begun, waiting = time.monotonic(), iter(numbers)
        started: dict[int, float] = {}
        took: list[float] = []
        faults: list[str] = []
        while True:
            while len(started) < window and (number := next(waiting, None)) is not None:
                self._users[number] = make(number)
                started[number] = time.monotonic()
                self._send(self._users[number].start(), self.target)
            if not started:
                break
            for number in self._receive(0.2):
                if number in started:
                    user = self._users[number]
                    took.append(time.monotonic() - started.pop(number))
                    if user.fault:
                        took.pop()
                        faults.append(f"user {number}: {user.fault}")
                    del self._users[number]
            for number in self._late(started):
                faults.append(f"user {number} was not done within {PATIENCE:g} s: {self._users.pop(number)}")
                del started[number]
        return Outcome(time.monotonic() - begun, sorted(took), faults)

    def serve(self, seconds: float) -> None:
        """Answers whatever comes for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for _ in self._receive(min(left, 0.2)):
                pass

    def _late(self, started: dict[int, float]) -> list[int]:
        """They started in order, so the first are late first."""
        found, limit = [], time.monotonic() - PATIENCE
        for number, since in started.items():
            if since > limit:
                break
            found.append(number)
        return found

    def _send(self, messages: Iterator[bytes], remote: Address) -> None:
        for data in messages:
            try:
                self.socket.sendto(data, remote)
            except BlockingIOError:  # the buffer is full: the window is far larger than it should be
                self._selector.modify(self.socket, selectors.EVENT_WRITE)
                self._selector.select()
                self._selector.modify(self.socket, selectors.EVENT_READ)
                self.socket.sendto(data, remote)

    def _receive(self, timeout: float) -> Iterator[int]:
        """Takes what is there; the numbers of users that are done with it."""
        if not self._selector.select(timeout):
            return
        for _ in range(64):
            try:
                data, remote = self.socket.recvfrom(1 << 16)
            except (BlockingIOError, ConnectionRefusedError):
                return
            message = read(data)
            user = self._users.get(message.number)
            if message.status == 0:
                self._send(iter([answer(data, f"load@127.0.0.1:{self.port}")]), remote)
                self.served[message.method] = self.served.get(message.method, 0) + 1
            if user is not None and not (100 <= message.status < 200):
                self._send(user.take(message), self.target)
                if user.finished or user.fault:
                    yield message.number
