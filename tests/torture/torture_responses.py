"""The rows that are responses: made to fit a request, since a response to nothing is dropped whatever is in it."""

import re

from talkburst.sip.message import Request
from torture_row import Row

_CSEQ_IS_THE_POINT = ("scalarlg",)
_LOWER_VIA_IS_THE_POINT = ("bcast",)


def fitted(row: Row, request: Request, more: str = "", status: bytes = b"") -> bytes:
    """The response of a row as the answer to `request`, but for what the row is about. `status` replaces a 100."""
    head, _, body = row.message().partition(b"\r\n\r\n")
    start, *fields = head.split(b"\r\n")
    if status:
        start = start.replace(b" 100 ", b" " + status + b" ")
    ours = {name: (request.get(name) or "").encode() for name in ("From", "To", "Call-ID", "CSeq")}
    ours["To"] += b"" if b"tag=" in ours["To"] else b";tag=end"
    if row.name in _CSEQ_IS_THE_POINT:
        number = next(field for field in fields if field.startswith(b"CSeq:")).split()[1]
        ours["CSeq"] = number + b" " + request.method.encode()
    vias = [each.encode() for each in request.values("Via")]
    lower = [field.partition(b":")[2].strip() for field in fields if field.startswith(b"Via:")][1:]
    written = [start, *(b"Via: " + via for via in (vias[:1] + lower if _keeps_lower(row) else vias))]
    written += [field for field in fields if not re.match(rb"(Via|From|To|Call-ID|CSeq):", field)]
    written += [name.encode() + b": " + value for name, value in ours.items()]
    return b"\r\n".join([*written, *more.encode().splitlines(), b"", body])


def _keeps_lower(row: Row) -> bool:
    return row.name in _LOWER_VIA_IS_THE_POINT
