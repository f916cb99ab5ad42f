"""Usual spellings are read by shorter ways than others: both ways lead to the same, nothing is shared by accident."""

import pytest

from talkburst.sip import (
    Request,
    SipUri,
    parse_auth,
    parse_message,
    parse_name_addr,
    parse_uri,
    parse_via,
    remembered,
    split_commas,
    uri,
)
from talkburst.sip.header_fields import HeaderFields
from talkburst.sip.headers import HeaderError, name_addr, parse_cseq, parse_params
from talkburst.sip.parser import read_fields

SAME_VIA = [
    (
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport",
        "SIP / 2.0 / UDP  192.0.2.1 : 5060 ; branch = z9hG4bKa ;rport",
    ),
    ("SIP/2.0/TCP pc.example;BRANCH=z9hG4bKa;ttl=4", "sip/2.0/tcp  pc.example ;branch=z9hG4bKa; ttl=4"),
    ("SIP/2.0/TLS a.example:9999", "SIP/2.0/tls a.example:09999"),
    ("SIP/2.0/UDP h;branch=a;rport=9;received=h", "SIP/2.0/udp h ;branch=a;rport=9;received=h"),
    ("SIP/2.0/UDP h;branch=a;received=h;rport=9", "SIP/2.0/udp h ;branch=a;received=h;rport=9"),
    ("SIP/2.0/UDP h;branch=a;received=h", "SIP/2.0/udp h ;branch=a;received=h"),
    ("SIP/2.0/UDP h;branch=a;rport=x", "SIP/2.0/udp h ;branch=a;rport=x"),
    ("SIP/2.0/UDP h;rport;branch=a", "SIP/2.0/udp h ;rport;branch=a"),
    ("SIP/2.0/UDP h;branch=a;rport;comp=b", "SIP/2.0/udp h ;branch=a;rport;comp=b"),
    ('SIP/2.0/UDP h;branch=a;x="b;c"', 'SIP/2.0/udp h ;branch=a;x="b;c"'),
]
SAME_ADDRESS = [
    ("<sip:alice@ims.example>;tag=a1B", "<sip:alice@ims.example>;TAG=a1B"),
    ("<sip:alice@ims.example>;tag=é", "<sip:alice@ims.example>;TAG=é"),
    ("<sip:alice@ims.example>;tag=a-1", "<sip:alice@ims.example> ;tag=a-1"),
    ("<sip:alice@ims.example>;tag=", "<sip:alice@ims.example>;Tag="),
    ("<sip:alice@ims.example>;tags=a", "<sip:alice@ims.example>;TAGS=a"),
    ("<sip:alice@ims.example>;tag=a;+g.poc.talkburst", "<sip:alice@ims.example> ; tag = a ;+g.poc.talkburst"),
    ('"Alice" <sip:a@b.example:5070;lr>;q=0.1', '"A\\lice"<sip:a@B.example:05070;LR>; q=0.1'),
    ('<sip:a@b>;+sip.instance="<urn:uuid:1>";expires=7', '<sip:a@b>;+SIP.instance= "<urn:uuid:1>" ;expires=7'),
    ("<sip:a@b>;received=192.0.2.1", "<sip:a@b>;received =192.0.2.1"),
]
SAME_CREDENTIALS = [
    (
        'Digest username="a", realm="b", nc=00000001, qop=auth',
        'digest username="\\a",realm = "b" , NC=00000001,qop=auth',
    ),
    ('Digest username="a,b", uri="sip:h;x=,"', 'DIGEST USERNAME="a,b",uri = "sip:h;x=,"'),
    ('Digest username="a, realm=b", nonce="="', 'digest username = "a, realm=b", nonce="="'),
    ('Digest nc=1, username="a",realm="b", qop=auth', 'digest nc=1, username="a",realm="b", qop=auth '),
    ('Digest algorithm=SHA-256, nonce="n", stale=true', 'digest algorithm=SHA-256, nonce="n", stale=true '),
    ('Digest nc=<a, qop=b>, realm="<"', 'digest  nc=<a, qop=b>, realm="<" '),
    ('Digest qop="auth, auth-int", x-more="y"', 'digest qop="auth, auth-int" , x-more="y"'),
    ("Digest qop=", "digest qop= "),
    ('Digest opaque="", nonce="n"', 'Digest  opaque="" ,nonce= "n"'),
]


@pytest.mark.parametrize(("usual", "other"), SAME_VIA)
def test_a_via_is_the_same_in_any_spelling(usual: str, other: str) -> None:
    for _ in range(2):  # what stands before the parameters is known the second time
        assert parse_via(usual) == parse_via(other)
        assert list(parse_via(usual).params) == list(parse_via(other).params)


@pytest.mark.parametrize(
    "params",
    [";", ";branch", ";branch=a;", ";branch=a;branch=b", ";branch=a;received=b;rport;received=c", ";branch=a b"],
)
def test_a_via_is_refused_for_its_parameters_whether_its_hop_is_known_or_not(params: str) -> None:
    def told(text: str) -> str:
        try:
            return str(parse_via(text).params)
        except HeaderError:
            return "refused"

    parse_via("SIP/2.0/UDP known.example")
    assert told(f"SIP/2.0/UDP known.example{params}") == told(f"SIP/2.0/udp  known.example {params}")
    assert told(f"SIP/2.0/UDP known.example{params}") == ("{'branch': None}" if params == ";branch" else "refused")


def test_what_is_written_into_a_via_is_not_in_the_next_one_of_the_same_hop() -> None:
    parse_via("SIP/2.0/UDP h.example:5060").params["received"] = "192.0.2.1"
    assert str(parse_via("SIP/2.0/UDP h.example:5060")) == "SIP/2.0/UDP h.example:5060"


@pytest.mark.parametrize(("usual", "other"), SAME_ADDRESS)
def test_an_address_is_the_same_in_any_spelling(usual: str, other: str) -> None:
    assert parse_name_addr(usual) == parse_name_addr(other)


@pytest.mark.parametrize(("usual", "other"), SAME_CREDENTIALS)
def test_credentials_are_the_same_in_any_spelling(usual: str, other: str) -> None:
    assert parse_auth(usual) == parse_auth(other)
    assert list(parse_auth(usual).params) == list(parse_auth(other).params)


@pytest.mark.parametrize(
    ("first", "second", "read"),
    [
        ('"<sip:a@b>" <sip:a@b>;tag=1', '"<sip:a@b>;tag=1" <sip:c@d>;tag=2', '"<sip:a@b>;tag=1" <sip:c@d>;tag=2'),
        ('"\\"<sip:a@b>" <sip:a@b>;tag=1', '"\\"<sip:a@b>;\\"" <sip:c@d>', '"\\"<sip:a@b>;\\"" <sip:c@d>'),
        ("<sip:a@b>", "<sip:a@b>;tag=2", "<sip:a@b>;tag=2"),
        ("sip:a@b;p=x>;tag=1", "sip:a@b;p=x>;tag=2", "<sip:a@b>;p=x>;tag=2"),
    ],
)
def test_an_address_is_not_taken_for_one_that_began_alike(first: str, second: str, read: str) -> None:
    parse_name_addr(first)
    assert str(parse_name_addr(second)) == read


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("1827 REGISTER", "1827  REGISTER"),
        ("000000001 ACK", "0000000001 ACK"),
        ("1 Ab-C", " 1\tAb-C "),
    ],
)
def test_a_cseq_is_the_same_in_any_spelling(usual: str, other: str) -> None:
    assert parse_cseq(usual) == parse_cseq(other)


@pytest.mark.parametrize(
    "text", ["REGISTER", " REGISTER", "1", "1 ", "-1 ACK", "\u00b2 ACK", "\u0661 ACK", "1 ACK ACK", "1ACK"]
)
def test_a_cseq_that_looks_usual_and_is_broken_is_refused(text: str) -> None:
    with pytest.raises(HeaderError):
        parse_cseq(text)


@pytest.mark.parametrize(
    ("usual", "other"), [(";tag=a", " ; TAG = a"), (";lr", ";LR"), (";q=0.1", ";q =0.1"), (";a", ";a ")]
)
def test_a_parameter_alone_is_the_same_in_any_spelling(usual: str, other: str) -> None:
    assert parse_params(usual) == parse_params(other)


def test_a_cseq_of_ten_digits_is_looked_at_as_closely_as_it_has_to_be() -> None:
    assert parse_cseq("2147483647 OPTIONS") == parse_cseq("02147483647  OPTIONS")
    with pytest.raises(HeaderError):
        parse_cseq("2147483648 OPTIONS")


@pytest.mark.parametrize(
    "text", [";a;a", ";a=1;A=2", ";", ";;a", ";=1", ';a="1"2', ';a="1";a="2"', ";a=b c", ";a/b=c", "a=b", ';a="b\\"']
)
def test_what_looks_usual_and_is_broken_is_refused(text: str) -> None:
    with pytest.raises(HeaderError):
        parse_params(text)


@pytest.mark.parametrize(
    "text",
    [
        'Digest username="a", username="b"',
        'Digest username="a" b, realm="c"',
        'Digest username=""a", realm="c"',
        'Digest username="a" realm="c"',
        'Digest username="a"realm="c"',
        'Digest username="a"b, realm="c"',
        'Digest nc=1, nc=1, realm="c"',
        'Digest realm="c", nc=1, realm=c',
        'Digest username="a", "b"',
        'Digest username="a, realm=c',
        "Digest username",
    ],
)
def test_credentials_that_look_usual_and_are_broken_are_refused(text: str) -> None:
    with pytest.raises(HeaderError):
        parse_auth(text)


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ('"a,b" <sip:x,y>;c="d,e",<sip:z>', ['"a,b" <sip:x,y>;c="d,e"', "<sip:z>"]),
        ('"a\\",b" <sip:x>, c', ['"a\\",b" <sip:x>', "c"]),
        ('<sip:x>,"a, b', ["<sip:x>", '"a, b']),
        ("<sip:x>,<sip:y,z", ["<sip:x>", "<sip:y,z"]),
        ("<sip:x>,,<sip:y>,", ["<sip:x>", "", "<sip:y>", ""]),
        ('<sip:"x,y">,z', ['<sip:"x,y">', "z"]),
    ],
)
def test_a_list_is_split_at_the_commas_that_separate(text: str, elements: list[str]) -> None:
    assert split_commas(text) == elements


HEAD = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"


@pytest.mark.parametrize(
    "line",
    [
        "Subject: a ",
        "Subject:  a",
        "Subject:\ta",
        "Subject:a",
        "Subject : a",
        "s: a",
        "SUBJECT: \r\n a\t",
        "Subject: a\t",
    ],
)
def test_blanks_around_a_value_are_no_part_of_it_and_stay_on_the_line(line: str) -> None:
    wire = f"{HEAD}{line}\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".encode()
    message = parse_message(wire)
    assert isinstance(message, Request)
    assert message.get("Subject") == "a"
    assert message.to_bytes() == wire


@pytest.mark.parametrize(
    "line",
    [
        "Subject: a",
        "s: a",
        "Subject: a: b",
        "Subject:",
        "Subject: ",
        "Subject",
        ": a",
        "",
        "Subject: a b",
        "Subject:a: b",
        "Subject: a\rb",
        "Subject: a\nb",
        "Subject: a\r\r\n\nb",
        "Subject: a\r\n b",
        "Subject: a\tb",
        "Via SIP/2.0/UDP h",
        "Subject: \x0b",
    ],
)
def test_a_line_is_the_same_beside_one_that_is_read_the_longer_way(line: str) -> None:
    fields, complaint = fields_of(f"To: <sip:a@b>\r\n{line}\r\nCall-ID: 1")
    longer, same_complaint = fields_of(f"To: <sip:a@b>\r\n{line}\r\nCall-ID: 1\r\nX-Odd:\t1")
    assert longer.pop() == ("x-odd", "X-Odd", "1", ["1"])
    assert (fields, complaint) == (longer, same_complaint)


def fields_of(text: str) -> tuple[list[tuple[str, str, str, list[str]]], str]:
    """Each with its key, its name, its value, and what is found under its name."""
    fields = HeaderFields()
    complaint = read_fields(fields, text)
    names = zip(fields.keys(), fields.header_lines(), strict=True)
    return [(key, name, value, fields.get_all(name)) for key, (name, value) in names], complaint


def test_a_header_that_comes_twice_is_read_twice_also_after_a_change() -> None:
    message = Request("OPTIONS", "sip:h", [("Route", "<sip:a>"), ("Subject", "x"), ("Route", "<sip:b>, <sip:c>")])
    assert [str(route.uri) for route in message.routes] == ["sip:a", "sip:b", "sip:c"]
    message.remove_first("Route")
    assert message.get_all("Route") == ["<sip:b>, <sip:c>"]
    assert [str(route.uri) for route in message.routes] == ["sip:b", "sip:c"]
    message.add("Subject", "y")
    assert message.get_all("Subject") == ["x", "y"]


def test_a_header_that_says_the_same_twice_comes_twice() -> None:
    message = Request("OPTIONS", "sip:h", [("Subject", text) for text in ("x", "x", "y", "x")])
    assert message.get_all("Subject") == ["x", "x", "y", "x"]
    assert message.repeated() == {"subject"}


def test_what_is_got_of_a_message_is_a_list_of_its_own() -> None:
    message = Request("OPTIONS", "sip:h", [("Subject", "x"), ("Subject", "y")])
    message.get_all("Subject").clear()
    message.values("Subject").clear()
    assert message.get_all("Subject") == message.values("Subject") == ["x", "y"]


def test_uris_that_are_remembered_are_bounded_in_number_and_length() -> None:
    for number in range(3 * remembered.MOST):
        assert parse_uri(f"sip:{number}@example") == SipUri("sip", str(number), "example")
        assert parse_name_addr(f"<sip:{number}@example>").uri == SipUri("sip", str(number), "example")
    parse_name_addr("<sip:" + "a" * 1000 + "@example>")
    for kind in (uri._remembered, name_addr._remembered):
        assert 0 < len(kind) <= remembered.MOST
        assert max(map(len, kind)) <= remembered.LONGEST


def test_a_uri_with_another_parameter_is_another_uri() -> None:
    first = parse_uri("sip:a@b;x=1")
    assert isinstance(first, SipUri)
    assert str(first.with_param("x", "2").with_param("lr")) == "sip:a@b;x=2;lr"
    assert str(parse_uri("sip:a@b;x=1")) == "sip:a@b;x=1"
