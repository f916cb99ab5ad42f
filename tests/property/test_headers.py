"""Each typed header: what it writes of itself is read as itself; what is broken is a HeaderError and nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sip_damage import damage
from sip_grammar import name_addrs, params, quoted
from sip_headers import auths, cseqs, media_types, of_params, tokens, vias
from talkburst.sip.headers import (
    ContentType,
    Event,
    HeaderError,
    SubscriptionState,
    is_token,
    params_text,
    parse_auth,
    parse_content_type,
    parse_cseq,
    parse_delta_seconds,
    parse_event,
    parse_name_addr,
    parse_name_addrs,
    parse_params,
    parse_subscription_state,
    parse_via,
    quote,
    split_commas,
    unquote,
)

Parse = Callable[[str], object]
HEADERS: dict[str, tuple[Parse, st.SearchStrategy[tuple[str, object]]]] = {
    "name-addr": (parse_name_addr, name_addrs()),
    "via": (parse_via, vias()),
    "cseq": (parse_cseq, cseqs("NOTIFY")),
    "event": (parse_event, of_params(Event, tokens)),
    "subscription-state": (parse_subscription_state, of_params(SubscriptionState, tokens)),
    "content-type": (parse_content_type, of_params(ContentType, media_types)),
    "challenge": (parse_auth, auths(credentials=False)),
    "credentials": (parse_auth, auths(credentials=True)),
}


def unfolded(text: str) -> str:
    """What the parser of messages has done before."""
    return " ".join(part.strip(" \t") for part in text.split("\r\n"))


@pytest.mark.parametrize("name", HEADERS)
@given(data=st.data())
def test_a_typed_header_is_read_and_written_and_read_as_the_same(name: str, data: st.DataObject) -> None:
    parse, written = HEADERS[name]
    text, said = data.draw(written)
    value = parse(unfolded(text))
    assert value == said
    assert parse(str(value)) == value
    assert str(parse(str(value))) == str(value)


@pytest.mark.parametrize("name", HEADERS)
@given(data=st.data())
def test_a_damaged_header_is_a_header_error_or_a_value_that_writes_itself(name: str, data: st.DataObject) -> None:
    parse, written = HEADERS[name]
    text = data.draw(damage(unfolded(data.draw(written)[0]).encode())).decode("utf-8", "surrogateescape")
    try:
        value = parse(text)
    except HeaderError:
        return
    assert parse(str(value)) == value, f"{value} of {text!r}"


@given(st.text() | quoted().map(lambda pair: pair[1]))
def test_what_is_quoted_is_unquoted(text: str) -> None:
    assert unquote(quote(text)) == text
    assert split_commas(f"{quote(text)}, {quote(text)}") == [quote(text), quote(text)]


@given(params())
def test_parameters_come_back_in_their_order(pair: tuple[str, dict[str, str | None]]) -> None:
    text, said = pair
    read = parse_params(unfolded(text))
    assert list(read.items()) == list(said.items())
    assert parse_params(params_text(read)) == read


@given(st.lists(name_addrs(brackets=True), min_size=1, max_size=4))
def test_a_list_has_the_elements_that_were_put_into_it(pairs: list[tuple[str, object]]) -> None:
    assert parse_name_addrs(", ".join(unfolded(text) for text, _ in pairs)) == [said for _, said in pairs]


@given(st.text(max_size=30) | st.integers().map(str))
@example("1" * 5000)
def test_seconds_are_between_zero_and_the_most_or_an_error(text: str) -> None:
    try:
        assert 0 <= parse_delta_seconds(text) < 2**32
    except HeaderError:
        assert not (text.isascii() and text.isdigit())


@given(st.text(max_size=4))
def test_a_token_has_no_character_that_separates(text: str) -> None:
    if is_token(text):
        assert text.isascii()
        assert not set(text) & set(' \t\r\n()<>@,;:\\"/[]?={}')
