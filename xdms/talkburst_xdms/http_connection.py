"""Connections to the XDMS, by aiohttp. What is no HTTP is counted and answered in our own words.

aiohttp would write a traceback for each such message, so that any stranger could fill the log, and call itself in
Server.
"""

import asyncio
from typing import Any, Final

from aiohttp import web
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError

SERVER: Final = "XDM-serv/OMA1.1 talkburst"
_SPOKEN: Final = (HttpVersion10, HttpVersion11)


class Connections(web.Server):
    """Makes a `Connection` of each socket; `options` are those of aiohttp's request handler."""

    def __init__(self, answer: Any, **options: Any) -> None:
        super().__init__(answer, request_factory=Asked, **options)
        self.malformed = 0
        """How many messages were no HTTP."""
        self._options = options

    def __call__(self) -> web.RequestHandler:
        return Connection(self, **self._options)


class Asked(web.BaseRequest):
    """A request. `foreign_version` is one that is not spoken here, else "".

    aiohttp answers in the version of the request, whatever that is. So a request in a version that is not ours is taken
    for one in the oldest that is, to be told so (RFC 9110 15.6.6).
    """

    def __init__(self, message: RawRequestMessage, payload: Any, protocol: Any, writer: Any, task: Any) -> None:
        asked, spoken = message.version, message.version in _SPOKEN
        read = message if spoken else message._replace(version=HttpVersion10, should_close=True)
        super().__init__(read, payload, protocol, writer, task, asyncio.get_running_loop())
        self.foreign_version = "" if spoken else f"HTTP/{asked.major}.{asked.minor}"


class Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ("_connections",)

    def __init__(self, connections: Connections, **options: Any) -> None:
        super().__init__(connections, loop=asyncio.get_running_loop(), **options)
        self._connections = connections

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what could not be read; other faults are aiohttp's business."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        self._connections.malformed += 1
        why = (message or "").strip().partition("\n")[0].rstrip(":") or "this is no HTTP"
        response = web.Response(status=status, text=f"{why}\n", headers={"Server": SERVER})
        response.force_close()
        return response
