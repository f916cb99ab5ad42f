"""Whatever is in a capture, the checker judges it and never raises."""

import random

import pytest

from talkburst.flow.checker import Checker
from talkburst.flow.http_exchange import read_head
from talkburst.flow.ladder import Ladder, verdict_table

SPLICES = [
    b"\r\n",
    b"\r\n\r\n",
    b"\x00\xff\xfe",
    b"9" * 400,
    b"<" * 50,
    b'"',
    b";;;=,",
    b"tel:",
    b"sip:",
    b"%zz",
    b"[::",
    b"Contact: *\r\n",
    b"Expires: -1\r\n",
    b"Via: x\r\n",
    b"Event:\r\n",
    b"CSeq: 99999999999999999999 X\r\n",
    b"SIP/2.0 999 \r\n",
]


def spoiled(payload: bytes, chance: random.Random) -> bytes:
    """The payload with some of it lost, doubled, or put out of place."""
    data = bytearray(payload)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.randint(0, 40))
        match chance.randrange(4):
            case 0:
                del data[at:end]
            case 1:
                data[at:at] = chance.choice(SPLICES)
            case 2:
                data[at:at] = data[at:end]
            case _:
                data[at:end] = bytes(chance.randrange(256) for _ in range(end - at))
    return bytes(data)


@pytest.mark.parametrize("seed", range(40))
def test_a_capture_that_is_spoiled_at_random_is_judged(right, seed):
    chance = random.Random(seed)
    frames = right.frames() if seed % 2 else right.reported()
    for frame in chance.sample(frames, 12):
        frame.payload = spoiled(frame.payload, chance)
    chance.shuffle(frames)
    checker, ladder = Checker(), Ladder()
    for frame in frames:
        for event in checker.feed(frame):
            assert len(ladder.line(event)) <= 100
    for report in checker.reports(frames[-1].time, ended=True):
        assert [step.step for step in report.steps] == list(range(1, 33))
        assert verdict_table(report)


@pytest.mark.parametrize("step", [number for number in range(1, 33) if number not in (11, 28)])
def test_a_message_without_any_one_of_its_headers_is_judged(right, judge_all, step):
    head = right.step(step).payload.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    for line in head[1:]:
        reports = judge_all(right.change(step, f"{line}\r\n", "", 1).frames())
        assert all(len(report.steps) == 32 for report in reports)


def test_a_http_answer_without_its_request_is_passed_over(right, judge):
    assert judge(right.without(11).frames()).verdict == "partial"


@pytest.mark.parametrize("status", ["9" * 5000, "0" * 5000 + "200"])
def test_a_http_answer_with_a_status_of_thousands_of_digits_is_none(status):
    assert read_head(f"HTTP/1.1 {status} OK\r\n\r\n".encode()) is None
