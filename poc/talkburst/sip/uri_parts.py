"""The parts of a URI: parameters and headers, escapes, and when two of them say the same.

RFC 3261 19.1.2, 19.1.4 and 25.1.
"""

import re
from collections.abc import Mapping
from typing import Final

Params = dict[str, str | None]
"""Lower-case name to value exactly as received, quotes kept; None for a flag such as ``;lr``. Order is kept."""

ReadParams = Mapping[str, str | None]
"""The same where nobody may change them."""

NO_PARAMS: Final[ReadParams] = {}
"""One for all that have none."""

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
# A percent sign that begins no escape.
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What no part of a URI may hold unescaped and the reader lets pass all the same.
_TO_BE_ESCAPED: Final = re.compile(r"[#\[\\\]^`{|}]")
# reserved = ";" / "/" / "?" / ":" / "@" / "&" / "=" / "+" / "$" / ","   and the sign of the escape itself
_RESERVED: Final = frozenset(";/?:@&=+$,%")
# unreserved = alphanum / mark
MARKS_AND_ALPHANUMERIC: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
# What may stand unescaped in a user part: unreserved / user-unreserved
USER_CHARACTERS: Final = MARKS_AND_ALPHANUMERIC | frozenset("&=+$,;?/")
# A parameter of these in one URI only makes the two different, RFC 3261 19.1.4 (transport: by its examples).
_NEVER_IGNORED: Final = ("user", "ttl", "method", "maddr", "transport")


def params_text(params: ReadParams) -> str:
    """The parameters as they stand in a URI or a header, each with its semicolon."""
    if not params:
        return ""
    if not isinstance(params, dict):  # which compiled code goes through much faster than any other mapping
        params = dict(params)
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params.items()])


def _unescape(text: str, plain: frozenset[str]) -> str:
    """Undoes %HH for the ASCII characters in `plain` and writes the other escapes in upper case."""
    if "%" not in text:
        return text

    def replace(escape: re.Match[str]) -> str:
        character = chr(int(escape.group(1), 16))
        return character if character in plain else escape.group(0).upper()

    return _ESCAPE.sub(replace, text)


def canonical(text: str, plain: frozenset[str]) -> str:
    """The one spelling of all that say the same: what need not be escaped is not, and what has to be is."""
    if text.isalnum():
        return text
    text = _unescape(_BARE_PERCENT.sub("%25", text), plain)
    return _TO_BE_ESCAPED.sub(lambda found: f"%{ord(found.group()):02X}", text)


_UNRESERVED: Final = frozenset(chr(code) for code in range(128)) - _RESERVED


def same_text(one: str | None, other: str | None) -> bool:
    """Compares case-sensitively; an unreserved character equals its escape, RFC 3261 19.1.4."""
    if one is None or other is None:
        return one is other
    return one == other or _unescape(one, _UNRESERVED) == _unescape(other, _UNRESERVED)


def same_params(one: ReadParams, other: ReadParams) -> bool:
    for name, value in one.items():
        if name in other:
            if _fold(value) != _fold(other[name]):
                return False
        elif name in _NEVER_IGNORED:
            return False
    return all(name in one or name not in _NEVER_IGNORED for name in other)


def folded(params: ReadParams) -> Params:
    return {name: _fold(value) for name, value in params.items()}


def _fold(value: str | None) -> str | None:
    return None if value is None else _unescape(value, _UNRESERVED).lower()


def header_set(headers: str | None) -> list[tuple[str, str]]:
    if not headers:
        return []
    pairs = [header.partition("=") for header in headers.split("&")]
    return sorted((_unescape(name, _UNRESERVED).lower(), _unescape(value, _UNRESERVED)) for name, _, value in pairs)
