"""Rows on a connection, where Content-Length has to say where a message ends."""

import re

from answers import Address, StreamPeer, probe_stream
from talkburst.sip.message import Response
from torture_ends import Account, End
from torture_row import Row

CLOSED = "closed"
_CALL_ID = re.compile(rb"\r\n(?:Call-ID|I): (\S+)", re.IGNORECASE)
_BEHIND = "behind"  # the Call-ID of what follows the REGISTER of dblreq ends with it


class StreamEnd:
    """What an account registers from, and over."""

    def __init__(self, peer: StreamPeer) -> None:
        self._peer = peer

    @property
    def sent_by(self) -> str:
        return "{}:{}".format(*self._peer.address)

    async def ask(self, data: bytes, to: Address, call_id: bytes = b"") -> Response | None:
        self._peer.send(data)
        await self._peer.until_answered({call_id.decode()})
        return self._peer.answers[-1] if self._peer.answers else None


async def over_tcp(row: Row, to: Address, user: End | None = None) -> str:
    """What comes of a row on a connection. To the core, where `user` is reached: of a registered caller."""
    async with StreamPeer.open(to) as peer:
        end = StreamEnd(peer)
        if user is not None:
            contact = f"<sip:caller@{end.sent_by};transport=tcp>"
            registered = await Account(end, to, "caller").register(("Contact", contact))
            assert registered.status == 200, registered.start_line
            peer.answers.clear()
        data = row.message(end.sent_by, "{}:{}".format(*to)).replace(b"/UDP", b"/TCP", 1)
        data = data.replace(row.name.encode() + b".", row.name.encode() + b"-tcp.")
        waits = "waits; with the rest " if row.name == "clerr" else ""
        peer.send(data)
        if waits:
            await probe_stream(to)
            peer.send(b"\n" * (9999 - len(row.body)))
        return waits + await _outcome(row, data, peer, user)


async def _outcome(row: Row, data: bytes, peer: StreamPeer, user: End | None) -> str:
    call_ids = [found.decode() for found in _CALL_ID.findall(data)]
    await peer.until_answered(call_ids)
    said = []
    for call_id in sorted(call_ids, key=lambda each: each.endswith(_BEHIND)):
        status = next((str(each.status) for each in peer.answers if each.get("Call-ID") == call_id), "no answer")
        forwarded = user is not None and any(call_id.encode() in heard for heard in user.heard)
        said.append(("forwarded; " if forwarded else "") + status)
    if row.core_tcp.endswith(CLOSED):
        await peer.until_closed()
        return f"{said[0]}; {CLOSED}"
    return ", and the request behind: ".join(said)
