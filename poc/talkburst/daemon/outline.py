"""What a daemon answers, as an outline for a person: a line for each value, lists and tables indented below their name.

registration   registered
expires in     3421 s
settings
  publication  published
"""

from collections.abc import Mapping, Sequence
from typing import Final

_SECONDS: Final = frozenset({"expires", "expires_in"})
_STEP: Final = "  "


def outline(answer: Mapping[str, object]) -> str:
    """The lines; text that would steer a terminal is escaped."""
    return "\n".join(_table(answer, ""))


def _table(table: Mapping[str, object], indent: str) -> list[str]:
    inline = {key: text for key, value in table.items() if (text := _inline(key, value)) is not None}
    width = max((len(_label(key)) for key in inline), default=0)
    lines = []
    for key, value in table.items():
        if key in inline:
            lines.append(f"{indent}{_label(key):{width}}  {inline[key]}")
        else:
            lines.append(f"{indent}{_label(key)}")
            lines += _block(value, indent + _STEP)
    return lines


def _block(value: object, indent: str) -> list[str]:
    if isinstance(value, Mapping):
        return _table(value, indent)
    lines = []
    assert isinstance(value, Sequence)
    for item in value:
        if isinstance(item, Mapping):
            inner = _table(item, indent + _STEP)
            lines += [f"{indent}- {inner[0][len(indent) + 2 :]}", *inner[1:]] if inner else [f"{indent}-"]
        else:
            lines.append(f"{indent}- {_scalar(item)}")
    return lines


def _inline(key: str, value: object) -> str | None:
    """What stands behind the name in its line; None for what needs lines of its own."""
    if isinstance(value, Mapping):
        return None if value else "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            return "none"
        single = len(value) == 1 and not isinstance(value[0], Mapping)
        return _scalar(value[0]) if single else None
    text = _scalar(value)
    return f"{text} s" if key in _SECONDS and isinstance(value, int | float) else text


def _scalar(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _printable(str(value))


def _label(key: str) -> str:
    """A key as words, unless it is no word of ours but somebody's identity."""
    return key.replace("_", " ") if key.replace("_", "").isalpha() else _printable(key)


def _printable(text: str) -> str:
    """What peers send stands in it: it must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
