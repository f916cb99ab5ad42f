from pathlib import Path

from deviations import Deviation, deviations, page

PAGE = Path(__file__).parents[2] / "docs" / "deviations.md"


def test_page_is_what_the_marks_in_the_code_say() -> None:
    assert PAGE.read_text() == page(), "the marks have changed: make diagrams"


def test_mark_goes_to_the_end_of_its_paragraph() -> None:
    source = '''
    """One thing.

    - DEVIATION(RFC 1 2.3): it is not
      done.
    - Another item.
    """
    # DEVIATION(RFC 4 5): nor
    # is this.
    _NAME = 1
    '''
    assert deviations(source, "a.py") == [
        Deviation("RFC 1 2.3", "it is not done.", "a.py"),
        Deviation("RFC 4 5", "nor is this.", "a.py"),
    ]
