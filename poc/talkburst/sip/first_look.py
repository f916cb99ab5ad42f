"""What an overloaded element reads of a request before it decides whether to take it.

It costs a fraction of parsing, and is enough for the decision and for a 503: method, tags, the key of the transaction,
and the header fields that a response copies. What is not written in the usual way (a folded header, several Vias in a
line, parameters in quotes) is not looked at here, but parsed like any other message.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from talkburst.sip.flow import DEFAULT_PORT, Flow, unbracketed
from talkburst.sip.stateless import retry_after, stateless_tag
from talkburst.sip.transaction.key import MAGIC_COOKIE, ServerKey, key_of

# RFC 3261 25.1, Via without blanks but for the one that has to be there, and with nothing in quotes.
_VIA = re.compile(r"SIP/2\.0/[A-Z]+ ([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?((?:;[^\s;,\"<>]+)*)")
_CSEQ = re.compile(r"([0-9]{1,10}) +([A-Z]+)")
_COPIED = {"via": 0, "v": 0, "from": 1, "f": 1, "to": 2, "t": 2, "call-id": 3, "i": 3, "cseq": 4}
_BLANK = ("", " ", "\t")
# What ends something, or is about a request that was taken already: serving it makes the load less.
ENDING = frozenset({"ACK", "CANCEL", "BYE", "PRACK"})


class FirstLook(NamedTuple):
    """A request as far as it was read. `copied` are the lines of From, To, Call-ID and CSeq."""

    method: str
    key: ServerKey
    in_dialog: bool
    tag: str  # what the To of a response gets that nobody keeps anything of
    host: str
    port: int
    params: str  # of the top Via
    vias: list[str]
    copied: list[str]

    @property
    def goes_first(self) -> bool:
        """Part of what was begun: it is served before anything new is begun."""
        return self.in_dialog or self.method in ENDING


def first_look(data: bytes) -> FirstLook | None:
    """Reads a request; None for one that has to be parsed to be understood, which may be broken as well."""
    head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    lines = head.split("\r\n")
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        return None
    method = lines[0].partition(" ")[0]
    if not lines[0].endswith(" SIP/2.0") or not (method.isascii() and method.isalpha() and method.isupper()):
        return None
    fields: list[list[str]] = [[], [], [], [], []]
    for line in lines[1:]:
        name, colon, _ = line.partition(":")
        if not colon or name[:1] in _BLANK or name[-1:] in _BLANK:
            return None
        place = _COPIED.get(name.lower())
        if place is not None:
            fields[place].append(line)
    vias, *others = fields
    if not vias or any(len(field) != 1 for field in others):
        return None
    return _look_at(method, vias, [field[0] for field in others])


def _look_at(method: str, vias: list[str], copied: list[str]) -> FirstLook | None:
    from_, to, call_id, cseq = (line.partition(":")[2].strip() for line in copied)
    via = _VIA.fullmatch(vias[0].partition(":")[2].strip())
    sequence = _CSEQ.fullmatch(cseq)
    if via is None or sequence is None or not call_id or sequence[2] != method:
        return None
    params = via[3]
    branch = next((each[7:] for each in params.split(";") if each.startswith("branch=")), "").lower()
    if not branch.startswith(MAGIC_COOKIE) or branch == MAGIC_COOKIE or not _is_unstamped(params):
        return None
    number, host, port = int(sequence[1]), via[1], int(via[2] or DEFAULT_PORT)
    if not 0 < port < 65536 or params.lower().count(";branch=") > 1:
        return None
    key = key_of(branch, host.lower(), port, method, number)
    in_dialog = ";tag=" in to.rpartition(">")[2].replace(" ", "").lower()
    tag = stateless_tag(branch, from_, call_id, number)
    return FirstLook(method, key, in_dialog, tag, host, port, params, vias, copied)


def unavailable(look: FirstLook, flow: Flow, longest: int, software: str) -> tuple[Flow, bytes]:
    """A 503 (RFC 3261 21.5.4) without a transaction (8.2.7), and where it goes (18.2.2, RFC 3581 4).

    The request is welcome again in `longest` seconds, or sooner. Not for an ACK, which nobody answers.
    """
    address, port = flow.remote
    params, target, received = look.params, flow, address.partition("%")[0]  # as `record_source` has it
    if _asks_for_port(params):
        stamped = "".join(f";{each}" for each in params.split(";")[1:] if each != "rport")
        stamped += f";rport={port};received={received}"
    else:
        stamped = params if unbracketed(look.host).lower() == address else f"{params};received={received}"
        if not flow.reliable:
            target = flow._replace(remote=(address, look.port))
    from_, to, call_id, cseq = look.copied
    lines = [
        "SIP/2.0 503 Service Unavailable",
        look.vias[0][: len(look.vias[0].rstrip()) - len(params)] + stamped,
        *look.vias[1:],
        from_,
        to if look.in_dialog else f"{to};tag={look.tag}",
        call_id,
        cseq,
        f"Retry-After: {retry_after(look.tag, longest)}",
        f"Server: {software}" if software else "",
        "Content-Length: 0\r\n\r\n",
    ]
    return target, "\r\n".join(filter(None, lines)).encode("utf-8", "surrogateescape")


def _is_unstamped(params: str) -> bool:
    """Whether nobody has written there yet where the request came from; `rport` in the usual case, or not there."""
    lower = params.lower()
    return "received" not in lower and ("rport" not in lower or ("rport=" not in lower and _asks_for_port(params)))


def _asks_for_port(params: str) -> bool:
    return params.endswith(";rport") or ";rport;" in params
