"""Pieces of the SIP grammar that several headers share: tokens, quoted strings, lists, parameters. RFC 3261 25.1."""

import re
from typing import Final

from talkburst.sip.uri_parts import Params

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
# What most parameters are made of: tokens. A value of other characters, or blanks, take the longer way.
# generic-param *(SEMI generic-param) = token [ EQUAL gen-value ]
_TOKEN_PARAMS: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~;=]+")
# One of them, its name in lower case: a tag, an expires, a feature.
_ONE_PARAM: Final = re.compile(r";([a-z0-9\-.!%*_+`'~]++)(?:=([A-Za-z0-9\-.!%*_+`'~]++))?+")
# An element of a list: up to the next comma outside a quoted-string and the brackets of a name-addr.
_ELEMENT: Final = re.compile(r"""(?:[^,"<]++|"(?:[^"\\]++|\\.)*+"|<[^>]*+>)*+""", re.DOTALL)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
BLANK: Final = " \t"  # WSP; what str.strip takes off by default is more than that
MAX_DELTA_SECONDS: Final = 2**32 - 1


class HeaderError(ValueError):
    """A header field is missing or not as its grammar wants it."""


def is_token(text: str) -> bool:
    """True for a non-empty token."""
    return _TOKEN.fullmatch(text) is not None


def quote(text: str) -> str:
    """Writes a quoted-string."""
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def unquote(text: str) -> str:
    """The text a quoted-string stands for; any other text comes back as it is. Raises HeaderError when unbalanced."""
    if not text.startswith('"'):
        return text
    if closing_quote(text) != len(text) - 1:
        raise HeaderError(f"unbalanced quotes in {text!r}")
    inner = text[1:-1]
    return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner


def closing_quote(text: str, opening: int = 0) -> int:
    """The index of the quote that closes the one at `opening`, or -1."""
    position = opening + 1
    while True:
        position = text.find('"', position)
        if position < 0:
            return -1
        before = position - 1
        while text[before] == "\\" and before > opening:
            before -= 1
        if (position - before) % 2:  # an even number of backslashes stands before it
            return position
        position += 1


def split_commas(text: str) -> list[str]:
    """The elements of a comma-separated list, stripped; commas in quotes and angle brackets do not separate.

    An empty text is an empty list; an empty element between two commas is kept, for the parser to complain of.
    """
    if "," not in text:
        text = text.strip()
        return [text] if text else []
    if '"' not in text and "<" not in text:
        return [element.strip() for element in text.split(",")]
    return _split_elements(text)


def _split_elements(text: str) -> list[str]:
    """Splits at commas outside quoted strings and angle brackets; after what is never closed there is no comma."""
    elements: list[str] = []
    start = 0
    while (element := _ELEMENT.match(text, start)) is not None:
        end = element.end()
        if text[end : end + 1] != ",":
            break
        elements.append(text[start:end].strip())
        start = end + 1
    elements.append(text[start:].strip())
    return elements


def _split_outside(text: str, separator: str) -> list[str]:
    """Splits at separators outside quoted strings and angle brackets; strips the parts."""
    parts: list[str] = []
    start = position = 0
    in_brackets = False
    while position < len(text):
        character = text[position]
        if in_brackets:
            in_brackets = character != ">"
        elif character == "<":
            in_brackets = True
        elif character == '"':
            position = closing_quote(text, position)
            if position < 0:
                break
        elif character == separator:
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    parts.append(text[start:].strip())
    return parts


def parse_params(text: str) -> Params:
    """Reads ``;name=value;flag``, beginning at the first semicolon; an empty text has none. Raises HeaderError.

    A name that comes twice is an error (RFC 3261 7.3.1). Quotes of values are kept.
    """
    if text.rfind(";") == 0 and (one := _ONE_PARAM.fullmatch(text)) is not None:
        name, token = one.groups()
        return {name: token}
    unquoted = _without_a_quoted_value(text) if '"' in text else text
    if _TOKEN_PARAMS.fullmatch(unquoted) is None or text[0] != ";":
        return _any_params(text)
    return token_params(text)


def token_params(text: str) -> Params:
    """Reads parameters that are known to be nothing but tokens, semicolons and equals signs. Raises HeaderError."""
    params: Params = {}
    for part in text[1:].split(";"):
        name, equals, value = part.partition("=")
        name = name.lower()
        if not name or name in params:
            return _any_params(text)
        params[name] = value if equals else None
    return params


def _without_a_quoted_value(text: str) -> str:
    """What stands around the only quoted-string when it is a whole value with no semicolon in it; otherwise nothing."""
    before, _, rest = text.partition('"')
    value, _, after = rest.partition('"')
    whole = before[-1:] == "=" and after[:1] in ("", ";") and rest != value
    return before + after if whole and ";" not in value and "\\" not in value else ""


def _any_params(text: str) -> Params:
    params: Params = {}
    text = text.strip()
    if not text:
        return params
    if text[0] != ";":
        raise HeaderError(f"{text!r} where parameters were expected")
    for part in text[1:].split(";") if '"' not in text else _split_outside(text[1:], ";"):
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not is_token(name):
            raise HeaderError(f"{name!r} is no parameter name")
        if name in params:
            raise HeaderError(f"parameter {name} comes twice")
        params[name] = _parameter_value(value.strip()) if equals else None
    return params


def _parameter_value(value: str) -> str:
    if value.startswith('"'):
        if closing_quote(value) != len(value) - 1:
            raise HeaderError(f"unbalanced quotes in {value!r}")
    elif '"' in value or " " in value or "\t" in value or "," in value:
        raise HeaderError(f"{value!r} is no parameter value")
    return value


def parse_number(text: str, maximum: int) -> int:
    """Reads 1*DIGIT not above `maximum`. Raises HeaderError."""
    if len(text) < 10 and text.isdigit() and text.isascii() and (number := int(text)) <= maximum:
        return number
    digits = text.strip(BLANK)
    if not (digits.isascii() and digits.isdigit()):
        raise HeaderError(f"{digits!r} is no number")
    digits = digits.lstrip("0") or "0"
    # The length is looked at first: the digits of a hostile number are not worth converting.
    if len(digits) > len(str(maximum)) or int(digits) > maximum:
        raise HeaderError(f"{digits[:24]} is above {maximum}")
    return int(digits)


def parse_delta_seconds(text: str) -> int:
    """Reads seconds; what is above 2**32-1 counts as 2**32-1 (RFC 3261 10.2.1.1). Raises HeaderError."""
    if len(text) < 10 and text.isdigit() and text.isascii():
        return int(text)
    digits = text.strip(BLANK)
    if not (digits.isascii() and digits.isdigit()):
        raise HeaderError(f"{digits!r} is no number of seconds")
    digits = digits.lstrip("0") or "0"
    return min(int(digits), MAX_DELTA_SECONDS) if len(digits) <= 10 else MAX_DELTA_SECONDS
