"""A complete, right capture of the 32 steps as literal messages, ways to spoil it, and what is judged of it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from author import Author
from recording import START, Recording
from talkburst.flow.checker import Checker
from talkburst.flow.evidence import Hints
from talkburst.flow.readers import read_capture
from talkburst.flow.report import Report
from talkburst.flow.roles import Roles
from talkburst.obs.frame import Frame


@pytest.fixture
def author() -> type[Author]:
    return Author


@pytest.fixture
def right() -> Recording:
    """The whole flow of a first client, as it should be."""
    return Author().write()


Judge = Callable[..., Report]


def judged(
    frames: Iterable[Frame], hints: Hints | None = None, *, now: float | None = None, roles: Roles | None = None
) -> list[Report]:
    """The reports at the end of the capture, or live at `now` (seconds since the start)."""
    checker = Checker(roles, hints=hints)
    last = START
    for frame in frames:
        checker.add(frame)
        last = max(last, frame.time)
    return checker.reports(last if now is None else START + now, now is None)


@pytest.fixture
def judge_all() -> Callable[..., list[Report]]:
    return judged


@pytest.fixture
def judge() -> Judge:
    """The report of a capture that has one flow."""

    def one(frames: Iterable[Frame], hints: Hints | None = None, **options: object) -> Report:
        reports = judged(frames, hints, **options)  # type: ignore[arg-type]  # passed on
        assert len(reports) == 1, [report.call_id for report in reports]
        return reports[0]

    return one


@pytest.fixture
def read(tmp_path: Path):
    def read_bytes(data: bytes):
        path = tmp_path / "capture"
        path.write_bytes(data)
        return read_capture(path)

    return read_bytes
