"""Packets, and capture files of them, as tcpdump, dumpcap and Wireshark write them."""

import socket
import struct

import dpkt

A, B = ("192.0.2.10", 5090), ("192.0.2.1", 5060)
A6, B6 = ("2001:db8::10", 5090), ("2001:db8::1", 5060)
TIME = 1_700_000_000.25
OPTIONS = (
    b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5090;branch=z9hG4bK-1\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:192.0.2.1>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 4\r\n\r\nbody"
)
ETHERNET, SLL, SLL2, RAW, NULL, LOOP, IPV4, IPV6 = 1, 113, 276, 101, 0, 108, 228, 229


def address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def udp(payload=OPTIONS, source=A, destination=B) -> bytes:
    """An IP packet with a datagram in it."""
    datagram = dpkt.udp.UDP(sport=source[1], dport=destination[1], data=payload)
    datagram.ulen = len(datagram)
    return ip(bytes(datagram), 17, source, destination)


def tcp(payload: bytes, sequence: int, flags=0x18, source=A, destination=B) -> bytes:
    segment = dpkt.tcp.TCP(sport=source[1], dport=destination[1], seq=sequence % 2**32, flags=flags, data=payload)
    return ip(bytes(segment), 6, source, destination)


def ip(data: bytes, protocol: int, source=A, destination=B) -> bytes:
    if ":" in source[0]:
        header = struct.pack("!IHBB", 6 << 28, len(data), protocol, 64)
        return header + address(source[0]) + address(destination[0]) + data
    packet = dpkt.ip.IP(src=address(source[0]), dst=address(destination[0]), p=protocol, data=data)
    packet.len = len(packet)
    return bytes(packet)


def framed(packet: bytes, link: int) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    match link:
        case 1:
            return b"\2" * 6 + b"\4" * 6 + kind.to_bytes(2) + packet
        case 113:
            return struct.pack("!HHH8sH", 0, 1, 6, b"\2" * 8, kind) + packet
        case 276:
            return struct.pack("!HHIHBB8s", kind, 0, 1, 1, 0, 6, b"\2" * 8) + packet
        case 0 | 108:
            return struct.pack("=I" if link == 0 else "!I", 2) + packet
    return packet


def pcap(*packets: bytes, link=ETHERNET, order="<", nanoseconds=False, times=None) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for number, packet in enumerate(packets):
        time = times[number] if times else TIME + number * 0.5
        fraction = round(time % 1 * (1e9 if nanoseconds else 1e6))
        data += struct.pack(f"{order}IIII", int(time), fraction, len(packet), len(packet)) + packet
    return data


def block(kind: int, body: bytes, order="<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def section(order="<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int, order="<", tsresol: int | None = None) -> bytes:
    options = (
        struct.pack(f"{order}HHB3x", 9, 1, tsresol) + struct.pack(f"{order}HH", 0, 0) if tsresol is not None else b""
    )
    return block(1, struct.pack(f"{order}HHI", link, 0, 262144) + options, order)


def enhanced(number: int, time: float, packet: bytes, order="<", units=1e6) -> bytes:
    stamp = round(time * units)
    header = struct.pack(f"{order}IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
    return block(6, header + packet, order)
