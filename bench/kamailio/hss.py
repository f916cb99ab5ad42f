"""A home subscriber server for a bench: answers the Cx requests of an S-CSCF (TS 29.228, 29.229) over TCP.

    python hss.py PORT SERVER_URI

Everybody is a user with the password "pw", and SERVER_URI is told of every REGISTER.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final

VENDOR_3GPP: Final = 10415
CX: Final = 16777216
# Commands (RFC 6733 3.1, TS 29.229 6.1).
CAPABILITIES_EXCHANGE, SERVER_ASSIGNMENT, MULTIMEDIA_AUTH = 257, 301, 303
# AVPs of RFC 6733, then of TS 29.229 6.3.
USER_NAME, HOST_IP_ADDRESS, AUTH_APPLICATION, VENDOR_APPLICATION, SESSION_ID = 1, 257, 258, 260, 263
ORIGIN_HOST, SUPPORTED_VENDOR, VENDOR_ID, RESULT_CODE, PRODUCT_NAME = 264, 265, 266, 268, 269
AUTH_SESSION_STATE, ORIGIN_REALM = 277, 296
PUBLIC_IDENTITY, USER_DATA, NUMBER_OF_ITEMS = 601, 606, 607
AUTHENTICATION_SCHEME, AUTHENTICATE, AUTHORIZATION, AUTH_DATA, ITEM_NUMBER = 608, 609, 610, 612, 613
SUCCESS: Final = 2001
HEADER: Final = 20  # bytes

PROFILE = """<?xml version="1.0" encoding="UTF-8"?><IMSSubscription><PrivateID>{private_id}</PrivateID><ServiceProfile>\
<PublicIdentity><Identity>{identity}</Identity></PublicIdentity><InitialFilterCriteria><Priority>0</Priority>\
<TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF><SPT><ConditionNegated>0</ConditionNegated><Group>0</Group>\
<Method>REGISTER</Method><Extension></Extension></SPT></TriggerPoint><ApplicationServer>\
<ServerName>{server}</ServerName><DefaultHandling>0</DefaultHandling></ApplicationServer></InitialFilterCriteria>\
</ServiceProfile></IMSSubscription>"""


def avp(code: int, value: bytes | str | int, vendor: int = 0) -> bytes:
    """One AVP (RFC 6733 4.1), mandatory, padded to four bytes."""
    data = value.encode() if isinstance(value, str) else struct.pack("!I", value) if isinstance(value, int) else value
    flags = 0x40 | (0x80 if vendor else 0)
    owner = struct.pack("!I", vendor) if vendor else b""
    length = 8 + len(owner) + len(data)
    return struct.pack("!II", code, flags << 24 | length) + owner + data + bytes(-length % 4)


def avps(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = HEADER
    while at + 8 <= len(message):
        code, word = struct.unpack_from("!II", message, at)
        length = word & 0xFFFFFF
        yield code, message[at + (12 if word >> 31 else 8) : at + length]
        at += (length + 3) & ~3


def answer(request: bytes, server: str) -> bytes:
    """The answer to one request."""
    command = int.from_bytes(request[5:8], "big")
    asked = dict(avps(request))
    application = avp(VENDOR_APPLICATION, avp(VENDOR_ID, VENDOR_3GPP) + avp(AUTH_APPLICATION, CX))
    parts = [avp(SESSION_ID, asked[SESSION_ID])] if SESSION_ID in asked else []
    parts += [avp(RESULT_CODE, SUCCESS), avp(ORIGIN_HOST, "localhost"), avp(ORIGIN_REALM, "ims.test")]
    if command == CAPABILITIES_EXCHANGE:
        address = struct.pack("!H", 1) + socket.inet_aton("127.0.0.1")
        parts += [avp(HOST_IP_ADDRESS, address), avp(VENDOR_ID, VENDOR_3GPP), avp(PRODUCT_NAME, "hss")]
        parts += [avp(SUPPORTED_VENDOR, VENDOR_3GPP), avp(AUTH_APPLICATION, CX), application]
    elif command in (MULTIMEDIA_AUTH, SERVER_ASSIGNMENT):
        identity = asked.get(PUBLIC_IDENTITY, b"")
        parts += [application, avp(AUTH_SESSION_STATE, 1), avp(USER_NAME, asked.get(USER_NAME, b""))]
        parts += _vector(identity) if command == MULTIMEDIA_AUTH else [_user_data(identity.decode(), server)]
    body = b"".join(parts)
    flags = request[4] & 0x40
    return struct.pack("!II", 1 << 24 | HEADER + len(body), flags << 24 | command) + request[8:HEADER] + body


def _vector(identity: bytes) -> list[bytes]:
    """SIP-Auth-Data-Item with the password, as Kamailio's ims_auth takes it for its scheme Digest-MD5."""
    item = avp(ITEM_NUMBER, 1, VENDOR_3GPP) + avp(AUTHENTICATION_SCHEME, "Digest-MD5", VENDOR_3GPP)
    item += avp(AUTHENTICATE, os.urandom(16), VENDOR_3GPP) + avp(AUTHORIZATION, "pw", VENDOR_3GPP)
    return [
        avp(PUBLIC_IDENTITY, identity, VENDOR_3GPP),
        avp(NUMBER_OF_ITEMS, 1, VENDOR_3GPP),
        avp(AUTH_DATA, item, VENDOR_3GPP),
    ]


def _user_data(identity: str, server: str) -> bytes:
    profile = PROFILE.format(private_id=identity.removeprefix("sip:"), identity=identity, server=server)
    return avp(USER_DATA, profile, VENDOR_3GPP)


def serve(port: int, server: str) -> None:
    """Until it is ended from outside."""
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", port))
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                peer, _ = listener.accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(peer, selectors.EVENT_READ, bytearray())
                print("a peer", flush=True)
            elif not _read(key.fileobj, key.data, server):  # type: ignore[arg-type] - it was registered as a socket
                selector.unregister(key.fileobj)


def _read(peer: socket.socket, waiting: bytearray, server: str) -> bool:
    """Answers what is there; False when the peer has gone."""
    received = peer.recv(1 << 16)
    waiting += received
    while len(waiting) >= HEADER and len(waiting) >= (length := int.from_bytes(waiting[1:4], "big")):
        message = bytes(waiting[:length])
        del waiting[:length]
        if message[4] & 0x80:  # a request
            peer.sendall(answer(message, server))
    return bool(received)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
