"""HEP3 packets (HEP3 Network Protocol Specification, revision 37).

    packet = "HEP3" length(2) *chunk            length: the whole packet, 6 to 65535
    chunk  = vendor(2) type(2) length(2) value  length: the whole chunk; all numbers in network byte order

Beyond the generic chunks we send two of our own under the vendor number 0x0054, which is assigned to nobody:

    0x0001  uint8         direction: 1 when the source is the reporter, 0 when the destination is
    0x0002  octet-string  "http"

HEP3 has no capture protocol type for HTTP. An HTTP frame carries 0x64, under which HOMER keeps text it does not parse
(its log type), so that it shows there beside the SIP of the same correlation id; what makes it HTTP again in a
collector of ours is the chunk 0x0002, or a start line of HTTP.
"""

import ipaddress
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from talkburst.obs.frame import Endpoint, Frame, Protocol, Transport

VENDOR: Final = 0x0054
_OUTBOUND: Final = 0x0001
_PROTOCOL_NAME: Final = 0x0002

# Generic chunk types.
_FAMILY, _IP_PROTOCOL = 0x0001, 0x0002
_SOURCE4, _DESTINATION4, _SOURCE6, _DESTINATION6 = 0x0003, 0x0004, 0x0005, 0x0006
_SOURCE_PORT, _DESTINATION_PORT = 0x0007, 0x0008
_SECONDS, _MICROSECONDS = 0x0009, 0x000A
_PROTOCOL_TYPE, _AGENT_ID = 0x000B, 0x000C
_PAYLOAD, _COMPRESSED_PAYLOAD = 0x000F, 0x0010
_CORRELATION_ID, _NODE_NAME = 0x0011, 0x0013

_INET, _INET6 = 2, 10  # address families as Linux numbers them, whatever this machine runs
_UDP = 17
_IP_PROTOCOLS: Final[dict[Transport, int]] = {"UDP": _UDP, "TCP": 6, "TLS": 6}
_SIP, _LOG = 0x01, 0x64

_HEADER = struct.Struct("!4sH")
_CHUNK = struct.Struct("!HHH")
_IDS: Final = (b"HEP3", b"EEP3")
LARGEST_PACKET: Final = 0xFFFF
_LARGEST_INFLATED = 4 * 1024 * 1024

# RFC 3261 20.8 and 7.3.3: Call-ID, compact form i.
_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\r\n]+?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HTTP_START = re.compile(rb"HTTP/1\.[01] |[A-Z]+ [^ \r\n]+ HTTP/1\.[01]\r?\n")
_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Undecodable(NamedTuple):
    """Octets that give no frame. `broken` means that they are not sound HEP3, so that a stream can't be followed."""

    reason: str  # a name to count by
    text: str
    broken: bool = True


def encode(frame: Frame, agent: int = 0) -> bytes:
    """One packet; `agent` is the capture agent id, a number. ValueError when an address is no IP address.

    A payload that does not fit in 65535 octets is cut at the end; nothing that came in one UDP datagram is that long
    but for its last hundred octets.
    """
    source, destination = one_family(frame.source[0], frame.destination[0])
    four = source.version == 4
    seconds, microseconds = divmod(round(frame.time * 1_000_000), 1_000_000)
    chunks = [
        _chunk(_FAMILY, bytes([_INET if four else _INET6])),
        _chunk(_IP_PROTOCOL, bytes([_IP_PROTOCOLS[frame.transport]])),
        _chunk(_SOURCE4 if four else _SOURCE6, source.packed),
        _chunk(_DESTINATION4 if four else _DESTINATION6, destination.packed),
        _chunk(_SOURCE_PORT, frame.source[1].to_bytes(2)),
        _chunk(_DESTINATION_PORT, frame.destination[1].to_bytes(2)),
        _chunk(_SECONDS, seconds.to_bytes(4)),
        _chunk(_MICROSECONDS, microseconds.to_bytes(4)),
        _chunk(_PROTOCOL_TYPE, bytes([_SIP if frame.protocol == "sip" else _LOG])),
        _chunk(_AGENT_ID, agent.to_bytes(4)),
    ]
    if frame.node is not None:
        chunks.append(_chunk(_NODE_NAME, frame.node.encode()))
    if frame.outbound is not None:
        chunks.append(_chunk(_OUTBOUND, bytes([frame.outbound]), VENDOR))
    if frame.protocol == "http":
        chunks.append(_chunk(_PROTOCOL_NAME, b"http", VENDOR))
    elif call_id := _CALL_ID.search(frame.payload):
        chunks.append(_chunk(_CORRELATION_ID, call_id[1][:1024]))
    room = LARGEST_PACKET - _HEADER.size - _CHUNK.size - sum(map(len, chunks))
    chunks.append(_chunk(_PAYLOAD, frame.payload[:room]))
    body = b"".join(chunks)
    return _HEADER.pack(b"HEP3", _HEADER.size + len(body)) + body


def _chunk(kind: int, value: bytes, vendor: int = 0) -> bytes:
    return _CHUNK.pack(vendor, kind, _CHUNK.size + len(value)) + value


def ip_address(host: str) -> _IPAddress:
    """The address, without its zone, and an IPv4-mapped one as the IPv4 address it is."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def one_family(source_host: str, destination_host: str) -> tuple[_IPAddress, _IPAddress]:
    """Both addresses, as IPv6 when the families differ, as they do on a dual-stack socket bound to no address."""
    source, destination = ip_address(source_host), ip_address(destination_host)
    if source.version == destination.version:
        return source, destination
    return _as_ipv6(source), _as_ipv6(destination)


def _as_ipv6(address: _IPAddress) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def decode(packet: bytes) -> Frame | Undecodable:
    """The frame in one whole packet, whoever sent it; chunks that are not known are passed over."""
    if len(packet) < _HEADER.size or packet[:4] not in _IDS:
        return Undecodable("not_hep", "does not begin with HEP3")
    if _HEADER.unpack_from(packet)[1] != len(packet):
        return Undecodable("length", f"says {_HEADER.unpack_from(packet)[1]} octets and has {len(packet)}")
    chunks: dict[tuple[int, int], bytes] = {}
    at = _HEADER.size
    while at < len(packet):
        if at + _CHUNK.size > len(packet):
            return Undecodable("chunk", f"chunk header cut off at octet {at}")
        vendor, kind, length = _CHUNK.unpack_from(packet, at)
        if length < _CHUNK.size or at + length > len(packet):
            return Undecodable("chunk", f"chunk 0x{vendor:04x}/0x{kind:04x} at octet {at} has length {length}")
        chunks[vendor, kind] = packet[at + _CHUNK.size : at + length]
        at += length
    return _frame(chunks)


def _frame(chunks: dict[tuple[int, int], bytes]) -> Frame | Undecodable:
    payload = _payload(chunks)
    if isinstance(payload, Undecodable):
        return payload
    protocol = _protocol(chunks, payload)
    if protocol is None:
        return Undecodable("not_carried", "neither SIP nor HTTP", broken=False)
    source = _endpoint(chunks, _SOURCE4, _SOURCE6, _SOURCE_PORT)
    destination = _endpoint(chunks, _DESTINATION4, _DESTINATION6, _DESTINATION_PORT)
    if source is None or destination is None:
        return Undecodable("address", "no source or no destination address", broken=False)
    node = chunks.get((0, _NODE_NAME), b"").rstrip(b"\0").decode("utf-8", "replace") or None
    outbound = chunks.get((VENDOR, _OUTBOUND))
    return Frame(
        time=_number(chunks, _SECONDS) + _number(chunks, _MICROSECONDS) / 1_000_000,
        source=source,
        destination=destination,
        transport="UDP" if _number(chunks, _IP_PROTOCOL, _UDP) == _UDP else "TCP",
        protocol=protocol,
        payload=payload,
        node=node,
        outbound=None if outbound is None else outbound != b"\0",
    )


def _payload(chunks: dict[tuple[int, int], bytes]) -> bytes | Undecodable:
    if (0, _PAYLOAD) in chunks:
        return chunks[0, _PAYLOAD]
    if (0, _COMPRESSED_PAYLOAD) not in chunks:
        return Undecodable("no_payload", "no payload, such as a keep-alive", broken=False)
    inflate = zlib.decompressobj(wbits=47)  # 32 + 15: zlib or gzip, as the data says
    try:
        payload = inflate.decompress(chunks[0, _COMPRESSED_PAYLOAD], _LARGEST_INFLATED)
    except zlib.error as error:
        return Undecodable("compression", str(error), broken=False)
    if inflate.unconsumed_tail:
        return Undecodable("compression", f"inflates to more than {_LARGEST_INFLATED} octets", broken=False)
    return payload


def _protocol(chunks: dict[tuple[int, int], bytes], payload: bytes) -> Protocol | None:
    """What the payload is. A sender that gives no protocol type is taken to capture SIP."""
    if chunks.get((VENDOR, _PROTOCOL_NAME)) == b"http":
        return "http"
    kind = _number(chunks, _PROTOCOL_TYPE, _SIP)
    if kind == _SIP:
        return "sip"
    return "http" if kind == _LOG and _HTTP_START.match(payload) else None


def _number(chunks: dict[tuple[int, int], bytes], kind: int, default: int = 0) -> int:
    """An unsigned number, of whatever width the sender chose."""
    return int.from_bytes(chunks[0, kind]) if chunks.get((0, kind)) else default


def _endpoint(chunks: dict[tuple[int, int], bytes], four: int, six: int, port: int) -> Endpoint | None:
    packed = chunks.get((0, four), chunks.get((0, six)))
    if packed is None or len(packed) not in (4, 16):
        return None
    return str(ip_address(str(ipaddress.ip_address(packed)))), _number(chunks, port) & 0xFFFF


class StreamDecoder:
    """Cuts a TCP stream into packets by their length field and decodes each."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame | Undecodable]:
        """What is complete by now. An Undecodable that is `broken` is the last: the stream can't be followed on."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            start, length = _HEADER.unpack_from(self._buffer)
            if start not in _IDS or length < _HEADER.size:
                yield Undecodable("not_hep", f"expected a HEP3 packet, found {bytes(self._buffer[:6])!r}")
                return
            if len(self._buffer) < length:
                return
            decoded = decode(bytes(self._buffer[:length]))
            del self._buffer[:length]
            yield decoded
            if isinstance(decoded, Undecodable) and decoded.broken:
                return
