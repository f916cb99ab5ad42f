"""``CSeq: 4711 REGISTER``, RFC 3261 20.16."""

import re
from dataclasses import dataclass

from talkburst.sip.headers.grammar import HeaderError, is_token, parse_number

MAX_CSEQ = 2**31 - 1
# CSeq = 1*DIGIT LWS Method; nine digits are below MAX_CSEQ, more are looked at
_USUAL_CSEQ = re.compile(r"([0-9]{1,9}) ([A-Za-z0-9\-.!%*_+`'~]+)")


@dataclass(slots=True)
class CSeq:
    """Sequence number and method; the method is case-sensitive."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_cseq(text: str) -> CSeq:
    """Reads a CSeq value; the number is below 2**31 (RFC 3261 8.1.1.5). Raises HeaderError."""
    usual = _USUAL_CSEQ.fullmatch(text)
    if usual is not None:
        digits, method = usual.groups()
        return CSeq(int(digits), method)
    words = text.split()
    if len(words) != 2 or not is_token(words[1]):
        raise HeaderError(f"{text!r} is no CSeq")
    return CSeq(parse_number(words[0], MAX_CSEQ), words[1])
