"""RFC 4475 3.1.1: messages that look odd and are right."""

from torture_row import SDP, Row

_PKCS7 = bytes(range(256)) + b"\x00\x00\r\n\x00\n\r\x00"
_PARTS = (
    b"--between\r\nContent-Type: text/plain\r\n\r\nGood evening\r\n"
    b"--between\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    + _PKCS7
    + b"\r\n--between--\r\n"
)

_ODD_NAMES = ("Via", "v", "V", "VIA", "via", "vIa", "V ", "v  ", "Via ", "viA\t")
_MANY_VIAS = "".join(
    f"{_ODD_NAMES[number % len(_ODD_NAMES)]}: SIP/2.0/TCP hop{number}.{'far.' * 5}example;branch=z9hG4bKhop{number}\n"
    for number in range(33)
)
_LONG_PARAMETERS = f"one=very{'long' * 20}value;{'name' * 25}=short;very{'long' * 25}flag"

ROWS = (
    Row(
        "RFC 4475 3.1.1.1",
        "wsinv",
        "folds, blanks, compact and long names, odd case, leading zeros",
        "a request like any other",
        r"""
INVITE sip:user@ims.example;novel SIP/2.0
TO :
 sip:user@ims.example ;  tag  =  early-8
fRoM :  "A \\\" Caller"      <sip:caller@ims.example>
  ;
 tag = 23ca
MAX-forwards:  0042
Call-ID  : wsinv.91@192.0.2.7
l   : LENGTH
cSEQ: 0017
    INVITE
Via  : SIP  /   2.0
  /UDP
     SENT-BY;branch=old-style-1
s :
X-Novelty:   first half
   second half
X-Separators-Alone: ,;;,,;
c: application/sdp
Route:
  <sip:DAEMON;lr;novel=value;novel-flag>
v:   SIP / 2.0 / TCP    relay.example.org  ;
   branch =    z9hG4bKrelay7  ,
  SIP  /  2.0  / UDP  192.0.2.77  ; branch=
  z9hG4bKfirst7
m:"A quoted \"\" name" <sip:caller@SENT-BY> ;  novel  =
      thing ;
   flag ; q = 0.25
""",
        SDP,
        note="The To tag makes it a request within a dialog. The client has no sessions, so INVITE is 405, with what "
        "it serves in Allow: RFC 3261 8.2.1 looks at the method first.",
    ),
    Row(
        "RFC 4475 3.1.1.2",
        "intmeth",
        "every character that is legal, in method, user, branch, display name, tag, Call-ID and a header's name",
        "a proxy forwards it or knows no such user, an end says 501 and what it serves",
        "%odd'Method`1~_+*.! sip:1_odd.user~(is-it!not)&isn't+so$/why?,/;;*:&pass=1+wo$d~_2.(isn't-it)"
        "@ims.example SIP/2.0\n"
        "Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bK-.!%7A*_+`'~\n"
        'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_odd.user~(is-it!not)&isn\'t+so$/why?,/;;*@ims.example>\n'
        "From: one~` two'+_ three*%!.- <sip:caller@ims.example>;novel''~+*_!.-%=\"незнакомое\";tag=_t~1'+`*%!-.\n"
        "Call-ID: intmeth.w%ZY-!.*_+'@word`~)(><:\\/\"][?}{\n"
        "CSeq: 20261122 %odd'Method`1~_+*.!\n"
        "Max-Forwards: 255\n"
        "novelHeader-!.%*+_`'~: \ufeff大停電\n"
        "Content-Length: LENGTH\n",
        ua="501",
    ),
    Row(
        "RFC 4475 3.1.1.3",
        "esc01",
        "escapes in users and URI parameters, none of them to be undone twice",
        "a request like any other",
        """
INVITE sip:sips%3Auser%40example.com@ims.example SIP/2.0
To: sip:%75se%72@ims.example
From: <sip:c%61ller@ims.example>;tag=esc1
Max-Forwards: 87
i: esc01.4711
CSeq: 234 INVITE
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKesc01
C: application/sdp
Contact:
   <sip:cal%6Cer@SENT-BY;%6C%72;p%61ram=%76alue%25%34%31>
Content-Length: LENGTH
""",
        SDP,
    ),
    Row(
        "RFC 4475 3.1.1.4",
        "escnull",
        "escaped NULs in users",
        "REGISTER of two contacts, no user is cut short",
        """
REGISTER sip:ims.example SIP/2.0
To: sip:null-%00-null@ims.example
From: sip:null-%00-null@ims.example;tag=8399
Max-Forwards: 70
Call-ID: escnull.39203
CSeq: 143 REGISTER
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKescnull
Contact: <sip:%00@SENT-BY>
Contact: <sip:%00%00@SENT-BY>
L:0
""",
        core="401; with credentials 200",
    ),
    Row(
        "RFC 4475 3.1.1.5",
        "esc02",
        "% where it is no escape: method, display name, branch, a header's name",
        "not REGISTER, so 501; two contacts, not three",
        """
RE%47IST%45R sip:ims.example SIP/2.0
To: "%Z%45" <sip:user@ims.example>
From: "%Z%45" <sip:caller@ims.example>;tag=f232
Call-ID: esc02.asdf
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bK209%fzs
CSeq: 29344 RE%47IST%45R
Max-Forwards: 70
Contact: <sip:alias1@SENT-BY>
C%6Fntact: <sip:alias2@SENT-BY>
Contact: <sip:alias3@SENT-BY>
l: 0
""",
        core="501",
        ua="501",
    ),
    Row(
        "RFC 4475 3.1.1.6",
        "lwsdisp",
        "no blank between display name and `<`",
        "to be taken",
        """
OPTIONS sip:user@ims.example SIP/2.0
To: sip:user@ims.example
From: Caller<sip:caller@ims.example>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp.1234@ims.example
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKlwsdisp
l: 0
""",
        ua="200",
    ),
    Row(
        "RFC 4475 3.1.1.7",
        "longreq",
        "very long names and values, 34 Via",
        "a request like any other",
        f"""
INVITE sip:user@ims.example SIP/2.0
To: "A name of {"extreme" * 12} length" <sip:user@ims.example;{_LONG_PARAMETERS}>
F: sip:caller@ims.example;tag=12{"98" * 60}4;novel{"param" * 20}=novel{"value" * 15};flag{"less" * 12}
Call-ID: longreq.one{"really" * 20}longcallid
CSeq: 3882 INVITE
Novel-{"Long-" * 20}Name: novel-{"long-" * 20}value; novel-{"long-" * 20}parameter = other-{"long-" * 20}value
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKvery{"long" * 50}branch
{_MANY_VIAS}Max-Forwards: 70
Contact: <sip:{"amazinglylong" * 6}@SENT-BY>
Content-Type: application/sdp
l: LENGTH
""",
        SDP,
        core_tcp="forwarded; 200",
        ua_tcp="405",
    ),
    Row(
        "RFC 4475 3.1.1.8",
        "dblreq",
        "octets behind a body of length 0 that look like an INVITE",
        "the REGISTER counts, the rest does not",
        """
REGISTER sip:ims.example SIP/2.0
To: sip:registrant@ims.example
From: sip:registrant@ims.example;tag=4325
Max-Forwards: 8
I: dblreq.0ha0
Contact: sip:registrant@SENT-BY
CSeq: 8 REGISTER
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKdblreq
Content-Length: 0
""",
        b"INVITE sip:user@ims.example SIP/2.0\r\nt: sip:user@ims.example\r\nFrom: sip:caller@ims.example;tag=1413\r\n"
        b"Max-Forwards: 8\r\nCall-ID: dblreq.behind\r\nCSeq: 8 INVITE\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKbehind\r\nContent-Length: 0\r\n\r\n",
        core="401; with credentials 200",
        core_tcp="401, and the request behind: forwarded; 200",
        ua_tcp="405, and the request behind: 405",
    ),
    Row(
        "RFC 4475 3.1.1.9",
        "semiuri",
        "a semicolon and an escaped @ in the user",
        "a request to the user `user;par=u@example.net`",
        """
OPTIONS sip:user;par=u%40example.net@ims.example SIP/2.0
To: sip:user@ims.example
From: sip:caller@ims.example;tag=33242
Max-Forwards: 3
Call-ID: semiuri.0ha0
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime,
        multipart/mixed, message/sipfrag
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKsemiuri
l: 0
""",
        ua="200",
    ),
    Row(
        "RFC 4475 3.1.1.10",
        "transports",
        "known and unknown transports in the lower Via",
        "the lower Via do not matter",
        """
OPTIONS sip:user@ims.example SIP/2.0
To: sip:user@ims.example
From: <sip:caller@ims.example>;tag=323
Max-Forwards: 70
Call-ID:  transports.kijh
Accept: application/sdp
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bKt1
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKt2
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bKt3
Via: SIP/2.0/NOVEL t4.example.com;branch=z9hG4bKt4
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bKt5
l: 0
""",
        ua="200",
    ),
    Row(
        "RFC 4475 3.1.1.11",
        "mpart01",
        "a body of parts, one of them binary with NULs and line breaks",
        "the length frames it",
        """
MESSAGE sip:user@ims.example SIP/2.0
Via: SIP/2.0/UDP SENT-BY;branch=z9hG4bK-d87543-4dad-1--d87543-;rport
Max-Forwards: 70
Route: <sip:DAEMON;lr>
Contact: <sip:caller@SENT-BY>
To: <sip:user@ims.example>
From: <sip:caller@ims.example>;tag=2fb0
Call-ID: mpart01.3d94@Zmx1
CSeq: 1 MESSAGE
Content-Transfer-Encoding: binary
Content-Type: multipart/mixed;boundary=between
Date: Sun, 22 Nov 2026 04:44:56 GMT
Content-Length: LENGTH
""",
        _PARTS,
        core_tcp="forwarded; 200",
        ua_tcp="405",
    ),
    Row(
        "RFC 4475 3.1.1.12",
        "unreason",
        "an unusual reason phrase in UTF-8",
        "a response like any other",
        """
SIP/2.0 200 = 6 * 7, всё хорошо — %41
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bKunreason
Call-ID: unreason.1234
CSeq: 35 INVITE
From: sip:caller@ims.example;tag=1114
To: sip:user@ims.example;tag=2229
Content-Length: LENGTH
Content-Type: application/sdp
Contact: <sip:user@192.0.2.198>
""",
        SDP,
        core="as answer to a forwarded OPTIONS: forwarded, octet for octet",
        ua="as answer to its REGISTER: taken",
    ),
    Row(
        "RFC 4475 3.1.1.13",
        "noreason",
        "an empty reason phrase",
        "a response like any other",
        """
SIP/2.0 100 \nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bKnoreason
Call-ID: noreason.asnd
CSeq: 35 INVITE
From: <sip:caller@ims.example>;tag=39an
To: <sip:user@ims.example>;tag=902j
Content-Length: 0
Contact: <sip:user@192.0.2.105>
""",
        core="as answer to a forwarded OPTIONS: forwarded, octet for octet",
        ua="as answer to its REGISTER: taken",
        note="Sent to the daemons as a 480 and a 401, for a 100 shows no effect to tell.",
    ),
)
