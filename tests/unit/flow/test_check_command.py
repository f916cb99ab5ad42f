"""`talkburst check` on a capture file that our own writer made."""

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from talkburst.check import check, ladder
from talkburst.obs.pcap import PcapWriter


@pytest.fixture
def written(tmp_path):
    def write(recording):
        path = tmp_path / "flow.pcap"
        writer = PcapWriter(path)
        for frame in recording.frames():
            writer.frame(frame)
        writer.close()
        return str(path)

    return write


def test_a_capture_that_passes_exits_0_and_says_so(right, written):
    result = CliRunner().invoke(check, [written(right)])
    assert (result.exit_code, "pass: 32 of 32 steps passed" in result.output) == (0, True), result.output


def test_a_message_that_is_missing_at_the_end_was_not_seen_before_the_capture_ended(right, written, tmp_path):
    report = tmp_path / "report.json"
    result = CliRunner().invoke(check, [written(right.without(32)), "--report", str(report)])
    assert result.exit_code == 1
    assert "200 OK did not come before the capture ended at 0.360, after its cause, step 31 (0.360)" in result.output
    assert json.loads(report.read_text())["first_failure"] == 32


def test_the_ladder_of_a_capture_is_drawn(right, written):
    result = CliRunner().invoke(ladder, [written(right)])
    assert result.exit_code == 0
    assert " 29 NOTIFY poc-settings #2 " in result.output


@pytest.mark.parametrize(("steps", "packets"), [((), "0 packets"), ((11, None), "11 packets")])
def test_a_capture_without_sip_is_no_run_at_all(right, written, tmp_path, steps, packets):
    capture, report = written(right.only(*steps)), tmp_path / "report.json"
    result = CliRunner().invoke(check, [capture, "--report", str(report)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"no SIP message among {packets} of {capture}\n"
    assert not report.exists()


def test_a_capture_that_began_too_late_is_told_so(right, written):
    capture = written(right.without(1, 3, 5))
    result = CliRunner().invoke(check, [capture])
    assert result.exit_code == 1
    assert f"SIP messages: did {capture} begin after the registration?\n" in result.stderr
    assert "begin after" not in CliRunner().invoke(check, [written(right)]).stderr


def test_no_ladder_is_drawn_of_a_capture_without_sip(right, written):
    capture = written(right.only())
    result = CliRunner().invoke(ladder, [capture])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"no SIP message among 0 packets of {capture}\n"


@pytest.mark.parametrize("command", [check, ladder])
def test_messages_that_cannot_be_read_are_told(right, written, command):
    register = right.step(1)
    register.payload = register.payload.replace(b"CSeq: ", b"CSeq: x")
    result = CliRunner().invoke(command, [written(right)])
    assert "1 SIP message could not be read and was passed over, from 192.0.2.10:5090 to" in result.stderr
    assert "REGISTER sip:ims.example SIP/2.0: 'x" in result.stderr


def test_live_without_a_frame_is_no_run_at_all():
    command = [sys.executable, "-P", "-m", "talkburst", "check", "--hep", "tcp:127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        listening = process.stdout.readline()
        address = listening.removeprefix("listening for HEP3 on ").partition(";")[0]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (1, "", f"no SIP message among 0 frames reported to {address}\n")


def test_the_help_says_when_live_judging_ends():
    help_text = " ".join(CliRunner().invoke(check, ["--help"]).output.split())
    assert "With --hep it ends as soon as the first registration, and any other begun by then, is decided" in help_text
