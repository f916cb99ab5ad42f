"""RFC 4475 3.1.2: messages that are broken."""

from torture_row import DROPPED, FORWARDED, SDP, Row

_BAD = {"parser": "400", "core": "400", "ua": "400"}
_OR_REPAIR = "400, or repaired with care"


def _invite(name: str, start: str = "INVITE sip:user@ims.example SIP/2.0", more: str = "", **replaced: str) -> str:
    """A right INVITE, but for what is given."""
    fields = {
        "To": "sip:user@ims.example",
        "From": f"sip:caller@ims.example;tag={name}",
        "Max-Forwards": "70",
        "Call-ID": f"{name}.1@ims.example",
        "CSeq": "8 INVITE",
        "Via": f"SIP/2.0/UDP SENT-BY;branch=z9hG4bK{name}",
        "Contact": "<sip:caller@SENT-BY>",
        "Content-Type": "application/sdp",
        "Content-Length": "LENGTH",
    }
    fields |= {field.replace("_", "-"): value for field, value in replaced.items()}
    return "".join([f"{start}\n", *(f"{field}: {value}\n" for field, value in fields.items()), more])


def _options(name: str, start: str = "OPTIONS sip:user@ims.example SIP/2.0", **replaced: str) -> str:
    """A right OPTIONS, but for what is given."""
    fields = {
        "Via": f"SIP/2.0/UDP SENT-BY;branch=z9hG4bK{name}",
        "Max-Forwards": "70",
        "From": f"<sip:caller@ims.example>;tag={name}",
        "To": "<sip:user@ims.example>",
        "Call-ID": f"{name}.1@ims.example",
        "Accept": "application/sdp",
        "CSeq": "3923 OPTIONS",
    }
    fields |= {field.replace("_", "-"): value for field, value in replaced.items()}
    return "".join([f"{start}\n", *(f"{field}: {value}\n" for field, value in fields.items()), "l: 0\n"])


ROWS = (
    Row(
        "RFC 4475 3.1.2.1",
        "badinv01",
        "semicolons and commas with nothing between them in Via and Contact",
        "400",
        _invite("badinv01", Via="SIP/2.0/UDP SENT-BY;;,;,,", Contact='"Joe" <sip:joe@SENT-BY>;;;;'),
        SDP,
        **_BAD,
        note="A Via that cannot be read names no way back: the answer goes to where the message came from.",
    ),
    Row(
        "RFC 4475 3.1.2.2",
        "clerr",
        "Content-Length larger than the datagram",
        "400; on a stream wait for the rest, then close",
        _invite("clerr", Content_Length="9999"),
        SDP,
        **_BAD,
        core_tcp="waits; with the rest forwarded; 200",
        ua_tcp="waits; with the rest 405",
    ),
    Row(
        "RFC 4475 3.1.2.3",
        "ncl",
        "negative Content-Length",
        "an error; on a stream close",
        _invite("ncl", Content_Length="-999"),
        SDP,
        **_BAD,
        core_tcp="400; closed",
        ua_tcp="400; closed",
    ),
    Row(
        "RFC 4475 3.1.2.4",
        "scalar02",
        "numbers beyond their range in CSeq, Max-Forwards, Expires and expires",
        "400, for the CSeq",
        f"""
REGISTER sip:ims.example SIP/2.0
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKscalar02
To: <sip:registrant@ims.example>
From: <sip:registrant@ims.example>;tag=239
CSeq: {2**65} REGISTER
Call-ID: scalar02.23o0
Max-Forwards: 300
Expires: 1{"0" * 100}
Contact: <sip:registrant@SENT-BY>
  ;expires=280297596632815
Content-Length: 0
""",
        parser="400",
        core="400; with credentials 400",
        ua="400",
    ),
    Row(
        "RFC 4475 3.1.2.5",
        "scalarlg",
        "a response with numbers beyond their range in CSeq, Retry-After and Warning",
        "dropped",
        """
SIP/2.0 503 Service Unavailable
Via: SIP/2.0/UDP 192.0.2.129;branch=z9hG4bKscalarlg;received=192.0.2.129
To: <sip:user@ims.example>
From: <sip:caller@ims.example>;tag=2eas
CSeq: 9292394834772304023312 OPTIONS
Call-ID: scalarlg.noas
Retry-After: 949302838503028349304023988
Warning: 1812 overture "In Progress"
Content-Length: 0
""",
        parser=DROPPED,
        core="as answer to a forwarded OPTIONS: dropped",
        ua="as answer to its REGISTER: dropped",
    ),
    Row(
        "RFC 4475 3.1.2.6",
        "quotbal",
        "a quote in To that is not closed",
        _OR_REPAIR,
        _invite("quotbal", To='"Mr. J. User <sip:user@ims.example>'),
        SDP,
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.7",
        "ltgtruri",
        "`<>` around the Request-URI",
        "400, or ignored and never forwarded",
        _invite("ltgtruri", "INVITE <sip:user@ims.example> SIP/2.0"),
        SDP,
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.8",
        "lwsruri",
        "a blank in the Request-URI",
        "400",
        _invite("lwsruri", "INVITE sip:user@ims.example; lr SIP/2.0"),
        SDP,
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.9",
        "lwsstart",
        "more than one blank between the parts of the start line",
        "400, or ignored and never forwarded",
        _invite("lwsstart", "INVITE  sip:user@ims.example  SIP/2.0"),
        SDP,
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.10",
        "trws",
        "blanks at the end of the start line",
        "400, or ignored and never forwarded",
        _options("trws", "OPTIONS sip:user@ims.example SIP/2.0  "),
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.11",
        "escruri",
        "headers in the Request-URI",
        "400, or ignored and never forwarded",
        _invite("escruri", "INVITE sip:user@ims.example?Route=%3Csip:ims.example%3E SIP/2.0"),
        SDP,
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.12",
        "baddate",
        "a Date in another time zone than GMT",
        "better ignored where the Date does not matter, else 400",
        _invite("baddate", more="Date: Fri, 01 Jan 2027 16:00:00 EST\n"),
        SDP,
        core=FORWARDED,
    ),
    Row(
        "RFC 4475 3.1.2.13",
        "regbadct",
        "a Contact with headers in its URI and no `<>`",
        "400, or the brackets inferred",
        """
REGISTER sip:ims.example SIP/2.0
To: sip:registrant@ims.example
From: sip:registrant@ims.example;tag=9983
Max-Forwards: 70
Call-ID: regbadct.k345@ims.example
CSeq: 1 REGISTER
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKregbadct
Contact: sip:registrant@SENT-BY?Route=%3Csip:relay.example.com%3E
l: 0
""",
        parser="400",
        core="400; with credentials 400",
        ua="400",
    ),
    Row(
        "RFC 4475 3.1.2.14",
        "badaspec",
        "blanks within the `<>` of To",
        "400, or the blanks ignored",
        _options("badaspec", To='"Watson, Thomas" < sip:user@ims.example >'),
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.15",
        "baddn",
        "display names with a comma and no quotes",
        "400",
        _options(
            "baddn", From="Bell, Alexander <sip:caller@ims.example>;tag=43", To="Watson, T <sip:user@ims.example>"
        ),
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.16",
        "badvers",
        "SIP/7.0 in start line and Via",
        "505",
        _options("badvers", "OPTIONS sip:user@ims.example SIP/7.0", Via="SIP/7.0/UDP SENT-BY;branch=z9hG4bKbadvers"),
        parser="505",
        core="505",
        ua="505",
    ),
    Row(
        "RFC 4475 3.1.2.17",
        "mismatch01",
        "the CSeq is of another method",
        "400",
        _options("mismatch01", CSeq="8 INVITE"),
        **_BAD,
    ),
    Row(
        "RFC 4475 3.1.2.18",
        "mismatch02",
        "the CSeq is of another method, and the method is unknown",
        "501 rather than 400",
        _invite("mismatch02", "NEWMETHOD sip:user@ims.example SIP/2.0"),
        SDP,
        parser="501",
        core="501",
        ua="501",
    ),
    Row(
        "RFC 4475 3.1.2.19",
        "bigcode",
        "a status above 699",
        "dropped",
        """
SIP/2.0 4294967301 better not break the receiver
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bKbigcode
Call-ID: bigcode.asdo
CSeq: 353494 INVITE
From: <sip:caller@ims.example>;tag=39an
To: <sip:user@ims.example>;tag=902j
Content-Length: 0
""",
        parser=DROPPED,
        core="as answer to a forwarded OPTIONS: dropped",
        ua="as answer to its REGISTER: dropped",
    ),
)
