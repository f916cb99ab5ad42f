"""pcap files, judged by tshark and by a reader that is not ours."""

import asyncio
import contextlib
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import dpkt
import pytest

from talkburst.obs.frame import Endpoint, Frame, Protocol, Transport
from talkburst.obs.pcap import PcapSink, PcapWriter, checksum

Tshark = Callable[..., list[list[str]]]

REGISTER = (
    b"REGISTER sip:ims.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK1\r\n"
    b"From: <sip:alice@ims.example>;tag=1\r\nTo: <sip:alice@ims.example>\r\n"
    b"Call-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
)
OK = b"SIP/2.0 200 OK\r\n" + REGISTER.partition(b"\r\n")[2]
GET = b"GET /xcap-root/poc-rules/users/sip:alice@ims.example/index HTTP/1.1\r\nHost: xdms\r\n\r\n"
BODY = b"<ruleset/>" * 20_000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
CLIENT, CORE = ("127.0.0.1", 5090), ("127.0.0.1", 5060)


def frame(
    payload: bytes,
    source: Endpoint = CLIENT,
    destination: Endpoint = CORE,
    transport: Transport = "UDP",
    protocol: Protocol = "sip",
    time: float = 1700000000.000001,
) -> Frame:
    return Frame(time, source, destination, transport, protocol, payload)


def write(path: Path, *frames: Frame) -> Path:
    writer = PcapWriter(path)
    for each in frames:
        writer.frame(each)
    writer.close()
    return path


def test_rfc_1071_example_checksum() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D


@pytest.mark.parametrize("host", ["127.0.0.1", "2001:db8::1"])
@pytest.mark.parametrize("padding", [b"", b"x"])
def test_a_datagram_is_sip_with_sound_checksums(tmp_path: Path, tshark: Tshark, host: str, padding: bytes) -> None:
    file = write(
        tmp_path / "x.pcap",
        frame(REGISTER + padding, (host, 5090), (host, 5060)),
        frame(OK, (host, 5060), (host, 5090), time=1700000000.25),
    )
    fields = ("udp.srcport", "udp.dstport", "udp.checksum.status", "sip.Method", "sip.Status-Code", "frame.time_epoch")
    assert tshark(file, *fields) == [
        ["5090", "5060", "1", "REGISTER", "", "1700000000.000001000"],
        ["5060", "5090", "1", "", "200", "1700000000.250000000"],
    ]
    assert tshark(file, "ip.checksum.status") == ([["1"], ["1"]] if host == "127.0.0.1" else [[""], [""]])
    assert tshark(file, "frame.number", only="_ws.malformed or _ws.expert.severity == error") == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_http_is_a_stream_that_can_be_followed(tmp_path: Path, tshark: Tshark, host: str) -> None:
    here, there = (host, 40000), (host, 8080)
    exchange = [
        frame(GET, here, there, "TCP", "http"),
        frame(ANSWER, there, here, "TCP", "http", 1700000000.5),
    ]
    file = write(tmp_path / "x.pcap", *exchange, *exchange)
    flags = [row[0] for row in tshark(file, "tcp.flags.str")]
    assert [flag.replace("·", "") for flag in flags[:4]] == ["S", "AS", "A", "AP"]
    assert {row[0] for row in tshark(file, "tcp.checksum.status")} == {"1"}
    assert tshark(file, "frame.number", only="tcp.analysis.flags or _ws.malformed") == []
    requests = tshark(file, "http.request.method", only="http.request")
    answers = tshark(file, "http.response.code", "http.content_length", only="http.response")
    assert requests == [["GET"]] * 2
    assert answers == [["200", str(len(BODY))]] * 2


def test_sip_over_tcp_is_read_and_connections_are_kept_apart(tmp_path: Path, tshark: Tshark) -> None:
    other = ("127.0.0.1", 5091)
    file = write(
        tmp_path / "x.pcap",
        frame(REGISTER, CLIENT, CORE, "TCP"),
        frame(REGISTER, other, CORE, "TCP"),
        frame(OK, CORE, CLIENT, "TCP"),
        frame(OK, CORE, other, "TCP"),
    )
    assert tshark(file, "tcp.stream", "sip.Method", "sip.Status-Code", only="sip") == [
        ["0", "REGISTER", ""],
        ["1", "REGISTER", ""],
        ["0", "", "200"],
        ["1", "", "200"],
    ]


def test_a_capture_that_begins_with_an_answer_has_the_asker_open_the_connection(tmp_path: Path, tshark: Tshark) -> None:
    file = write(tmp_path / "x.pcap", frame(ANSWER, ("127.0.0.1", 8080), ("127.0.0.1", 40000), "TCP", "http"))
    assert tshark(file, "tcp.srcport", "tcp.dstport")[0] == ["40000", "8080"]
    assert tshark(file, "http.response.code", only="http") == [["200"]]


def test_another_reader_finds_the_payload_unchanged(tmp_path: Path) -> None:
    large = REGISTER + b"x" * 60_000
    file = write(tmp_path / "x.pcap", frame(REGISTER), frame(large))
    with file.open("rb") as opened:
        reader = dpkt.pcap.Reader(opened)
        assert reader.datalink() == 101
        packets = [dpkt.ip.IP(data) for _, data in reader]
    assert [bytes(packet.data.data) for packet in packets] == [REGISTER, large]


def test_what_is_flushed_can_be_read_while_the_writer_goes_on(tmp_path: Path) -> None:
    writer = PcapWriter(tmp_path / "x.pcap")
    assert writer.path.stat().st_size == 24
    writer.frame(frame(REGISTER))
    writer.flush()
    assert writer.path.stat().st_size == 24 + 16 + 28 + len(REGISTER)
    writer.close()


def test_an_address_that_is_none_drops_the_frame_whole(tmp_path: Path) -> None:
    writer = PcapWriter(tmp_path / "x.pcap")
    writer.frame(frame(REGISTER, ("localhost", 5060)))
    writer.frame(frame(REGISTER, ("127.0.0.1", 99_999)))
    writer.close()
    assert (writer.dropped, writer.path.stat().st_size) == (2, 24)


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"old" * 1000)
    assert write(path).stat().st_size == 24


@pytest.mark.parametrize(
    ("path", "why"),
    [("/dev/full", "No space left on device"), ("/no/such/directory/x.pcap", "No such file"), ("/", "Is a directory")],
)
async def test_a_file_that_can_not_be_written_is_an_error_at_start(path: str, why: str) -> None:
    with pytest.raises(OSError, match=why) as raised:
        await PcapSink(path).start()
    assert raised.value.filename == path


def test_two_writers_do_not_share_a_file(tmp_path: Path) -> None:
    first = PcapWriter(tmp_path / "x.pcap")
    first.frame(frame(REGISTER))
    first.flush()
    with pytest.raises(OSError, match="another process writes it"):
        PcapWriter(tmp_path / "x.pcap")
    assert first.path.stat().st_size > 24
    first.close()


@contextlib.contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """Limits how large a file may get for this process: to a writer, a disk that fills amid a record.

    The limit must be gone before the test ends: what the test run prints may go to a file, too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_later_ends_the_capture_after_a_whole_record_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = PcapWriter(tmp_path / "x.pcap")
    writer.frame(frame(REGISTER))
    writer.flush()
    sound = writer.path.read_bytes()
    with no_more_than(len(sound) + 50):
        for _ in range(2):
            writer.frame(frame(OK))
            writer.flush()
        writer.close()
    assert "ends here: File too large" in caplog.text
    assert writer.dropped == 1
    assert writer.path.read_bytes() == sound


async def test_the_sink_writes_what_it_is_given(tmp_path: Path) -> None:
    sink = PcapSink(tmp_path / "x.pcap")
    await sink.start()
    sink.frame(frame(REGISTER))
    sink.flush()
    await asyncio.gather(sink.close())
    assert (tmp_path / "x.pcap").stat().st_size > 24 + len(REGISTER)
