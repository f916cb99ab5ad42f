"""``Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport``, RFC 3261 20.42 and RFC 3581."""

import re
from typing import Final

from talkburst.sip.headers.grammar import HeaderError, is_token, parse_params, token_params
from talkburst.sip.remembered import remember
from talkburst.sip.uri import UriError, parse_host_port
from talkburst.sip.uri_parts import Params, params_text

# via-parm = sent-protocol LWS sent-by *( SEMI via-params ), without a blank more than is needed; an IPv6reference, and
# whatever else does not match, is read the longer way.
_USUAL_HOP: Final = re.compile(r"SIP/2\.0/([A-Z]++) ([A-Za-z0-9_.-]++)(?::([1-5][0-9]{4}|6[0-4][0-9]{3}|[0-9]{1,4}))?+")
# Most have via-branch first, then response-port and via-received in either order, behind the first semicolon.
_USUAL_PARAMS: Final = re.compile(
    r"branch=([A-Za-z0-9\-.!%*_+`'~]++)(?:;received=([A-Za-z0-9\-.!%*_+`'~]++))?+"
    r"(?:;(rport)(?:=([0-9]++))?+)?+(?:;received=([A-Za-z0-9\-.!%*_+`'~]++))?+"
)
_TOKEN_PARAMS: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~;=]++")

# Transport, host and port by what stands before the semicolon.
_remembered: Final[dict[str, tuple[str, str, int | None]]] = {}


class Via:
    """One hop of the way back. The transport is upper case, the host as received, IPv6 in brackets.

    `version` is any token: who speaks another one has to be told 505, and so has to be reached (RFC 4475 3.1.2.16).
    """

    __slots__ = ("host", "params", "port", "transport", "version")

    def __init__(
        self, transport: str, host: str, port: int | None = None, params: Params | None = None, version: str = "2.0"
    ) -> None:
        self.transport = transport
        self.host = host
        self.port = port
        self.params: Params = {} if params is None else params
        self.version = version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Via) and self._parts() == other._parts()

    def __repr__(self) -> str:
        return f"Via({str(self)!r})"

    def _parts(self) -> tuple[object, ...]:
        return self.transport, self.host, self.port, self.params, self.version

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/{self.version}/{self.transport} {self.host}{port}{params_text(self.params)}"

    @property
    def sent_by(self) -> str:
        """``host:port`` or ``host``, in lower case, as transactions compare it (RFC 3261 17.2.3)."""
        host = self.host.lower()
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def branch(self) -> str | None:
        """The branch parameter; a transaction identifier when it starts with z9hG4bK."""
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        """The source address as the next hop saw it, an IPv6 address without brackets (RFC 5118 4.5)."""
        value = self.params.get("received")
        return None if value is None else value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The source port as the next hop saw it; None when not filled in, see `rport_requested`."""
        value = self.params.get("rport")
        return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 5 else None

    @property
    def rport_requested(self) -> bool:
        """True when the sender wrote ``;rport`` (RFC 3581 3), filled in since or not."""
        return "rport" in self.params


def parse_via(text: str) -> Via:
    """Reads one Via element. Raises HeaderError; an unknown transport is none of its errors."""
    before, semicolon, after = text.partition(";")
    hop = _remembered.get(before)
    if hop is None:
        found = _USUAL_HOP.fullmatch(before)
        if found is None:
            return _read_via(text)
        transport, host, digits = found.groups()
        hop = remember(_remembered, before, (transport, host, None if digits is None else int(digits)))
    transport, host, port = hop
    usual = _USUAL_PARAMS.fullmatch(after)
    if usual is None:
        if not semicolon:
            return Via(transport, host, port, {})
        if _TOKEN_PARAMS.fullmatch(after) is None:
            return _read_via(text)
        return Via(transport, host, port, token_params(semicolon + after))
    branch, received, rport, source_port, received_last = usual.groups()
    params: Params = {"branch": branch}
    if received is not None:
        params["received"] = received
    if rport is not None:
        params["rport"] = source_port
    if received_last is not None:
        if received is not None:
            raise HeaderError("parameter received comes twice")
        params["received"] = received_last
    return Via(transport, host, port, params)


def _read_via(text: str) -> Via:
    protocol, _, rest = text.strip().partition(" ")
    version, transport = "2.0", protocol[8:]
    if not protocol.startswith("SIP/2.0/") or not is_token(transport):
        version, transport, rest = _other_protocol(text)
    sent_by, semicolon, params = rest.partition(";")
    try:
        host, port = parse_host_port(_without_blanks(sent_by))
    except UriError as error:
        raise HeaderError(f"Via {text!r}: {error}") from error
    return Via(transport.upper(), host, port, parse_params(semicolon + params), version)


def _other_protocol(text: str) -> tuple[str, str, str]:
    """Splits ``SIP / 2.0 / UDP  rest``: blanks around the slashes are legal, the name has no case, and
    protocol-version = "2.0" / token."""
    name, _, rest = text.strip().partition("/")
    version, _, rest = rest.partition("/")
    words = rest.split(None, 1)
    version = version.strip()
    if name.strip().upper() != "SIP" or not is_token(version) or len(words) < 2 or not is_token(words[0]):
        raise HeaderError(f"no SIP/2.0/transport in Via {text!r}")
    return version, words[0], words[1]


def _without_blanks(sent_by: str) -> str:
    """sent-by = host [ COLON port ], and a COLON may have blanks on both sides."""
    sent_by = sent_by.strip()
    if " " not in sent_by and "\t" not in sent_by:
        return sent_by
    host, colon, port = sent_by.rpartition(":")
    return f"{host.rstrip()}{colon}{port.lstrip()}"
