"""What a registrar does with REGISTER, statement by statement: RFC 3261 10.2 and 10.3.

A row is a clause, what it says, and a transcript (see `Transcript` in conftest): literal requests, literal answers.
That no answer is 6xx or has a Record-Route, and that every 200 has Date and an `expires` with each Contact, is asserted
of all of them. What a failed commit does is shown with a real disk in tests/acceptance/test_durability_core.py.
"""

import pytest

A = "<sip:alice@192.0.2.1>"
B = "<sip:alice@192.0.2.2>"
OK = "< SIP/2.0 200 OK"


STEPS = {
    # Step 1: the domain
    "10.3 step 1: a domain of ours by its other name": f"""
        > REGISTER sip:IMS.Example SIP/2.0
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
    """,
    "10.3 step 1: the core itself is no domain": f"""
        > REGISTER sip:127.0.0.1:5060 SIP/2.0
        > Contact: {A}
        < SIP/2.0 404 Not Found
    """,
    "10.3 step 1: somebody else's domain is proxied, for users of ours alone": f"""
        > REGISTER sip:other.example SIP/2.0
        > Contact: {A}
        < SIP/2.0 407 Proxy Authentication Required
    """,
    # Step 2: extensions
    "10.3 step 2 and 8.2.2.3: an extension that is not known": f"""
        > Require: path, frobnicate
        > Contact: {A}
        < SIP/2.0 420 Bad Extension
        < Unsupported: frobnicate
        > Require: path
        {OK}
    """,
    # Steps 3 and 4: who asks
    "10.3 step 3: nobody is believed without credentials": f"""
        > as nobody
        > Contact: {A}
        < SIP/2.0 401 Unauthorized
    """,
    "10.3 step 3: who is no user is asked as well": f"""
        > as nobody
        > To: <sip:zed@ims.example>
        > Contact: {A}
        < SIP/2.0 401 Unauthorized
    """,
    "10.3 step 4: another user's bindings": f"""
        > as bob
        > From: <sip:bob@ims.example>;tag=b
        > Contact: {A}
        < SIP/2.0 403 Forbidden
        > Call-ID: fetch
        {OK}
    """,
    "10.3 step 4: another user's bindings under the name of that user": f"""
        > as bob
        > Contact: {A}
        < SIP/2.0 403 Forbidden
    """,
    "10.2, From: a third party who has the credentials may register": f"""
        > From: <sip:secretary@ims.example>;tag=s
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
    """,
    # Step 5: the address of record
    "10.3 step 5: no user of that name, seen by a user": f"""
        > To: <sip:zed@ims.example>
        > Contact: {A}
        < SIP/2.0 404 Not Found
    """,
    "10.3 step 5: not valid for the domain": f"""
        > as nobody
        > To: <sip:alice@other.example>
        > Contact: {A}
        < SIP/2.0 404 Not Found
    """,
    "10.3 step 5: parameters and escapes are no part of the address of record": f"""
        > To: <sip:%61lice@IMS.example;user=phone;transport=tcp>
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > Call-ID: fetch
        {OK}
        < Contact: {A};expires=3600
    """,
    "10.2, To: has to be a SIP or SIPS URI": """
        > as nobody
        > To: <tel:+12025550101>
        < SIP/2.0 400 Bad Request
        > To: <sips:alice@ims.example>
        < SIP/2.0 200 OK
    """,
    # Step 6: fetch and wildcard
    "10.2.3 and 10.3 step 6: no Contact lists and changes nothing": f"""
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        + 100
        > Expires: 60
        {OK}
        < Contact: {A};expires=3500
    """,
    "10.3 step 6: the CSeq of a fetch is not looked at": f"""
        > CSeq: 9 REGISTER
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > CSeq: 3 REGISTER
        {OK}
        < Contact: {A};expires=3600
    """,
    "10.2.2 and 10.3 step 6: the wildcard removes every binding": f"""
        > Contact: {A}, {B}
        {OK}
        < Contact: {A};expires=3600
        < Contact: {B};expires=3600
        > Contact: *
        > Expires: 0
        {OK}
    """,
    "10.3 step 6: the wildcard where nothing is bound": f"""
        > Contact: *
        > Expires: 0
        {OK}
    """,
    "10.3 step 6: wildcard without Expires": f"""
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > Contact: *
        < SIP/2.0 400 Contact * stands alone and needs Expires 0
        > Contact: *
        > Expires: 1
        < SIP/2.0 400 Contact * stands alone and needs Expires 0
        > Contact: *
        > Expires: never
        < SIP/2.0 400 Contact * stands alone and needs Expires 0
        > Call-ID: fetch
        {OK}
        < Contact: {A};expires=3600
    """,
    "10.3 step 6: wildcard and another Contact": f"""
        > Contact: *
        > Contact: {A}
        > Expires: 0
        < SIP/2.0 400 Contact * stands alone and needs Expires 0
        > Contact: {A}, *
        > Expires: 0
        < SIP/2.0 400 Contact * stands alone and needs Expires 0
        > Contact: *, *
        > Expires: 0
        < SIP/2.0 400 Contact * stands alone and needs Expires 0
    """,
    "10.3 step 6: the Expires of a wildcard is the header field": """
        > Contact: *;expires=0
        < SIP/2.0 400 contact: no scheme in URI '*'
    """,
    "10.3 step 6: wildcard, another Call-ID removes": f"""
        > CSeq: 50 REGISTER
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > Call-ID: two
        > CSeq: 1 REGISTER
        > Contact: *
        > Expires: 0
        {OK}
    """,
    "10.3 step 6: wildcard, a CSeq that is not higher aborts for every binding": f"""
        > CSeq: 5 REGISTER
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > CSeq: 9 REGISTER
        > Contact: {B}
        {OK}
        < Contact: {A};expires=3600
        < Contact: {B};expires=3600
        > CSeq: 7 REGISTER
        > Contact: *
        > Expires: 0
        < SIP/2.0 500 CSeq 7 is not higher than 9 of the same Call-ID
        > CSeq: 9 REGISTER
        > Contact: *
        > Expires: 0
        < SIP/2.0 500 CSeq 9 is not higher than 9 of the same Call-ID
        > Call-ID: fetch
        {OK}
        < Contact: {A};expires=3600
        < Contact: {B};expires=3600
        > CSeq: 10 REGISTER
        > Contact: *
        > Expires: 0
        {OK}
    """,
    # Step 7: how long
    "10.3 step 7: expires of the Contact, else Expires, else ours": f"""
        > Contact: {A};expires=120, {B}
        > Expires: 1800
        {OK}
        < Contact: {A};expires=120
        < Contact: {B};expires=1800
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        < Contact: {B};expires=1800
    """,
    "10.3 step 7: shortened to what we grant, never lengthened": f"""
        > Contact: {A};expires=600000
        {OK}
        < Contact: {A};expires=3600
        > Contact: {A};expires=61
        {OK}
        < Contact: {A};expires=61
    """,
    "10.2, expires: what cannot be read counts as 3600": f"""
        > Contact: {A};expires=soon
        > Expires: 100
        {OK}
        < Contact: {A};expires=3600
        > Contact: {A};expires
        > Expires: 100
        {OK}
        < Contact: {A};expires=3600
        > Contact: {A};expires=-1
        > Expires: 100
        {OK}
        < Contact: {A};expires=3600
        > Contact: {A}
        > Expires: 1e2
        {OK}
        < Contact: {A};expires=3600
    """,
    "10.2, expires: zeros in front, 2**32 and beyond": f"""
        > Contact: {A};expires=000000000000000000120
        {OK}
        < Contact: {A};expires=120
        > Contact: {A};expires=4294967296
        {OK}
        < Contact: {A};expires=3600
        > Contact: {A};expires=340282366920938463463374607431768211456
        {OK}
        < Contact: {A};expires=3600
        > Contact: {A};expires=00000000000
        {OK}
    """,
    "10.3 step 7: too brief": f"""
        > Contact: {A};expires=59
        < SIP/2.0 423 Interval Too Brief
        < Min-Expires: 60
        > Contact: {A}
        > Expires: 1
        < SIP/2.0 423 Interval Too Brief
        < Min-Expires: 60
        > Contact: {A};expires=60
        {OK}
        < Contact: {A};expires=60
        < Min-Expires:
    """,
    "10.3 step 7: 0 is never too brief": f"""
        > Contact: {A};expires=0
        {OK}
    """,
    "10.3 step 7: one that is too brief refuses them all": f"""
        > Contact: {A};expires=100, {B};expires=5
        < SIP/2.0 423 Interval Too Brief
        < Min-Expires: 60
        > Call-ID: fetch
        {OK}
    """,
    # Step 7: which binding
    "10.2.2: expires 0 removes one": f"""
        > Contact: {A}, {B}
        {OK}
        < Contact: {A};expires=3600
        < Contact: {B};expires=3600
        > Contact: {A};expires=0
        {OK}
        < Contact: {B};expires=3600
    """,
    "10.3 step 7: another Call-ID updates and removes, whatever its CSeq": f"""
        > CSeq: 50 REGISTER
        > Contact: {A}, {B}
        {OK}
        < Contact: {A};expires=3600
        < Contact: {B};expires=3600
        > Call-ID: two
        > CSeq: 1 REGISTER
        > Contact: {A};expires=90, {B};expires=0
        {OK}
        < Contact: {A};expires=90
    """,
    "10.3 step 7: the same Call-ID needs a higher CSeq": f"""
        > CSeq: 5 REGISTER
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > CSeq: 5 REGISTER
        > Contact: {A};expires=100
        < SIP/2.0 500 CSeq 5 is not higher than 5 of the same Call-ID
        > CSeq: 4 REGISTER
        > Contact: {A};expires=0
        < SIP/2.0 500 CSeq 4 is not higher than 5 of the same Call-ID
        > CSeq: 6 REGISTER
        > Contact: {A};expires=100
        {OK}
        < Contact: {A};expires=100
    """,
    "10.3 step 7: what is out of order for one binding changes none": f"""
        > CSeq: 5 REGISTER
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > CSeq: 5 REGISTER
        > Contact: {B}, {A};expires=0, <sip:alice@192.0.2.3>
        < SIP/2.0 500 CSeq 5 is not higher than 5 of the same Call-ID
        > Call-ID: fetch
        {OK}
        < Contact: {A};expires=3600
    """,
    "10.3 step 7: each binding has the Call-ID and CSeq of its own last REGISTER": f"""
        > CSeq: 5 REGISTER
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > CSeq: 8 REGISTER
        > Contact: {B}
        {OK}
        < Contact: {A};expires=3600
        < Contact: {B};expires=3600
        > CSeq: 6 REGISTER
        > Contact: {A};expires=100
        {OK}
        < Contact: {A};expires=100
        < Contact: {B};expires=3600
    """,
    "10.3 step 7 and 19.1.4: URIs that are one": """
        > Contact: <sip:%61lice@192.0.2.1;transport=tcp;x=1>;expires=100
        < SIP/2.0 200 OK
        < Contact: <sip:%61lice@192.0.2.1;transport=tcp;x=1>;expires=100
        > Contact: <sip:alice@192.0.2.1;y=2;Transport=TCP>;expires=200
        < SIP/2.0 200 OK
        < Contact: <sip:alice@192.0.2.1;y=2;transport=TCP>;expires=200
        > Contact: <sip:alice@192.0.2.1;transport=tcp>;expires=0
        < SIP/2.0 200 OK
    """,
    "10.3 step 7 and 19.1.4: URIs that are not": """
        > Contact: <sip:alice@HOST>, <sip:Alice@host>, <sip:alice@host:5060>, <sip:alice@host;transport=udp>
        > Contact: <sip:alice@host?Subject=x>
        < SIP/2.0 200 OK
        < Contact: <sip:alice@host>;expires=3600
        < Contact: <sip:Alice@host>;expires=3600
        < Contact: <sip:alice@host:5060>;expires=3600
        < Contact: <sip:alice@host;transport=udp>;expires=3600
        < Contact: <sip:alice@host?Subject=x>;expires=3600
    """,
    "10.3 step 7: one URI twice in one request contradicts itself": f"""
        > Contact: {A};expires=100, {A};expires=0
        < SIP/2.0 400 Contact sip:alice@192.0.2.1 comes more than once
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
        > Contact: {A};expires=100, {B}, {A}
        < SIP/2.0 400 Contact sip:alice@192.0.2.1 comes more than once
        > Call-ID: fetch
        {OK}
        < Contact: {A};expires=3600
    """,
    # Contact
    "10.2.1.2: q is kept, and the order is not changed by it": f"""
        > Contact: {A};q=0.1
        > Contact: {B};q=1.0
        {OK}
        < Contact: {A};expires=3600;q=0.1
        < Contact: {B};expires=3600;q=1.0
    """,
    "25.1 qvalue: what is none": f"""
        > Contact: {A};q=1.001
        < SIP/2.0 400 q of a Contact is a number from 0 to 1
        > Contact: {A};q=high
        < SIP/2.0 400 q of a Contact is a number from 0 to 1
        > Contact: {A};q
        < SIP/2.0 400 q of a Contact is a number from 0 to 1
        > Contact: {A};q=-0.5, {B}
        < SIP/2.0 400 q of a Contact is a number from 0 to 1
        > Call-ID: fetch
        {OK}
    """,
    "10.2.1: a Contact that SIP does not reach": """
        > Contact: <tel:+12025550199>
        < SIP/2.0 400 Contact tel:+12025550199 is not a SIP URI
        > Contact: <mailto:alice@ims.example>, <sip:alice@192.0.2.1>
        < SIP/2.0 400 Contact mailto:alice@ims.example is not a SIP URI
        > Call-ID: fetch
        < SIP/2.0 200 OK
    """,
    "20.10: parameters behind a bare URI are the header's": """
        > Contact: sip:alice@192.0.2.1;expires=100;unknown=1
        < SIP/2.0 200 OK
        < Contact: <sip:alice@192.0.2.1>;unknown=1;expires=100
        > Contact: <sip:alice@192.0.2.1;unknown=1>;expires=0
        < SIP/2.0 200 OK
    """,
    "10.3: contacts of a user have an end": """
        > Contact: <sip:0@h>, <sip:1@h>, <sip:2@h>, <sip:3@h>, <sip:4@h>, <sip:5@h>, <sip:6@h>, <sip:7@h>, <sip:8@h>
        > Contact: <sip:9@h>, <sip:a@h>, <sip:b@h>, <sip:c@h>, <sip:d@h>, <sip:e@h>, <sip:f@h>, <sip:g@h>, <sip:h@h>
        > Contact: <sip:i@h>, <sip:j@h>, <sip:k@h>, <sip:l@h>, <sip:m@h>, <sip:n@h>, <sip:o@h>, <sip:p@h>, <sip:q@h>
        > Contact: <sip:r@h>, <sip:s@h>, <sip:t@h>, <sip:u@h>, <sip:v@h>, <sip:w@h>
        < SIP/2.0 403 A user has at most 32 contacts
        > Call-ID: fetch
        < SIP/2.0 200 OK
    """,
    # Step 8 and the rest
    "10.2.4 and 10.3 step 8: every binding of the set, with what is left of its time": f"""
        > Contact: {A};expires=100
        {OK}
        < Contact: {A};expires=100
        + 40
        > To: <sip:+12025550101@ims.example;user=phone>
        > Contact: {B};expires=100
        {OK}
        < Contact: {A};expires=60
        < Contact: {B};expires=100
        + 60
        > Call-ID: fetch
        {OK}
        < Contact: {B};expires=40
        + 40
        > Call-ID: fetch
        {OK}
    """,
    "10.3: Record-Route is ignored, and Route leads to us": f"""
        > Record-Route: <sip:192.0.2.9;lr>
        > Route: <sip:127.0.0.1:5060;lr>
        > Contact: {A}
        {OK}
        < Contact: {A};expires=3600
    """,
    "7.3.1: what may stand once stands once": f"""
        > Expires: 100
        > Expires: 200
        > Contact: {A}
        < SIP/2.0 400 expires comes more than once
    """,
}


@pytest.mark.parametrize("statement", STEPS)
def test_registrar_does_what_the_rfc_says(transcript, statement: str) -> None:
    transcript.play(STEPS[statement])
