"""A page of which each run measures some sections only."""

from pathlib import Path

import flow
import report


def publish(page: Path, sections: dict[str, str]) -> None:
    report.publish_sections(page, "What it costs", "How it is measured.", sections, flow.section_order)


def test_a_run_replaces_what_it_measured_and_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    publish(page, {"Its parts": "old parts", "The flow with 10,000 users": "ten thousand"})
    publish(page, {"Its parts": "new parts", "The flow with 1,000 users": "one thousand"})
    assert page.read_text() == (
        "# What it costs\n\nHow it is measured.\n\n"
        "## The flow with 1,000 users\n\none thousand\n\n"
        "## The flow with 10,000 users\n\nten thousand\n\n"
        "## Its parts\n\nnew parts\n"
    )


def test_the_page_that_is_there_has_sections_that_a_run_would_replace() -> None:
    headings = [line[3:] for line in flow.PAGE.read_text().splitlines() if line.startswith("## ")]
    assert headings == sorted(headings, key=flow.section_order)
    assert {"The flow with 1,000 users", "The flow with 10,000 users", "Its parts"} <= set(headings)
