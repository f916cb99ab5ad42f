"""Capture files: pcap and pcapng into packets with their link type and time, as they are or packed with gzip."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

# pcap: magic number to byte order and the fractions of a second in a timestamp.
_PCAP_MAGIC: Final[dict[bytes, tuple[str, float]]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e6),
    b"\xa1\xb2\xc3\xd4": (">", 1e6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e9),
    b"\xa1\xb2\x3c\x4d": (">", 1e9),
}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDER: Final[dict[bytes, str]] = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6
_TSRESOL, _TSOFFSET = 9, 14
# Far above every snap length; more is a damaged length field.
_MAX_BLOCK: Final = 1 << 24
_GZIP: Final = b"\x1f\x8b"
# What a packed file may hold; zeros are packed a thousand to one.
_MAX_UNPACKED: Final = 1 << 30


class CaptureError(Exception):
    """A capture file that cannot be read; the text says where and why."""


class Packet(NamedTuple):
    """One captured packet; `time` in seconds since the epoch, `link` a LINKTYPE_ number.

    `cut`: the capture did not keep all of it.
    """

    time: float
    link: int
    data: bytes
    cut: bool = False


class _Interface(NamedTuple):
    link: int
    units: float
    offset: int
    snap: int


class PacketFile:
    """The packets of a capture. `warnings` fills while they are read. Raises `CaptureError` for what is no capture.

    Wireshark and tshark read and write captures that are packed with gzip, and so do many who send one.
    """

    def __init__(self, data: bytes) -> None:
        self.warnings: list[str] = []
        self._data = _unpacked(data) if data.startswith(_GZIP) else data
        self._count = 0

    def __iter__(self) -> Iterator[Packet]:
        magic = self._data[:4]
        if magic in _PCAP_MAGIC:
            return self._pcap(*_PCAP_MAGIC[magic])
        if magic == _SECTION:
            return self._pcapng()
        if not self._data:
            raise CaptureError("the file is empty")
        raise CaptureError(f"it begins with {magic!r}, which is neither pcap nor pcapng")

    def _pcap(self, order: str, units: float) -> Iterator[Packet]:
        data = self._data
        if len(data) < 24:
            raise CaptureError(f"its header has {len(data)} bytes of 24")
        # The upper bits tell of a frame check sequence, not of the link type.
        link = struct.unpack_from(order + "I", data, 20)[0] & 0x03FFFFFF
        at = 24
        while at < len(data):
            if len(data) - at < 16:
                self._cut_short()
                return
            seconds, fraction, kept, length = struct.unpack_from(order + "IIII", data, at)
            self._check(kept, at)
            if len(data) - at - 16 < kept:
                self._cut_short()
                return
            self._count += 1
            yield Packet(seconds + fraction / units, link, data[at + 16 : at + 16 + kept], kept < length)
            at += 16 + kept

    def _pcapng(self) -> Iterator[Packet]:
        data, at, order = self._data, 0, "<"
        interfaces: list[_Interface] = []
        while at < len(data):
            if len(data) - at < 12:
                self._cut_short()
                return
            if data[at : at + 4] == _SECTION:
                order = self._byte_order(data[at + 8 : at + 12], at)
                interfaces = []
            kind, length = struct.unpack_from(order + "II", data, at)
            self._check(length, at)
            if length < 12 or length % 4:
                raise CaptureError(f"the block at byte {at} says that it has {length} bytes")
            if len(data) - at < length:
                self._cut_short()
                return
            body = data[at + 8 : at + length - 4]
            if kind == _INTERFACE:
                interfaces.append(self._interface(body, order, at))
            elif kind in (_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
                yield self._packet(kind, body, order, interfaces, at)
            at += length

    def _byte_order(self, magic: bytes, at: int) -> str:
        if magic not in _BYTE_ORDER:
            raise CaptureError(f"the section at byte {at} has the byte-order magic {magic.hex()}, which is none")
        return _BYTE_ORDER[magic]

    def _interface(self, body: bytes, order: str, at: int) -> _Interface:
        if len(body) < 8:
            raise CaptureError(f"the interface description at byte {at} is too short")
        link, _, snap = struct.unpack_from(order + "HHI", body, 0)
        units, offset, place = 1e6, 0, 8
        while place + 4 <= len(body):
            code, size = struct.unpack_from(order + "HH", body, place)
            value = body[place + 4 : place + 4 + size]
            if code == 0:
                break
            if code == _TSRESOL and size == 1:
                units = float(2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0])
            elif code == _TSOFFSET and size == 8:
                offset = struct.unpack(order + "q", value)[0]
            place += 4 + (size + 3) // 4 * 4
        return _Interface(link, units, offset, snap)

    def _packet(self, kind: int, body: bytes, order: str, interfaces: list[_Interface], at: int) -> Packet:
        self._count += 1
        header = 4 if kind == _SIMPLE_PACKET else 20
        if len(body) < header:
            raise CaptureError(f"the packet block at byte {at} is too short")
        number, high, low, kept, length = 0, 0, 0, 0, 0
        if kind == _SIMPLE_PACKET:
            kept = length = struct.unpack_from(order + "I", body, 0)[0]
        elif kind == _PACKET:
            number, high, low, kept, length = struct.unpack_from(order + "IIIII", body, 0)
        else:
            number, _, high, low, kept, length = struct.unpack_from(order + "HHIIII", body, 0)
        if number >= len(interfaces):
            raise CaptureError(f"the packet block at byte {at} names interface {number}, which nothing describes")
        interface = interfaces[number]
        if kind == _SIMPLE_PACKET:
            kept = min(kept, interface.snap or kept, len(body) - header)
        if kept > len(body) - header:
            raise CaptureError(f"the packet block at byte {at} says that it holds {kept} bytes of {len(body) - header}")
        time = interface.offset + ((high << 32) | low) / interface.units
        return Packet(time, interface.link, body[header : header + kept], kept < length)

    def _check(self, length: int, at: int) -> None:
        if length > _MAX_BLOCK:
            raise CaptureError(f"it is damaged at byte {at}, after packet {self._count}: a length of {length} bytes")

    def _cut_short(self) -> None:
        self.warnings.append(f"the file is cut short after packet {self._count}")


def _unpacked(data: bytes) -> bytes:
    """What gzip packed, of one member or several (RFC 1952 2.2)."""
    whole = b""
    while data:
        unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            whole += unpacking.decompress(data, _MAX_UNPACKED - len(whole) + 1)
        except zlib.error as error:
            raise CaptureError(f"it is packed with gzip and damaged: {error}") from None
        if len(whole) > _MAX_UNPACKED:
            raise CaptureError(f"it has more than {_MAX_UNPACKED} bytes; unpack it with gzip and cut it with editcap")
        if not unpacking.eof:
            raise CaptureError("it is packed with gzip and cut short")
        data = unpacking.unused_data
    return whole
