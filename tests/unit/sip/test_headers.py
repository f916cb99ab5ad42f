"""Typed header values: text in, text out."""

import pytest

from talkburst.sip.headers import (
    AuthHeader,
    ContentType,
    CSeq,
    Event,
    HeaderError,
    NameAddr,
    SubscriptionState,
    Via,
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
from talkburst.sip.uri import SipUri

ALICE = SipUri("sip", "alice", "ims.example")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<sip:alice@ims.example>", NameAddr("", ALICE)),
        ("sip:alice@ims.example;tag=88", NameAddr("", ALICE, {"tag": "88"})),
        ("sip:alice@ims.example ; tag = 88", NameAddr("", ALICE, {"tag": "88"})),
        ('"Alice, the \\"first\\"" <sip:alice@ims.example>;Tag=x', NameAddr('Alice, the "first"', ALICE, {"tag": "x"})),
        ("Alice A.<sip:alice@ims.example>", NameAddr("Alice A.", ALICE)),
        ('"a\\\\"<sip:alice@ims.example>', NameAddr("a\\", ALICE)),
        ("Ünal <sip:alice@ims.example>", NameAddr("Ünal", ALICE)),
        (
            '<sip:alice@ims.example>;+g.poc.talkburst;expires=60;+sip.instance="<urn:uuid:1;2>"',
            NameAddr("", ALICE, {"+g.poc.talkburst": None, "expires": "60", "+sip.instance": '"<urn:uuid:1;2>"'}),
        ),
        (
            "<sip:alice@ims.example;unknownparam>;x=<1>",
            NameAddr("", SipUri("sip", "alice", "ims.example", params={"unknownparam": None}), {"x": "<1>"}),
        ),
    ],
)
def test_address_is_read(text, expected):
    assert parse_name_addr(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"Mr. J. User <sip:j.user@example.com>',
        "Bell, Alexander <sip:a.g.bell@example.com>;tag=43",
        '"Watson, Thomas" < sip:t.watson@example.org >',
        '"Alice" sip:alice@ims.example',
        "<sip:alice@ims.example",
        "<sip:alice@ims.example>tag=1",
        "<sip:alice@ims.example>;;tag=1",
        "<sip:alice@ims.example>;tag=1;tag=2",
        "<sip:alice@ims.example>;tag=a b",
        '<sip:alice@ims.example>;x="open',
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
        "<>",
        "*",
    ],
)
def test_broken_address_is_refused(text):
    with pytest.raises(HeaderError):
        parse_name_addr(text)


def test_address_is_written_with_brackets_and_quotes():
    assert str(NameAddr('A "B"', ALICE, {"tag": "x", "lr": None})) == '"A \\"B\\"" <sip:alice@ims.example>;tag=x;lr'
    assert str(NameAddr("", ALICE)) == "<sip:alice@ims.example>"


def test_list_of_addresses_is_split_at_the_right_commas():
    text = '"a, b" <sip:a,b@h>;x="1,2" , sip:c@h'
    assert [str(address) for address in parse_name_addrs(text)] == ['"a, b" <sip:a,b@h>;x="1,2"', "<sip:c@h>"]
    assert split_commas("") == []
    assert split_commas("a,,b") == ["a", "", "b"]
    assert split_commas('"open, b') == ['"open, b']
    assert split_commas("<open, b") == ["<open, b"]
    assert split_commas('"a\\"," , b') == ['"a\\","', "b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport",
            Via("UDP", "192.0.2.1", 5060, {"branch": "z9hG4bKa", "rport": None}),
        ),
        ("SIP/2.0/tcp Host.Example", Via("TCP", "Host.Example")),
        (
            "SIP  / 2.0\t/ TCP   spindle.example.com   ;  branch  =   z9hG4bK9ikj8",
            Via("TCP", "spindle.example.com", None, {"branch": "z9hG4bK9ikj8"}),
        ),
        (
            "SIP/2.0/UNKNOWN t4.example.com : 5061;branch=z9hG4bKt4",
            Via("UNKNOWN", "t4.example.com", 5061, {"branch": "z9hG4bKt4"}),
        ),
        (
            "SIP/2.0/UDP [2001:db8::9:1]:5070;received=[2001:db8::9:255];branch=z9hG4bKas3-111",
            Via("UDP", "[2001:db8::9:1]", 5070, {"received": "[2001:db8::9:255]", "branch": "z9hG4bKas3-111"}),
        ),
        ("SIP/7.0/UDP h;branch=x", Via("UDP", "h", None, {"branch": "x"}, "7.0")),  # protocol-version = "2.0" / token
    ],
)
def test_via_is_read(text, expected):
    assert parse_via(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 192.0.2.1",
        "SIP/2.0/ 192.0.2.1",
        "SIP//UDP 192.0.2.1",
        "SIP/3 0/UDP 192.0.2.1",
        "HTTP/2.0/UDP 192.0.2.1",
        "SIP/2.0/UDP 192.0.2.15;;,;,,",
        "SIP/2.0/UDP 2001:db8::9:1",
        "SIP/2.0/UDP host:port",
        "SIP/2.0/UDP a b",
    ],
)
def test_broken_via_is_refused(text):
    with pytest.raises(HeaderError):
        parse_via(text)


def test_via_tells_where_an_answer_goes():
    via = parse_via("SIP/2.0/UDP Host.Example:5090;rport;branch=z9hG4bKa")
    assert (via.sent_by, via.rport, via.rport_requested, via.received) == ("host.example:5090", None, True, None)
    via.params |= {"rport": "40000", "received": "[2001:db8::1]"}
    assert (via.rport, via.received, via.branch) == (40000, "2001:db8::1", "z9hG4bKa")
    assert str(via) == "SIP/2.0/UDP Host.Example:5090;rport=40000;branch=z9hG4bKa;received=[2001:db8::1]"
    assert parse_via("SIP/2.0/UDP h;rport=x").rport is None
    assert parse_via("SIP/2.0/UDP h").rport_requested is False


def test_via_of_another_version_is_written_as_it_was_read():
    assert str(parse_via("SIP/7.0/UDP h:5090;branch=z9hG4bKa")) == "SIP/7.0/UDP h:5090;branch=z9hG4bKa"


def test_cseq_is_below_two_to_the_31():
    assert parse_cseq("0009 \t REGISTER") == CSeq(9, "REGISTER")
    assert str(CSeq(9, "REGISTER")) == "9 REGISTER"
    assert parse_cseq("2147483647 X").number == 2147483647
    for text in (
        "2147483648 X",
        "36893488147419103232 REGISTER",
        "-1 X",
        "1",
        "1 A B",
        "x X",
        "1 (",
        "9" * 5000 + " X",
    ):
        with pytest.raises(HeaderError):
            parse_cseq(text)


def test_event_package_keeps_its_case():
    assert parse_event("Reg;Id=7") == Event("Reg", {"id": "7"})
    assert parse_event("presence.winfo;id=7").id == "7"
    assert str(Event("reg", {"id": "7"})) == "reg;id=7"
    with pytest.raises(HeaderError):
        parse_event(";id=7")


def test_subscription_state_tells_seconds_and_reason():
    state = parse_subscription_state("Terminated;Reason=NoResource;retry-after=60;expires=9")
    assert (state.state, state.reason, state.retry_after, state.expires) == ("terminated", "noresource", 60, 9)
    assert str(SubscriptionState("active", {"expires": "600"})) == "active;expires=600"
    unreadable = parse_subscription_state("active;expires=soon")
    assert (unreadable.expires, unreadable.retry_after, unreadable.reason) == (None, None, None)
    with pytest.raises(HeaderError):
        parse_subscription_state(";expires=1")


def test_content_type_is_lower_case_with_its_parameters():
    assert parse_content_type("Application / SDP;charset=UTF-8") == ContentType("application/sdp", {"charset": "UTF-8"})
    assert str(ContentType("multipart/mixed", {"boundary": '"x"'})) == 'multipart/mixed;boundary="x"'
    for text in ("", "text", "text/", "/x", "a/b c"):
        with pytest.raises(HeaderError):
            parse_content_type(text)


def test_challenge_quotes_its_qop_list_and_credentials_do_not():
    challenge = AuthHeader(
        "Digest", {"realm": 'a "b"', "nonce": "1", "stale": "true", "algorithm": "MD5", "qop": "auth"}
    )
    assert str(challenge) == 'Digest realm="a \\"b\\"", nonce="1", stale=true, algorithm=MD5, qop="auth"'
    credentials = AuthHeader(
        "Digest", {"username": "u", "uri": "sip:h", "response": "0f", "qop": "auth", "nc": "00000001"}
    )
    assert str(credentials) == 'Digest username="u", uri="sip:h", response="0f", qop=auth, nc=00000001'
    assert parse_auth(str(challenge)) == challenge
    assert parse_auth(str(credentials)) == credentials


def test_credentials_are_read_with_commas_in_quotes_and_blanks():
    header = parse_auth('digest  Username = "a,b" , realm="x",nonce="",response=""')
    assert header == AuthHeader("Digest", {"username": "a,b", "realm": "x", "nonce": "", "response": ""})


def test_unknown_scheme_is_read_without_expectations():
    assert parse_auth("NoOneKnowsThisScheme opaque-data=here") == AuthHeader(
        "NoOneKnowsThisScheme", {"opaque-data": "here"}
    )
    assert parse_auth("Negotiate YII==") == AuthHeader("Negotiate", {"yii": "="})
    assert str(parse_auth("Basic")) == "Basic"


@pytest.mark.parametrize("text", ["", "Digest realm", 'Digest realm="open', "Digest nonce=1, nonce=2", '"x" y'])
def test_broken_digest_is_refused(text):
    with pytest.raises(HeaderError):
        parse_auth(text)


def test_seconds_beyond_the_range_count_as_its_end():
    assert parse_delta_seconds("0600") == 600
    assert parse_delta_seconds("4294967296") == parse_delta_seconds("1" + "0" * 5000) == 2**32 - 1
    for text in ("", "-1", "1.5", "²"):
        with pytest.raises(HeaderError):
            parse_delta_seconds(text)


def test_quoting_is_undone_by_unquoting():
    for text in ("", "plain", 'with "quotes"', "back\\slash", "\\"):
        assert unquote(quote(text)) == text
    assert unquote("bare") == "bare"
    for text in ('"', '"a" b', '"a\\"'):
        with pytest.raises(HeaderError):
            unquote(text)


def test_parameters_begin_with_a_semicolon():
    assert parse_params("") == {}
    assert parse_params(' ;A="x;y" ; b ;c=') == {"a": '"x;y"', "b": None, "c": ""}
    for text in ("a", ";", ";a;", ";=x", ";a b=c", ";a=b,c"):
        with pytest.raises(HeaderError):
            parse_params(text)


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_via, "SIP/2.0/UDP\th;branch=1", Via("UDP", "h", params={"branch": "1"})),
        (parse_auth, 'Digest\trealm="a"', AuthHeader("Digest", {"realm": "a"})),
    ],
)
def test_a_tab_is_as_good_as_a_blank(parse, text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize("text", ['sip:alice@ims.example;x="<"', 'sip:alice@ims.example;tag=1;x="a<b>,c"'])
def test_a_bracket_in_a_quoted_parameter_makes_no_display_name_of_what_is_before_it(text):
    address = parse_name_addr(text)
    assert (address.display, address.uri) == ("", ALICE)
    assert parse_name_addr(str(address)) == address


def test_credentials_of_another_scheme_say_what_their_quotes_hold_and_leave_out_what_is_not_balanced():
    read = parse_auth('Bearer a="x\\"y", b=z, c="open')
    assert read == AuthHeader("Bearer", {"a": 'x"y', "b": "z"})
    assert parse_auth(str(read)) == read


def test_a_directive_that_came_with_quotes_it_needs_is_written_with_them():
    read = parse_auth('Digest realm="a", algorithm="MD5, or not"')
    assert parse_auth(str(read)) == read
