"""Capture files of every kind that tcpdump, dumpcap and Wireshark write, into frames."""

import contextlib
import gzip
import struct

import pytest

from packets import ETHERNET, OPTIONS, RAW, SLL2, TIME, block, enhanced, framed, interface, pcap, section, tcp, udp
from talkburst.flow import capture_file
from talkburst.flow.capture_file import CaptureError, PacketFile
from talkburst.flow.readers import read_capture


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_both_byte_orders_and_both_resolutions_of_pcap(read, order, nanoseconds):
    (frame,) = read(pcap(framed(udp(), ETHERNET), order=order, nanoseconds=nanoseconds)).frames
    assert frame.time == pytest.approx(TIME, abs=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_interfaces_of_different_link_types_and_resolutions(read, order):
    data = section(order) + interface(ETHERNET, order) + interface(SLL2, order, 9)
    data += block(5, b"\0" * 12, order)  # interface statistics, of no interest
    data += enhanced(0, TIME, framed(udp(), ETHERNET), order)
    data += enhanced(1, TIME + 1, framed(udp(), SLL2), order, units=1e9)
    data += section(order) + interface(RAW, order) + enhanced(0, TIME + 2, udp(), order)
    assert [frame.time for frame in read(data).frames] == pytest.approx([TIME, TIME + 1, TIME + 2], abs=1e-6)


def test_frames_are_in_the_order_of_time(read):
    data = pcap(framed(udp(), ETHERNET), framed(udp(), ETHERNET), times=[TIME + 2, TIME])
    assert [frame.time for frame in read(data).frames] == [TIME, TIME + 2]


DAMAGED = {
    "empty": (b"", "the file is empty"),
    "no capture": (b"not a capture at all", "neither pcap nor pcapng"),
    "half a header": (pcap()[:20], "its header has 20 bytes of 24"),
    "a length that cannot be": (
        pcap() + struct.pack("<IIII", 1, 1, 2**31, 2**31) + b"x" * 50,
        "damaged at byte 24, after packet 0",
    ),
    "a block of three bytes": (section() + struct.pack("<III", 6, 3, 3) + b"\0" * 8, "says that it has 3 bytes"),
    "no byte order": (section().replace(b"\x4d\x3c\x2b\x1a", b"abcd"), "byte-order magic"),
    "no interface": (section() + enhanced(0, TIME, udp()), "names interface 0, which nothing describes"),
    "a packet that is too short": (section() + interface(1) + block(6, b"\0" * 8), "too short"),
    "more than the block holds": (
        section() + interface(1) + block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99) + b"x"),
        "says that it holds 99 bytes",
    ),
}


@pytest.mark.parametrize(("data", "text"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_a_clear_error(read, data, text):
    with pytest.raises(CaptureError, match=text):
        read(data)


def test_a_file_that_is_cut_short_gives_what_is_whole_and_says_so(read):
    whole = pcap(framed(udp(), ETHERNET), framed(udp(), ETHERNET))
    capture = read(whole[:-10])
    assert len(capture.frames) == 1
    assert capture.warnings == ["the file is cut short after packet 1"]
    ng = section() + interface(RAW) + enhanced(0, TIME, udp())
    assert read(ng + enhanced(0, TIME, udp())[:-7]).warnings == ["the file is cut short after packet 1"]


def test_a_capture_that_was_compressed_is_read(read):
    packed = gzip.compress(pcap(framed(udp(), ETHERNET)))
    assert len(read(packed).frames) == 1
    cut = read(gzip.compress(pcap(framed(udp(), ETHERNET), framed(udp(), ETHERNET))[:-10]))
    assert cut.warnings == ["the file is cut short after packet 1"]


@pytest.mark.parametrize(
    "damaged",
    [b"\x1f\x8b\x08", gzip.compress(pcap(udp()))[:-12], gzip.compress(b"")[:10] + b"x"],
    ids=["begun", "cut", "spoilt"],
)
def test_what_was_compressed_and_is_damaged_is_a_clear_error(read, damaged):
    with pytest.raises(CaptureError, match="gzip"):
        read(damaged)


def test_what_grows_without_measure_when_it_is_unpacked_is_refused(read, monkeypatch):
    monkeypatch.setattr(capture_file, "_MAX_UNPACKED", 1000)
    with pytest.raises(CaptureError, match="unpack"):
        read(gzip.compress(pcap() + bytes(1000)))


def test_pcapng_times_have_an_offset_and_binary_fractions(read):
    options = struct.pack("<HHB3x", 9, 1, 0x80 | 10) + struct.pack("<HHq", 14, 8, 1000) + struct.pack("<HH", 0, 0)
    described = block(1, struct.pack("<HHI", RAW, 0, 0) + options)
    (frame,) = read(section() + described + enhanced(0, TIME - 1000, udp(), units=1024)).frames
    assert frame.time == pytest.approx(TIME, abs=1e-3)


def test_obsolete_packet_blocks_are_read(read):
    stamp, packet = round(TIME * 1e6), udp()
    header = struct.pack("<HHIIII", 0, 0, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
    (frame,) = read(section() + interface(RAW) + block(2, header + packet)).frames
    assert (frame.time, frame.payload) == (pytest.approx(TIME, abs=1e-3), OPTIONS)


def test_packets_that_were_cut_by_a_snap_length_are_told(read):
    def cut_at(length: int, packet: bytes) -> tuple[bytes, bytes]:
        """The packet with its beginning alone, as pcap and as pcapng keep it."""
        kept = packet[:length]
        record = struct.pack("<IIII", int(TIME), 0, len(kept), len(packet)) + kept
        header = struct.pack("<IIIII", 0, 0, 0, len(kept), len(packet))
        return record, block(6, header + kept)

    record, enhanced_block = cut_at(100, udp())
    simple = block(3, struct.pack("<I", len(udp())) + udp()[:100])
    short_interface = block(1, struct.pack("<HHI", RAW, 0, 100))
    told = ["1 of 2 packets were captured in part (by a snap length); what was cut off is not seen"]
    assert read(pcap(udp(), link=RAW) + record).warnings == told
    assert read(section() + interface(RAW) + enhanced(0, TIME, udp()) + enhanced_block).warnings == told
    assert read(section() + short_interface + enhanced(0, TIME, udp()) + simple).warnings == told


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_no_cut_of_a_file_raises_anything_but_a_capture_error(cut):
    data = (section() + interface(ETHERNET) + enhanced(0, TIME, framed(udp(), ETHERNET)))[:cut]
    with contextlib.suppress(CaptureError):
        assert len(list(PacketFile(data))) <= 1


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        read_capture(tmp_path / "none")


def test_the_whole_flow_is_judged_from_a_file(read, right, judge):
    packets, streams = [], {}
    for shot in right.shots:
        if shot.protocol == "sip":
            packets.append(udp(shot.payload, shot.source, shot.destination))
        else:
            sequence = streams.get(shot.source, 1)
            streams[shot.source] = sequence + len(shot.payload)
            packets.append(tcp(shot.payload, sequence, 0x18, shot.source, shot.destination))
    capture = read(pcap(*packets, link=RAW, times=[shot.time for shot in right.shots]))
    assert judge(capture.frames).verdict == "pass"
