"""What else may come to a TLS port, and TLS where none is expected: closed, with a line in the log, and no more."""

import asyncio
import socket
import ssl
import warnings
from contextlib import suppress

import pytest

from authority import Authority
from talkburst.daemon.settings import TlsSettings
from talkburst.net import TcpLimits
from talkburst.net.tls import Tls
from talkburst.sip.framer import StreamLimits
from talkburst.sip.message import response_to

OPTIONS = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/TLS 127.0.0.1:5999;branch=z9hG4bK%d\r\n"
    b"From: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@x>\r\n"
    b"Call-ID: c%d\r\n"
    b"CSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def options(number: int = 1) -> bytes:
    return OPTIONS % (number, number)


class Wire:
    """TLS by hand: every record can be looked at, held back or followed by anything."""

    def __init__(self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.got, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.got, self.out)

    def flush(self) -> None:
        self.writer.write(self.out.read())

    async def do(self, step):
        """One step of TLS, with as much from the other end as it needs."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                got = await asyncio.wait_for(self.reader.read(65536), 5)
                if got:
                    self.got.write(got)
                else:  # which OpenSSL tells apart from the closing alert
                    self.got.write_eof()
            finally:
                self.flush()

    async def shake(self) -> "Wire":
        await self.do(self.tls.do_handshake)
        return self

    def say(self, data: bytes) -> None:
        self.tls.write(data)
        self.flush()

    def say_farewell(self) -> None:
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        self.flush()

    async def message(self) -> bytes:
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            got += await self.do(lambda: self.tls.read(4096))
        return got

    async def ends(self) -> None:
        """The closing alert comes, and nothing before it."""
        with suppress(ssl.SSLZeroReturnError):  # so OpenSSL says it to whoever has said farewell himself
            assert await self.do(lambda: self.tls.read(4096)) == b""

    async def rest(self) -> bytes:
        """What comes in bare bytes until it is closed."""
        try:
            return await asyncio.wait_for(self.reader.read(), 5)
        except ConnectionResetError:
            return b""


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serve(make_node, authority: Authority):
    """A node that listens over TLS, and its port."""

    async def serve(limits: TcpLimits | None = None, **keys: str):
        node = make_node(tls=Tls(authority.settings("127.0.0.1", **keys)), limits=limits)
        return node, (await node.listen("tls:127.0.0.1:0")).port

    return serve


@pytest.fixture
async def dial(authority: Authority):
    wires: list[Wire] = []

    async def dial(port: int, context: ssl.SSLContext | None = None) -> Wire:
        context = context or Tls(TlsSettings(ca=authority.ca)).calling
        wires.append(Wire(context, *await asyncio.open_connection("127.0.0.1", port)))
        return wires[-1]

    yield dial
    for wire in wires:
        wire.writer.close()
        with suppress(OSError):
            await wire.writer.wait_closed()


def said(caplog, message: str) -> list[str]:
    return [record.fields["reason"] for record in caplog.records if record.getMessage() == message]


@pytest.mark.parametrize(
    "data", [options(), b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 65536], ids=["SIP", "ping", "HTTP", "noise"]
)
async def test_what_is_no_tls_is_closed_on_a_tls_port(serve, dial, caplog, data: bytes) -> None:
    node, port = await serve()
    wire = await dial(port)
    wire.writer.write(data)
    assert await wire.rest() == b""
    assert said(caplog, "no TLS") == ["what came is no TLS"]
    assert node.tap.seen == []
    assert node.engine.counters["tls_refused"] == 1


async def test_tls_is_closed_on_a_tcp_port(make_node, dial, caplog) -> None:
    node = make_node()
    wire = await dial((await node.listen("tcp:127.0.0.1:0")).port)
    with pytest.raises(ssl.SSLError):
        await wire.shake()
    assert said(caplog, "broken stream") == ["TLS on a connection without it"]
    assert node.tap.seen == []


async def test_tls_1_1_is_refused(serve, dial, caplog) -> None:
    _, port = await serve()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():  # Python too thinks that it is old
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        await (await dial(port, old)).shake()
    assert said(caplog, "no TLS") == ["TLS fails: unsupported protocol"]


@pytest.mark.parametrize("begun", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_handshake_that_does_not_go_on_is_closed_in_time(serve, dial, caplog, begun: bytes) -> None:
    _, port = await serve(TcpLimits(handshake=0.1))
    wire = await dial(port)
    wire.writer.write(begun)
    await wire.rest()
    assert said(caplog, "no TLS") == ["the handshake does not end"]


async def test_handshakes_that_hang_keep_nobody_out(serve, dial, caplog) -> None:
    """The oldest makes room; somebody who means it is through before it is his turn."""
    _, port = await serve(TcpLimits(handshakes=3))
    hanging = [await dial(port) for _ in range(3)]
    wire = await (await dial(port)).shake()
    wire.say(options())
    assert (await wire.message()).startswith(b"SIP/2.0 200 ")
    await hanging[0].rest()
    assert said(caplog, "no TLS") == ["too many handshakes at once"]


async def test_peer_that_goes_amid_the_handshake_is_forgotten(serve, dial, caplog) -> None:
    node, port = await serve()
    wire = await dial(port)
    wire.writer.write(b"\x16\x03\x01")
    wire.writer.write_eof()
    await wire.rest()
    assert said(caplog, "no TLS") == ["closed before the handshake was over"]
    await node.sip.close()


async def test_noise_after_the_handshake_is_the_end_of_the_connection(serve, dial, caplog) -> None:
    caplog.set_level("DEBUG", "talkburst")
    node, port = await serve()
    wire = await (await dial(port)).shake()
    wire.say(options(1))
    await wire.message()
    wire.writer.write(b"\x17\x03\x03\x00\x20" + b"\xff" * 32)
    await wire.rest()
    assert said(caplog, "connection closed") == ["TLS fails: decryption failed or bad record mac"]
    assert len(node.user.requests) == 1


async def test_flood_of_records_without_a_message_in_them_is_bounded(serve, dial, caplog) -> None:
    limits = TcpLimits(message=StreamLimits(head=8192))
    _, port = await serve(limits)
    wire = await (await dial(port)).shake()
    for _ in range(64):
        wire.say(b"X" * 16384)  # 1 MB, of which nobody reads more than one read too many
    with suppress(ConnectionResetError, ssl.SSLError):
        while await wire.do(lambda: wire.tls.read(4096)):
            pass
    assert said(caplog, "broken stream") == ["more than 8192 bytes of headers"]


async def test_many_messages_in_many_records_are_all_answered_in_order(serve, dial) -> None:
    node, port = await serve()
    wire = await (await dial(port)).shake()
    stream = b"".join(options(number) for number in range(200))
    for start in range(0, len(stream), 1000):
        wire.say(stream[start : start + 1000])
    got = b""
    while got.count(b"SIP/2.0 200 ") < 200:
        got += await wire.do(lambda: wire.tls.read(65536))
    assert [request.call_id for request in node.user.requests] == [f"c{number}" for number in range(200)]


async def test_node_that_is_behind_reads_a_stream_in_turns(serve, dial) -> None:
    node, port = await serve()
    wire = await (await dial(port)).shake()
    for now in (0.0, 1.0):
        node.sip._shell.intake.batch_was_full("another", now)
    for number in range(0, 400, 100):
        wire.say(b"".join(options(each) for each in range(number, number + 100)))
    got = b""
    while got.count(b"SIP/2.0 ") < 400:
        got += await wire.do(lambda: wire.tls.read(65536))
    assert node.sip._shell.intake.behind


async def test_peer_that_says_farewell_still_gets_what_it_is_owed(serve, dial) -> None:
    """RFC 8446 6.1: the closing alert ends one direction."""
    node, port = await serve()
    asked = asyncio.get_running_loop().create_future()
    node.user.answer = lambda transaction, request, now: asked.set_result(transaction)
    wire = await (await dial(port)).shake()
    wire.say(options())
    wire.say_farewell()
    transaction = await asked
    await asyncio.sleep(0.05)  # the alert is there, too
    node.engine.respond(transaction, response_to(transaction.request, 200, to_tag="t"), node.sip.now())
    node.sip.pump()
    assert (await wire.message()).startswith(b"SIP/2.0 200 ")


async def test_peer_that_says_farewell_and_is_owed_nothing_is_answered_in_kind(serve, dial) -> None:
    _, port = await serve()
    wire = await (await dial(port)).shake()
    wire.say(options())
    await wire.message()
    wire.say_farewell()
    await wire.ends()
    assert await wire.rest() == b""


async def test_peer_that_closes_without_a_farewell_is_closed(serve, dial) -> None:
    _, port = await serve()
    wire = await (await dial(port)).shake()
    wire.say(options())
    await wire.message()
    wire.writer.write_eof()
    await wire.rest()


async def test_node_that_stops_says_farewell(serve, dial) -> None:
    node, port = await serve()
    wire = await (await dial(port)).shake()
    hanging = await dial(port)
    wire.say(options())
    await wire.message()
    closing = asyncio.create_task(node.sip.close())
    await wire.ends()
    wire.writer.close()
    await closing
    await hanging.rest()


async def test_keep_alive_is_answered(serve, dial) -> None:
    _, port = await serve()
    wire = await (await dial(port)).shake()
    wire.say(b"\r\n\r\n")
    assert await wire.do(lambda: wire.tls.read(16)) == b"\r\n"


async def test_call_to_a_port_that_does_not_speak_tls_fails_with_its_reason(make_node, authority, caplog) -> None:
    """Plain text, silence and a closed door; and one that speaks TLS, but not with us."""

    async def decline(reader, writer) -> None:
        writer.write(bytes.fromhex("15 0303 0002 0228"))  # a fatal alert, handshake_failure (RFC 8446 6)
        await hang(reader, writer)

    async def greet(reader, writer) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await hang(reader, writer)

    async def hang(reader, writer) -> None:
        with suppress(OSError):
            await reader.read()
        writer.close()
        gone.set()

    caller = make_node(tls=Tls(authority.settings()), limits=TcpLimits(connect=0.3))
    await caller.listen("tls:127.0.0.1:0")
    says_no = "the peer says: handshake failure"
    for talk, reason in ((greet, "what came is no TLS"), (hang, "no answer in time"), (decline, says_no)):
        gone = asyncio.Event()
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        caplog.clear()
        await caller.ask(f"sips:127.0.0.1:{port}")
        assert said(caplog, "not connected") == [reason]
        await asyncio.wait_for(gone.wait(), 5)
        server.close()


async def test_handshake_that_waits_is_over_when_the_node_stops(make_node, authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        caller = make_node(tls=Tls(authority.settings()))
        await caller.listen("tls:127.0.0.1:0")
        asking = asyncio.create_task(caller.ask(f"sips:127.0.0.1:{deaf.getsockname()[1]}"))
        connected, _ = await asyncio.get_running_loop().run_in_executor(None, deaf.accept)
        await asyncio.wait_for(caller.sip.close(), 5)
        asking.cancel()
        connected.settimeout(5)
        while connected.recv(4096):
            pass
        connected.close()
