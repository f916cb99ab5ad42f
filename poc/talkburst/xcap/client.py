"""The XCAP client: whole documents over HTTP, with Digest, conditions and a trace of every message."""

import secrets
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from talkburst.net.resolver import Resolver
from talkburst.obs.trace import Trace
from talkburst.sip.digest import DigestClient
from talkburst.sip.headers.auth import AuthHeader, parse_auth
from talkburst.sip.headers.grammar import HeaderError
from talkburst.xcap.connector import EXCHANGE, Endpoint, HostsResolver, TracedConnector
from talkburst.xcap.entity_tag import EntityTag, read_tags
from talkburst.xcap.http_text import http_text
from talkburst.xcap.uri import XcapUri
from talkburst.xml import MAX_BYTES, XmlError
from talkburst.xml.xcap_error import MEDIA_TYPE as XCAP_ERROR
from talkburst.xml.xcap_error import from_xml

if TYPE_CHECKING:
    from aiohttp.client import ClientRequest

USER_AGENT: Final = "XDM-client/OMA1.1 talkburst"

# The first 401 asks for credentials, a second one may say that the nonce has become stale.
_ATTEMPTS: Final = 3


class XcapUnreachableError(Exception):
    """No answer came; the text says from where and why."""


@dataclass(slots=True, frozen=True)
class XcapAnswer:
    """What the server said. `etag` without its quotes; `content_type` in lower case, without parameters."""

    status: int
    etag: str | None = None
    body: bytes = b""
    content_type: str = ""

    @property
    def problem(self) -> str:
        """Why a request was refused, in the server's words; "" for success."""
        if self.status < 400:
            return ""
        if self.content_type == XCAP_ERROR:
            try:
                fault = from_xml(self.body)
            except XmlError as error:
                return str(error)
            return f"{fault.condition}: {fault.phrase}" if fault.phrase else fault.condition
        lines = self.body[:400].decode("utf-8", "replace").strip().splitlines()
        return lines[0] if lines else f"status {self.status}"


@dataclass(slots=True)
class _TracedExchange:
    """Notes one request and its answer in the trace."""

    trace: Trace
    now: Callable[[], float]
    body: bytes
    ends: list[tuple[Endpoint, Endpoint]] = field(default_factory=list)

    def connected(self, request: "ClientRequest", local: Endpoint, remote: Endpoint) -> None:
        self.ends.append((local, remote))
        start_line = f"{request.method} {request.url.raw_path_qs} HTTP/1.1"
        self._note(http_text(start_line, request.headers.items(), self.body), outbound=True)

    def answered(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        if not self.ends:
            return
        version = response.version or aiohttp.HttpVersion11
        start_line = f"HTTP/{version.major}.{version.minor} {response.status} {response.reason or ''}"
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
        self._note(http_text(start_line, headers, body), outbound=False)

    def _note(self, text: bytes, outbound: bool) -> None:
        local, remote = self.ends[-1]
        self.trace.message(text, local, remote, outbound, "http", "TCP", self.now())


class XcapClient:
    """Reads and writes documents below `root`, such as http://127.0.0.1:8080/xcap-root, in the name of one account.

    Has to be made inside a running event loop. `hosts` goes before the DNS; `now` stamps the trace. `timeout`,
    in seconds, is how long the server may be silent; a whole exchange may last six times as long.
    `tls` says whom to believe where `root` is https.
    """

    def __init__(
        self,
        root: str,
        username: str,
        password: str,
        *,
        trace: Trace | None = None,
        now: Callable[[], float] = time.time,
        hosts: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
        resolver: Resolver | None = None,
    ) -> None:
        self.root = root.rstrip("/")
        self.root_path = URL(self.root, encoded=True).raw_path
        self._digest = DigestClient(username, password)
        self._trace = trace if trace is not None and trace.looked_at else None
        self._now, self._token = now, token
        # Nonces that are not in use, by the domain they are for. A nonce serves one request at a time, because its
        # count must not arrive out of order on parallel connections.
        self._challenges: dict[str, list[AuthHeader]] = {}
        self._session = aiohttp.ClientSession(
            connector=TracedConnector(
                limit_per_host=16, resolver=HostsResolver(hosts or {}, resolver or Resolver()), ssl=tls or True
            ),
            timeout=aiohttp.ClientTimeout(total=6 * timeout, sock_connect=timeout, sock_read=timeout),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def get(self, uri: XcapUri, etag: str | None = None) -> XcapAnswer:
        """Fetches a document; with `etag` a 304 says that it is still the one. Raises `XcapUnreachableError`."""
        return await self._request("GET", uri, if_none_match=etag)

    async def put(
        self,
        uri: XcapUri,
        body: bytes,
        content_type: str,
        *,
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> XcapAnswer:
        """Creates or replaces a document; a condition is an entity tag or "*". Raises `XcapUnreachableError`."""
        return await self._request("PUT", uri, body, content_type, if_match, if_none_match)

    async def delete(self, uri: XcapUri, *, if_match: str | None = None) -> XcapAnswer:
        """Removes a document. Raises `XcapUnreachableError`."""
        return await self._request("DELETE", uri, if_match=if_match)

    async def close(self) -> None:
        await self._session.close()

    async def _request(
        self,
        method: str,
        uri: XcapUri,
        body: bytes = b"",
        content_type: str = "",
        if_match: str | None = None,
        if_none_match: str | None = None,
    ) -> XcapAnswer:
        url = URL(f"{self.root}/{uri}", encoded=True)
        headers = {
            "Content-Type": content_type,
            "If-Match": _condition(if_match),
            "If-None-Match": _condition(if_none_match),
        }
        headers = {name: value for name, value in headers.items() if value}
        domain = uri.xui.rpartition("@")[2]
        free = self._challenges.setdefault(domain, [])
        challenge = free.pop() if free else None
        kept = challenge is not None  # one from an earlier request may be spent; not every server says stale
        try:
            for _ in range(_ATTEMPTS):
                authorization = self._authorization(challenge, method, url, body)
                if authorization is not None:
                    headers["Authorization"] = str(authorization)
                answer, challenges = await self._exchange(method, url, headers, body)
                fresh = _usable(challenges, None if kept else challenge)
                if answer.status != 401 or fresh is None:
                    break
                challenge, kept = fresh, False
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            raise XcapUnreachableError(f"{method} {url}: {reason}") from None
        if challenge is not None and answer.status != 401:
            free.append(challenge)
        return answer

    def _authorization(self, challenge: AuthHeader | None, method: str, url: URL, body: bytes) -> AuthHeader | None:
        if challenge is None:
            return None
        return self._digest.authorization([challenge], method, url.raw_path_qs, body, self._token)

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes
    ) -> tuple[XcapAnswer, list[AuthHeader]]:
        """One request and its answer, with the challenges in it."""
        trace = self._trace
        if trace is None:
            return await self._send(method, url, headers, body, None)
        exchange = _TracedExchange(trace, self._now, body)
        token = EXCHANGE.set(exchange)
        try:
            return await self._send(method, url, headers, body, exchange)
        finally:
            EXCHANGE.reset(token)

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes, exchange: _TracedExchange | None
    ) -> tuple[XcapAnswer, list[AuthHeader]]:
        async with self._session.request(
            method, url, headers=headers, data=body if method == "PUT" else None, allow_redirects=False
        ) as response:
            content = await _read(response)
            if exchange is not None:
                exchange.answered(response, content)
            return _answer(response, content), _challenges(response.headers)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > MAX_BYTES:
            raise aiohttp.ClientPayloadError(f"the answer has more than {MAX_BYTES} bytes")
    return bytes(content)


def _answer(response: aiohttp.ClientResponse, content: bytes) -> XcapAnswer:
    tags = read_tags(response.headers.get("ETag", "")).tags
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return XcapAnswer(response.status, tags[0].opaque if tags else None, content, media_type)


def _challenges(headers: CIMultiDictProxy[str]) -> list[AuthHeader]:
    found: list[AuthHeader] = []
    for value in headers.getall("WWW-Authenticate", []):
        try:
            found.append(parse_auth(value))
        except HeaderError:
            continue  # a scheme or spelling we cannot answer is as good as none
    return found


def _usable(challenges: Iterable[AuthHeader], answered: AuthHeader | None) -> AuthHeader | None:
    """The first Digest challenge, unless it only repeats what our credentials were refused for."""
    for challenge in challenges:
        if challenge.scheme.lower() != "digest" or "nonce" not in challenge.params or "realm" not in challenge.params:
            continue
        stale = challenge.params.get("stale", "").lower() == "true"
        other_realm = answered is not None and answered.params["realm"] != challenge.params["realm"]
        return challenge if answered is None or stale or other_realm else None
    return None


def _condition(etag: str | None) -> str:
    if etag is None:
        return ""
    return etag if etag == "*" else str(EntityTag(etag))
