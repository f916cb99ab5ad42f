"""Which transaction a message belongs to (RFC 3261 17.1.3 and 17.2.3)."""

from __future__ import annotations

from typing import Final

from talkburst.sip.flow import DEFAULT_PORT
from talkburst.sip.message import Request, Response

MAGIC_COOKIE: Final = "z9hg4bk"  # compared in lower case: a token (RFC 3261 7.3.1)

# Keys are strings: there is one for each transaction, and one is made for each message that comes in. Behind the branch
# no part can have a blank in it, so two keys are the same only if all their parts are.
ClientKey = str
ServerKey = str


def client_key(message: Request | Response) -> ClientKey:
    """The key of a request we send or of a response we receive; HeaderError when Via or CSeq is broken.

    A response belongs to the client transaction with its top Via branch and its CSeq method.
    """
    return key_of_branch(message.via.params.get("branch") or "", message.cseq.method)


def key_of_branch(branch: str, method: str) -> ClientKey:
    return f"{branch.lower()} {method}"


def server_key(request: Request) -> ServerKey:
    """The key of a request as it was received, before `received` and `rport` are added; HeaderError when broken."""
    via = request.via
    branch = (via.params.get("branch") or "").lower()
    if not branch.startswith(MAGIC_COOKIE) or branch == MAGIC_COOKIE:
        branch = _identity_without_cookie(request)
    return key_of(branch, via.host.lower(), via.port or DEFAULT_PORT, request.method, request.cseq.number)


def key_of(branch: str, host: str, port: int, method: str, number: int) -> ServerKey:
    """A request belongs to the server transaction with its branch, sent-by and method; ACK to that of the INVITE.

    `branch` is in lower case; for a client without the cookie it is the parts RFC 2543 compares, in one string.

    DEVIATION(RFC 3261 17.2.3): the CSeq number is part of the key. aiosip and its kin send the authenticated REGISTER
    with the branch of the first; without the number it would be taken for a retransmission and get the stored 401.
    ACK and CANCEL carry the number of their INVITE, so nothing that follows the rules is kept apart.
    """
    return f"{branch} {host} {port} {'INVITE' if method == 'ACK' else method} {number}"


def invite_key(cancel: ServerKey) -> ServerKey:
    """The key of the INVITE that a CANCEL is for: it has all else in common."""
    same, _, number = cancel.rsplit(" ", 2)
    return f"{same} INVITE {number}"


def _identity_without_cookie(request: Request) -> str:
    """What RFC 3261 17.2.3 compares for RFC 2543 clients.

    DEVIATION(RFC 3261 17.2.3): the To tag is left out. An ACK has the one of our response, which its INVITE had not;
    with all else equal it tells nothing more.
    """
    return "\n".join((request.uri, request.from_.tag or "", request.call_id, str(request.via)))
