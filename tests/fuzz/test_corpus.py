"""Everything that the fuzzer found, and what it begins with, through the same functions without it.

What was a crash once is in `crashes/` and stays there.
"""

import time
from pathlib import Path

import pytest

from targets import TARGETS

HERE = Path(__file__).parent
SLOW_S = 1.0  # of processor time


def kept() -> list[Path]:
    return sorted(path for folder in ("corpus", "crashes") for path in (HERE / folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_has_a_corpus_with_names(target: str) -> None:
    names = [path.name for path in (HERE / "corpus" / target).iterdir()]
    assert [name for name in names if not name.startswith("found-")], "what was written by hand"


@pytest.mark.parametrize("path", kept(), ids=lambda path: str(path.relative_to(HERE)))
def test_what_is_kept_breaks_nothing_and_takes_no_time(path: Path) -> None:
    before = time.process_time()
    TARGETS[path.parent.name](path.read_bytes())
    assert time.process_time() - before < SLOW_S


def test_the_corpus_is_small_and_no_checkout_changes_its_line_breaks() -> None:
    assert sum(path.stat().st_size for path in kept()) < 2_000_000
    attributes = (HERE.parents[1] / ".gitattributes").read_text()
    assert "tests/fuzz/corpus/** -text" in attributes
    assert "tests/fuzz/crashes/** -text" in attributes
