"""Every row of RFC 4475 and RFC 5118, sent to a running core and client: what is expected of it comes of it."""

import pytest

from talkburst.sip.headers import parse_name_addr
from talkburst.sip.message import Request, Response
from talkburst.sip.parser import parse_message
from talkburst.sip.uri import SipUri
from torture_page import COLUMNS, PAGE, page
from torture_row import Row
from torture_world import ROWS, Seen

pytestmark = pytest.mark.acceptance

BY_NAME = {row.name: row for row in ROWS}
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def read(name: str) -> Request:
    message = parse_message(BY_NAME[name].message())
    assert isinstance(message, Request)
    return message


def test_the_table_has_every_case_of_both_rfcs_once() -> None:
    assert len(BY_NAME) == len(ROWS) == 49 + 12


@each_row
def test_what_comes_of_a_message_is_what_the_table_expects(row: Row, observed: dict[str, Seen]) -> None:
    seen = observed[row.name]
    assert {column: getattr(seen, column) for column in COLUMNS} == {column: getattr(row, column) for column in COLUMNS}


def test_the_page_is_what_came_of_the_rows(observed: dict[str, Seen]) -> None:
    assert PAGE.read_text() == page(ROWS, observed), "`make torture` writes it"


def test_a_page_says_which_row_is_not_as_expected() -> None:
    right = {row.name: Seen(**{column: getattr(row, column) for column in COLUMNS}) for row in ROWS}
    assert f"{len(ROWS)} rows, all as expected." in page(ROWS, right)
    written = page(ROWS, {**right, "wsinv": Seen("400", "400", "400")})
    assert "1 NOT as expected: wsinv." in written
    assert "**400**, expected well-formed" in written


# What the answers say


@pytest.mark.parametrize("name", ["wsinv", "invut", "mpart01"])
def test_the_client_says_which_methods_it_serves_with_405(name: str, observed: dict[str, Seen]) -> None:
    assert allowed(observed[name].from_ua) == {"CANCEL", "NOTIFY", "OPTIONS"}


@pytest.mark.parametrize("name", ["intmeth", "esc02"])
def test_the_client_says_which_methods_it_serves_with_501(name: str, observed: dict[str, Seen]) -> None:
    assert allowed(observed[name].from_ua) == {"CANCEL", "NOTIFY", "OPTIONS"}


def allowed(response: Response | None) -> set[str]:
    assert response is not None
    return set(response.values("Allow"))


def test_a_role_names_in_unsupported_what_was_asked_of_it(observed: dict[str, Seen]) -> None:
    core, client = observed["bext01"].from_core, observed["bext01"].from_ua
    assert core is not None
    assert client is not None
    assert core.values("Unsupported") == ["noProxyHasThis", "norDoesAnyHaveThis"]
    assert client.values("Unsupported") == ["nobodyHasThis", "norThis"]


def test_a_registrar_answers_an_unknown_scheme_with_a_challenge_of_its_own(observed: dict[str, Seen]) -> None:
    answer = observed["regaut01"].from_core
    assert answer is not None
    assert (answer.get("WWW-Authenticate") or "").startswith("Digest ")


@pytest.mark.parametrize(
    "row", [row for row in ROWS if not row.is_response and row.name != "insuf"], ids=lambda row: row.name
)
def test_an_answer_has_the_call_id_and_the_vias_as_they_were_sent(row: Row, observed: dict[str, Seen]) -> None:
    sent = parse_message(observed[row.name].sent)
    request = sent if isinstance(sent, Request) else getattr(sent, "request", None)
    answer = observed[row.name].from_core
    assert answer is not None
    assert isinstance(request, Request)
    assert answer.get("Call-ID") == request.get("Call-ID")
    assert answer.get_all("Via")[1:] == request.get_all("Via")[1:]


# What registrars keep


def uris(contacts: list[str]) -> list[SipUri]:
    read = [parse_name_addr(contact).uri for contact in contacts]
    assert all(isinstance(uri, SipUri) for uri in read)
    return [uri for uri in read if isinstance(uri, SipUri)]


def test_escaped_nuls_make_two_contacts(observed: dict[str, Seen]) -> None:
    assert [uri.user for uri in uris(observed["escnull"].fetched)] == ["%00", "%00%00"]


def test_a_parameter_behind_a_bare_uri_never_becomes_one_of_the_uri(observed: dict[str, Seen]) -> None:
    seen = observed["cparam01"]
    assert seen.registered is not None
    for contacts in (seen.registered.values("Contact"), seen.fetched):
        [uri] = uris(contacts)
        assert uri.params == {}
        assert "novelparam" in parse_name_addr(contacts[0]).params


def test_a_parameter_of_the_uri_stays_in_it(observed: dict[str, Seen]) -> None:
    [uri] = uris(observed["cparam02"].fetched)
    assert uri.params == {"novelparam": None}


def test_headers_of_the_uri_stay_in_it(observed: dict[str, Seen]) -> None:
    [uri] = uris(observed["regescrt"].fetched)
    assert uri.headers == "Route=%3Csip:relay.example.com%3E"


def test_what_is_refused_registers_nothing(observed: dict[str, Seen]) -> None:
    assert [observed[name].fetched for name in ("scalar02", "regbadct", "unksm2")] == [[], [], []]


# What is read


def test_escapes_are_no_escapes_outside_of_uris() -> None:
    request = read("esc02")
    assert request.method == "RE%47IST%45R"
    assert [str(contact.uri) for contact in request.contacts] == [
        "sip:alias1@192.0.2.1:5060",
        "sip:alias3@192.0.2.1:5060",
    ]
    assert request.from_.display == "%Z%45"


def test_escapes_are_undone_once() -> None:
    uri = read("esc01").contacts[0].uri
    assert isinstance(uri, SipUri)
    assert uri.params == {"%6c%72": None, "p%61ram": "%76alue%25%34%31"}
    assert read("esc01").to.uri.addr_of_record() == "sip:user@ims.example"


def test_a_semicolon_before_the_at_belongs_to_the_user() -> None:
    uri = read("semiuri").parsed_uri
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.host, uri.params) == ("user;par=u%40example.net", "ims.example", {})


def test_folds_and_blanks_do_not_change_what_is_read() -> None:
    request = read("wsinv")
    assert (request.max_forwards, request.cseq.number, request.to.tag) == (42, 17, "early-8")
    assert [via.branch for via in request.vias] == ["old-style-1", "z9hG4bKrelay7", "z9hG4bKfirst7"]
    assert (request.from_.display, request.contacts[0].params["q"]) == (r"A \" Caller", "0.25")


def test_a_port_within_the_brackets_is_none() -> None:
    within, behind = read("port-ambiguous").parsed_uri, read("port-unambiguous").parsed_uri
    assert isinstance(within, SipUri)
    assert isinstance(behind, SipUri)
    assert (within.host, within.port) == ("[2001:db8::10:5070]", None)
    assert (behind.host, behind.port) == ("[2001:db8::10]", 5070)


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_received_is_read_with_and_without_brackets(name: str) -> None:
    assert read(name).via.received == "2001:db8::9:255"


def test_what_is_behind_the_length_is_no_part_of_the_message() -> None:
    assert read("dblreq").body == b""
    assert read("mpart01").body == BY_NAME["mpart01"].body
    assert b"\x00" in read("mpart01").body
