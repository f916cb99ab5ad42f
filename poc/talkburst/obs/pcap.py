"""Writes frames as a pcap file that Wireshark, tshark and sngrep read.

Classic pcap with microseconds, link type RAW: every packet is an IPv4 or IPv6 packet with right checksums. The file
shows what went between the two ends of each frame. TCP segments are made up around what was sent: a handshake before
a connection's first octet, sequence and acknowledgement numbers that run on, so that the streams can be followed.
"""

import contextlib
import fcntl
import logging
import os
import stat
import struct
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from talkburst.obs.frame import Endpoint, Frame
from talkburst.obs.hep.codec import one_family

LINKTYPE_RAW = 101
_SNAPLEN = 262_144
_FILE_HEADER = struct.Struct("=IHHiIII")
_RECORD_HEADER = struct.Struct("=IIII")
_MAGIC = 0xA1B2C3D4  # microseconds, in this machine's octet order

_UDP, _TCP = 17, 6
_LARGEST_DATAGRAM = 65_507
_LARGEST_SEGMENT = 65_000  # one message is one packet wherever that is possible
_SYN, _PUSH, _ACK = 0x02, 0x08, 0x10
_WINDOW = 0xFFFF
_CONNECTIONS = 10_000

_log = logging.getLogger("talkburst.pcap")


def checksum(data: bytes) -> int:
    """The Internet checksum, RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source: bytes, destination: bytes, protocol: int, segment: bytes, identification: int = 0) -> bytes:
    """An IPv4 or IPv6 packet (RFC 791, RFC 8200), after the length of the addresses."""
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64) + source + destination + segment
    length = 20 + len(segment)
    head = struct.pack("!BBHHHBBH", 0x45, 0, length, identification, 0x4000, 64, protocol, 0) + source + destination
    return head[:10] + checksum(head).to_bytes(2) + head[12:] + segment


def _pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """What a transport's checksum covers beside itself: RFC 768 and RFC 9293 3.1, RFC 8200 8.1."""
    if len(source) == 16:
        return source + destination + struct.pack("!II", length, protocol)
    return source + destination + struct.pack("!BBH", 0, protocol, length)


def udp_datagram(source: bytes, destination: bytes, ports: tuple[int, int], payload: bytes) -> bytes:
    """A UDP header and its payload, RFC 768; a checksum that comes out as zero is sent as all ones."""
    length = 8 + len(payload)
    head = struct.pack("!HHH", *ports, length)
    summed = checksum(_pseudo_header(source, destination, _UDP, length) + head + b"\0\0" + payload)
    return head + (summed or 0xFFFF).to_bytes(2) + payload


def tcp_segment(
    source: bytes,
    destination: bytes,
    ports: tuple[int, int],
    numbers: tuple[int, int],
    flags: int,
    payload: bytes = b"",
) -> bytes:
    """A TCP header without options and its payload, RFC 9293 3.1; `numbers` are sequence and acknowledgement."""
    head = struct.pack("!HHIIBBHHH", *ports, *numbers, 5 << 4, flags, _WINDOW, 0, 0)
    summed = checksum(_pseudo_header(source, destination, _TCP, len(head) + len(payload)) + head + payload)
    return head[:16] + summed.to_bytes(2) + head[18:] + payload


class _Sides(NamedTuple):
    """Source and destination of a packet, addresses packed."""

    source: bytes
    destination: bytes
    ports: tuple[int, int]

    def turned(self) -> "_Sides":
        return _Sides(self.destination, self.source, (self.ports[1], self.ports[0]))


class Packets:
    """Makes packets of frames; keeps the sequence numbers of the TCP connections it has seen."""

    def __init__(self) -> None:
        self._next: OrderedDict[tuple[Endpoint, Endpoint], int] = OrderedDict()
        self._identification = 0

    def of(self, frame: Frame) -> Iterator[bytes]:
        """The packets that carry the frame; ValueError when an address is no IP address."""
        source, destination = one_family(frame.source[0], frame.destination[0])
        sides = _Sides(source.packed, destination.packed, (frame.source[1], frame.destination[1]))
        if frame.transport == "UDP":
            datagram = udp_datagram(*sides, frame.payload[:_LARGEST_DATAGRAM])
            yield self._ip(sides, _UDP, datagram)
        else:
            yield from self._stream(frame, sides)

    def _ip(self, sides: _Sides, protocol: int, segment: bytes) -> bytes:
        self._identification = (self._identification + 1) & 0xFFFF
        return ip_packet(sides.source, sides.destination, protocol, segment, self._identification)

    def _stream(self, frame: Frame, sides: _Sides) -> Iterator[bytes]:
        here, there = (frame.source, frame.destination), (frame.destination, frame.source)
        if here not in self._next or there not in self._next:
            # Whoever asks has opened the connection; a capture that starts amid one may begin with an answer.
            answers = frame.payload.startswith((b"HTTP/", b"SIP/2.0 "))
            yield from self._handshake(*((there, here, sides.turned()) if answers else (here, there, sides)))
        self._next.move_to_end(here)
        self._next.move_to_end(there)
        for start in range(0, len(frame.payload), _LARGEST_SEGMENT):
            part = frame.payload[start : start + _LARGEST_SEGMENT]
            numbers = (self._next[here], self._next[there])
            yield self._ip(sides, _TCP, tcp_segment(*sides, numbers, _PUSH | _ACK, part))
            self._next[here] = (self._next[here] + len(part)) & 0xFFFFFFFF

    def _handshake(
        self, here: tuple[Endpoint, Endpoint], there: tuple[Endpoint, Endpoint], sides: _Sides
    ) -> Iterator[bytes]:
        """RFC 9293 3.5, sequence numbers from zero."""
        while len(self._next) >= 2 * _CONNECTIONS:
            self._next.popitem(last=False)
        turned = sides.turned()
        yield self._ip(sides, _TCP, tcp_segment(*sides, (0, 0), _SYN))
        yield self._ip(turned, _TCP, tcp_segment(*turned, (0, 1), _SYN | _ACK))
        yield self._ip(sides, _TCP, tcp_segment(*sides, (1, 1), _ACK))
        self._next[here] = self._next[there] = 1


class PcapWriter:
    """One pcap file. Raises OSError when it can not be opened; later trouble ends the capture and is logged.

    With `quiet` nothing is logged; `failure` says what ended the capture.
    """

    def __init__(self, path: Path | str, *, quiet: bool = False) -> None:
        self.path = Path(path)
        self.failure: OSError | None = None
        self._quiet = quiet
        self.dropped = 0
        self._packets = Packets()
        self._waiting = bytearray()
        self._file = self._open()

    def _open(self) -> int | None:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            regular = stat.S_ISREG(os.fstat(file).st_mode)
            if regular:
                self._lock(file)
                os.ftruncate(file, 0)
            os.write(file, _FILE_HEADER.pack(_MAGIC, 2, 4, 0, 0, _SNAPLEN, LINKTYPE_RAW))
        except OSError as error:
            os.close(file)
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self._regular = regular
        return file

    def _lock(self, file: int) -> None:
        """Two daemons in one file would garble it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            why = "another process writes it; {name} in the path stands for the daemon's name"
            raise OSError(error.errno, why) from None

    def frame(self, frame: Frame) -> None:
        """Add the packets of a frame; they are in the file after `flush`. An address that is none drops the frame."""
        if self._file is None:
            self.dropped += 1
            return
        seconds, microseconds = divmod(round(frame.time * 1_000_000), 1_000_000)
        try:
            for packet in self._packets.of(frame):
                self._waiting += _RECORD_HEADER.pack(seconds, microseconds, len(packet), len(packet)) + packet
        except (ValueError, struct.error):
            self.dropped += 1

    def flush(self) -> None:
        """Write what waits. On failure the file ends after the last whole record, and nothing more is written."""
        if self._file is None or not self._waiting:
            return
        end = os.lseek(self._file, 0, os.SEEK_CUR) if self._regular else 0
        data, self._waiting = memoryview(self._waiting), bytearray()
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self._fail("the capture %s ends here: %s", error)
            with contextlib.suppress(OSError):
                if self._regular:
                    os.ftruncate(self._file, end)
            self.close()

    def close(self) -> None:
        """Write what waits and close; to be called once or more."""
        self.flush()
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.close(file)
            except OSError as error:  # a network file system may say only now that it has no room
                self._fail("the end of the capture %s is lost: %s", error)

    def _fail(self, what: str, error: OSError) -> None:
        self.failure = error
        if not self._quiet:
            _log.error(what, self.path, error.strerror)


class PcapSink:
    """A trace's way to a pcap file, opened at start."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._writer: PcapWriter | None = None

    async def start(self) -> None:
        """Raises OSError, with the path as its filename, when the file can not be written."""
        self._writer = PcapWriter(self._path)

    def frame(self, frame: Frame) -> None:
        if self._writer is not None:
            self._writer.frame(frame)

    def flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
