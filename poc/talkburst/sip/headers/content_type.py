"""``Content-Type: application/reginfo+xml;charset=utf-8``, RFC 3261 20.15."""

from dataclasses import dataclass, field

from talkburst.sip.headers.grammar import HeaderError, is_token, params_text, parse_params
from talkburst.sip.uri import Params


@dataclass(slots=True)
class ContentType:
    """``type/subtype`` in lower case, with its parameters."""

    media_type: str
    params: Params = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.media_type}{params_text(self.params)}"


def parse_content_type(text: str) -> ContentType:
    """Reads a Content-Type value, or one element of Accept. Raises HeaderError."""
    media_type, semicolon, params = text.partition(";")
    major, _, minor = media_type.partition("/")
    major, minor = major.strip(), minor.strip()
    if not is_token(major) or not is_token(minor):
        raise HeaderError(f"{media_type!r} is no media type")
    return ContentType(f"{major}/{minor}".lower(), parse_params(semicolon + params))
