"""Why a listener could not be had, as asyncio, uvloop, a resolver and a named error say it."""

import errno
import socket

import pytest

from talkburst.daemon.start_error import cannot_listen

WITH = "with --listen, core.listen or TALKBURST_CORE__LISTEN"
IN_USE = f"another program holds it; stop that one, or give another address {WITH}"


def uvloop_udp() -> OSError:
    error = OSError("could not bind to local_addr ('127.0.0.1', 5054)")
    error.__cause__ = OSError(errno.EADDRINUSE, "Address already in use")
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EADDRINUSE, "Address already in use"),
            f"cannot listen on udp:x:1: Address already in use ({IN_USE})",
        ),
        (
            OSError(errno.EADDRINUSE, "error while attempting to bind on address ('::1', 8080, 0, 0): in use"),
            f"cannot listen on udp:[::1]:8080: Address already in use ({IN_USE})",
        ),
        (uvloop_udp(), f"cannot listen on udp:127.0.0.1:5054: Address already in use ({IN_USE})"),
        (
            OSError(errno.EACCES, "cannot listen on udp:127.0.0.1:80: Permission denied"),
            "cannot listen on udp:127.0.0.1:80: Permission denied "
            f"(ports below 1024 need root or CAP_NET_BIND_SERVICE; take a higher one {WITH})",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            f"cannot listen on udp:x:1: Name or service not known (give an address, or a name that resolves, {WITH})",
        ),
        (
            OSError("odd"),
            f"cannot listen on udp:x:1: odd (give another address {WITH})",
        ),
    ],
)
def test_what_why_and_what_to_do(error: OSError, said: str) -> None:
    assert str(cannot_listen("udp:x:1", error, "core")) == said


def test_the_key_of_the_listener_is_named() -> None:
    error = OSError(errno.EADDRINUSE, "cannot listen on tcp:127.0.0.1:5054: Address already in use")
    assert str(cannot_listen("", error, "core", "listen_servers")).endswith(
        "with --listen-servers, core.listen_servers or TALKBURST_CORE__LISTEN_SERVERS)"
    )
