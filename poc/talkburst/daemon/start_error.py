"""Why a daemon could not start, said in one line: what, why, and what to do."""

import errno
import os
import re
import socket
from pathlib import Path

from talkburst.daemon.address import show_host_port
from talkburst.store import InUseError

# How asyncio and uvloop say it, of TCP and of UDP.
_BOUND_TO = re.compile(r"(?:on address|to local_addr) \('(?P<host>[^']*)', (?P<port>[0-9]+)")

_REMEDIES = {
    errno.EADDRINUSE: "another program holds it; stop that one, or give another address with {flag}",
    errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE; take a higher one with {flag}",
    errno.EADDRNOTAVAIL: "this machine has no such address; take one of its own with {flag}",
    errno.EBADF: "the parent handed over no socket of that number",
    errno.ENOTSOCK: "what the parent handed over is no socket",
}


class StartError(Exception):
    """The daemon can not start, for a reason outside the configuration; the text says what, why and what to do."""


def cannot_use(error: Exception, path: Path | None = None) -> StartError:
    """The error for a file of state. `path` where the error does not name it: what the file holds makes no sense."""
    why = str(error) if path is None else f"cannot use what {path} holds: {error}"
    remedy = "stop that one" if isinstance(error, InUseError) else "move the file away"
    return StartError(f"{why}; {remedy}, or name another place with --state DIR")


def cannot_listen(address: str, error: OSError, name: str, key: str = "listen") -> StartError:
    """The error for a listener; `address` is as the user wrote it, such as `udp:127.0.0.1:5060`, in the key of that
    name of the daemon's section.

    An error that says itself which of several addresses it was is taken at its word.
    """
    text = error.strerror or str(error)
    cause = error if error.errno else error.__cause__  # uvloop keeps the number there
    number = cause.errno if isinstance(cause, OSError) else None
    remedy = _REMEDIES.get(number or 0, "give another address with {flag}")
    if isinstance(cause, socket.gaierror):
        remedy = "give an address, or a name that resolves, with {flag}"
    flag = f"--{key.replace('_', '-')}, {name}.{key} or TALKBURST_{name.upper()}__{key.upper()}"
    remedy = remedy.format(flag=flag)
    if text.startswith("cannot listen on "):
        return StartError(f"{text} ({remedy})")
    if found := _BOUND_TO.search(text):
        text = os.strerror(number) if number else text
        transport = address.partition(":")[0] if address.startswith(("udp:", "tcp:")) else "tcp"
        address = f"{transport}:{show_host_port(found['host'], int(found['port']))}"
    return StartError(f"cannot listen on {address}: {text} ({remedy})")
