"""A peer that has its keys changed over and over (RFC 8446 4.6.3), which OpenSSL bears without an end."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from authority import Authority
from talkburst.daemon.settings import TlsSettings
from talkburst.net.tls import Tls
from talkburst.net.tls_stream import MOST_TOIL

OPTIONS = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5999;branch=z9hG4bK%d\r\nFrom: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@x>\r\nCall-ID: c%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
KEY_UPDATE = b"\x18\x00\x00\x01\x01"  # update_requested
HANDSHAKE, DATA = b"\x16", b"\x17"


def expand(secret: bytes, label: str, length: int) -> bytes:
    """RFC 8446 7.1: HKDF-Expand-Label without a context."""
    name = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    return HKDFExpand(SHA384(), length, info).derive(secret)


class Records:
    """Makes records of a TLS 1.3 connection that OpenSSL has set up, by the secret in its key log."""

    def __init__(self, log: Path) -> None:
        (line,) = [line for line in log.read_text().splitlines() if line.startswith("CLIENT_TRAFFIC_SECRET_0 ")]
        self.use(bytes.fromhex(line.split()[2]))

    def use(self, secret: bytes) -> None:
        self.secret, self.number = secret, 0
        self.cipher, self.iv = AESGCM(expand(secret, "key", 32)), expand(secret, "iv", 12)

    def record(self, content: bytes, kind: bytes = DATA) -> bytes:
        """RFC 8446 5.2 and 5.3."""
        head = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2, "big")
        nonce = (int.from_bytes(self.iv, "big") ^ self.number).to_bytes(12, "big")
        self.number += 1
        return head + self.cipher.encrypt(nonce, content + kind, head)

    def change(self, times: int) -> bytes:
        records = []
        for _ in range(times):
            records.append(self.record(KEY_UPDATE, HANDSHAKE))
            self.use(expand(self.secret, "traffic upd", 48))
        return b"".join(records)


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def peer(make_node, authority: Authority, tmp_path: Path):
    """A node, and whoever has shaken hands with it: what reads and writes bytes, and what makes records."""
    node = make_node(tls=Tls(authority.settings("127.0.0.1")))
    port = (await node.listen("tls:127.0.0.1:0")).port
    context = Tls(TlsSettings(ca=authority.ca)).calling
    context.keylog_filename = str(tmp_path / "keys")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(got, out)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            writer.write(out.read())
            got.write(await asyncio.wait_for(reader.read(65536), 5))
        else:
            break
    writer.write(out.read())
    assert tls.cipher()[0] == "TLS_AES_256_GCM_SHA384"
    yield node, reader, writer, Records(tmp_path / "keys")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def arrivals(node) -> asyncio.Queue[int]:
    """A number for each request that the node answers from now on."""
    arrived: asyncio.Queue[int] = asyncio.Queue()
    answer = node.user.answer

    def note(transaction, request, now) -> None:
        answer(transaction, request, now)
        arrived.put_nowait(len(request.body))

    node.user.answer = note
    return arrived


async def closed(reader) -> None:
    with suppress(ConnectionResetError):
        while await asyncio.wait_for(reader.read(65536), 5):
            pass


async def test_peer_may_change_its_keys_as_it_talks(peer) -> None:
    node, _, writer, records = peer
    arrived = arrivals(node)
    writer.write(records.change(300))
    for number in range(1, 40):
        writer.write(records.change(20) + records.record(OPTIONS % (number, number)))
        await asyncio.wait_for(arrived.get(), 5)
    assert node.engine.counters["connections_rekeying"] == 0


async def test_peer_that_does_nothing_but_change_its_keys_is_closed(peer) -> None:
    node, reader, writer, records = peer
    flood = records.change(9000)
    assert len(flood) > 9 * MOST_TOIL
    writer.write(flood)
    await closed(reader)
    assert node.engine.counters["connections_rekeying"] == 1


async def test_large_message_in_records_of_any_size_is_no_flood(peer) -> None:
    node, _, writer, records = peer
    arrived, body = arrivals(node), b"x" * 40_000
    head = OPTIONS.replace(b"Content-Length: 0", b"Content-Length: 40000") % (1, 1)
    for size in (16_384, 1000, 60, 7):
        message = head.replace(b"branch=z9hG4bK1", b"branch=z9hG4bK%d" % size) + body
        for start in range(0, len(message), size):
            writer.write(records.record(message[start : start + size]))
        await writer.drain()
    for _ in range(4):
        assert await asyncio.wait_for(arrived.get(), 5) == len(body)
    assert node.engine.counters["connections_rekeying"] == 0
