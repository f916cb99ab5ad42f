"""The page about the stack shows what it does: its examples are run."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "sip.md"


def blocks() -> list[tuple[int, str]]:
    """Each block of Python on the page, and the line it begins at."""
    text = PAGE.read_text()
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in found]


def test_the_examples_on_the_page_do_what_they_say() -> None:
    names: dict[str, object] = {"__name__": "docs.sip"}
    assert len(blocks()) >= 4
    for line, block in blocks():
        code = compile("\n" * (line - 1) + block, str(PAGE), "exec")  # a failure names the line of the page
        exec(code, names)
