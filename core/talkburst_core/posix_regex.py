"""The regular expressions of subscriber profiles: POSIX extended ones (TS 29.228 annex F), run by Python's `re`.

`compiled` turns the spelling, `gist` tells a person what an expression looks for.
"""

import re
from collections.abc import Iterator
from typing import Final

_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_QUANTIFIERS: Final = "*?{"
_METACHARACTERS: Final = ".[($^|)*+?{"


class RegexError(ValueError):
    """An expression that cannot be used; the text says why."""


def compiled(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """`pattern` ready to search with. Raises `RegexError`.

    Escapes such as `\\s` keep Python's meaning, inside brackets too, where POSIX would read a plain backslash: profiles
    are written with both in mind, and `[\\+]` is never meant to match a backslash.
    """
    try:
        return re.compile("".join(_translated(pattern)), flags)
    except (re.error, OverflowError) as error:
        raise RegexError(f"bad regular expression {pattern!r}: {error}") from None


def _translated(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        if pattern[at] == "[":
            bracket, at = _bracket(pattern, at)
            yield bracket
        elif pattern[at] == "\\":
            yield pattern[at : at + 2]
            at += 2
        else:
            yield pattern[at]
            at += 1


def _bracket(pattern: str, start: int) -> tuple[str, int]:
    """One bracket expression from `start`, and where it ends (POSIX 1003.1 9.3.5)."""
    out, at = ["["], start + 1
    if pattern.startswith("^", at):
        out.append("^")
        at += 1
    first = at
    while at < len(pattern):
        character = pattern[at]
        if character == "]" and at > first:
            return "".join([*out, "]"]), at + 1
        if pattern.startswith(("[:", "[=", "[."), at):
            member, at = _named(pattern, at)
            out.append(member)
        elif character == "\\" and at + 1 < len(pattern):
            out.append(pattern[at : at + 2])
            at += 2
        else:
            # These mean sets inside sets to Python one day, and a warning already.
            out.append(f"\\{character}" if character in "[]&~|" else character)
            at += 1
    raise RegexError(f"bad regular expression {pattern!r}: [ at position {start} is not closed")


def _named(pattern: str, at: int) -> tuple[str, int]:
    """`[:class:]`, `[=x=]` or `[.x.]` from `at`: its members in Python's spelling, and where it ends."""
    kind = pattern[at + 1]
    end = pattern.find(f"{kind}]", at + 2)
    name = pattern[at + 2 : end] if end > 0 else ""
    if kind == ":" and name in _CLASSES:
        return _CLASSES[name], end + 2
    if kind != ":" and len(name) == 1:
        return re.escape(name), end + 2
    written = pattern[at : end + 2] if end > 0 else pattern[at:]
    raise RegexError(f"bad regular expression {pattern!r}: no such class as {written}")


def gist(pattern: str) -> str:
    """The text that `pattern` begins with, for people: `^\\s*a\\.b(;|$)` looks for "a.b".

    The pattern itself where it does not begin with plain text.
    """
    at = 0
    for lead in ("^", r"\s*", "[[:space:]]*"):
        if pattern.startswith(lead, at):
            at += len(lead)
    literal: list[str] = []
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and at + 1 < len(pattern) and not pattern[at + 1].isalnum():
            literal.append(pattern[at + 1])
            at += 2
        elif character == "\\" or character in _METACHARACTERS:
            break
        else:
            literal.append(character)
            at += 1
    if at < len(pattern) and pattern[at] in _QUANTIFIERS:
        literal = literal[:-1]
    text = "".join(literal)
    return pattern if not text.strip() or _has_alternatives(pattern) else text


def _has_alternatives(pattern: str) -> bool:
    """Whether a `|` stands outside every group, so that the first words are only one of several."""
    depth, at = 0, 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif character == "[":
            at = _bracket(pattern, at)[1] - 1
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and depth == 0:
            return True
        at += 1
    return False
