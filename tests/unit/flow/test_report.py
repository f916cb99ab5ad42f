"""The report as others read it, and the terminal's ladder and table."""

import io
import json
import os

import pytest

from talkburst.flow.checker import Checker, StepEvent
from talkburst.flow.ladder import Ladder, columns, needs_ascii, verdict_table


def test_the_report_is_json_with_32_steps(right, judge):
    report = json.loads(judge(right.frames()).to_json())
    assert list(report) == ["verdict", "first_failure", "elapsed_s", "flow", "steps"]
    assert (report["verdict"], report["first_failure"], report["elapsed_s"]) == ("pass", None, 0.37)
    assert [step["step"] for step in report["steps"]] == list(range(1, 33))
    assert report["steps"][0] == {
        "step": 1,
        "verdict": "pass",
        "time": 1_700_000_000.0,
        "from": "client",
        "to": "core",
        "message": "REGISTER sip:ims.example SIP/2.0",
        "why": "",
        "notes": [],
    }
    assert report["steps"][27]["message"] is None


def test_the_report_says_whose_flow_it_is(right, judge):
    flow = judge(right.frames()).to_dict()["flow"]
    assert flow == {"identity": "sip:alice@ims.example", "contact": "sip:alice@192.0.2.10:5090", "call_id": "reg-a"}


@pytest.mark.parametrize(("drop", "code"), [((), 0), ((9,), 1), ((11, None), 3)])
def test_exit_codes(right, judge, drop, code):
    assert judge(right.without(*drop).frames()).exit_code == code


def drawn(recording, **options):
    checker = Checker()
    return Ladder(**options).draw(event for frame in recording.frames() for event in checker.feed(frame))


def test_the_ladder_has_a_line_for_each_message_and_fits_100_columns(right):
    lines = drawn(right).splitlines()
    assert len(lines) == 2 + len(right.shots)
    assert all(len(line) <= 100 for line in lines)
    assert lines[0].split() == ["C", "client", "I", "SIP/IP", "core", "S", "PoC", "server", "XDMS", "X"]


@pytest.mark.parametrize(
    ("width", "widest", "notify"),
    [(72, 71, " 29 NOTIFY "), (80, 79, " 29 NOTIFY "), (100, 99, " 29 NOTIFY poc-settings #2 "), (300, 110, " #2 ")],
)
def test_the_ladder_is_as_wide_as_the_terminal_up_to_what_it_needs(right, width, widest, notify):
    lines = drawn(right, width=width).splitlines()
    assert max(map(len, lines)) == widest
    assert all(line.count("│") + line.count(">") + line.count("<") >= 4 for line in lines[1:])
    assert lines[0].split() == ["C", "client", "I", "SIP/IP", "core", "S", "PoC", "server", "XDMS", "X"]
    assert notify in next(line for line in lines if " 29 " in line)


def test_every_label_fits_the_widest_ladder(right):
    text = drawn(right, width=300)
    assert " 17 SUBSCRIBE poc-settings #1 " in text
    assert " 25 PUBLISH poc-settings #1 " in text


@pytest.mark.parametrize("width", [71, 60, 40, 1])
def test_where_four_lanes_have_no_room_a_line_names_the_ends(right, width):
    lines = drawn(right, width=width).splitlines()
    assert lines[1] == "    0.000 C>I 1 REGISTER #1"
    assert len(lines) == 1 + len(right.shots)
    assert all(len(line) <= max(width, 40) for line in lines[1:])


def test_the_table_is_cut_at_the_width(right, judge):
    lines = verdict_table(judge(right.frames()), 60).splitlines()
    assert all(len(line) <= 60 for line in lines if " pass " in line)
    assert lines[15].endswith("...")


def test_what_is_no_terminal_is_100_columns_wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert columns(io.TextIOWrapper(io.BytesIO())) == 100
    with open(os.devnull) as file:
        assert columns(file) == 100


def test_the_arrow_shows_direction_step_event_and_cseq(right):
    lines = drawn(right, ascii_only=True).splitlines()
    assert (
        lines[2]
        == "    0.000 |-------- 1 REGISTER #1 ------->|                               |                       |"
    )
    notify = next(line for line in lines if " 29 " in line)
    assert "|<-" in notify
    assert "29 NOTIFY poc-settings #2" in notify
    publish = next(line for line in lines if " 25 " in line)
    assert "25 PUBLISH poc-settings" in publish
    assert "->|" in publish


def test_every_step_but_28_stands_on_an_arrow(right):
    lines = drawn(right).splitlines()
    for number in {*range(1, 33)} - {28}:
        assert any(f" {number} " in line and ("<" in line or ">" in line) for line in lines), number


def test_ascii_is_ascii(right):
    assert drawn(right, ascii_only=True).isascii()
    assert not drawn(right).isascii()


@pytest.mark.parametrize(
    ("encoding", "ascii_only"),
    [("utf-8", False), ("UTF-8", False), ("ascii", True), ("latin-1", True), ("cp437", True)],
)
def test_a_terminal_that_is_not_utf_8_gets_ascii(encoding, ascii_only):
    assert needs_ascii(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is ascii_only


def test_a_message_across_lanes_and_one_that_is_long_are_drawn(right):
    ladder = Ladder(ascii_only=True)
    far = StepEvent(1.0, "client", "xdms", "GET /xcap-root/resource-lists/users/x/index HTTP/1.1")
    assert "GET lists" in ladder.line(far)
    long = StepEvent(2.0, "server", "xdms", "HTTP/1.1 500 A reason that is much longer than the lane is wide")
    assert len(ladder.line(long)) <= 100


def test_what_went_wrong_stands_below_the_table_and_its_consequences_are_counted(right, judge):
    table = verdict_table(judge(right.without(9).frames()))
    lines = table.splitlines()
    assert lines[-4].startswith("step 9 (I>S NOTIFY Event: reg), first failure: NOTIFY Event: reg did not come")
    assert lines[-3] == "2 more steps failed or did not come in consequence"
    assert lines[-1] == "fail: 29 of 32 steps passed, 3 not-reached in 0.370 s; first failure: step 9"


def test_the_table_of_a_run_that_passed_has_32_rows_and_the_sum(right, judge):
    lines = verdict_table(judge(right.frames())).splitlines()
    rows = [line for line in lines if " pass " in line]
    assert len(rows) == 32
    assert rows[0] == "  1  C>I  pass             0.000  REGISTER sip:ims.example SIP/2.0"
    assert rows[27] == " 28  S    pass             0.340  settings stored"
    assert all(len(row) <= 100 for row in rows)
    assert lines[-1] == "pass: 32 of 32 steps passed in 0.370 s"


def test_notes_stand_under_their_row(right, judge):
    table = verdict_table(judge(right.change(8, "200 OK", "202 Accepted").frames()))
    lines = table.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  8  "))
    assert lines[at + 1].strip() == "note: 202 Accepted is of RFC 3265; RFC 6665 asks for 200"


def test_table_and_reasons_count_from_the_first_frame_of_the_capture(right, judge):
    noise = right.step(1).frame(right.step(1).time - 5.0)
    noise.payload = b"\r\n\r\n"
    table = verdict_table(judge([noise, *right.without(9).frames()]))
    assert "its cause, step 7 (5.060)" in table
    assert "  7  S>I  pass             5.060  SUBSCRIBE" in table
