"""The header fields of a message: kept as they came, written as they came. RFC 3261 7.3."""

from collections.abc import Iterator, Set

from talkburst.sip.headers.grammar import split_commas
from talkburst.sip.headers.names import NEVER_SPLIT, header_key

HeaderLine = tuple[str, str, str, str]
"""One header field: name as received, with its colon; full lower-case name, its key; value, unfolded and stripped; what
goes on the wire, folds included, without the last line break. No class of its own: ten to twenty are made of each
message."""


class HeaderFields:
    """Header fields in their order. A field is found by any spelling of its name."""

    __slots__ = ("_firsts", "_lines", "_repeated")

    _lines: list[HeaderLine]
    _firsts: dict[str, str] | None  # the value of the first field of each key; None when a field was changed since
    _repeated: dict[str, list[str]]  # all values of each key that comes more than once; as old as `_firsts`

    def header_lines(self) -> Iterator[tuple[str, str]]:
        """Every header field in order: name as received, value."""
        return iter([(name[:-1], value) for name, _, value, _ in self._lines])

    def keys(self) -> list[str]:
        """The full lower-case name of every header field in order."""
        return [key for _, key, _, _ in self._lines]

    def get(self, name: str) -> str | None:
        """The value of the first field of that name, unfolded and stripped."""
        return self.first_values().get(header_key(name))

    def get_all(self, name: str) -> list[str]:
        """The values of all fields of that name, one a header line."""
        wanted = header_key(name)
        first = self.first_values().get(wanted)
        if first is None:
            return []
        return self._repeated[wanted].copy() if wanted in self._repeated else [first]

    def values(self, name: str) -> list[str]:
        """The elements of all fields of that name; headers that are no lists are not split."""
        wanted = header_key(name)
        first = self.first_values().get(wanted)
        if first is None:
            return []
        lines = self._repeated.get(wanted)
        if wanted in NEVER_SPLIT:
            return [first] if lines is None else lines.copy()
        return split_commas(first) if lines is None else [each for line in lines for each in split_commas(line)]

    def repeated(self) -> Set[str]:
        """The full lower-case names that come more than once."""
        self.first_values()
        return self._repeated.keys()

    def first_values(self) -> dict[str, str]:
        """The value of the first field of each full lower-case name; for reading only."""
        firsts = self._firsts
        if firsts is None:
            firsts = self._firsts = {key: value for _, key, value, _ in reversed(self._lines)}
            self._repeated = {} if len(firsts) == len(self._lines) else _repeated(self._lines, firsts)
        return firsts

    def set(self, name: str, value: object) -> None:
        """Puts one field of that name where the first one stood, or at the end, and drops the others."""
        new = header_line(name, value)
        key = new[1]
        position = self._index(key)
        if position is None:
            self._lines.append(new)
        else:
            below = self._lines[position + 1 :]
            self._lines[position:] = [new, *[line for line in below if line[1] != key]]
        self._forget(key)

    def add(self, name: str, value: object) -> None:
        """Appends a field after the last of that name, or at the end."""
        new = header_line(name, value)
        position = len(self._lines)
        for index, line in enumerate(self._lines):
            if line[1] == new[1]:
                position = index + 1
        self._lines.insert(position, new)
        self._forget(new[1])

    def prepend(self, name: str, value: object) -> None:
        """Puts a field before the first of that name, or before all others."""
        new = header_line(name, value)
        self._lines.insert(self._index(new[1]) or 0, new)
        self._forget(new[1])

    def remove(self, name: str) -> None:
        """Drops all fields of that name."""
        key = header_key(name)
        self._lines = [line for line in self._lines if line[1] != key]
        self._forget(key)

    def remove_first(self, name: str, number: int = 1) -> None:
        """Drops the first elements of the fields of that name: the top Via, the first Routes."""
        key = header_key(name)
        while number > 0 and (index := self._index(key)) is not None:
            line = self._lines[index]
            elements = _elements(line)
            if len(elements) > number:
                self._lines[index] = header_line(line[0][:-1], ", ".join(elements[number:]))
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
        self._lines[index] = header_line(line[0][:-1], ", ".join([one_line(str(value)), *_elements(line)[1:]]))
        self._forget(key)

    def _index(self, key: str) -> int | None:
        """Where the first field of that name stands."""
        for index, line in enumerate(self._lines):
            if line[1] == key:
                return index
        return None

    def _forget(self, key: str) -> None:
        """The fields of that name are others now."""
        self._firsts = None


def _repeated(lines: list[HeaderLine], firsts: dict[str, str]) -> dict[str, list[str]]:
    repeated: dict[str, list[str]] = {}
    again = [(key, value) for _, key, value, _ in lines if firsts[key] is not value]
    if len(again) + len(firsts) != len(lines):  # two values are one and the same object
        again, seen = [], set[str]()
        for _, key, value, _ in lines:
            if key in seen:
                again.append((key, value))
            seen.add(key)
    for key, value in again:
        if key in repeated:
            repeated[key].append(value)
        else:
            repeated[key] = [firsts[key], value]
    return repeated


def _elements(line: HeaderLine) -> list[str]:
    _, key, value, _ = line
    return [value] if key in NEVER_SPLIT else split_commas(value)


def header_line(name: str, value: object) -> HeaderLine:
    text = one_line(str(value))
    start = f"{name}:"
    return start, header_key(name), text, f"{start} {text}"


def one_line(text: str) -> str:
    """A line break in a value would end the header and begin one of somebody else's choosing."""
    if "\r" in text or "\n" in text:
        text = text.replace("\r\n", " ").replace("\r", " ").replace("\n", " ")
    return text.strip(" \t")
