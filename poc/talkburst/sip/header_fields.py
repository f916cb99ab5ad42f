"""The header fields of a message: kept as they came, written as they came. RFC 3261 7.3."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from talkburst.sip.headers.grammar import split_commas
from talkburst.sip.headers.names import NEVER_SPLIT, header_key


class HeaderLine(NamedTuple):
    """One header field. `line` is what goes on the wire, folds included, without the last line break."""

    name: str  # as received
    key: str  # full lower-case name
    value: str  # unfolded, stripped
    line: str


class HeaderFields:
    """Header fields in their order. A field is found by any spelling of its name."""

    __slots__ = ("_lines",)

    def __init__(self, headers: Iterable[tuple[str, object]] = ()) -> None:
        self._lines = [header_line(name, value) for name, value in headers] if headers else []

    def header_lines(self) -> Iterator[tuple[str, str]]:
        """Every header field in order: name as received, value."""
        return iter([(line.name, line.value) for line in self._lines])

    def keys(self) -> list[str]:
        """The full lower-case name of every header field in order."""
        return [line.key for line in self._lines]

    def get(self, name: str) -> str | None:
        """The value of the first field of that name, unfolded and stripped."""
        key = header_key(name)
        for line in self._lines:
            if line.key == key:
                return line.value
        return None

    def get_all(self, name: str) -> list[str]:
        """The values of all fields of that name, one a header line."""
        key = header_key(name)
        return [line.value for line in self._lines if line.key == key]

    def values(self, name: str) -> list[str]:
        """The elements of all fields of that name; headers that are no lists are not split."""
        key = header_key(name)
        lines = self.get_all(key)
        if key in NEVER_SPLIT:
            return lines
        return [element for line in lines for element in split_commas(line)]

    def set(self, name: str, value: object) -> None:
        """Puts one field of that name where the first one stood, or at the end, and drops the others."""
        new = header_line(name, value)
        lines: list[HeaderLine] = []
        placed = False
        for line in self._lines:
            if line.key != new.key:
                lines.append(line)
            elif not placed:
                lines.append(new)
                placed = True
        if not placed:
            lines.append(new)
        self._lines = lines
        self._forget(new.key)

    def add(self, name: str, value: object) -> None:
        """Appends a field after the last of that name, or at the end."""
        new = header_line(name, value)
        position = len(self._lines)
        for index, line in enumerate(self._lines):
            if line.key == new.key:
                position = index + 1
        self._lines.insert(position, new)
        self._forget(new.key)

    def prepend(self, name: str, value: object) -> None:
        """Puts a field before the first of that name, or before all others."""
        new = header_line(name, value)
        position = 0
        for index, line in enumerate(self._lines):
            if line.key == new.key:
                position = index
                break
        self._lines.insert(position, new)
        self._forget(new.key)

    def remove(self, name: str) -> None:
        """Drops all fields of that name."""
        key = header_key(name)
        self._lines = [line for line in self._lines if line.key != key]
        self._forget(key)

    def remove_first(self, name: str, number: int = 1) -> None:
        """Drops the first elements of the fields of that name: the top Via, the first Routes."""
        key = header_key(name)
        while number > 0 and (index := self._index(key)) is not None:
            line = self._lines[index]
            elements = _elements(line)
            if len(elements) > number:
                self._lines[index] = header_line(line.name, ", ".join(elements[number:]))
            else:
                del self._lines[index]
            number -= max(1, len(elements))
        self._forget(key)

    def replace_first(self, name: str, value: object) -> None:
        """Puts `value` in the place of the first element; without such a field it is prepended."""
        key = header_key(name)
        index = self._index(key)
        if index is None:
            self.prepend(name, value)
            return
        line = self._lines[index]
        self._lines[index] = header_line(line.name, ", ".join([one_line(str(value)), *_elements(line)[1:]]))
        self._forget(key)

    def _index(self, key: str) -> int | None:
        """Where the first field of that name stands."""
        return next((index for index, line in enumerate(self._lines) if line.key == key), None)

    def _forget(self, key: str) -> None:
        """The fields of that name are others now."""
        raise NotImplementedError


def _elements(line: HeaderLine) -> list[str]:
    return [line.value] if line.key in NEVER_SPLIT else split_commas(line.value)


def header_line(name: str, value: object) -> HeaderLine:
    text = one_line(str(value))
    return HeaderLine(name, header_key(name), text, f"{name}: {text}")


def one_line(text: str) -> str:
    """A line break in a value would end the header and begin one of somebody else's choosing."""
    if "\r" in text or "\n" in text:
        text = text.replace("\r\n", " ").replace("\r", " ").replace("\n", " ")
    return text.strip(" \t")
