"""RFC 5118: IPv6 addresses where SIP has addresses.

The core takes the addresses in the Request-URIs from its [hosts] table, where each stands for a socket of the test.
"""

from torture_row import Row

# Host and port of a Request-URI, as [hosts] has them. Which of them a message reaches shows how it was read.
PLACES = (
    "2001:db8::10",
    "2001:db8::10:5070",
    "[2001:db8::10]:5070",
    "2001:db8:::192.0.2.1",
    "2001:db8::192.0.2.1",
)

_SDP6 = (
    b"v=0\r\no=caller 9717 0 IN IP6 2001:db8::20\r\ns=-\r\nc=IN IP6 2001:db8::20\r\nt=0 0\r\n"
    b"m=audio 6000 RTP/AVP 2\r\na=rtpmap:2 G726-32/8000\r\n"
)
_SDP_BOTH = (
    b"v=0\r\no=caller 2807 2897 IN IP4 127.0.0.1\r\ns=\r\nt=0 0\r\nm=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"
    b"m=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:107 H263-1998/90000\r\n"
)
_SDP_MAPPED = _SDP6.replace(b"2001:db8::20", b"::ffff:192.0.2.2")


def _request(name: str, start: str, via: str = "[2001:db8::9:1]:PORT", more: str = "", to: str = "") -> str:
    method = start.partition(" ")[0]
    return f"""
{start} SIP/2.0
To: {to or "sip:user@ims.example"}
From: sip:caller@ims.example;tag=81x2
Via: SIP/2.0/UDP {via};branch=z9hG4bK{name}
Call-ID: {name}.9559@caller_4100
Max-Forwards: 70
CSeq: 8612 {method}
{more}Content-Length: LENGTH
"""


_CONTACT = 'Contact: "Caller" <sip:caller@[2001:db8::1]>\n'
_THEIRS = "sip:user@elsewhere.example"  # a REGISTER for another registrar is about a user of that one
_BODY = _CONTACT + "Content-Type: application/sdp\n"

ROWS = (
    Row(
        "RFC 5118 4.1",
        "ipv6-good",
        "IPv6 in Request-URI, Via and Contact",
        "a request like any other",
        _request("ipv6-good", "REGISTER sip:[2001:db8::10]", more=_CONTACT, to=_THEIRS),
        core="forwarded to 2001:db8::10; 200",
    ),
    Row(
        "RFC 5118 4.2",
        "ipv6-bad",
        "IPv6 without brackets in the Request-URI",
        "400",
        _request("ipv6-bad", "REGISTER sip:2001:db8::10", more=_CONTACT),
        parser="400",
        core="400",
        ua="400",
    ),
    Row(
        "RFC 5118 4.3",
        "port-ambiguous",
        "what was meant for a port stands within the brackets",
        "right, and the address has it",
        _request("port-ambiguous", "REGISTER sip:[2001:db8::10:5070]", more=_CONTACT, to=_THEIRS),
        core="forwarded to 2001:db8::10:5070; 200",
    ),
    Row(
        "RFC 5118 4.4",
        "port-unambiguous",
        "a port behind the brackets",
        "port 5070",
        _request("port-unambiguous", "REGISTER sip:[2001:db8::10]:5070", more=_CONTACT, to=_THEIRS),
        core="forwarded to [2001:db8::10]:5070; 200",
    ),
    Row(
        "RFC 5118 4.5",
        "via-received-param-with-delim",
        "brackets in the received of Via",
        "to be taken",
        _request(
            "via-received-param-with-delim",
            "BYE sip:[2001:db8::10]",
            via="[2001:db8::9:1]:PORT;received=[2001:db8::9:255]",
            to="sip:user@ims.example;tag=bd76ya",
        ),
        core="forwarded to 2001:db8::10; 200",
        ua="481",
        note="The answer goes to the source of the message, whatever the sender wrote there (RFC 3261 18.2.1).",
    ),
    Row(
        "RFC 5118 4.5",
        "via-received-param-no-delim",
        "no brackets in the received of Via",
        "a request like any other",
        _request(
            "via-received-param-no-delim",
            "OPTIONS sip:[2001:db8::10]",
            via="[2001:db8::9:1]:PORT;received=2001:db8::9:255",
            more=_CONTACT,
        ),
        core="forwarded to 2001:db8::10; 200",
        ua="200",
    ),
    Row(
        "RFC 5118 4.6",
        "ipv6-in-sdp",
        "IPv6 in the session description",
        "a request like any other",
        _request(
            "ipv6-in-sdp",
            "INVITE sip:user@[2001:db8::10]",
            via="[2001:db8::20]:PORT",
            more=_BODY,
            to="sip:user@[2001:db8::10]",
        ),
        _SDP6,
        core="forwarded to 2001:db8::10; 200",
    ),
    Row(
        "RFC 5118 4.7",
        "mult-ip-in-header",
        "IPv4 and IPv6 in the list of Via",
        "a request like any other",
        _request(
            "mult-ip-in-header",
            "BYE sip:user@ims.example",
            via="[2001:db8::9:1]:PORT",
            to="sip:user@ims.example;tag=9817--94",
            more="Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781\n"
            "Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200\n",
        ),
        ua="481",
    ),
    Row(
        "RFC 5118 4.8",
        "mult-ip-in-sdp",
        "IPv4 and IPv6 in the session description",
        "a request like any other",
        _request("mult-ip-in-sdp", "INVITE sip:user@[2001:db8::10]", more=_BODY, to="sip:user@[2001:db8::10]"),
        _SDP_BOTH,
        core="forwarded to 2001:db8::10; 200",
    ),
    Row(
        "RFC 5118 4.9",
        "ipv4-mapped-ipv6",
        "IPv4 addresses written as IPv6",
        "a request like any other",
        _request(
            "ipv4-mapped-ipv6",
            "INVITE sip:user@ims.example",
            via="[::ffff:192.0.2.10]:PORT",
            more="Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111\n"
            'Contact: "A desk phone" <sip:desk@[::ffff:192.0.2.2]>\nContent-Type: application/sdp\n',
        ),
        _SDP_MAPPED,
    ),
    Row(
        "RFC 5118 4.10",
        "ipv6-bug-abnf-3-colons",
        "a third colon, which the grammar of RFC 3261 allows",
        "to be taken; may be forwarded with two",
        _request(
            "ipv6-bug-abnf-3-colons",
            "OPTIONS sip:user@[2001:db8:::192.0.2.1]",
            via="SENT-BY",
            to="sip:user@[2001:db8:::192.0.2.1]",
        ),
        core="forwarded to 2001:db8:::192.0.2.1; 200",
        ua="200",
        note="Forwarded as it came.",
    ),
    Row(
        "RFC 5118 4.10",
        "ipv6-correct-abnf-2-colons",
        "the same with two",
        "a request like any other",
        _request(
            "ipv6-correct-abnf-2-colons",
            "OPTIONS sip:user@[2001:db8::192.0.2.1]",
            via="SENT-BY",
            to="sip:user@[2001:db8::192.0.2.1]",
        ),
        core="forwarded to 2001:db8::192.0.2.1; 200",
        ua="200",
    ),
)
