"""What is no printable text in a packet is escaped before anybody sees it."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from talkburst.check import check, ladder
from talkburst.flow.checker import Checker
from talkburst.flow.ladder import Ladder, verdict_table
from talkburst.flow.printable import printable
from talkburst.flow.report import Report
from talkburst.obs.pcap import PcapWriter

# A terminal's escape sequence, a byte that is no UTF-8, C1 control, right-to-left override, a lone surrogate's bytes.
EVIL = b"\x1b]0;x\x07\x93\xc2\x9b1m\xe2\x80\xae\xed\xa0\x80"
SHOWN = "\\x1b]0;x\\x07\\x93\\x9b1m\\u202e\\xed\\xa0\\x80"

# step, what is replaced, by what
PLACES = [
    (4, b"200 OK", b"403 " + EVIL),
    (13, b"200 OK", b"202 " + EVIL),
    (1, b"REGISTER sip:ims.example", b"REGISTER sip:" + EVIL + b"@ims.example"),
    (3, b'nonce="0123456789abcdef"', b'nonce="' + EVIL + b'"'),
    (9, b"application/reginfo+xml", b"application/" + EVIL),
    (9, b"Event: reg\r\n", b"Event: reg\r\nSubject: " + EVIL + b"\r\n"),
    (9, b"<unknown-param", b"<" + EVIL),
    (12, b"SUBSCRIBE sip:alice", b"SUBSCRIBE sip:" + EVIL),
    (14, b"tag=w-cwatch", b"tag=" + EVIL),
    (14, b"active;expires", EVIL + b";expires"),
    (16, b"From: <sip:alice@", b"From: <sip:" + EVIL + b"@"),
    (17, b"branch=z9hG4bK-a-C-set", b"branch=" + EVIL),
    (24, b"PUBLISH sip:", b"PUBLISH " + EVIL + b":"),
    (11, b"/users/sip:alice@", b"/users/sip:" + EVIL + b"@"),
    (11, b"HTTP/1.1", b"HTTP/1.1" + EVIL),
    (None, b"401 Unauthorized", b"500 " + EVIL),
]


def spoiled(right, step, old, new):
    for shot in right.shots:
        if shot.step == step:
            shot.payload = shot.payload.replace(old, new)
    return right


def raw(text: str) -> str:
    return "".join(char for char in text if char != "\n" and not char.isprintable())


@pytest.mark.parametrize(("step", "old", "new"), PLACES)
def test_nothing_of_a_packet_reaches_ladder_table_or_report_raw(right, judge_all, step, old, new):
    frames = spoiled(right, step, old, new).frames()
    checker = Checker()
    drawn = Ladder().draw([event for frame in frames for event in checker.feed(frame)])
    assert raw(drawn) == ""
    for report in judge_all(frames):
        assert raw(verdict_table(report)) == ""
        for value in (report.identity, report.contact, report.call_id, *texts(report)):
            assert value.isprintable()
        report.to_json().encode("ascii")


def texts(report: Report) -> list[str]:
    return [text for step in report.steps for text in (step.message or "", step.why, *step.notes)]


def test_the_escaped_text_is_what_was_there(right, judge):
    report = judge(spoiled(right, 4, b"200 OK", b"403 " + EVIL).frames())
    assert report.steps[3].message == f"SIP/2.0 403 {SHOWN}"
    assert report.steps[3].why == f"403 {SHOWN} came in place of 200"


@pytest.mark.parametrize("command", [check, ladder])
def test_the_commands_print_and_write_no_raw_byte(right, tmp_path, command):
    capture, report = tmp_path / "flow.pcap", tmp_path / "report.json"
    writer = PcapWriter(capture)
    for frame in spoiled(right, 4, b"200 OK", b"403 " + EVIL).frames():
        writer.frame(frame)
    writer.close()
    result = CliRunner().invoke(command, [str(capture), *(["--report", str(report)] if command is check else [])])
    assert raw(result.stdout_bytes.decode()) == ""
    assert "403 \\x1b]0;x\\x07\\x93" in result.stdout
    if command is check:
        assert json.loads(report.read_bytes())["steps"][3]["message"] == f"SIP/2.0 403 {SHOWN}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 日本", "Größe 日本"),
        ("a\tb\r\nc", "a\\x09b\\x0d\\x0ac"),
        ("\x7f\x9f", "\\x7f\\x9f"),
        ("\udc93", "\\x93"),
        ("\ud800\u2028", "\\ud800\\u2028"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_only_what_cannot_be_printed_is_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("command", ["check", "ladder"])
def test_a_terminal_without_the_letters_gets_them_escaped(right, tmp_path, command):
    capture = tmp_path / "flow.pcap"
    writer = PcapWriter(capture)
    for frame in right.change(4, "200 OK", "403 日本").frames():
        writer.frame(frame)
    writer.close()
    arguments = [sys.executable, "-P", "-m", "talkburst", command, str(capture)]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    ended = subprocess.run(arguments, env=environment, capture_output=True, timeout=20, check=False)
    assert b"403 \\u65e5\\u672c" in ended.stdout, ended.stderr.decode()
