"""The three messages of `make bench`, as they come from a client, through three hops, and from the core.

Each comes from many users: names, tags, branches, Call-IDs, nonces and ports differ, as they do on a real wire.
"""

REGISTER = b"""\
REGISTER sip:ims.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5090;branch=z9hG4bK776asdhds;rport
Max-Forwards: 70
From: <sip:alice@ims.example>;tag=456248
To: <sip:alice@ims.example>
Call-ID: 843817637684230@998sdasdh09
CSeq: 1827 REGISTER
Contact: <sip:alice@192.0.2.10:5090;transport=udp>;expires=3600;q=0.7;+g.poc.talkburst;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"
Expires: 600000
Authorization: Digest username="alice@ims.example", realm="ims.example", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c0", uri="sip:ims.example", response="6629fae49393a05397450978507c4ef1", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001
Supported: path
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, NOTIFY
User-Agent: Talkburst
Content-Length: 0

"""

SUBSCRIBE = b"""\
SUBSCRIBE sip:alice@ims.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5054;branch=z9hG4bKa9f1c4e0d2b7;rport
Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK87asdks7;received=192.0.2.2;rport=5060
Via: SIP/2.0/TCP 192.0.2.10:5090;branch=z9hG4bK776asdhds;received=192.0.2.10;rport=40112
Max-Forwards: 68
Record-Route: <sip:192.0.2.1:5054;lr>
Record-Route: <sip:192.0.2.2:5060;transport=tcp;lr>
Route: <sip:scscf.ims.example:5060;lr>
From: "Alice" <sip:alice@ims.example>;tag=1928301774
To: <sip:alice@ims.example>
Call-ID: a84b4c76e66710@pc33.ims.example
CSeq: 314159 SUBSCRIBE
Contact: <sip:alice@192.0.2.10:5090;transport=tcp>;+g.poc.talkburst
Event: reg
Expires: 600000
Accept: application/reginfo+xml
P-Asserted-Identity: <sip:alice@ims.example>
User-Agent: Talkburst
Content-Length: 0

"""

REGINFO = b"""\
<?xml version="1.0"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">
  <registration aor="sip:alice@ims.example" id="a7" state="active">
    <contact id="76" state="active" event="registered" expires="3600" q="0.8">
      <uri>sip:alice@192.0.2.10:5090;transport=udp</uri>
      <unknown-param name="+g.poc.talkburst"/>
    </contact>
  </registration>
</reginfo>
"""

NOTIFY = b"""\
NOTIFY sip:alice@192.0.2.10:5090;transport=udp SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK4cd42a
Max-Forwards: 70
Route: <sip:192.0.2.1:5060;lr>
From: <sip:alice@ims.example>;tag=31451098
To: <sip:alice@ims.example>;tag=1928301774
Call-ID: a84b4c76e66710@pc33.ims.example
CSeq: 1 NOTIFY
Contact: <sip:scscf.ims.example:5060>
Event: reg
Subscription-State: active;expires=3600
Content-Type: application/reginfo+xml
Content-Length: %d

""" % len(REGINFO)

MESSAGES = {"REGISTER": REGISTER, "SUBSCRIBE": SUBSCRIBE, "NOTIFY": NOTIFY}
VARYING = (b"alice", b"5090", b"z9hG4bK", b"tag=", b"Call-ID: ", b'nonce="', b'response="', b"a95a0e128")


def from_users(kind: str, users: int) -> list[bytes]:
    """The message as each of so many users sends it, or gets it."""
    head = MESSAGES[kind].replace(b"\n", b"\r\n")
    return [_from_user(head, number) + (REGINFO if kind == "NOTIFY" else b"") for number in range(users)]


def _from_user(head: bytes, number: int) -> bytes:
    for text in VARYING:
        mark = b"%d" % (10_000 + number) if text == b"5090" else text + b"%06x" % number
        head = head.replace(text, mark)
    return head
