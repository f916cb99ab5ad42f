"""``"Alice" <sip:alice@ims.example>;tag=88sja8x``: From, To, Contact, Route, Record-Route and their kin."""

from typing import Final

from talkburst.sip.headers.grammar import (
    HeaderError,
    closing_quote,
    is_token,
    parse_params,
    quote,
    split_commas,
    unquote,
)
from talkburst.sip.remembered import remember
from talkburst.sip.uri import Uri, UriError, parse_uri
from talkburst.sip.uri_parts import NO_PARAMS, ReadParams, params_text


class NameAddr:
    """A name-addr or addr-spec with header parameters, RFC 3261 20.10. The display name is without its quotes.

    None is ever changed: messages that hold the same text may hold the same object.
    """

    __slots__ = ("display", "params", "uri")

    def __init__(self, display: str, uri: Uri, params: ReadParams | None = None) -> None:
        self.display: Final = display
        self.uri: Final[Uri] = uri
        self.params: Final[ReadParams] = NO_PARAMS if params is None else params

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, NameAddr)
            and self.display == other.display
            and self.uri == other.uri
            and self.params == other.params
        )

    def __hash__(self) -> int:
        return hash((self.display, self.uri))

    def __repr__(self) -> str:
        return f"NameAddr({str(self)!r})"

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{params_text(self.params)}"

    @property
    def tag(self) -> str | None:
        """The tag parameter, RFC 3261 19.3."""
        return self.params.get("tag")


_remembered: Final[dict[str, NameAddr]] = {}


def parse_name_addr(text: str) -> NameAddr:
    """Reads one address with its parameters. Raises HeaderError.

    Without angle brackets everything after the first semicolon belongs to the header, not to the URI, and the URI may
    hold neither comma nor question mark (RFC 3261 20).
    """
    end = text.find(">") + 1
    before = text[:end]  # the parameters, among them a tag, which comes once
    known = _remembered.get(before)
    if known is None:
        read = _read_name_addr(text)
        if end == len(text) and not read.params:
            remember(_remembered, text, read)
        elif "<" in before and "\\" not in before and before.count('"') % 2 == 0:  # the bracket is in no quotes
            remember(_remembered, before, NameAddr(read.display, read.uri))
        return read
    if end == len(text):
        return known
    tag = text[end + 5 :]
    if tag.isalnum() and tag.isascii() and text[end : end + 5] == ";tag=":  # the only one that most have
        return NameAddr(known.display, known.uri, {"tag": tag})
    return NameAddr(known.display, known.uri, parse_params(text[end:]))


def _read_name_addr(text: str) -> NameAddr:
    text = text.strip()
    if text[:1] == "<":
        display, rest = "", text[1:]
    elif text.startswith('"'):
        end = closing_quote(text)
        if end < 0:
            raise HeaderError(f"unbalanced quotes in {text!r}")
        display = unquote(text[: end + 1]) if "\\" in text else text[1:end]
        rest = text[end + 1 :].lstrip()
        if not rest.startswith("<"):
            raise HeaderError(f"no <URI> after the display name in {text!r}")
        rest = rest[1:]
    else:
        before, bracket, rest = text.partition("<")
        if not bracket:
            return _parse_addr_spec(text)
        display = before.strip()
        if display and not _is_token_sequence(display):
            if ";" in display and '"' in display:
                return _parse_addr_spec(text)  # the bracket stands in a quoted parameter: sip:a@h;x="<"
            raise HeaderError(f"display name {display!r} needs quotes")
    uri, bracket, params = rest.partition(">")
    if not bracket:
        raise HeaderError(f"no closing bracket in {text!r}")
    return NameAddr(display, _parse_uri(uri), parse_params(params) if params else None)


def parse_name_addrs(text: str) -> list[NameAddr]:
    """Reads a comma-separated list of addresses. Raises HeaderError."""
    return [parse_name_addr(element) for element in split_commas(text)]


def _parse_addr_spec(text: str) -> NameAddr:
    uri, semicolon, params = text.partition(";")
    uri = uri.rstrip()
    if "?" in uri or "," in uri:
        raise HeaderError(f"URI {uri!r} needs angle brackets")
    return NameAddr("", _parse_uri(uri), parse_params(semicolon + params))


def _parse_uri(text: str) -> Uri:
    try:
        return parse_uri(text)
    except UriError as error:
        raise HeaderError(str(error)) from error


def _is_token_sequence(text: str) -> bool:
    """display-name = *(token LWS); UTF-8 outside quotes is against the grammar, common, and harmless."""
    return all(is_token("".join(c if c.isascii() else "x" for c in word)) for word in text.split())
