"""How a response finds its way back (RFC 3261 18.2, RFC 3581 4)."""

from __future__ import annotations

from talkburst.sip.flow import DEFAULT_PORT, Flow, unbracketed
from talkburst.sip.headers import Via
from talkburst.sip.message import Request


def record_source(request: Request, flow: Flow) -> Via:
    """Write `received` and `rport` into the top Via of a request just received and return that Via.

    `received` when the Via host is a name or another address than the source (RFC 3261 18.2.1), and always when
    `rport` is asked for (RFC 3581 4). Values a client wrote there itself are replaced.
    """
    via = request.via
    host, port = flow.remote
    asks = "rport" in via.params
    if not asks and unbracketed(via.host).lower() == host and "received" not in via.params:
        return via
    # A scope means something to one machine alone (RFC 4007 11).
    return request.stamp_via(host.partition("%")[0], str(port) if asks else None)


def reply_flow(via: Via, flow: Flow) -> Flow:
    """Where the responses to a request with this (stamped) top Via go, from the address and port the request hit.

    DEVIATION(RFC 3261 18.2.2): `maddr` is not obeyed; answering an address the sender names instead of the one it
    sent from would let anybody aim our responses.
    """
    if flow.reliable or via.params.get("rport"):
        return flow
    port = via.port or DEFAULT_PORT
    return flow if port == flow.remote[1] else flow._replace(remote=(flow.remote[0], port))
