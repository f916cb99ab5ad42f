"""One reader for each library of `make bench`: parse, read the hot headers, serialise.

`hot` reads the same leaves from each message: every part of the Request-URI, Via, From, To, Contact and Route with
their parameters, Call-ID, CSeq, Max-Forwards, Expires and the directives of Authorization. What it returns is compared
between the readers before anything is measured, in the words of `plain`, which is not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

Leaves = tuple[Any, ...]


class Reader(NamedTuple):
    """`hot` takes the message as `parse` gave it; `serialise` writes it again, to bytes."""

    name: str
    version: str
    parse: Callable[[bytes], Any]
    hot: Callable[[Any], Leaves]
    serialise: Callable[[Any], bytes]


def leaves(at: str, params: str, *more: str) -> Callable[[Any], Leaves]:
    """Reads the parts of the URI that is found at `at`, and what stands beside it, without a call in Python."""
    return attrgetter(*[f"{at}{part}" for part in ("scheme", "user", "host", "port", params)], *more)


def plain(value: Any) -> Any:
    """Leaves in words that all readers share: dictionaries, tuples, texts without quotes."""
    if isinstance(value, Mapping):
        return {str(name).lower(): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    return value.strip('"') if isinstance(value, str) else value or ""


def talkburst() -> Reader:
    """Ours; `hot` judges the message as a user agent server has to before it reads anything."""
    from talkburst.sip import parse_auth, parse_message
    from talkburst.sip.defects import defects

    uri, address = leaves("", "params"), leaves("uri.", "params", "display", "params")
    place, hop = leaves("uri.", "params", "params"), attrgetter("transport", "host", "port", "params")

    def hot(message: Any) -> Leaves:
        if defects(message, "uas"):
            raise ValueError("a defect")
        sender, to, cseq, credentials = message.from_, message.to, message.cseq, message.get("authorization")
        return (
            uri(message.parsed_uri),
            [hop(via) for via in message.vias],
            address(sender),
            address(to),
            message.call_id,
            (cseq.number, cseq.method),
            [place(contact) for contact in message.contacts],
            message.max_forwards,
            message.expires,
            [place(route) for route in message.routes],
            None if credentials is None else parse_auth(credentials).params,
        )

    return Reader("talkburst", "", parse_message, hot, lambda message: message.to_bytes())


def sipmessage() -> Reader:
    from importlib.metadata import version

    from sipmessage import Message

    uri, address = leaves("", "parameters"), leaves("uri.", "parameters", "name", "parameters")
    place, hop = leaves("uri.", "parameters", "parameters"), attrgetter("transport", "host", "port", "parameters")

    def hot(message: Any) -> Leaves:
        sender, to, cseq, credentials = message.from_address, message.to_address, message.cseq, message.authorization
        return (
            uri(message.uri),
            [hop(via) for via in message.via],
            address(sender),
            address(to),
            message.call_id,
            (cseq.sequence, cseq.method),
            [place(contact) for contact in message.contact],
            message.max_forwards,
            message.expires,
            [place(route) for route in message.route],
            None if credentials is None else credentials.parameters,
        )

    return Reader("sipmessage", version("sipmessage"), Message.parse, hot, bytes)


def aiosipua() -> Reader:
    from importlib.metadata import version

    from aiosipua.headers import parse_address, parse_auth, parse_uri
    from aiosipua.message import SipMessage

    uri, address = leaves("", "params"), leaves("uri.", "params", "display_name", "params")
    place, hop = leaves("uri.", "params", "params"), attrgetter("transport", "host", "port", "params")

    def number(text: str | None) -> int | None:
        return None if text is None else int(text)

    def hot(message: Any) -> Leaves:
        sender, to, cseq = message.from_addr, message.to_addr, message.cseq
        credentials = message.get_header("Authorization")
        routes = [parse_address(value) for value in message.get_header_values("Route")]
        return (
            uri(parse_uri(message.uri)),
            [hop(via) for via in message.via],
            address(sender),
            address(to),
            message.call_id,
            (cseq.seq, cseq.method),
            [place(contact) for contact in message.contact],
            number(message.get_header("Max-Forwards")),
            number(message.get_header("Expires")),
            [place(route) for route in routes],
            None if credentials is None else parse_auth(credentials, credentials=True).params,
        )

    return Reader("aiosipua", version("aiosipua"), SipMessage.parse, hot, bytes)


def sippy() -> Reader:
    from importlib.metadata import version

    from sippy.SipRequest import SipRequest

    directives = ("username", "uri", "realm", "nonce", "response", "qop", "cnonce", "nc", "algorithm")

    def uri(url: Any) -> Leaves:
        params = {name: value for name, _, value in [each.partition("=") for each in url.getParams()]}
        return url.scheme, url.username, url.host, url.port, {name: value or None for name, value in params.items()}

    def address(field: Any) -> Leaves:
        return *uri(field.address.url), field.address.name, field.address.params

    def place(field: Any) -> Leaves:
        return *uri(field.address.url), field.address.params

    def number(message: Any, name: str) -> int | None:
        fields = message.getHFBodys(name)
        return fields[0].number if fields else None

    def hot(message: Any) -> Leaves:
        sequence, method = message.getHFBody("cseq").getCSeq()
        credentials = message.getHFBodys("authorization")
        return (
            uri(message.ruri),
            [(via.transport.rsplit("/")[-1], via.hostname, via.port, via.params) for via in message.getHFBodys("via")],
            address(message.getHFBody("from")),
            address(message.getHFBody("to")),
            str(message.getHFBody("call-id")),
            (sequence, method),
            [place(contact) for contact in message.getHFBodys("contact")],
            number(message, "max-forwards"),
            number(message, "expires"),
            [place(route) for route in message.getHFBodys("route")],
            {name: getattr(credentials[0], name) for name in directives} if credentials else None,
        )

    def parse(data: bytes) -> Any:
        return SipRequest(data.decode())

    return Reader("sippy", version("sippy"), parse, hot, lambda message: str(message).encode())


READERS = {"talkburst": talkburst, "sipmessage": sipmessage, "aiosipua": aiosipua, "sippy": sippy}
