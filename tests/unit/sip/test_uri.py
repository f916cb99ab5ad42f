"""URIs: parts, comparison, address of record."""

import pytest

from talkburst.sip.uri import OtherUri, SipUri, TelUri, UriError, parse_uri


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:ims.example", SipUri("sip", None, "ims.example")),
        ("SIPS:Alice@IMS.Example:5061", SipUri("sips", "Alice", "ims.example", 5061)),
        ("sip:alice:secret@h", SipUri("sip", "alice", "h", password="secret")),
        ("sip:alice:@h", SipUri("sip", "alice", "h", password="")),
        ("sip:h;lr;Transport=TCP", SipUri("sip", None, "h", params={"lr": None, "transport": "TCP"})),
        ("sip:a@h;x?Route=%3Csip:b%3E", SipUri("sip", "a", "h", params={"x": None}, headers="Route=%3Csip:b%3E")),
        ("sip:a@h?", SipUri("sip", "a", "h", headers="")),
        ("sip:user;par=u%40example.net@example.com", SipUri("sip", "user;par=u%40example.net", "example.com")),
        ("sip:a/b?c@h", SipUri("sip", "a/b?c", "h")),
        ("sip:[2001:DB8::10]:5070", SipUri("sip", None, "[2001:db8::10]", 5070)),
        ("sip:[2001:db8::10:5070]", SipUri("sip", None, "[2001:db8::10:5070]")),
        ("sip:[2001:db8:::192.0.2.1]", SipUri("sip", None, "[2001:db8:::192.0.2.1]")),
        ("sip:null-%00-null@example.com", SipUri("sip", "null-%00-null", "example.com")),
        ("tel:+1-202-555-0101;ext=3", TelUri("+1-202-555-0101", {"ext": "3"})),
        ("tel:911;phone-context=+1", TelUri("911", {"phone-context": "+1"})),
        ("nobodyKnowsThisScheme:totallyopaque", OtherUri("nobodyknowsthisscheme", "totallyopaque")),
        ("urn:service:sos", OtherUri("urn", "service:sos")),
    ],
)
def test_uri_comes_apart(text, expected):
    assert parse_uri(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "sip:ims.example",
        "sips:Alice:pw@ims.example:5061;lr;transport=tcp?Subject=x&Priority=urgent",
        "tel:+1-202-555-0101;ext=3",
        "urn:service:sos",
        "sip:[2001:db8::10]:5070",
    ],
)
def test_uri_is_written_as_it_was_read(text):
    assert str(parse_uri(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "alice@ims.example",
        ":x",
        "1x:y",
        "sip:@h",
        "sip:alice@",
        "sip:a@b@c",
        "sip:h:port",
        "sip:h:",
        "sip:h:65536",
        "sip:h:٣",
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[2001:db8::10]5070",
        "sip:h;",
        "sip:h;;lr",
        "sip:h;lr;LR",
        "sip:h;=x",
        "<sip:h>",
        "sip:h h",
        "sip:a\x00b@h",
        "tel:",
        "tel:+",
        "tel:12x4",
        "sip:höst",
    ],
)
def test_what_is_no_uri_is_refused(text):
    with pytest.raises(UriError):
        parse_uri(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+1-202-555-0101", "tel:+12025550101"),
        ("tel:+1202;ext=1;isub=2", "tel:+1202;ISUB=2;ext=1"),
        ("URN:service:sos", "urn:service:sos"),
    ],
)
def test_equivalent_uris(one, other):
    assert parse_uri(one).equivalent(parse_uri(other))
    assert parse_uri(other).equivalent(parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:alice@atlanta.com", "sip:ALICE@atlanta.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h", "sip:h"),
        ("sip:a@h", "sip:a:pw@h"),
        ("sip:a@h;maddr=192.0.2.1", "sip:a@h"),
        ("sip:a%40b@h", "sip:a%2540b@h"),
        ("sip:null-%00-null@example.com", "sip:null-%00%00-null@example.com"),
        ("tel:+1202", "tel:+1202;ext=1"),
        ("tel:+1202", "sip:+1202@h"),
        ("urn:service:sos", "urn:service:SOS"),
    ],
)
def test_different_uris(one, other):
    assert not parse_uri(one).equivalent(parse_uri(other))
    assert not parse_uri(other).equivalent(parse_uri(one))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sip:alice@ims.example", "sip:alice@ims.example"),
        ("sips:%61lice:pw@IMS.example;user=phone?x=y", "sip:alice@ims.example"),
        ("sip:ims.example;lr", "sip:ims.example"),
        ("sip:alice@ims.example:5070", "sip:alice@ims.example:5070"),
        ("sip:a%40%2f%00b@h", "sip:a%40/%00b@h"),
        ("tel:+1-202-555-0101;ext=3", "tel:+12025550101"),
        ("tel:7042;phone-context=Example.com", "tel:7042;phone-context=example.com"),
        ("mailto:alice@ims.example", "mailto:alice@ims.example"),
    ],
)
def test_address_of_record_is_canonical(text, address):
    assert parse_uri(text).addr_of_record() == address
    assert parse_uri(address).addr_of_record() == address


def test_loose_router_is_told_by_its_flag():
    first, second = parse_uri("sip:p1;lr"), parse_uri("sip:p1")
    assert isinstance(first, SipUri)
    assert isinstance(second, SipUri)
    assert (first.lr, second.lr) == (True, False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:a[b@h", "sip:a%5bb@h"),
        ("tel:1;phone-context=a", "tel:1;phone-context=%61"),
        ("tel:1;phone-context=%20", "tel:1;phone-context=%20"),
        ("sip:%6%61@h", "sip:%%36%61@h"),  # undone once, and not what comes of it once more
    ],
)
def test_what_is_equivalent_is_filed_in_one_place_and_that_is_a_uri(one, other):
    assert parse_uri(one).equivalent(parse_uri(other))
    filed = parse_uri(one).addr_of_record()
    assert filed == parse_uri(other).addr_of_record()
    assert parse_uri(filed).addr_of_record() == filed
