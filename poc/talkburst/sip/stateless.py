"""Responses that nobody keeps: the same request gets the same one again (RFC 3261 8.2.7)."""

from __future__ import annotations

import hashlib

from talkburst.sip.headers import HeaderError
from talkburst.sip.message import Request

COPIED = ("Via", "From", "To", "Call-ID", "CSeq")  # what a response has from its request (RFC 3261 8.2.6.2)


def stateless_tag(branch: str, from_: str, call_id: str, number: int) -> str:
    """The To tag: of what an ACK has in common with the INVITE it is about (RFC 3261 17.1.1.3)."""
    return _hash(f"{branch.lower()}\n{from_}\n{call_id}\n{number}")


def fixed_tag(request: Request) -> str:
    """The tag that is the same for every copy of a request, and for the ACK of what it was answered."""
    try:
        branch, from_, number = request.via.branch or "", request.get("From") or "", request.cseq.number
    except HeaderError:
        return _hash("\n".join(request.get(name) or "" for name in COPIED))
    return stateless_tag(branch, from_, request.get("Call-ID") or "", number)


def retry_after(tag: str, longest: int) -> int:
    """Seconds for Retry-After, spread over the second half of `longest`: those who are sent away together must not
    come back together."""
    return max(1, longest - int(tag[:8], 16) % (longest // 2 + 1))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
