"""RFC 4475 3.2 to 3.4: messages that can be read, and what they mean to transactions, registrars, proxies and ends."""

from torture_row import SDP, Row

_METHOD_FIRST = "INVITE is 405 at the client, as a method that it does not serve: RFC 3261 8.2.1 comes before 8.2.3."


def _register(name: str, contact: str, more: str = "", to: str = "sip:registrant@ims.example") -> str:
    return f"""
REGISTER sip:ims.example SIP/2.0
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bK{name}
Max-Forwards: 70
From: sip:registrant@ims.example;tag={name}
To: {to}
Call-ID: {name}.7071@ims.example
CSeq: 2 REGISTER
{contact}{more}l: 0
"""


def _options(name: str, uri: str = "sip:user@ims.example", more: str = "", branch: str = "", hops: int = 30) -> str:
    return f"""
OPTIONS {uri} SIP/2.0
To: sip:user@ims.example
From: sip:caller@ims.example;tag={name}
Max-Forwards: {hops}
Call-ID: {name}.sado@ims.example
CSeq: 39 OPTIONS
Via: SIP/2.0/UDP SENT-BY;branch={branch or "z9hG4bK" + name}
{more}"""


def _invite(name: str, more: str) -> str:
    return f"""
INVITE sip:user@ims.example SIP/2.0
Contact: <sip:caller@SENT-BY>
To: sip:user@ims.example
From: sip:caller@ims.example;tag={name}
Max-Forwards: 70
Call-ID: {name}.0ha0@ims.example
CSeq: 235 INVITE
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bK{name}
Content-Length: LENGTH
{more}"""


ROWS = (
    Row(
        "RFC 4475 3.2.1",
        "badbranch",
        "a branch that is the magic cookie and nothing else",
        "400, or matched as RFC 2543 does",
        _options("badbranch", branch="z9hG4bK", more="l: 0\n"),
        parser="400",
        core="400",
        ua="400",
    ),
    Row(
        "RFC 4475 3.3.1",
        "insuf",
        "no Call-ID, From and To",
        "400, and nothing breaks",
        """
INVITE sip:user@ims.example SIP/2.0
CSeq: 193942 INVITE
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKinsuf.kdj
Content-Type: application/sdp
l: LENGTH
""",
        SDP,
        parser="400",
        core="400",
        ua="400",
    ),
    Row(
        "RFC 4475 3.3.2",
        "unkscm",
        "a Request-URI of an unknown scheme, a right URI in To",
        "416; To routes nothing",
        _options("unkscm", "nobodysScheme:entirelyopaque", "Content-Length: 0\n"),
        core="416",
        ua="416",
    ),
    Row(
        "RFC 4475 3.3.3",
        "novelsc",
        "a Request-URI of a known scheme that SIP has no use for",
        "416, or 404 where the scheme is understood",
        _options("novelsc", "soap.beep://192.0.2.103:3002", "Content-Length: 0\n"),
        core="416",
        ua="416",
    ),
    Row(
        "RFC 4475 3.3.4",
        "unksm2",
        "REGISTER with To, From and Contact of other schemes",
        "registrar 400",
        """
REGISTER sip:ims.example SIP/2.0
To: isbn:2983792873
From: <http://www.example.com>;tag=3234
Call-ID: unksm2.daks@ims.example
CSeq: 234902 REGISTER
Max-Forwards: 70
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKunksm2
Contact: <name:John_Smith>
l: 0
""",
        core="400; with credentials 400",
    ),
    Row(
        "RFC 4475 3.3.5",
        "bext01",
        "Require and Proxy-Require of what nobody supports",
        "420; Unsupported lists what is asked of the role",
        _options(
            "bext01",
            more="Require: nobodyHasThis, norThis\nProxy-Require: noProxyHasThis, norDoesAnyHaveThis\nl: 0\n",
        ),
        core="420",
        ua="420",
    ),
    Row(
        "RFC 4475 3.3.6",
        "invut",
        "a body of an unknown type",
        "a proxy forwards it, an end says 415",
        _invite("invut", "Content-Type: application/nobody-knows\n"),
        b'<audio>\r\n <pcmu port="40000"/>\r\n</audio>\r\n',
        note=f"{_METHOD_FIRST} The same body in OPTIONS, which it serves, is 415.",
    ),
    Row(
        "RFC 4475 3.3.7",
        "regaut01",
        "an Authorization of an unknown scheme",
        "registrar 401 with a challenge of its own, others 405",
        _register("regaut01", "", "Authorization: NobodyKnowsThisScheme opaque-data=here\n"),
        core="401; with credentials 200",
        note="With credentials: beside the unknown ones, which are then passed over.",
    ),
    Row(
        "RFC 4475 3.3.8",
        "multi01",
        "headers twice that may stand only once",
        "400",
        """
INVITE sip:user@ims.example SIP/2.0
Contact: <sip:caller@SENT-BY>
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKmulti01
Max-Forwards: 70
CSeq: 5 INVITE
Call-ID: multi01.98as@192.0.2.1
CSeq: 59 INVITE
Call-ID: multi01.98as@192.0.2.2
From: sip:caller@ims.example;tag=3413415
To: sip:user@ims.example
To: sip:other@ims.example
From: sip:other@ims.example;tag=2923420123
Content-Type: application/sdp
l: LENGTH
Contact: <sip:caller@SENT-BY>
Max-Forwards: 5
""",
        SDP,
        parser="400",
        core="400",
        ua="400",
    ),
    Row(
        "RFC 4475 3.3.9",
        "mcl01",
        "two Content-Length that differ",
        "an error; on a stream close",
        _options("mcl01", more="Content-Length: 13\nContent-Length: 5\nContent-Type: text/plain\n"),
        b"Nobody can tell how much of this belongs to the request.",
        parser="400",
        core="400",
        ua="400",
        core_tcp="400; closed",
        ua_tcp="400; closed",
    ),
    Row(
        "RFC 4475 3.3.10",
        "bcast",
        "a response with 255.255.255.255 in its second Via",
        "dropped",
        """
SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bKbcast
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKsaber
Call-ID: bcast.0384
CSeq: 35 INVITE
From: sip:caller@ims.example;tag=1114
To: sip:user@ims.example;tag=2229
Content-Length: LENGTH
Content-Type: application/sdp
Contact: <sip:user@192.0.2.28>
""",
        SDP,
        core="as answer to a forwarded OPTIONS: dropped",
        ua="as answer to its REGISTER: dropped",
        note="Sent with our own Via on top, since the other one alone is enough to drop it.",
    ),
    Row(
        "RFC 4475 3.3.11",
        "zeromf",
        "Max-Forwards 0",
        "a proxy says 483, an end does not mind",
        _options("zeromf", hops=0, more="Content-Length: 0\n"),
        core="483",
        ua="200",
    ),
    Row(
        "RFC 4475 3.3.12",
        "cparam01",
        "a parameter of a Contact without `<>`",
        "200; it never becomes a parameter of the URI",
        _register("cparam01", "Contact: sip:+12025550199@127.0.0.1:PORT;novelparam\n"),
        core="401; with credentials 200",
    ),
    Row(
        "RFC 4475 3.3.13",
        "cparam02",
        "an unknown URI parameter of a Contact",
        "200; it stays in the URI",
        _register("cparam02", "Contact: <sip:+12025550199@127.0.0.1:PORT;novelparam>\n"),
        core="401; with credentials 200",
    ),
    Row(
        "RFC 4475 3.3.14",
        "regescrt",
        "headers in the URI of a Contact",
        "200; a later fetch has them",
        _register("regescrt", "M: <sip:registrant@127.0.0.1:PORT?Route=%3Csip:relay.example.com%3E>\n"),
        core="401; with credentials 200",
    ),
    Row(
        "RFC 4475 3.3.15",
        "sdp01",
        "an INVITE that accepts no SDP",
        "406 or 400 of an end",
        _invite("sdp01", "Accept: text/nobodyKnowsThis\nContent-Type: application/sdp\n"),
        SDP,
        note=_METHOD_FIRST,
    ),
    Row(
        "RFC 4475 3.4.1",
        "inv2543",
        "no branch, From tag, Max-Forwards and Content-Length",
        "to be taken, as from an RFC 2543 client",
        """
INVITE sip:user@ims.example SIP/2.0
Via: SIP/2.0/UDP SENT-BY
From: <sip:caller@ims.example;user=phone>
Record-Route: <sip:user@ims.example;maddr=relay.example.com>
To: sip:+12025550198@ims.example;user=phone
Call-ID: inv2543.1717@ims.example
CSeq: 56 INVITE
Content-Type: application/sdp
""",
        SDP,
        core_tcp="400; closed",
        ua_tcp="400; closed",
    ),
)
