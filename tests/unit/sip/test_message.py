"""Messages: header access, typed values, bytes."""

import pytest

from talkburst.sip import HeaderError, NameAddr, Request, Response, SipUri, Via, parse_message, response_to

REGISTER = b"""\
REGISTER sip:ims.example SIP/2.0\r
v: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKa;rport , SIP/2.0/TCP edge.example\r
Via:SIP/2.0/UDP 10.0.0.1\r
MAX-FORWARDS : 70\r
f: "Alice"\r
 \t<sip:alice@ims.example>;tag=1\r
To: sip:alice@ims.example\r
Call-ID: 1@h\r
CSeq: 2 REGISTER\r
m: <sip:alice@127.0.0.1:5090>;+g.poc.talkburst, <sip:b@c>\r
Contact: <sip:d@e>\r
Expires: 600000\r
Supported:\r
Authorization: Digest username="a", realm="r"\r
X-Odd:  \xff\xfe  kept \r
c: text/plain;charset=utf-8\r
l: 4\r
\r
body"""


def register() -> Request:
    message = parse_message(REGISTER)
    assert isinstance(message, Request)
    return message


def test_untouched_message_is_written_byte_for_byte():
    message = register()
    assert message.to_bytes() == REGISTER
    _ = (message.vias, message.from_, message.to, message.contacts, message.cseq, message.content_type)
    assert message.to_bytes() == REGISTER


def test_untouched_lines_keep_their_bytes_when_another_changes():
    message = register()
    message.set("Expires", 0)
    assert message.to_bytes() == REGISTER.replace(b"Expires: 600000", b"Expires: 0")


def test_headers_are_found_by_any_spelling():
    message = register()
    assert message.get("max-forwards") == message.get("Max-Forwards") == "70"
    assert message.get("From") == message.get("F") == '"Alice" <sip:alice@ims.example>;tag=1'
    assert message.get_all("VIA") == [
        "SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKa;rport , SIP/2.0/TCP edge.example",
        "SIP/2.0/UDP 10.0.0.1",
    ]
    assert message.get("Route") is None
    assert message.get_all("Route") == []
    assert message.keys()[:3] == ["via", "via", "max-forwards"]
    assert next(message.header_lines())[0] == "v"


def test_lists_are_split_and_credentials_are_not():
    message = register()
    assert message.values("v") == [
        "SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKa;rport",
        "SIP/2.0/TCP edge.example",
        "SIP/2.0/UDP 10.0.0.1",
    ]
    assert message.values("Authorization") == ['Digest username="a", realm="r"']
    assert message.values("Supported") == []


@pytest.mark.parametrize(
    ("compact", "full"),
    [
        ("a", "Accept-Contact"),
        ("b", "Referred-By"),
        ("c", "Content-Type"),
        ("e", "Content-Encoding"),
        ("f", "From"),
        ("i", "Call-ID"),
        ("j", "Reject-Contact"),
        ("k", "Supported"),
        ("l", "Content-Length"),
        ("m", "Contact"),
        ("o", "Event"),
        ("r", "Refer-To"),
        ("s", "Subject"),
        ("t", "To"),
        ("u", "Allow-Events"),
        ("v", "Via"),
        ("x", "Session-Expires"),
    ],
)
def test_compact_forms_are_the_same_headers(compact, full):
    message = Request("OPTIONS", "sip:h", [(compact, "1"), (compact.upper(), "2")])
    assert message.get_all(full) == ["1", "2"]


def test_typed_values():
    message = register()
    assert message.from_ == NameAddr("Alice", SipUri("sip", "alice", "ims.example"), {"tag": "1"})
    assert message.to.tag is None
    assert message.call_id == "1@h"
    assert (message.cseq.number, message.cseq.method) == (2, "REGISTER")
    assert message.via.branch == "z9hG4bKa"
    assert [via.host for via in message.vias] == ["127.0.0.1", "edge.example", "10.0.0.1"]
    assert [str(contact.uri) for contact in message.contacts] == ["sip:alice@127.0.0.1:5090", "sip:b@c", "sip:d@e"]
    assert not message.contact_is_wildcard
    assert (message.expires, message.max_forwards) == (600000, 70)
    assert message.content_type is not None
    assert message.content_type.media_type == "text/plain"
    assert (message.event, message.subscription_state, message.routes, message.record_routes) == (None, None, [], [])
    assert message.parsed_uri == SipUri("sip", None, "ims.example")


def test_absent_optional_headers_are_none():
    message = Request("OPTIONS", "sip:h")
    assert (message.expires, message.max_forwards, message.content_type) == (None, None, None)
    assert message.vias == []


def test_notify_headers_are_typed():
    message = Request("NOTIFY", "sip:h", [("o", "reg;id=1"), ("Subscription-State", "active;expires=9")])
    assert message.event is not None
    assert (message.event.package, message.event.id) == ("reg", "1")
    assert message.subscription_state is not None
    assert message.subscription_state.expires == 9
    assert message.event is message.event
    assert message.subscription_state is message.subscription_state


@pytest.mark.parametrize("name", ["from_", "to", "call_id", "cseq", "via"])
def test_missing_mandatory_header_is_an_error_only_when_asked_for(name):
    message = Request("OPTIONS", "sip:h")
    with pytest.raises(HeaderError):
        getattr(message, name)


@pytest.mark.parametrize(
    ("header", "value", "name"),
    [
        ("Via", "", "via"),
        ("Via", "nonsense", "vias"),
        ("Contact", "<sip:a@b>,", "contacts"),
        ("Max-Forwards", "256", "max_forwards"),
        ("Expires", "soon", "expires"),
        ("Content-Type", "text", "content_type"),
    ],
)
def test_broken_header_is_an_error_only_when_asked_for(header, value, name):
    message = Request("OPTIONS", "sip:h", [(header, value)])
    with pytest.raises(HeaderError):
        getattr(message, name)


def test_wildcard_contact_is_no_address():
    message = Request("REGISTER", "sip:h", [("Contact", "*")])
    assert message.contact_is_wildcard
    assert message.contacts == []
    assert Request("REGISTER", "sip:h", [("m", "<sip:a@b>, *")]).contact_is_wildcard


def test_typed_value_is_cached_until_its_header_changes():
    message = register()
    via, from_, contacts = message.via, message.from_, message.contacts
    assert message.via is via
    assert message.from_ is from_
    assert message.contacts is contacts
    message.set("t", "<sip:bob@h>")
    assert message.from_ is from_
    assert str(message.to.uri) == "sip:bob@h"
    message.set("Contact", "<sip:x@y>")
    assert [str(contact.uri) for contact in message.contacts] == ["sip:x@y"]


def test_set_keeps_the_place_of_the_first_and_drops_the_rest():
    message = Request("OPTIONS", "sip:h", [("A1", 1), ("Route", "<sip:a>"), ("A2", 2), ("Route", "<sip:b>")])
    message.set("Route", "<sip:c>")
    assert list(message.header_lines()) == [("A1", "1"), ("Route", "<sip:c>"), ("A2", "2")]
    message.set("A3", 3)
    assert list(message.header_lines())[-1] == ("A3", "3")


def test_add_and_prepend_keep_headers_of_a_name_together():
    message = Request("OPTIONS", "sip:h", [("Via", "1"), ("To", "x")])
    message.add("v", "2")
    message.prepend("Via", "0")
    message.prepend("Route", "r")
    message.add("Route", "s")
    message.add("Z", "z")
    assert list(message.header_lines()) == [
        ("Route", "r"), ("Route", "s"), ("Via", "0"), ("Via", "1"), ("v", "2"), ("To", "x"), ("Z", "z")
    ]  # fmt: skip


def test_first_via_is_replaced_and_removed_within_its_line():
    message = register()
    message.replace_first("Via", Via("UDP", "127.0.0.1", 5090, {"rport": "9"}))
    assert message.get("via") == "SIP/2.0/UDP 127.0.0.1:5090;rport=9, SIP/2.0/TCP edge.example"
    assert message.via.rport == 9
    message.remove_first("Via")
    assert [via.host for via in message.vias] == ["edge.example", "10.0.0.1"]
    message.remove_first("Via")
    assert message.via.host == "10.0.0.1"
    message.remove_first("Via")
    message.remove_first("Via")
    assert message.get("Via") is None
    message.replace_first("Via", "SIP/2.0/UDP h")
    assert message.keys()[0] == "via"


def test_first_element_of_a_header_that_is_no_list_is_all_of_it():
    message = register()
    message.replace_first("Authorization", "Digest x=1, y=2")
    assert message.get_all("Authorization") == ["Digest x=1, y=2"]
    message.remove_first("Authorization")
    assert message.get("Authorization") is None


def test_removed_header_is_gone_in_every_spelling():
    message = register()
    message.remove("CONTACT")
    assert message.get("m") is None
    assert message.contacts == []


def test_line_break_in_a_value_cannot_begin_another_header():
    message = Request("OPTIONS", "sip:h", [("Subject", "x\r\nVia: evil\n\rmore")])
    message.add("Subject", "a\rb")
    assert message.get_all("Subject") == ["x Via: evil  more", "a b"]
    assert message.to_bytes().count(b"\r\n") == 5


def test_content_length_is_always_right_and_stands_once():
    message = Request("MESSAGE", "sip:h", [("L", "7"), ("Content-Length", "9")], b"four")
    assert message.to_bytes() == b"MESSAGE sip:h SIP/2.0\r\nL: 4\r\n\r\nfour"
    assert Request("OPTIONS", "sip:h").to_bytes() == b"OPTIONS sip:h SIP/2.0\r\nContent-Length: 0\r\n\r\n"


def test_body_comes_with_its_type_and_goes_with_it():
    message = Request("PUBLISH", "sip:h")
    message.set_body(b"<x/>", "application/poc-settings+xml")
    assert message.to_bytes().endswith(
        b"Content-Type: application/poc-settings+xml\r\nContent-Length: 4\r\n\r\n<x/>"
    )  # fmt: skip
    message.set_body(b"", None)
    assert message.to_bytes() == b"PUBLISH sip:h SIP/2.0\r\nContent-Length: 0\r\n\r\n"


def test_copy_and_original_do_not_change_each_other():
    original = register()
    via = original.via
    copy = original.copy()
    copy.via.params["received"] = "192.0.2.1"
    copy.replace_first("Via", copy.via)
    copy.uri = "sip:elsewhere"
    copy.set_body(b"", None)
    assert original.to_bytes() == REGISTER
    assert "received" not in via.params
    assert str(copy.parsed_uri) == "sip:elsewhere"
    response = Response(200, "Fine", [("To", "x")], b"b")
    assert response.copy() == response


def test_request_uri_is_parsed_anew_when_it_changes():
    message = register()
    assert message.parsed_uri is message.parsed_uri
    message.uri = "tel:+1"
    assert str(message.parsed_uri) == "tel:+1"
    assert message.start_line == "REGISTER tel:+1 SIP/2.0"


def test_equality_is_that_of_the_bytes():
    assert register() == register()
    assert register() != Request("REGISTER", "sip:ims.example")
    assert register() != "REGISTER"
    assert repr(register()) == "<REGISTER sip:ims.example SIP/2.0>"


def test_response_copies_what_identifies_the_request():
    response = response_to(register(), 200, to_tag="2", headers=[("Expires", 60)])
    assert response.to_bytes().decode("latin-1").split("\r\n") == [
        "SIP/2.0 200 OK",
        "v: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKa;rport , SIP/2.0/TCP edge.example",
        "Via:SIP/2.0/UDP 10.0.0.1",
        'f: "Alice"',
        " \t<sip:alice@ims.example>;tag=1",
        "To: sip:alice@ims.example;tag=2",
        "Call-ID: 1@h",
        "CSeq: 2 REGISTER",
        "Expires: 60",
        "Content-Length: 0",
        "",
        "",
    ]
    assert response.to.tag == "2"


def test_tag_of_the_request_stays():
    request = Request("BYE", "sip:h", [("To", "<sip:a@b>;tag=old")])
    assert response_to(request, 481, to_tag="new").to.tag == "old"
    broken = Request("BYE", "sip:h", [("To", "A, B <sip:a@b>;TAG=old")])
    assert response_to(broken, 400, to_tag="new").get("To") == "A, B <sip:a@b>;TAG=old"
    untagged = Request("BYE", "sip:h", [("To", "A, B <sip:a@b>")])
    assert response_to(untagged, 400, to_tag="new").get("To") == "A, B <sip:a@b>;tag=new"


def test_100_has_no_tag_of_ours_and_the_timestamp():
    request = Request("INVITE", "sip:h", [("To", "<sip:a@b>"), ("Timestamp", "54")])
    trying = response_to(request, 100, to_tag="2")
    assert (trying.to.tag, trying.get("Timestamp"), trying.reason) == (None, "54", "Trying")
    assert response_to(request, 180, to_tag="2").get("Timestamp") is None


def test_reason_phrase_is_one_line_and_the_usual_one_by_default():
    request = Request("INVITE", "sip:h")
    assert response_to(request, 489).start_line == "SIP/2.0 489 Bad Event"
    assert response_to(request, 400, "No\r\nVia: x").to_bytes().startswith(b"SIP/2.0 400 No Via: x\r\nContent")
    assert Request("INVITE", "sip:h\r\nVia: x").to_bytes().startswith(b"INVITE sip:h Via: x SIP/2.0\r\nContent")
    assert Response(299).start_line == "SIP/2.0 299 "


def test_remove_first_takes_several_off_across_lines() -> None:
    def left(number: int) -> list[str]:
        lines = [("Route", "<sip:a>, <sip:b>"), ("X-Between", "1"), ("Route", "<sip:c>,<sip:d;x=1>")]
        message = Request("OPTIONS", "sip:h", lines)
        message.remove_first("Route", number)
        return message.get_all("route")

    assert left(0) == ["<sip:a>, <sip:b>", "<sip:c>,<sip:d;x=1>"]
    assert left(1) == ["<sip:b>", "<sip:c>,<sip:d;x=1>"]
    assert left(2) == ["<sip:c>,<sip:d;x=1>"]
    assert left(3) == ["<sip:d;x=1>"]
    assert left(4) == left(9) == []
