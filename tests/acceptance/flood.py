"""Sends requests faster than a daemon can serve them, for a bounded time, and counts what comes back.

Usage: flood.py TRANSPORT HOST PORT RATE SECONDS [SOURCES]

When it ends it says when the last request was sent (seconds of CLOCK_MONOTONIC, which all processes share); when no
more answers come, a line of JSON: how many were sent, how many had which status, and what Retry-After said.
"""

import json
import re
import socket
import sys
import time
from collections import Counter
from contextlib import suppress

TICK = 0.002  # seconds
STRAGGLERS = 0.3  # seconds without an answer, until none is waited for any more
MOST = 600_000  # requests, whatever is asked for
AT_ONCE = 32  # requests, half of them REGISTER
LARGEST_WAIT = 16 * 1024  # bytes that wait in a stream of ours; more is not offered to it
STATUS = re.compile(rb"SIP/2\.0 (\d{3}) ")
RETRY_AFTER = re.compile(rb"\r\nRetry-After: (\d+)\r\n")
END = b"\r\n\r\n"
# Linux numbers the standard library has no names for: one send is so many datagrams of that size (udp(7)).
SOL_UDP = 17
UDP_SEGMENT = 103


def request(method: str, via: str) -> bytes:
    """A request of the same length for either method; its three numbers are still to be written in."""
    return (
        f"{method} sip:ims.example SIP/2.0\r\nVia: {via};branch=z9hG4bKflood%09d;rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:u@ims.example>;tag=f%09d\r\nTo: <sip:u@ims.example>\r\n"
        f"Call-ID: {'flood':-<{24 - 2 * len(method)}}%09d\r\nCSeq: 1 {method}\r\n"
        "Contact: <sip:u@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Source:
    """One socket, and what it sent and heard."""

    def __init__(self, transport: str, target: tuple[str, int]) -> None:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if transport == "tcp":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST_WAIT)
        self.socket.connect(target)
        self.socket.setblocking(False)
        via = "SIP/2.0/{} {}:{}".format(transport.upper(), *self.socket.getsockname())
        each = [request(method, via) for method in ("REGISTER", "OPTIONS")]
        self.requests = b"".join(each) * (AT_ONCE // 2)
        if transport == "udp":
            assert len(each[0]) == len(each[1])
            self.socket.setsockopt(SOL_UDP, UDP_SEGMENT, len(each[0] % (0, 0, 0)))
        self.stream = transport == "tcp"
        self.unsent, self.unread = b"", b""
        self.sent = 0

    def offer(self, first: int) -> bool:
        """Send `AT_ONCE` requests, numbered from `first` on; False when the other side has to read before."""
        if len(self.unsent) > LARGEST_WAIT:
            self.flush()
            return False
        self.unsent += self.requests % tuple(number for number in range(first, first + AT_ONCE) for _ in range(3))
        self.sent += AT_ONCE
        if not self.stream:
            self.flush()
            self.unsent = b""
        return True

    def flush(self) -> None:
        with suppress(OSError):  # it would have to wait, or the other end has had enough
            self.unsent = self.unsent[self.socket.send(self.unsent) :] if self.unsent else b""

    def read(self, statuses: Counter[bytes], waits: Counter[bytes]) -> bool:
        """Count what has come; whether anything has."""
        come: list[bytes] = []
        with suppress(OSError):  # it would have to wait, or the other end has had enough
            while data := self.socket.recv(1 << 16):
                come.append(data)
        whole, end, rest = (self.unread + b"".join(come)).rpartition(END)
        self.unread = rest
        statuses.update(STATUS.findall(whole))
        waits.update(RETRY_AFTER.findall(whole + end))
        return bool(come)


def main(transport: str, host: str, port: str, rate: str, seconds: str, sources: str = "4") -> None:
    everybody = [Source(transport, (host, int(port))) for _ in range(int(sources))]
    statuses: Counter[bytes] = Counter()
    waits: Counter[bytes] = Counter()
    begun = last = time.monotonic()
    number = 0
    while (now := time.monotonic()) < begun + float(seconds) and number < MOST:
        due = min(int((now - begun) * float(rate)), MOST)
        while number < due:
            for source in everybody:
                if source.offer(number):
                    last = time.monotonic()
                number += AT_ONCE
        for source in everybody:
            source.flush()
            source.read(statuses, waits)
        time.sleep(TICK)
    ends = last + float(seconds)
    while any(source.unsent for source in everybody) and last < ends:  # the rest of what was begun
        for source in everybody:
            source.flush()
            source.read(statuses, waits)
        last = time.monotonic()
        time.sleep(TICK)
    _say(last)
    heard = time.monotonic()
    while time.monotonic() < heard + STRAGGLERS:
        for source in everybody:
            source.flush()
            if source.read(statuses, waits):
                heard = time.monotonic()
        time.sleep(TICK)
    sent = sum(source.sent for source in everybody)
    _say({"sent": sent, "statuses": _by_text(statuses), "retry_after": _by_text(waits)})


def _by_text(counted: Counter[bytes]) -> dict[str, int]:
    return {name.decode(): number for name, number in counted.items()}


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
