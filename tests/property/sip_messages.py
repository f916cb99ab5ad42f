"""Whole messages as a peer may write them, beside what they say."""

from dataclasses import dataclass

from hypothesis import strategies as st

from sip_grammar import sip_uris, tel_uris, written_uri
from sip_headers import ANY_NUMBER, METHODS, ONCE, Field, Fields, mandatory
from talkburst.sip.parser import parse_message
from talkburst.sip.sips import TARGETING, is_sips

BODIES = st.one_of(st.just(b""), st.binary(max_size=40), st.just(b"v=0\r\n\r\no=- 1 1 IN IP4 192.0.2.1\r\n"))
# Request-URI = SIP-URI / SIPS-URI / absoluteURI; no headers in it (RFC 3261 19.1.1)
REQUEST_URIS = st.one_of(sip_uris().filter(lambda pair: pair[1].headers is None), tel_uris())
STATUSES = st.sampled_from([100, 180, 183, 200, 202, 302, 401, 404, 487, 500, 503, 600, 699])
REASONS = st.sampled_from(["OK", "", "Not Found", "Kein Anschluß", 'q"u, o;t <e>', "a\tb"])


@dataclass
class Written:
    """One message on the wire."""

    start: str
    fields: Fields
    body: bytes
    framed: bool  # it says its Content-Length

    @property
    def data(self) -> bytes:
        head = "\r\n".join([self.start, *(line.line for line in self.fields.lines)])
        return head.encode() + b"\r\n\r\n" + self.body

    @property
    def is_request(self) -> bool:
        return not self.start.startswith("SIP/")


@st.composite
def messages(draw: st.DrawFn, framed: bool = False, kind: str | None = None) -> Written:
    """A message without fault. `framed`: with Content-Length, as a stream needs it."""
    method = draw(st.one_of(st.sampled_from(METHODS), st.just("X-.!%*_+`'~")))
    if (kind or draw(st.sampled_from(["request", "response"]))) == "request":
        uris = REQUEST_URIS
        if method in TARGETING:  # their Contact has to be SIPS where the Request-URI is (RFC 5630 5.1.2)
            uris = uris.filter(lambda pair: not is_sips(pair[1]))
        start = f"{method} {draw(uris.map(written_uri))} {draw(st.sampled_from(['SIP/2.0', 'sip/2.0']))}"
    else:
        start = f"SIP/2.0 {draw(STATUSES)} {draw(REASONS)}"
    chosen = mandatory(method)
    chosen += draw(st.lists(st.sampled_from(ONCE), max_size=3, unique_by=id))
    chosen += draw(st.lists(st.sampled_from(ANY_NUMBER), max_size=3))
    lines = [draw(each) for each in draw(st.permutations(chosen))]
    body = draw(BODIES)
    framed = framed or draw(st.booleans())
    if framed:
        name = draw(st.sampled_from(["Content-Length", "l", "CONTENT-LENGTH"]))
        zeros = draw(st.sampled_from(["", "", "000"]))
        lines.insert(draw(st.integers(0, len(lines))), Field("content-length", f"{name}: {zeros}{len(body)}"))
    return Written(start, Fields(lines), body, framed)


def is_whole(data: bytes) -> bool:
    """Whether the parser takes a datagram."""
    return hasattr(parse_message(data), "header_lines")
