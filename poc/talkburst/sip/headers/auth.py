"""WWW-Authenticate, Authorization, Proxy-Authenticate, Proxy-Authorization: RFC 3261 22.4 and 25.1, RFC 8760."""

from dataclasses import dataclass, field

from talkburst.sip.headers.grammar import HeaderError, is_token, quote, split_commas, unquote

# The grammar wants these bare; everything else is quoted, and qop only in a challenge, where it is a list.
_BARE = frozenset({"algorithm", "stale", "nc"})


@dataclass(slots=True)
class AuthHeader:
    """A challenge or credentials. Names are lower case, values without their quotes, order kept."""

    scheme: str
    params: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        credentials = "response" in self.params
        written = [
            f"{name}={value}" if name in _BARE or (credentials and name == "qop") else f"{name}={quote(value)}"
            for name, value in self.params.items()
        ]
        return f"{self.scheme} {', '.join(written)}" if written else self.scheme


def parse_auth(text: str) -> AuthHeader:
    """Reads one challenge or one set of credentials. Raises HeaderError.

    Of a scheme other than Digest nothing is expected: what does not look like ``name=value`` is left out.
    """
    scheme, _, rest = text.strip().partition(" ")
    if not is_token(scheme):
        raise HeaderError(f"{scheme!r} is no authentication scheme")
    digest = scheme.lower() == "digest"
    params: dict[str, str] = {}
    for part in split_commas(rest):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not equals or not is_token(name) or name in params:
            if digest and part:
                raise HeaderError(f"{part!r} is no directive, or comes twice")
            continue
        params[name] = unquote(value.strip()) if digest else value.strip().strip('"')
    return AuthHeader("Digest" if digest else scheme, params)
