"""TCP connections of the XCAP client: names from the hosts table, and the socket addresses of every request."""

import socket
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from talkburst.net.resolver import Resolver
from talkburst.sip.flow import is_literal

if TYPE_CHECKING:
    from aiohttp.client import ClientRequest, ClientTimeout
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

Endpoint = tuple[str, int]


class Exchange(Protocol):
    """Is told on which connection a request goes out, just before it does. Once more if it has to be sent again."""

    def connected(self, request: "ClientRequest", local: Endpoint, remote: Endpoint) -> None: ...


EXCHANGE: ContextVar[Exchange] = ContextVar("EXCHANGE")
"""The exchange of the task that makes the request."""


class TracedConnector(aiohttp.TCPConnector):
    """A pool of connections that tells each request's exchange about the sockets it goes between."""

    async def connect(
        self,
        req: "ClientRequest",
        traces: list["Trace"],
        timeout: "ClientTimeout",  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> "Connection":
        connection = await super().connect(req, traces, timeout)
        exchange = EXCHANGE.get(None)
        transport = connection.transport
        if exchange is not None and transport is not None:
            local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
            if local and remote:
                exchange.connected(req, local[:2], remote[:2])
        return connection


class HostsResolver(AbstractResolver):
    """Looks a name up in a table of `name` or `name:port` to `host:port`, then as `resolver` does."""

    def __init__(self, hosts: Mapping[str, str], resolver: Resolver) -> None:
        self._hosts = {name.lower(): value.partition(";")[0] for name, value in hosts.items()}
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        mapped = self._hosts.get(f"{host}:{port}".lower()) or self._hosts.get(host.lower())
        if mapped is None:
            return await self._look_up(host, host, port, family)
        address, colon, mapped_port = mapped.rpartition(":")
        if not colon or mapped.endswith("]"):
            address, mapped_port = mapped, str(port)
        address = address.strip("[]")
        if not is_literal(address):
            return await self._look_up(host, address, int(mapped_port), family)
        return [_result(host, address, int(mapped_port))]

    async def _look_up(self, host: str, name: str, port: int, family: int) -> list[ResolveResult]:
        families = {socket.AF_INET: (4,), socket.AF_INET6: (6,)}.get(socket.AddressFamily(family), (6, 4))
        addresses = await self._resolver.addresses(name, families)
        if not addresses:
            raise OSError(None, f"no address is known for {name}")
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        await self._resolver.close()


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=0,
        flags=socket.AI_NUMERICHOST,
    )
