"""The sockets of the XDMS: HTTP/1.1 with aiohttp, every message noted in the trace with its true addresses."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from talkburst.obs.frame import Endpoint
from talkburst.obs.trace import Trace
from talkburst.xcap.http_text import http_text
from talkburst_xdms.exchange import Reply, Request
from talkburst_xdms.http_connection import SERVER, Asked, Connections

MAX_BODY: Final = 1 << 20

_KEEP_ALIVE: Final = 75.0  # seconds that a connection may be idle
_DRAIN: Final = 3.0  # seconds that requests under way may take when the server stops

Answer = Callable[[Request], Awaitable[Reply]]
Report = Callable[[str, BaseException], None]


class HttpServer:
    """Reads each request whole (at most `largest` bytes), has it answered by `answer`, and sends the reply.

    `report` is told of faults of our own; the peer gets a 500. A body may take `patience` seconds to arrive. For
    `linger` seconds the rest of a refused body is read and thrown away, so that the peer gets to read why.
    """

    def __init__(
        self,
        answer: Answer,
        trace: Trace,
        now: Callable[[], float],
        report: Report,
        *,
        largest: int = MAX_BODY,
        patience: float = 30.0,
        linger: float = 2.0,
    ) -> None:
        self._largest = largest
        self._patience = patience
        self._linger = linger
        self._answer = answer
        self._trace = trace
        self._now = now
        self._report = report
        self._runner: web.ServerRunner | None = None
        self._connections: Connections | None = None

    async def listen(
        self, *, host: str = "", port: int = 0, fd: int | None = None, tls: ssl.SSLContext | None = None
    ) -> Endpoint:
        """Takes connections on an address or on a socket that was handed over; returns the address bound to.

        With `tls` it is HTTPS. Raises OSError.
        """
        if self._runner is None:
            self._connections = Connections(
                self._handle,
                access_log=None,
                auto_decompress=False,
                keepalive_timeout=_KEEP_ALIVE,
                lingering_time=self._linger,
            )
            self._runner = web.ServerRunner(self._connections, handle_signals=False, shutdown_timeout=_DRAIN)
            await self._runner.setup()
        listener = socket.socket(fileno=fd) if fd is not None else None
        site: web.BaseSite = (
            web.SockSite(self._runner, listener, ssl_context=tls)
            if listener
            else web.TCPSite(self._runner, host, port, ssl_context=tls)
        )
        await site.start()
        bound = self._runner.addresses[-1]
        return bound[0], bound[1]

    @property
    def malformed(self) -> int:
        """How many messages were no HTTP."""
        return self._connections.malformed if self._connections else 0

    async def close(self) -> None:
        """Takes no more connections, lets requests under way finish, closes the others."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, message: Asked) -> web.StreamResponse:
        try:
            return await self._exchange(message)
        except ConnectionError:
            return web.Response(status=400)  # goes nowhere: the peer has hung up

    async def _exchange(self, message: Asked) -> web.StreamResponse:
        local, remote = _ends(message)
        body, fault = await _body(message, self._largest, self._patience)
        self._trace.message(_request_text(message, body), local, remote, False, "http", "TCP", self._now())
        if fault is None:
            fault = await self._answered(Request(message.method, message.raw_path, message.headers, body, remote[0]))
        response = web.Response(status=fault.status, body=fault.body or None, headers=fault.headers)
        response.headers["Server"] = SERVER
        if fault.content_type:
            response.headers["Content-Type"] = fault.content_type
        elif not fault.body:
            response.headers.popall("Content-Type", None)
        if fault.status in (400, 408, 413, 417, 505) and not message.content.at_eof():
            response.force_close()
        await response.prepare(message)
        self._trace.message(_response_text(message, response), local, remote, True, "http", "TCP", self._now())
        await response.write_eof()
        return response

    async def _answered(self, request: Request) -> Reply:
        try:
            return await self._answer(request)
        except Exception as error:  # noqa: BLE001 - one request must not take the connection's others with it
            self._report(f"{request.method} {request.target} could not be answered", error)
            return Reply(500, b"a fault of this server; its log says which\n", "text/plain; charset=utf-8")


async def _body(message: Asked, largest: int, patience: float) -> tuple[bytes, Reply | None]:
    """The body, or what was read of it and the refusal."""
    if message.foreign_version:
        text = f"{message.foreign_version} is not spoken here, but HTTP/1.1 and HTTP/1.0\n".encode()
        return b"", Reply(505, text, "text/plain; charset=utf-8")
    if (message.content_length or 0) > largest:
        return b"", _too_large(largest)
    expect = message.headers.get("Expect", "").lower()
    if expect not in ("", "100-continue"):
        return b"", Reply(417, b"the only expectation met here is 100-continue\n", "text/plain; charset=utf-8")
    content = bytearray()
    try:
        if expect:
            await message.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            message.writer.output_size = 0  # or the answer would count as begun
        async with asyncio.timeout(patience):
            async for chunk in message.content.iter_chunked(1 << 16):
                content += chunk
                if len(content) > largest:
                    return bytes(content), _too_large(largest)
    except TimeoutError:
        text = f"the body did not arrive within {patience:g} seconds\n".encode()
        return bytes(content), Reply(408, text, "text/plain; charset=utf-8")
    except web.RequestPayloadError as error:
        text = f"the body cannot be read: {error}\n".encode()
        return bytes(content), Reply(400, text, "text/plain; charset=utf-8")
    return bytes(content), None


def _too_large(largest: int) -> Reply:
    text = f"the body has more than {largest} bytes, which is the limit here\n"
    return Reply(413, text.encode(), "text/plain; charset=utf-8")


def _ends(message: Asked) -> tuple[Endpoint, Endpoint]:
    """Our address and the peer's; an empty one where the connection has gone already."""
    transport = message.transport
    if transport is None:
        return ("", 0), ("", 0)
    local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
    return (local or ("", 0))[:2], (remote or ("", 0))[:2]


def _request_text(message: Asked, body: bytes) -> bytes:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.raw_headers]
    version = message.foreign_version or f"HTTP/{message.version.major}.{message.version.minor}"
    return http_text(f"{message.method} {message.raw_path} {version}", headers, body)


def _response_text(message: Asked, response: web.Response) -> bytes:
    version = message.version
    start_line = f"HTTP/{version.major}.{version.minor} {response.status} {response.reason}"
    body = b"" if message.method == "HEAD" or not isinstance(response.body, bytes) else response.body
    return http_text(start_line, response.headers.items(), body)
