"""POSIX extended regular expressions, run by Python and explained to people."""

import pytest

from talkburst_core.posix_regex import RegexError, compiled, gist


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^[[:space:]]*poc-settings[[:space:]]*(;|$)", " poc-settings ;id=1", True),
        (r"^[[:space:]]*poc-settings[[:space:]]*(;|$)", "poc-settings2", False),
        (r"[^[:alnum:]_]", "abc_1", False),
        (r"[^[:alnum:]_]", "abc-1", True),
        (r"^[[:digit:][:upper:]]+$", "A1B2", True),
        (r"^[[:digit:][:upper:]]+$", "a1", False),
        (r"^[[:xdigit:]]{4}$", "0aF9", True),
        (r"^[[=a=][.b.]]$", "b", True),
        (r"^[]x]$", "]", True),
        (r"^[^]x]$", "]", False),
        (r"^[[a]$", "[", True),
        (r"^[a&&b]+$", "a&b", True),
        (r"^[[:punct:]]$", "[", True),
        (r"^[[:punct:]]$", "a", False),
        (r"\[[:space:]", "[:", True),
        (r"a\.b", "axb", False),
        (r"[\s;]", "a b", True),
    ],
)
def test_posix_spelling_means_what_posix_says(pattern: str, text: str, found: bool) -> None:
    assert bool(compiled(pattern).search(text)) is found


@pytest.mark.parametrize("pattern", ["+g.poc", "(a", "[a", "[[:nosuch:]]", "[[:space:]", "a{3,1}"])
def test_what_cannot_be_used_is_named(pattern: str) -> None:
    with pytest.raises(RegexError, match="bad regular expression"):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r'\+g\.poc\.talkburst(="?TRUE"?)?[[:space:]]*([;,]|$)', "+g.poc.talkburst"),
        (r"^[[:space:]]*poc-settings[[:space:]]*(;|$)", "poc-settings"),
        (r"^\s*presence\s*(;|$)", "presence"),
        (r"^Event$", "Event"),
        (r"Contact", "Contact"),
        (r"abc*", "ab"),
        (r".*video.*", ".*video.*"),
        (r"one|two", "one|two"),
        (r"(one|two)", "(one|two)"),
        (r"a(one|two)", "a"),
        (r"a[|]b", "a"),
        (r"a\|b", "a|b"),
        (r"\d+", r"\d+"),
    ],
)
def test_gist_shows_what_an_expression_looks_for(pattern: str, text: str) -> None:
    assert gist(pattern) == text
