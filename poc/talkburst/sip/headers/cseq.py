"""``CSeq: 4711 REGISTER``, RFC 3261 20.16."""

from typing import Final

from talkburst.sip.headers.grammar import HeaderError, is_token, parse_number
from talkburst.sip.methods import KNOWN_METHODS

MAX_CSEQ: Final = 2**31 - 1


class CSeq:
    """Sequence number and method; the method is case-sensitive."""

    __slots__ = ("method", "number")

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.method = method

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CSeq) and self.number == other.number and self.method == other.method

    def __repr__(self) -> str:
        return f"CSeq({str(self)!r})"

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_cseq(text: str) -> CSeq:
    """Reads a CSeq value; the number is below 2**31 (RFC 3261 8.1.1.5). Raises HeaderError."""
    digits, _, method = text.partition(" ")
    if method in KNOWN_METHODS and len(digits) < 10 and digits.isdigit() and digits.isascii():
        return CSeq(int(digits), method)  # CSeq = 1*DIGIT LWS Method; nine digits are below MAX_CSEQ
    words = text.split()
    if len(words) != 2 or not is_token(words[1]):
        raise HeaderError(f"{text!r} is no CSeq")
    return CSeq(parse_number(words[0], MAX_CSEQ), words[1])
