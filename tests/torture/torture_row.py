"""A row of the torture table: a message, what it is about, and what each of us has to make of it."""

from dataclasses import dataclass

DOMAIN = "ims.example"
SDP = b"v=0\r\no=caller 20 26 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"

FINE = "well-formed"
DROPPED = "dropped"
FORWARDED = "forwarded; 200"
# What the client says to methods that it does not serve: it has no sessions and no messages.
NOT_SERVED = "405"


@dataclass(frozen=True, slots=True)
class Row:
    """One case of RFC 4475 or RFC 5118, in words of our own.

    `head` is the message up to the empty line, with a line break where CRLF goes. In it stand `SENT-BY` and `PORT`
    for the socket it is sent from, `DAEMON` for the address it is sent to, `LENGTH` for the length of `body`. Its
    Call-ID begins with `name` and a full stop. `wanted` says what the RFC asks for; `parser`, `core` and `ua` what is
    to come of it here, `core_tcp` and `ua_tcp` what on a connection where that differs or matters, and `note` why that
    is it, where one would ask.
    """

    clause: str
    name: str
    feature: str
    wanted: str
    head: str
    body: bytes = b""
    parser: str = FINE
    core: str = FORWARDED
    ua: str = NOT_SERVED
    core_tcp: str = ""
    ua_tcp: str = ""
    note: str = ""

    def message(self, sent_by: str = "192.0.2.1:5060", daemon: str = "192.0.2.2:5060") -> bytes:
        head = self.head.lstrip("\n").replace("LENGTH", str(len(self.body)))
        head = head.replace("SENT-BY", sent_by).replace("PORT", sent_by.rpartition(":")[2]).replace("DAEMON", daemon)
        return head.replace("\n", "\r\n").encode() + b"\r\n" + self.body

    @property
    def is_response(self) -> bool:
        return self.head.lstrip("\n").startswith("SIP/")

    @property
    def is_register(self) -> bool:
        return self.head.lstrip("\n").startswith("REGISTER ")
