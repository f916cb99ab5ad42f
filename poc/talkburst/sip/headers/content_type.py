"""``Content-Type: application/reginfo+xml;charset=utf-8``, RFC 3261 20.15."""

from typing import Final

from talkburst.sip.headers.grammar import HeaderError, is_token, parse_params
from talkburst.sip.remembered import remember
from talkburst.sip.uri_parts import NO_PARAMS, ReadParams, params_text


class ContentType:
    """``type/subtype`` in lower case, with its parameters. None is ever changed."""

    __slots__ = ("media_type", "params")

    def __init__(self, media_type: str, params: ReadParams | None = None) -> None:
        self.media_type: Final = media_type
        self.params: Final[ReadParams] = NO_PARAMS if params is None else params

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentType) and self.media_type == other.media_type and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.media_type)

    def __repr__(self) -> str:
        return f"ContentType({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.media_type}{params_text(self.params)}"


def parse_content_type(text: str) -> ContentType:
    """Reads a Content-Type value, or one element of Accept. Raises HeaderError."""
    known = _remembered.get(text)
    return remember(_remembered, text, _read_content_type(text)) if known is None else known


_remembered: Final[dict[str, ContentType]] = {}


def _read_content_type(text: str) -> ContentType:
    media_type, semicolon, params = text.partition(";")
    major, _, minor = media_type.partition("/")
    major, minor = major.strip(), minor.strip()
    if not is_token(major) or not is_token(minor):
        raise HeaderError(f"{media_type!r} is no media type")
    return ContentType(f"{major}/{minor}".lower(), parse_params(semicolon + params))
