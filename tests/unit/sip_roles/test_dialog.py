import json

import pytest

from talkburst.sip.dialog import Dialog, key_of
from talkburst.sip.headers import HeaderError
from talkburst.sip.message import Request, Response, response_to
from talkburst.sip.parser import parse_message

SUBSCRIBE = b"""SUBSCRIBE sip:bob@ims.example SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK1\r
Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr;x=1>\r
Record-Route: <sip:p0.example;lr>\r
From: "Alice" <sip:alice@ims.example>;tag=a1\r
To: <sip:bob@ims.example>\r
Call-ID: c1\r
CSeq: 7 SUBSCRIBE\r
Contact: <sip:alice@192.0.2.9:5090;ob>\r
\r
"""


def request(data: bytes = SUBSCRIBE) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def test_the_side_that_was_asked_keeps_the_route_set_in_the_order_received() -> None:
    dialog = Dialog.as_uas(request(), "b1")
    assert dialog.route_set == ["<sip:p2.example;lr>", "<sip:p1.example;lr;x=1>", "<sip:p0.example;lr>"]
    assert dialog.key == ("c1", "b1", "a1")


def test_the_side_that_asked_keeps_the_route_set_reversed() -> None:
    asked = request()
    answered = response_to(asked, 200, to_tag="b1", headers=[("Contact", "<sip:bob@192.0.2.1>")])
    for value in asked.get_all("Record-Route"):
        answered.add("Record-Route", value)
    assert isinstance(answered, Response)
    dialog = Dialog.as_uac(asked, answered)
    assert dialog.route_set == ["<sip:p0.example;lr>", "<sip:p1.example;lr;x=1>", "<sip:p2.example;lr>"]
    assert (dialog.key, dialog.local_cseq, dialog.remote_target) == (("c1", "a1", "b1"), 7, "sip:bob@192.0.2.1")


def test_a_request_in_the_dialog_swaps_from_and_to_and_goes_to_the_contact() -> None:
    notify = Dialog.as_uas(request(), "b1").request("NOTIFY")
    assert notify.start_line == "NOTIFY sip:alice@192.0.2.9:5090;ob SIP/2.0"
    assert list(notify.header_lines()) == [
        ("Route", "<sip:p2.example;lr>"),
        ("Route", "<sip:p1.example;lr;x=1>"),
        ("Route", "<sip:p0.example;lr>"),
        ("From", "<sip:bob@ims.example>;tag=b1"),
        ("To", '"Alice" <sip:alice@ims.example>;tag=a1'),
        ("Call-ID", "c1"),
        ("CSeq", "1 NOTIFY"),
    ]


def test_headers_in_a_contact_do_not_get_into_the_request_uri() -> None:
    data = SUBSCRIBE.replace(b";ob>", b";ob;method=INVITE?Subject=x>")
    notify = Dialog.as_uas(request(data), "b1").request("NOTIFY")
    assert notify.uri == "sip:alice@192.0.2.9:5090;ob"


def test_a_strict_router_gets_itself_as_request_uri_and_the_target_as_last_route() -> None:
    strict = SUBSCRIBE.replace(b"<sip:p2.example;lr>", b"<sip:p2.example>")
    notify = Dialog.as_uas(request(strict), "b1").request("NOTIFY")
    assert notify.uri == "sip:p2.example"
    assert notify.get_all("Route") == [
        "<sip:p1.example;lr;x=1>",
        "<sip:p0.example;lr>",
        "<sip:alice@192.0.2.9:5090;ob>",
    ]


def test_each_request_counts_up() -> None:
    dialog = Dialog.as_uas(request(), "b1")
    assert [dialog.request("NOTIFY").cseq.number for _ in range(3)] == [1, 2, 3]


def test_a_dialog_comes_back_from_its_row_and_goes_on() -> None:
    dialog = Dialog.as_uas(request(), "b1")
    dialog.request("NOTIFY")
    kept = Dialog.from_row(json.loads(json.dumps(dialog.to_row())))
    assert kept == dialog
    assert kept.request("NOTIFY").to_bytes() == dialog.request("NOTIFY").to_bytes()
    assert kept.request("NOTIFY").get("CSeq") == "3 NOTIFY"


@pytest.mark.parametrize(("number", "accepted"), [(6, False), (7, True), (8, True), (70, True)])
def test_a_lower_cseq_is_not_accepted(number: int, accepted: bool) -> None:
    dialog = Dialog.as_uas(request(), "b1")
    assert dialog.accepts(request(SUBSCRIBE.replace(b"CSeq: 7", b"CSeq: %d" % number))) is accepted


def test_an_accepted_cseq_is_remembered_and_a_refused_one_is_not() -> None:
    dialog = Dialog.as_uas(request(), "b1")
    assert dialog.accepts(request(SUBSCRIBE.replace(b"CSeq: 7", b"CSeq: 9")))
    assert not dialog.accepts(request(SUBSCRIBE.replace(b"CSeq: 7", b"CSeq: 8")))
    assert dialog.remote_cseq == 9


def test_a_new_contact_moves_the_target_and_none_leaves_it() -> None:
    dialog = Dialog.as_uas(request(), "b1")
    dialog.refresh_target(request(SUBSCRIBE.replace(b"192.0.2.9:5090;ob", b"192.0.2.10")))
    assert dialog.remote_target == "sip:alice@192.0.2.10"
    dialog.refresh_target(request(SUBSCRIBE.replace(b"Contact:", b"X-Contact:")))
    assert dialog.remote_target == "sip:alice@192.0.2.10"


@pytest.mark.parametrize("contact", [b"X: 1", b"Contact: *"])
def test_no_dialog_without_a_contact(contact: bytes) -> None:
    with pytest.raises(HeaderError):
        Dialog.as_uas(request(SUBSCRIBE.replace(b"Contact: <sip:alice@192.0.2.9:5090;ob>", contact)), "b1")


def test_a_peer_without_a_tag_gets_none_back() -> None:
    dialog = Dialog.as_uas(request(SUBSCRIBE.replace(b";tag=a1", b"")), "b1")
    assert dialog.key == ("c1", "b1", "")
    assert dialog.request("NOTIFY").get("To") == '"Alice" <sip:alice@ims.example>'


def test_the_key_of_an_incoming_request_has_our_tag_first() -> None:
    incoming = request(SUBSCRIBE.replace(b"To: <sip:bob@ims.example>", b"To: <sip:bob@ims.example>;tag=b1"))
    assert key_of(incoming) == Dialog.as_uas(request(), "b1").key


@pytest.mark.parametrize(
    ("first", "contact", "next_hop"),
    [
        ("<sip:p2.example;lr>", "sip:alice", None),
        ("<sip:p2.example>", "sip:alice", "sip:p2.example"),
        ("<sip:p2.example;transport=tcp>", "sips:alice", "sips:p2.example"),
    ],
)
def test_a_strict_router_is_the_next_hop_over_tls_where_the_target_is_sips(first, contact, next_hop) -> None:
    data = SUBSCRIBE.replace(b"<sip:p2.example;lr>", first.encode()).replace(
        b"<sip:alice@192", f"<{contact}@192".encode()
    )
    found = Dialog.as_uas(request(data), "b1").next_hop
    assert (None if found is None else str(found)) == next_hop
