"""SIP, SIPS, tel and other URIs: parsing, comparison, address of record.

RFC 3261 19.1 and 25.1, RFC 3966 for tel.
"""

import re
from typing import Final

from talkburst.sip.remembered import remember
from talkburst.sip.uri_parts import (
    MARKS_AND_ALPHANUMERIC,
    NO_PARAMS,
    USER_CHARACTERS,
    Params,
    ReadParams,
    canonical,
    folded,
    header_set,
    params_text,
    same_params,
    same_text,
)

_remembered: Final[dict[str, "Uri"]] = {}

# Never legal in a URI, however lenient the reader: controls, blanks, and what delimits a name-addr.
_FORBIDDEN: Final = re.compile(r'[\x00-\x20"<>\x7f]')
# host = hostname / IPv4address / IPv6reference; the underscore is in no grammar but in many networks.
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]")
# scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
# telephone-subscriber = global-number / local-number   (RFC 3966 3, without the parameters)
_TELEPHONE_NUMBER: Final = re.compile(r"\+[0-9().-]+|[0-9A-Fa-f*#().-]+")
# The SIP-URI that is met most, in the characters of RFC 3261 25.1: the scheme and the host in lower case, no password,
# no headers. Whatever does not match is read the longer way.
# SIP-URI = "sip:" [ userinfo ] hostport uri-parameters [ headers ]
_USUAL_SIP_URI: Final = re.compile(
    r"(sips?):(?:([A-Za-z0-9\-_.!~*'()&=+$,;?/%]+)@)?([a-z0-9_.-]++)(?::([1-5][0-9]{4}|6[0-4][0-9]{3}|[0-9]{1,4}))?+"
    r"(?:;([A-Za-z0-9\-_.!~*'()&=+$,;%:/\[\]]++))?+"
)
_VISUAL_SEPARATORS: Final = str.maketrans("", "", "-.()")


class UriError(ValueError):
    """The text is no URI."""


class SipUri:
    """``sip:user:password@host:port;params?headers``, RFC 3261 19.1.1. The host is lower case, IPv6 in brackets.

    No URI is ever changed: messages that hold the same text may hold the same object.
    """

    __slots__ = ("headers", "host", "params", "password", "port", "scheme", "user")

    def __init__(
        self,
        scheme: str,
        user: str | None,
        host: str,
        port: int | None = None,
        params: ReadParams | None = None,
        headers: str | None = None,
        password: str | None = None,
    ) -> None:
        self.scheme: Final = scheme
        self.user: Final = user
        self.host: Final = host
        self.port: Final = port
        self.params: Final[ReadParams] = NO_PARAMS if params is None else params
        self.headers: Final = headers
        self.password: Final = password

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SipUri) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((self.scheme, self.user, self.host, self.port))

    def __repr__(self) -> str:
        return f"SipUri({str(self)!r})"

    def _parts(self) -> tuple[object, ...]:
        return self.scheme, self.user, self.host, self.port, self.params, self.headers, self.password

    def __str__(self) -> str:
        text = f"{self.scheme}:"
        if self.user is not None:
            text += self.user if self.password is None else f"{self.user}:{self.password}"
            text += "@"
        text += self.host
        if self.port is not None:
            text += f":{self.port}"
        if self.params:
            text += params_text(self.params)
        return text if self.headers is None else f"{text}?{self.headers}"

    @property
    def lr(self) -> bool:
        """True for the URI of a loose router, RFC 3261 19.1.1."""
        return "lr" in self.params

    def with_param(self, name: str, value: str | None = None) -> "SipUri":
        """This URI with that parameter, in the place of the one of that name or behind the others."""
        params = {**self.params, name: value}
        return SipUri(self.scheme, self.user, self.host, self.port, params, self.headers, self.password)

    def equivalent(self, other: "Uri") -> bool:
        """True when both name the same resource, RFC 3261 19.1.4. A default port written out is a difference."""
        if not isinstance(other, SipUri):
            return False
        return (
            self.scheme == other.scheme
            and self.host == other.host
            and self.port == other.port
            and same_text(self.user, other.user)
            and same_text(self.password, other.password)
            and same_params(self.params, other.params)
            and header_set(self.headers) == header_set(other.headers)
        )

    def addr_of_record(self) -> str:
        """The canonical text under which a registrar files this address, RFC 3261 10.3 step 5.

        All parameters, headers and the password go, escapes that need not be escapes are undone, and sips is filed
        with sip (RFC 5630 5.2). Escapes of characters that cannot stand in a user part stay, so the text is a URI.
        """
        user = "" if self.user is None else f"{canonical(self.user, USER_CHARACTERS)}@"
        port = "" if self.port is None else f":{self.port}"
        return f"sip:{user}{self.host}{port}"


class TelUri:
    """``tel:+1-202-555-0101;params``, RFC 3966. The number is kept as received, visual separators included."""

    __slots__ = ("number", "params")

    def __init__(self, number: str, params: ReadParams | None = None) -> None:
        self.number: Final = number
        self.params: Final[ReadParams] = NO_PARAMS if params is None else params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TelUri) and self.number == other.number and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.number)

    def __repr__(self) -> str:
        return f"TelUri({str(self)!r})"

    def __str__(self) -> str:
        return f"tel:{self.number}{params_text(self.params)}"

    @property
    def digits(self) -> str:
        """The number without visual separators, in lower case."""
        return self.number.translate(_VISUAL_SEPARATORS).lower()

    def equivalent(self, other: "Uri") -> bool:
        """True when numbers and all parameters agree, RFC 3966 4: separators, case and order do not count."""
        if not isinstance(other, TelUri) or self.digits != other.digits:
            return False
        return folded(self.params) == folded(other.params)

    def addr_of_record(self) -> str:
        """``tel:+12025550101``; a local number keeps its phone-context, which is part of the number."""
        context = self.params.get("phone-context")
        if context is None:
            return f"tel:{self.digits}"
        return f"tel:{self.digits};phone-context={canonical(context, MARKS_AND_ALPHANUMERIC).lower()}"


class OtherUri:
    """A URI of a scheme this stack does not route by; the part after the colon is opaque."""

    __slots__ = ("opaque", "scheme")

    def __init__(self, scheme: str, opaque: str) -> None:
        self.scheme: Final = scheme
        self.opaque: Final = opaque

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OtherUri) and self.scheme == other.scheme and self.opaque == other.opaque

    def __hash__(self) -> int:
        return hash((self.scheme, self.opaque))

    def __repr__(self) -> str:
        return f"OtherUri({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.scheme}:{self.opaque}"

    def equivalent(self, other: "Uri") -> bool:
        """True when both are the same text; only the case of the scheme does not count."""
        return isinstance(other, OtherUri) and self.scheme == other.scheme and self.opaque == other.opaque

    def addr_of_record(self) -> str:
        """The URI itself: nothing is known of its parts."""
        return f"{self.scheme}:{self.opaque}"


Uri = SipUri | TelUri | OtherUri


def parse_uri(text: str) -> Uri:
    """Reads one URI without surrounding blanks or angle brackets. Raises UriError.

    The same text may give the same object, which therefore nobody changes.
    """
    uri = _remembered.get(text)
    if uri is None:
        uri = remember(_remembered, text, _read_uri(text))
    return uri


def _read_uri(text: str) -> Uri:
    usual = _USUAL_SIP_URI.fullmatch(text)
    if usual is not None:
        scheme, user, host, digits, params = usual.groups()
        port = None if digits is None else int(digits)
        return SipUri(scheme, user, host, port, None if params is None else _parse_params(params))
    scheme, colon, rest = text.partition(":")
    if not colon or not rest:
        raise UriError(f"no scheme in URI {text!r}")
    if _FORBIDDEN.search(text) is not None:
        raise UriError(f"a blank, quote, bracket or control character in URI {text!r}")
    scheme = scheme.lower()
    if scheme in ("sip", "sips"):
        return _parse_sip_uri(scheme, rest)
    if scheme == "tel":
        return _parse_tel_uri(rest)
    if _SCHEME.fullmatch(scheme) is None:
        raise UriError(f"no scheme in URI {text!r}")
    return OtherUri(scheme, rest)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Splits ``host[:port]``; the host comes back as written, IPv6 in its brackets. Raises UriError."""
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        host += bracket
        colon, port = rest[:1], rest[1:]
        if colon not in ("", ":"):
            raise UriError(f"{rest!r} after an IPv6 address")
    else:
        host, colon, port = text.partition(":")
    if _HOST.fullmatch(host) is None:
        raise UriError(f"{host!r} is no host")
    if not colon:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise UriError(f"{port!r} is no port")
    return host, int(port)


def _parse_sip_uri(scheme: str, rest: str) -> SipUri:
    # The only "@" of a SIP URI ends the user part, in which ";" and "?" may stand, so it comes first.
    user: str | None = None
    password: str | None = None
    userinfo, at, tail = rest.partition("@")
    if at:
        user, colon, secret = userinfo.partition(":")
        if not user:
            raise UriError("an empty user part")
        if colon:
            password = secret
    else:
        tail = rest
    tail, question, headers = tail.partition("?")
    host_port, semicolon, params = tail.partition(";")
    host, port = parse_host_port(host_port)
    return SipUri(
        scheme,
        user,
        host.lower(),
        port,
        _parse_params(params) if semicolon else None,
        headers if question else None,
        password,
    )


def _parse_tel_uri(rest: str) -> TelUri:
    number, semicolon, params = rest.partition(";")
    if _TELEPHONE_NUMBER.fullmatch(number) is None or not number.strip("+-.()"):
        raise UriError(f"{number!r} is no telephone number")
    return TelUri(number, _parse_params(params) if semicolon else None)


def _parse_params(text: str) -> Params:
    params: Params = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        name = name.lower()
        if not name or name in params:
            raise UriError(f"an empty or repeated parameter in {text!r}")
        params[name] = value if equals else None
    return params
