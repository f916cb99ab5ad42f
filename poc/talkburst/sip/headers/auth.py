"""WWW-Authenticate, Authorization, Proxy-Authenticate, Proxy-Authorization: RFC 3261 22.4 and 25.1, RFC 8760."""

from typing import Final

from talkburst.sip.headers.grammar import HeaderError, is_token, quote, split_commas, unquote

# The grammar wants these bare; everything else is quoted, and qop only in a challenge, where it is a list.
_BARE: Final = frozenset({"algorithm", "stale", "nc"})

# The directives that are met, so that their usual spelling needs no second look.
_DIRECTIVES: Final = frozenset(
    {"username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc", "stale", "domain"}
)


class AuthHeader:
    """A challenge or credentials. Names are lower case, values without their quotes, order kept."""

    __slots__ = ("params", "scheme")

    def __init__(self, scheme: str, params: dict[str, str] | None = None) -> None:
        self.scheme: Final = scheme
        self.params: Final[dict[str, str]] = {} if params is None else params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AuthHeader) and self.scheme == other.scheme and self.params == other.params

    def __hash__(self) -> int:
        return hash((self.scheme, tuple(self.params)))

    def __repr__(self) -> str:
        return f"AuthHeader({self.scheme!r}, names={list(self.params)!r})"

    def __str__(self) -> str:
        credentials = "response" in self.params
        written = [
            f"{name}={value}" if _stands_bare(name, value, credentials) else f"{name}={quote(value)}"
            for name, value in self.params.items()
        ]
        return f"{self.scheme} {', '.join(written)}" if written else self.scheme


def _stands_bare(name: str, value: str, credentials: bool) -> bool:
    """Without quotes: what the grammar wants so, unless it came quoted and would not be read without them."""
    return (name in _BARE or (credentials and name == "qop")) and is_token(value)


def parse_auth(text: str) -> AuthHeader:
    """Reads one challenge or one set of credentials. Raises HeaderError.

    Of a scheme other than Digest nothing is expected: what does not look like ``name=value`` is left out.
    """
    words = text.split(None, 1)
    scheme, rest = words if len(words) == 2 else (text.strip(), "")
    if scheme != "Digest" and not is_token(scheme):
        raise HeaderError(f"{scheme!r} is no authentication scheme")
    digest = scheme.lower() == "digest"
    if digest and "\\" not in rest and (usual := _usual_directives(rest)):
        return AuthHeader("Digest", usual)
    params: dict[str, str] = {}
    for part in split_commas(rest):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals or not is_token(name) or name in params:
            if digest and part:
                raise HeaderError(f"{part!r} is no directive, or comes twice")
            continue
        try:
            params[name] = unquote(value.strip())
        except HeaderError:
            if digest:
                raise
    return AuthHeader("Digest" if digest else scheme, params)


def _usual_directives(text: str) -> dict[str, str]:
    """The directives when each has a known name and no comma or quoted-pair in its value; otherwise nothing."""
    params: dict[str, str] = {}
    quotes = 0
    for part in text.split(", "):
        name, equals, value = part.partition("=")
        if name not in _DIRECTIVES or name in params or not equals:
            return {}
        if value[:1] == '"':
            if value[-1] != '"' or len(value) < 2:
                return {}
            quotes += 2
            value = value[1:-1]
        elif " " in value or "\t" in value or "," in value or "<" in value:
            return {}
        params[name] = value
    return params if text.count('"') == quotes else {}
