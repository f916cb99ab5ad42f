"""What a message remembers of its header fields is what they say, whatever was changed before and in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_messages import Written, messages
from talkburst.sip.flow import Flow
from talkburst.sip.headers import HeaderError, Via, header_key
from talkburst.sip.message import Message, Request
from talkburst.sip.parser import parse_message
from talkburst.sip.response_routing import record_source

NAMES = ["Via", "v", "Route", "From", "Subject", "CONTENT-LENGTH", "X-Odd"]
VALUES = st.sampled_from(["", "a", "a", "a, b", ",", " a ", "1", "a\r\n b", '"a, b" <sip:a@b;lr>, <sip:c,d>;x="<"'])
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["set", "add", "prepend", "remove", "remove_first", "replace_first", "copy"]),
        st.sampled_from(NAMES),
        VALUES,
        st.booleans(),
    ),
    max_size=8,
)


def said(message: Message) -> list[object]:
    return [
        [(name, message.get(name), message.get_all(name), message.values(name)) for name in NAMES],
        message.repeated(),
        message.keys(),
    ]


def changed(message: Request, change: str, name: str, value: str) -> Request:
    match change:
        case "copy":
            return message.copy()
        case "remove" | "remove_first":
            getattr(message, change)(name)
        case _:
            getattr(message, change)(name, value)
    return message


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8), CHANGES)
def test_after_any_changes_a_message_says_what_one_says_that_is_made_of_its_fields(
    fields: list[tuple[str, object]], changes: list[tuple[str, str, str, bool]]
) -> None:
    message = Request("OPTIONS", "sip:a@b", fields)
    others: list[tuple[Request, list[object]]] = []
    for change, name, value, asked in changes:
        if asked:  # what was found is remembered, and has to be right after the next change
            said(message)
        if change == "copy":
            others.append((message, said(message)))
        message = changed(message, change, name, value)
    assert said(message) == said(Request("OPTIONS", "sip:a@b", list(message.header_lines())))
    for other, before in others:
        assert said(other) == before


@given(messages())
def test_each_value_is_that_of_its_line(written: Written) -> None:
    message = parse_message(written.data)
    assert isinstance(message, Message)
    for name in {name for name, _ in message.header_lines()}:
        wanted = header_key(name)
        assert message.get_all(name) == [value for name, value in message.header_lines() if header_key(name) == wanted]


@given(messages(), st.sampled_from(["192.0.2.1", "192.0.2.77", "2001:db8::9%eth0"]))
def test_the_source_is_written_into_the_top_via_and_into_nothing_else(written: Written, host: str) -> None:
    request, general = parse_message(written.data), parse_message(written.data)
    if not isinstance(request, Request) or not isinstance(general, Request):
        return
    request.vias  # noqa: B018 - what was read before has to be right afterwards, too
    via = record_source(request, Flow("UDP", ("192.0.2.9", 5060), (host, 4711)))
    old = general.via
    if "rport" in old.params or "received" in old.params or old.host != host:
        params = {name: value for name, value in old.params.items() if name != "received"}
        if "rport" in params:
            params["rport"] = "4711"
        params["received"] = host.partition("%")[0]
        general.replace_first("Via", Via(old.transport, old.host, old.port, params, old.version))
    assert request.to_bytes() == general.to_bytes()
    assert (request.via, request.vias, said(request)) == (via, general.vias, said(general))


BROKEN = ["Subject: x", "Via: ,", "v: SIP/2.0/UDP", "Via:"]


@given(st.lists(st.sampled_from(BROKEN), max_size=3))
def test_a_via_that_cannot_be_read_stays_as_it_is(lines: list[str]) -> None:
    request = parse_message("\r\n".join(["OPTIONS sip:a@b SIP/2.0", *lines, "", ""]).encode())
    assert isinstance(request, Request)
    before = request.to_bytes()
    with pytest.raises(HeaderError):
        record_source(request, Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.1", 4711)))
    assert request.to_bytes() == before
