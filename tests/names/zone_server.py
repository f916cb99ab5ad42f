"""A name server for tests: one zone, UDP and TCP on a free port of loopback, in threads of its own.

    with ZoneServer("ims.test", ZONE) as names:
        names.address, names.asked

It answers as an authority that is asked by stub resolvers: it follows CNAMEs, cuts what does not fit a datagram, and
adds the SOA to what it has not. `damage` may turn an answer by UDP into other datagrams.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

HEAD = "@ 60 IN SOA ns host 1 60 60 60 60\n@ 60 IN NS ns\nns 60 IN A 127.0.0.1\n"
LONGEST_CHAIN = 8
SMALLEST = 512  # bytes that everybody takes by UDP (RFC 1035 2.3.4)

Damage = Callable[[dns.message.Message, bytes], list[bytes]]


class ZoneServer:
    """`zone` is the text of a zone file without its SOA."""

    def __init__(self, origin: str, zone: str, damage: Damage | None = None, silent: bool = False) -> None:
        self.asked: list[str] = []  # "NAME TYPE udp" and so on, in their order
        self.damage = damage
        self.silent = silent
        self._origin = dns.name.from_text(origin)
        self.serve(zone)
        self._udp, self._tcp = _bound_pair()
        self.address: tuple[str, int] = self._udp.getsockname()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._serve_udp, self._serve_tcp)]

    def serve(self, zone: str) -> None:
        """Answer from another zone from now on."""
        lines = "\n".join(line.strip() for line in zone.splitlines())
        self._zone = dns.zone.from_text(HEAD + lines, origin=self._origin, relativize=False, check_origin=False)

    def __enter__(self) -> ZoneServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.address)  # whoever waits for a datagram hears of nothing else
        self._tcp.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()

    @property
    def text(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def _serve_udp(self) -> None:
        while True:
            data, remote = self._udp.recvfrom(65535)
            if not data:
                return
            query = dns.message.from_wire(data)
            self._note(query, "udp")
            if self.silent:
                continue
            reply = self._answer(query)
            wire = reply.to_wire(max_size=65535)
            if len(wire) > max(query.payload, SMALLEST):
                short = dns.message.make_response(query)
                short.flags |= dns.flags.TC
                wire = short.to_wire()
            for each in [wire] if self.damage is None else self.damage(query, wire):
                self._udp.sendto(each, remote)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                while len(length := stream.read(2)) == 2:
                    query = dns.message.from_wire(stream.read(int.from_bytes(length, "big")))
                    self._note(query, "tcp")
                    wire = self._answer(query).to_wire(max_size=65535)
                    connection.sendall(len(wire).to_bytes(2, "big") + wire)

    def _note(self, query: dns.message.Message, transport: str) -> None:
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{question.name.to_text(omit_final_dot=True)} {kind} {transport}")

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name = question.name
        for _ in range(LONGEST_CHAIN):
            alias = self._zone.get_rrset(name, dns.rdatatype.CNAME)
            if alias is None:
                break
            reply.answer.append(alias)
            name = alias[0].target
        found = self._zone.get_rrset(name, question.rdtype)
        if found is not None:
            reply.answer.append(found)
        else:
            soa = self._zone.get_rrset(self._origin, dns.rdatatype.SOA)
            assert soa is not None
            reply.authority.append(soa)
            if name not in self._zone.nodes and not reply.answer:
                reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply


def _bound_pair() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket of one port."""
    while True:
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
        except OSError:  # somebody has that port
            udp.close()
            tcp.close()
            continue
        tcp.listen()
        return udp, tcp
