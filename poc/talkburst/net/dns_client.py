"""One question to name servers by dnspython: over UDP, over TCP where the answer was cut off.

What is no answer to the question (another id, another sender, bytes that are no DNS) is passed over until the time is
up. Imported when the first question is asked: dnspython costs a twentieth of a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdata
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from talkburst.sip.flow import Address
from talkburst.sip.locating import MOST_ADDRESSES, MOST_RECORDS, Answer, Naptr, Question, Srv

PAYLOAD = 1232  # bytes of an answer by UDP (EDNS), which no network cuts into pieces
RESOLV_CONF = Path("/etc/resolv.conf")
FAILURE_KEPT = 5.0  # seconds that nobody is asked again what nobody could say (RFC 9520 2.2), or what has no SOA
ADDRESSES = ("A", "AAAA")


class NoAnswerError(Exception):
    """Nobody could say; the text says why."""


class DnsClient:
    """Asks `servers`, or those of the system when there are none, and those anew when they have changed.

    `timeout`: seconds for one question, whoever is asked and however often.
    """

    def __init__(self, servers: Sequence[Address], timeout: float) -> None:
        self._servers = list(servers)
        self._timeout = timeout
        self._client: dns.asyncresolver.Resolver | None = None
        self._version = 0  # of the system's configuration

    async def query(self, question: Question) -> tuple[Answer, float]:
        """The records, and for how many seconds they are so. Raises NoAnswerError."""
        try:
            reply = await self._configured().resolve(
                question.name,
                question.type,
                raise_on_no_answer=False,
                lifetime=self._timeout,
                # As the system does: a short name is one of the own network (`search` in resolv.conf).
                search=question.type in ADDRESSES,
            )
        except dns.resolver.NXDOMAIN as error:
            replies: Mapping[dns.name.Name, dns.message.Message] = error.kwargs["responses"]
            return Answer(), min((_negative_ttl(each) for each in replies.values()), default=FAILURE_KEPT)
        except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
            raise NoAnswerError(str(error) or repr(error)) from None
        if reply.rrset is None:
            return Answer(), _negative_ttl(reply.response)
        return _answer_of(reply.rrset), float(reply.chaining_result.minimum_ttl)

    def _configured(self) -> dns.asyncresolver.Resolver:
        version = 0 if self._servers else _version_of(RESOLV_CONF)
        if self._client is None or version != self._version:
            client = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                client.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in self._servers]
            client.timeout = self._timeout / (len(client.nameservers) + 1)  # each is asked, the first one again
            client.use_edns(0, 0, PAYLOAD)
            self._client, self._version = client, version
        return self._client


def _version_of(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1


def _answer_of(records: Iterable[dns.rdata.Rdata]) -> Answer:
    """As many of them as count."""
    naptr, srv, addresses = [], [], []
    for record in islice(records, MOST_RECORDS):
        if isinstance(record, A | AAAA):
            addresses.append(record.address)
        elif isinstance(record, SRV):
            target = record.target.to_text(omit_final_dot=True).lower()
            srv.append(Srv(record.priority, record.weight, record.port, "" if target == "." else target))
        elif isinstance(record, NAPTR):
            flags, service, regexp = (
                text.decode("ascii", "replace") for text in (record.flags, record.service, record.regexp)
            )
            replacement = record.replacement.to_text(omit_final_dot=True).lower()
            name = "" if replacement == "." else replacement
            naptr.append(Naptr(record.order, record.preference, flags, service, regexp, name))
    return Answer(tuple(naptr), tuple(srv), tuple(addresses[:MOST_ADDRESSES]))


def _negative_ttl(response: dns.message.Message) -> float:
    """RFC 2308 5: the smaller of the TTL of the SOA and its minimum."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return float(min(rrset.ttl, rrset[0].minimum))
    return FAILURE_KEPT
