"""`talkburst check` on a capture file that our own writer made."""

import json

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
