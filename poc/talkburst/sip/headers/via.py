"""``Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport``, RFC 3261 20.42 and RFC 3581."""

import re
from dataclasses import dataclass, field

from talkburst.sip.headers.grammar import HeaderError, is_token, params_text, parse_params, token_params
from talkburst.sip.uri import Params, UriError, parse_host_port

# via-parm = sent-protocol LWS sent-by *( SEMI via-params ), without a blank more than is needed; an IPv6reference, and
# whatever else does not match, is read the longer way.
_USUAL_VIA = re.compile(
    r"SIP/2\.0/([A-Z]++) ([A-Za-z0-9_.-]++)(?::([1-5][0-9]{4}|6[0-4][0-9]{3}|[0-9]{1,4}))?+"
    r"(;[A-Za-z0-9\-.!%*_+`'~;=]++)?"
)


@dataclass(slots=True)
class Via:
    """One hop of the way back. The transport is upper case, the host as received, IPv6 in brackets.

    `version` is any token: who speaks another one has to be told 505, and so has to be reached (RFC 4475 3.1.2.16).
    """

    transport: str
    host: str
    port: int | None = None
    params: Params = field(default_factory=dict)
    version: str = "2.0"

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
    usual = _USUAL_VIA.fullmatch(text)
    if usual is not None:
        transport, host, digits, params = usual.groups()
        return Via(transport, host, None if digits is None else int(digits), token_params(params) if params else {})
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
