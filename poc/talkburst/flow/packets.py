"""Packets into UDP datagrams and TCP segments: link layers, IPv4 and IPv6, fragments put together."""

from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final, NamedTuple

import dpkt

from talkburst.flow.capture_file import Packet
from talkburst.obs.frame import Endpoint

# LINKTYPE_ numbers of https://www.tcpdump.org/linktypes.html
_NULL, _ETHERNET, _LOOP, _SLL, _SLL2 = 0, 1, 108, 113, 276
_RAW: Final = frozenset({12, 14, 101, 228, 229})
_IPV4_TYPE, _IPV6_TYPE = 0x0800, 0x86DD
_VLAN_TYPES: Final = frozenset({0x8100, 0x88A8, 0x9100})
_TCP, _UDP, _FRAGMENT = 6, 17, 44
# IPv6 extension headers whose second byte is their length in units of eight bytes, less one.
_EXTENSIONS: Final = frozenset({0, 43, 60, 135})
# Datagrams whose fragments never came; the oldest go.
_MAX_INCOMPLETE: Final = 256


class Datagram(NamedTuple):
    time: float
    source: Endpoint
    destination: Endpoint
    payload: bytes


class Segment(NamedTuple):
    time: float
    source: Endpoint
    destination: Endpoint
    sequence: int
    flags: int
    payload: bytes


@dataclass(slots=True)
class _Fragments:
    pieces: dict[int, bytes] = field(default_factory=dict)
    length: int | None = None

    def whole(self) -> bytes | None:
        """The payload if every piece of it is there."""
        joined = b""
        for offset in sorted(self.pieces):
            if offset > len(joined):
                return None
            joined += self.pieces[offset][len(joined) - offset :]
        return joined if self.length is not None and len(joined) >= self.length else None


class _IpPayload(NamedTuple):
    protocol: int
    source: str
    destination: str
    data: bytes


class PacketDecoder:
    """Turns packets into datagrams and segments. What is neither, or broken, gives None and is counted in `skipped`."""

    def __init__(self) -> None:
        self.skipped = 0
        self._fragments: dict[tuple[str, str, int, int], _Fragments] = {}

    def decode(self, packet: Packet) -> Datagram | Segment | None:
        """One packet; a fragment gives its datagram once the last of them is there."""
        try:
            found = self._ip(_network_layer(packet.link, packet.data))
            return self._transport(packet.time, found) if found is not None else None
        except (dpkt.UnpackError, IndexError, ValueError):
            self.skipped += 1
            return None

    def _ip(self, data: bytes) -> _IpPayload | None:
        if not data:
            return None  # ARP and the like
        if data[0] >> 4 not in (4, 6):
            raise ValueError(f"IP version {data[0] >> 4}")
        return self._ipv4(data) if data[0] >> 4 == 4 else self._ipv6(data)

    def _ipv4(self, data: bytes) -> _IpPayload | None:
        protocol, header, length = data[9], (data[0] & 0xF) * 4, int.from_bytes(data[2:4], "big")
        source, destination = inet_ntop(AF_INET, data[12:16]), inet_ntop(AF_INET, data[16:20])
        # The length is 0 where the network card was left to cut the segment.
        payload = data[header : length or None]
        place = int.from_bytes(data[6:8], "big")
        more, offset = bool(place & 0x2000), (place & 0x1FFF) * 8
        if not more and not offset:
            return _IpPayload(protocol, source, destination, payload)
        number = int.from_bytes(data[4:6], "big")
        return self._join(protocol, source, destination, number, offset, more, payload)

    def _ipv6(self, data: bytes) -> _IpPayload | None:
        length = int.from_bytes(data[4:6], "big")
        protocol, payload = data[6], data[40 : 40 + length if length else None]
        source, destination = inet_ntop(AF_INET6, data[8:24]), inet_ntop(AF_INET6, data[24:40])
        while protocol in _EXTENSIONS:
            protocol, payload = payload[0], payload[8 + payload[1] * 8 :]
        if protocol != _FRAGMENT:
            return _IpPayload(protocol, source, destination, payload)
        place = int.from_bytes(payload[2:4], "big")
        identification = int.from_bytes(payload[4:8], "big")
        return self._join(payload[0], source, destination, identification, place & 0xFFF8, bool(place & 1), payload[8:])

    def _join(
        self, protocol: int, source: str, destination: str, number: int, offset: int, more: bool, data: bytes
    ) -> _IpPayload | None:
        key = (source, destination, protocol, number)
        fragments = self._fragments.setdefault(key, _Fragments())
        fragments.pieces[offset] = data
        if not more:
            fragments.length = offset + len(data)
        whole = fragments.whole()
        if whole is not None:
            del self._fragments[key]
            return _IpPayload(protocol, source, destination, whole)
        while len(self._fragments) > _MAX_INCOMPLETE:
            del self._fragments[next(iter(self._fragments))]
            self.skipped += 1
        return None

    def _transport(self, time: float, ip: _IpPayload) -> Datagram | Segment | None:
        if ip.protocol == _UDP:
            udp = dpkt.udp.UDP(ip.data)
            payload = ip.data[8 : udp.ulen or None]
            return Datagram(time, (ip.source, udp.sport), (ip.destination, udp.dport), payload)
        if ip.protocol == _TCP:
            tcp = dpkt.tcp.TCP(ip.data)
            payload = ip.data[tcp.off * 4 :]
            return Segment(time, (ip.source, tcp.sport), (ip.destination, tcp.dport), tcp.seq, tcp.flags, payload)
        return None


def _network_layer(link: int, data: bytes) -> bytes:
    """The IP packet in a frame, empty where there is none. Raises ValueError for a link type that is not known."""
    if link in _RAW:
        return data
    if link in (_NULL, _LOOP):
        return data[4:]
    if link == _SLL:
        return _of_type(data[14:16], data[16:])
    if link == _SLL2:
        return _of_type(data[0:2], data[20:])
    if link == _ETHERNET:
        return _of_type(data[12:14], data[14:])
    raise ValueError(f"link type {link}")


def _of_type(ethertype: bytes, rest: bytes) -> bytes:
    kind = int.from_bytes(ethertype, "big")
    while kind in _VLAN_TYPES:
        kind, rest = int.from_bytes(rest[2:4], "big"), rest[4:]
    return rest if kind in (_IPV4_TYPE, _IPV6_TYPE) else b""
