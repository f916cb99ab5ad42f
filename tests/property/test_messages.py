"""What is written by the grammar is read, and is written again as it was."""

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st

from sip_damage import damaged
from sip_messages import Written, messages
from talkburst.sip.defects import defects
from talkburst.sip.headers import HeaderError, header_key, parse_auth
from talkburst.sip.message import Message, Request, Response
from talkburst.sip.parser import Malformed, parse_message
from talkburst.sip.uri import UriError

TYPED = ["from_", "to", "call_id", "cseq", "via", "vias", "contacts", "contact_is_wildcard", "routes", "record_routes"]
TYPED += ["event", "subscription_state", "expires", "max_forwards", "content_type"]


def read(written: Written) -> Request | Response:
    message = parse_message(written.data)
    assert isinstance(message, Request if written.is_request else Response), message
    return message


@given(messages())
def test_a_message_of_the_grammar_has_no_defect_in_any_role(written: Written) -> None:
    message = read(written)
    assert defects(message, "uas" if written.is_request else "uac") == []
    assert defects(message, "proxy") == []


@given(messages())
def test_every_typed_header_says_what_was_written(written: Written) -> None:
    message, said = read(written), written.fields.said
    assert [message.from_] == said("from")
    assert [message.to] == said("to")
    assert [message.call_id] == said("call-id")
    assert [message.cseq] == said("cseq")
    assert message.vias == said("via")
    assert message.via == said("via")[0]
    assert message.contacts == [contact for contact in said("contact") if contact != "*"]
    assert message.contact_is_wildcard is ("*" in said("contact"))
    assert message.routes == said("route")
    assert message.record_routes == said("record-route")
    for key in ("event", "subscription-state", "expires", "max-forwards", "content-type"):
        assert [getattr(message, key.replace("-", "_"))] == (said(key) or [None])
    for key in ("authorization", "www-authenticate"):
        assert [parse_auth(value) for value in message.get_all(key)] == said(key)
    for key in ("subject", "user-agent"):
        assert message.get_all(key) == said(key)
    assert message.body == written.body


@given(messages(framed=True), st.binary(min_size=1, max_size=9))
def test_what_follows_the_body_in_a_datagram_is_no_part_of_it(written: Written, more: bytes) -> None:
    message = parse_message(written.data + more)
    assert isinstance(message, Request | Response)
    assert message == read(written)


@given(messages())
def test_an_untouched_message_goes_out_byte_for_byte(written: Written) -> None:
    out = read(written).to_bytes()
    head, _, body = out.partition(b"\r\n\r\n")
    assert body == written.body
    lines = [line.line.encode() for line in written.fields.lines if line.key != "content-length"]
    start = written.start if not written.is_request else written.start[:-7] + "SIP/2.0"
    length = [f"Content-Length: {len(written.body)}".encode()]
    assert b"\r\n".join([start.encode(), *lines, *([] if written.framed else length)]) == b"\r\n".join(
        line for line in _split(head) if not written.framed or not _is_length(line)
    )


def _split(head: bytes) -> list[bytes]:
    """Header lines with their folds."""
    lines: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            lines[-1] += b"\r\n" + line
        else:
            lines.append(line)
    return lines


def _is_length(line: bytes) -> bool:
    return header_key(line.partition(b":")[0].strip().decode("utf-8", "surrogateescape")) == "content-length"


def same(one: Message, other: Message) -> bool:
    """Field by field: `==` of messages is about their bytes."""

    def said(message: Message) -> tuple[object, ...]:
        fields = [(name, value) for name, value in message.header_lines() if header_key(name) != "content-length"]
        return message.start_line, message.version, fields, message.body

    return type(one) is type(other) and said(one) == said(other)


@given(messages())
def test_what_is_written_is_read_again_as_the_same_message(written: Written) -> None:
    message = read(written)
    again = parse_message(message.to_bytes())
    assert isinstance(again, Request | Response)
    assert same(message, again)
    assert again == message
    assert again.to_bytes() == message.to_bytes()


@given(damaged())
def test_no_damage_makes_the_parser_raise_and_what_passes_it_can_be_written_and_read(data: bytes) -> None:
    message = parse_message(data)
    if isinstance(message, Malformed):
        assert 400 <= message.status < 700
        assert message.text
        assert message.clause.startswith("RFC ")
        return
    again = parse_message(message.to_bytes())
    assert isinstance(again, Request | Response), f"{again} of {message.to_bytes()!r}"
    assert same(message, again)


@given(damaged())
@example(b"SIP/2.0 200 \r\nVia: SIP/2.0/UDP h;rport=\xc2\xb2\r\nExpires: \xd9\xa1\r\n\r\n")
def test_every_typed_value_of_what_was_damaged_is_a_value_or_a_header_error(data: bytes) -> None:
    message = parse_message(data)
    if isinstance(message, Malformed):
        if message.request is None:
            return
        message = message.request
    for name in TYPED:
        with contextlib.suppress(HeaderError):
            getattr(message, name)
    if isinstance(message, Request):
        with contextlib.suppress(UriError):
            str(message.parsed_uri)
    for name in ("authorization", "www-authenticate"):
        for value in message.get_all(name):
            with contextlib.suppress(HeaderError):
                str(parse_auth(value))
    for role in ("uas", "proxy", "uac"):
        for defect in defects(message, role):
            assert 400 <= defect.status < 700
