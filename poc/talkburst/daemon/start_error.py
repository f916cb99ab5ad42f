"""Why a daemon could not start, said in one line: what, why, and what to do."""

import errno
import os
import re
import socket

_BIND_FAILURE = re.compile(r"error while attempting to bind on address \((?P<address>[^)]*)\)")

_REMEDIES = {
    errno.EADDRINUSE: "another program holds it; stop that one, or give another address with --listen",
    errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE; take a higher one with --listen",
    errno.EADDRNOTAVAIL: "this machine has no such address; take one of its own with --listen",
    errno.EBADF: "the parent handed over no socket of that number",
    errno.ENOTSOCK: "what the parent handed over is no socket",
}


class StartError(Exception):
    """The daemon can not start, for a reason outside the configuration; the text says what, why and what to do."""


def cannot_listen(address: str, error: OSError) -> StartError:
    """The error for a listener; `address` is as the user wrote it, such as `udp:127.0.0.1:5060`."""
    found = _BIND_FAILURE.search(error.strerror or "")
    if isinstance(error, socket.gaierror):
        why, remedy = "the name is not known", "give an address, or a name that resolves, with --listen"
    else:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        remedy = _REMEDIES.get(error.errno or 0, "give another address with --listen")
    if found:
        host, port = (part.strip().strip("'") for part in found["address"].split(",")[:2])
        address = f"{address.partition(':')[0]}:{host}:{port}" if ":" in address else f"{host}:{port}"
    return StartError(f"cannot listen on {address}: {why} ({remedy})")
