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
MOST = 200_000  # requests, whatever is asked for
LARGEST_WAIT = 16 * 1024  # bytes that wait in a stream of ours; more is not offered to it
ANSWER = re.compile(rb"SIP/2\.0 (\d{3}) .*?\r\n\r\n", re.DOTALL)
RETRY_AFTER = re.compile(rb"\r\nRetry-After: (\d+)\r\n")


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
        self.via = "SIP/2.0/{} {}:{}".format(transport.upper(), *self.socket.getsockname())
        self.stream = transport == "tcp"
        self.unsent, self.unread = b"", b""
        self.sent = 0

    def offer(self, number: int) -> bool:
        """Send another request; False when the other side has to read first."""
        if len(self.unsent) > LARGEST_WAIT:
            self.flush()
            return False
        method = "REGISTER" if number % 2 else "OPTIONS"
        self.unsent += (
            f"{method} sip:ims.example SIP/2.0\r\nVia: {self.via};branch=z9hG4bKflood{number};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:u@ims.example>;tag=f{number}\r\nTo: <sip:u@ims.example>\r\n"
            f"Call-ID: flood-{number}\r\nCSeq: 1 {method}\r\nContact: <sip:u@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        self.sent += 1
        if not self.stream:
            self.flush()
            self.unsent = b""
        return True

    def flush(self) -> None:
        with suppress(OSError):  # it would have to wait, or the other end has had enough
            self.unsent = self.unsent[self.socket.send(self.unsent) :] if self.unsent else b""

    def read(self, statuses: Counter[int], waits: Counter[int]) -> bool:
        """Count what has come; whether anything has."""
        heard = False
        with suppress(OSError):  # it would have to wait, or the other end has had enough
            while data := self.socket.recv(1 << 16):
                heard = True
                self.unread += data
                end = 0
                for answer in ANSWER.finditer(self.unread):
                    end = answer.end()
                    statuses[int(answer[1])] += 1
                    waits.update(map(int, RETRY_AFTER.findall(answer[0])))
                self.unread = self.unread[end:]
        return heard


def main(transport: str, host: str, port: str, rate: str, seconds: str, sources: str = "4") -> None:
    everybody = [Source(transport, (host, int(port))) for _ in range(int(sources))]
    statuses: Counter[int] = Counter()
    waits: Counter[int] = Counter()
    begun = last = time.monotonic()
    number = 0
    while (now := time.monotonic()) < begun + float(seconds) and number < MOST:
        due = min(int((now - begun) * float(rate)), MOST)
        while number < due:
            for source in everybody:
                number += 1
                if source.offer(number):
                    last = time.monotonic()
        for source in everybody:
            source.flush()
            source.read(statuses, waits)
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
    _say({"sent": sent, "statuses": statuses, "retry_after": waits})


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
