"""A UDP relay that sits on one hop and alters the wire: both ends advertise its address, so all passes here."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

Address = tuple[str, int]
Alter = Callable[[bytes], bytes | None]


def unaltered(data: bytes) -> bytes | None:
    return data


@dataclass
class Relay(asyncio.DatagramProtocol):
    """Hands datagrams of the core to the peer and everybody else's to the core; `alter` may change or drop (None)."""

    core: Address
    alter: Alter = unaltered
    altered: int = 0
    passed: int = 0
    peer: Address | None = None
    _transport: asyncio.DatagramTransport | None = field(default=None, repr=False)

    async def start(self) -> Address:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        return host, port

    def datagram_received(self, data: bytes, addr: Address) -> None:
        assert self._transport is not None
        if addr != self.core and self.peer is None:
            self.peer = addr  # a peer whose address was not known speaks first
        result = self.alter(data)
        self.altered += result != data
        self.passed += result == data
        target = self.peer if addr == self.core else self.core
        if result is not None and target is not None:
            self._transport.sendto(result, target)

    def error_received(self, exc: Exception) -> None:
        """A peer that is gone: nobody to hand the datagram to."""

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def is_notify(data: bytes, event: str) -> bool:
    head = data.partition(b"\r\n\r\n")[0]
    return head.startswith(b"NOTIFY ") and f"\r\nEvent: {event}".encode() in head


def drop_notify(event: str, nth_dialog_message: int = 1) -> Alter:
    """Drop, for good, each NOTIFY of `event` from its n-th distinct CSeq on (1: all of them)."""
    seen: list[bytes] = []

    def alter(data: bytes) -> bytes | None:
        if not is_notify(data, event):
            return data
        key = next(line for line in data.split(b"\r\n") if line.lower().startswith(b"cseq:"))
        if key not in seen:
            seen.append(key)
        return None if seen.index(key) >= nth_dialog_message - 1 else data

    return alter
