"""TLS between a socket and a connection: what the socket takes for a protocol, the connection takes for its transport.

One code path on every event loop, and the same `TcpConnection` on top of it as without TLS. OpenSSL works on memory, so
each step of the handshake is ours to bound and to name.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol, cast

from talkburst.net.tcp import TcpConnection
from talkburst.net.tcp_limits import REKEYING
from talkburst.sip.domain_identity import domain_identities, identity_of
from talkburst.sip.flow import Address
from talkburst.sip.framer import TLS_HANDSHAKE

TLS_ALERT = 0x15  # begins a record, as TLS_HANDSHAKE does
READ_SIZE = 65536  # bytes
MOST_UNREAD = 1_048_576  # bytes of ours that may wait for a peer that has TLS answer it and does not read
PIECE = 4096  # bytes that are deciphered before anybody looks what they were
# A change of keys (RFC 8446 4.6.3) is 27 bytes of work for nothing. More of that than an unfinished record may be, and
# than so much a second, is not borne; what a record says pays for as much again.
MOST_TOIL = 24_576  # bytes
RECORD = 96  # bytes that a record may have around what it says (RFC 5246 6.2.3)
TOIL_BORNE = 4096  # bytes a second
ALERT_WAIT = 1.0  # seconds for the word on what was wrong to leave


class Handshaking(Protocol):
    """Whom a stream tells how its handshake goes."""

    def on_begun(self, stream: TlsStream) -> bool:
        """The socket is open. False refuses it."""

    def on_secured(self, stream: TlsStream) -> None:
        """The handshake is over and the other end is who it has to be; the connection has been told."""

    def on_refused(self, stream: TlsStream, reason: str) -> None:
        """There will be no connection. Told once, instead of `on_secured`, if it has begun."""


class TlsStream(asyncio.Protocol, asyncio.Transport):
    """`domain` is whom we call, a name or an address; None where we are called.

    `connection.proved` is set to the domains in the certificate of the other end before the connection is made. The
    closing alert of a peer is the end of what it sends: it may still be answered (RFC 8446 6.1), as over TCP.
    """

    def __init__(
        self, user: Handshaking, connection: TcpConnection, context: ssl.SSLContext, domain: str | None = None
    ) -> None:
        """Raises ValueError for a domain that can be no name."""
        super().__init__()
        self.connection = connection
        connection.speaks = "TLS"
        self.remote: Address = ("", 0)
        self._user = user
        self._wanted = None if domain is None else identity_of(domain)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in, self._out, server_side=domain is None, server_hostname=self._wanted or None
        )
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()
        self._heard = False
        self._first = (TLS_HANDSHAKE,) if domain is None else (TLS_HANDSHAKE, TLS_ALERT)  # whom we call may decline
        self._told = False  # how the handshake ended
        self._secured = False
        self._finished = False  # we send no more, and look at nothing that comes
        self._ended = False  # the peer sends no more
        self._toil = 0  # bytes that came and said nothing
        self._weighed = self._loop.time()
        self._alarm: asyncio.TimerHandle | None = None

    def refuse(self, reason: str) -> None:
        """End the handshake, unless it is over."""
        if self._told:
            return
        self._told = self._finished = True
        self._flush()
        self._alarm = self._loop.call_later(ALERT_WAIT, self._transport.abort)
        self._transport.close()
        self._user.on_refused(self, reason)

    # What the socket tells: asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is no subclass of it
        remote = transport.get_extra_info("peername")
        if not remote or not self._is_wanted(remote):
            self._told = True
            self._transport.abort()
        else:
            self._shake()

    def _is_wanted(self, remote: Any) -> bool:
        self.remote = remote[:2]
        return self._user.on_begun(self)

    def data_received(self, data: bytes) -> None:
        if self._finished:
            return
        if not self._heard and data[0] not in self._first:
            self.refuse("what came is no TLS")
            return
        self._heard = True
        if len(data) <= PIECE:
            self._pour((data,))
        else:
            self._pour(data[start : start + PIECE] for start in range(0, len(data), PIECE))

    def eof_received(self) -> bool:
        if not self._told:
            self.refuse("closed before the handshake was over")
        elif self._finished:
            return False
        else:
            self._end()
        return True  # whoever sends no more may be owed answers; `close` closes it

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, error: Exception | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._finished = True
        if self._secured:
            self.connection.connection_lost(error)
        elif not self._told:
            self._told = True
            self._user.on_refused(self, "closed before the handshake was over" if error is None else str(error))

    def _shake(self) -> bool:
        """Go on with the handshake; True once it is over and the other end is who it has to be."""
        if self._told:
            return False
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self.refuse(words_of(error))
            return False
        self._flush()
        try:
            proved = self._proved()
        except ValueError:  # names in no UTF-8, though they have to be ASCII (RFC 5280 4.2.1.6)
            self.refuse("the certificate has names that cannot be read")
            return False
        if self._wanted is not None and self._wanted not in proved:
            offered = ", ".join(sorted(proved)) or "no SIP domain"
            self.refuse(f"the certificate is for {offered}, not for {self._wanted}")
            return False
        self._told = self._secured = True
        self.connection.proved = proved
        self.connection.connection_made(self)
        self._user.on_secured(self)
        return True

    def _proved(self) -> frozenset[str]:
        certificate = self._tls.getpeercert() or {}  # empty where none was asked for, or none was given
        names = cast(tuple[tuple[str, object], ...], certificate.get("subjectAltName", ()))
        return domain_identities([(kind, value) for kind, value in names if isinstance(value, str)])  # not a DirName

    def _pour(self, pieces: Iterable[bytes]) -> None:
        """Hand on everything that can be deciphered of what came, as one piece."""
        parts: list[bytes] = []
        over, fault = False, ""
        for piece in pieces:
            self._in.write(piece)
            if self._finished:
                return
            if not self._secured and not self._shake():
                continue
            before = len(parts)
            over, fault = self._decipher(parts)
            self._toil = max(0, self._toil + len(piece) - sum(RECORD + 2 * len(part) for part in parts[before:]))
            if self._toil > 0 and not over and self._is_toil():
                over, fault = True, REKEYING
            if over:
                break
        if not self._secured:
            return
        self._flush()  # an answer to a change of keys, say
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            fault = fault or "the peer does not read"
        if parts:
            self.connection.data_received(b"".join(parts))
        if fault:
            self.connection.cut(fault)
        elif over and not self._finished:
            self._end()

    def _decipher(self, parts: list[bytes]) -> tuple[bool, str]:
        """Add what can be read to `parts`; whether that was the last, and what is wrong if that is why."""
        while True:
            try:
                part = self._tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                return False, ""
            except ssl.SSLZeroReturnError:
                return True, ""
            except ssl.SSLError as error:
                return True, words_of(error)
            parts.append(part)
            if not part:
                return True, ""

    def _is_toil(self) -> bool:
        """Whether more came that says nothing than an unfinished record, and what is borne with time, can be."""
        now = self._loop.time()
        self._toil = max(0, self._toil - int((now - self._weighed) * TOIL_BORNE))
        self._weighed = now
        return self._toil > MOST_TOIL

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            if not self.connection.eof_received():
                self.close()

    def _flush(self) -> None:
        if self._out.pending and not self._transport.is_closing():
            self._transport.write(self._out.read())

    # What the connection asks for: asyncio.Transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._finished:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            self.connection.cut(words_of(error))
            return
        self._flush()

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()

    def write_eof(self) -> None:
        """What was written leaves, then the word that this was all."""
        self._say_farewell()
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        self._say_farewell()
        self._transport.close()

    def abort(self) -> None:
        self._finished = True
        self._transport.abort()

    def _say_farewell(self) -> None:
        """The closing alert. Whether the peer answers it makes no difference."""
        if self._finished:
            return
        self._finished = True
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()


def words_of(error: ssl.SSLError) -> str:
    """What OpenSSL says, for a log line: what is wrong with a certificate, else its reason without its code."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    reason = (error.reason or "").replace("_", " ").lower()
    if " alert " in f" {reason} ":
        return f"the peer says: {reason.partition('alert ')[2]}"
    return f"TLS fails: {reason or 'protocol error'}"
