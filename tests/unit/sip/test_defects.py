"""Faults of messages that can be parsed: a table of what is refused and what is let through."""

import pytest

from talkburst.sip import Request, Response, parse_message
from talkburst.sip.defects import Defect, defects

LINES = {
    "start": "REGISTER sip:ims.example SIP/2.0",
    "Via": "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
    "From": "From: <sip:alice@ims.example>;tag=1",
    "To": "To: <sip:alice@ims.example>",
    "Call-ID": "Call-ID: 1",
    "CSeq": "CSeq: 1 REGISTER",
    "Max-Forwards": "Max-Forwards: 70",
    "Contact": "Contact: <sip:alice@192.0.2.1>",
    "more": "",
}


def message(**changes: str) -> Request | Response:
    lines = LINES | {name.replace("_", "-"): value for name, value in changes.items()}
    read = parse_message(("\r\n".join(line for line in lines.values() if line) + "\r\n\r\n").encode())
    assert isinstance(read, Request | Response)
    return read


ROLES = ("uas", "proxy")


@pytest.mark.parametrize("role", ROLES)
def test_right_request_has_no_defects(role):
    assert defects(message(), role) == []


@pytest.mark.parametrize(
    ("changes", "roles", "status"),
    [
        ({"Via": ""}, ROLES, 400),
        ({"From": ""}, ROLES, 400),
        ({"To": ""}, ROLES, 400),
        ({"Call_ID": ""}, ROLES, 400),
        ({"Call_ID": "Call-ID:"}, ROLES, 400),
        ({"CSeq": ""}, ROLES, 400),
        ({"Via": "Via: SIP/2.0/UDP 192.0.2.15;;,;,,"}, ROLES, 400),
        ({"Via": LINES["Via"] + "\r\nVia: nonsense"}, ROLES, 400),
        ({"Via": "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"}, ROLES, 400),
        ({"To": 'To: "Mr. J. User <sip:j.user@example.com>'}, ROLES, 400),
        ({"To": 'To: "Watson, Thomas" < sip:t.watson@example.org >'}, ROLES, 400),
        ({"From": "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43"}, ROLES, 400),
        ({"CSeq": "CSeq: 36893488147419103232 REGISTER"}, ROLES, 400),
        ({"CSeq": "CSeq: 8 INVITE"}, ROLES, 400),
        (
            {
                "start": "INVITE sips:bob@ims.example SIP/2.0",
                "CSeq": "CSeq: 8 INVITE",
                "more": "Contact: <sip:a@192.0.2.1>",
            },
            ROLES,
            400,
        ),
        ({"CSeq": "CSeq: 8 INVITE", "start": "NEWMETHOD sip:ims.example SIP/2.0"}, ROLES, 501),
        ({"Max_Forwards": "Max-Forwards: 300"}, ROLES, 400),
        ({"more": "Max-Forwards: 5"}, ROLES, 400),
        ({"more": "i: 2"}, ROLES, 400),
        ({"more": "t: <sip:bob@ims.example>"}, ROLES, 400),
        ({"more": "CSeq: 2 REGISTER"}, ROLES, 400),
        ({"more": "l: 0\r\nContent-Length: 0"}, ROLES, 400),
        ({"more": "Event: reg\r\no: reg"}, ROLES, 400),
        ({"more": "Route: <sip:h;lr>, nonsense"}, ROLES, 400),
        ({"more": "Record-Route: <sip:h"}, ROLES, 400),
        ({"start": "REGISTER <sip:ims.example> SIP/2.0"}, ROLES, 400),
        ({"start": "REGISTER sip:ims.example?Route=%3Csip:h%3E SIP/2.0"}, ROLES, 400),
        ({"start": "REGISTER sip:2001:db8::10 SIP/2.0"}, ROLES, 400),
        ({"start": "REGISTER sip:ims.example SIP/7.0"}, ROLES, 505),
        ({"start": "REGISTER nobodyKnowsThisScheme:totallyopaque SIP/2.0"}, ("proxy",), 416),
        ({"Contact": "Contact: sip:u@h?Route=%3Csip:sip.example.com%3E"}, ("uas",), 400),
        ({"Contact": 'Contact: "Joe" <sip:joe@example.org>;;;;'}, ("uas",), 400),
        ({"more": "Event: ;id=1"}, ("uas",), 400),
        ({"more": "Subscription-State: ;"}, ("uas",), 400),
        ({"more": "Content-Type: text"}, ("uas",), 400),
    ],
)
def test_broken_request_is_refused_by_whom_it_concerns(changes, roles, status):
    for role in ROLES:
        found = defects(message(**changes), role)
        assert [defect.status for defect in found[:1]] == ([status] if role in roles else []), role


@pytest.mark.parametrize(
    "changes",
    [
        {"Max_Forwards": ""},  # RFC 2543 had none
        {"Max_Forwards": "Max-Forwards: 0"},  # for a proxy to refuse, not a fault
        {"Via": "Via: SIP/2.0/UDP 135.180.130.133", "From": "From: <sip:alice@ims.example>"},
        {"Via": LINES["Via"] + "\r\nVia: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKt4"},
        {"more": "Date: Fri, 01 Jan 2010 16:00:00 EST"},
        {"more": "Expires: 10000000000000000000000"},
        {"more": "Authorization: NoOneKnowsThisScheme opaque-data=here"},
        {"more": "NewFangledHeader:   newfangled value\r\n continued newfangled value"},
        {"more": "Supported:\r\nRequire: a,, b"},
        {"Contact": "Contact: *"},  # for a registrar to refuse
        {"To": "To: isbn:2983792873"},
        {"Contact": "Contact: <sip:u@h?Route=%3Csip:sip.example.com%3E>;unknownparam"},
        {"Contact": ""},
        {"start": "REGISTER sips:ims.example SIP/2.0"},
        {"start": "REGISTER tel:+1 SIP/2.0"},
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_odd_but_legal_request_is_let_through(changes, role):
    assert defects(message(**changes), role) == []


def test_first_defect_decides_and_says_its_clause():
    found = defects(message(start="REGISTER sip:ims.example SIP/7.0", From="", CSeq="CSeq: 1 INVITE"), "uas")
    assert found[0] == Defect("RFC 3261 7.1", "SIP/7.0 is not spoken here", 505)
    assert found[1] == Defect("RFC 3261 8.1.1", "from is missing", 400)
    assert found[2].clause == "RFC 3261 8.1.1.5"


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, True),
        ({"CSeq": "CSeq: 9292394834772304023312 OPTIONS"}, False),
        ({"Call_ID": ""}, False),
        ({"start": "SIP/3.0 200 OK"}, False),
    ],
)
def test_response_with_a_defect_is_to_be_dropped(changes, right):
    assert (not defects(message(**({"start": "SIP/2.0 200 OK"} | changes)), "uac")) is right
