"""The header fields of a message: kept as they came, written as they came. RFC 3261 7.3."""

from collections.abc import Iterator, Set
from typing import Final

from talkburst.sip.headers.grammar import BLANK, split_commas
from talkburst.sip.headers.names import NEVER_SPLIT, header_key

NOTHING_REPEATED: Final[dict[str, list[str]]] = {}
"""That of all messages in which each field comes once; nobody changes it."""


class HeaderFields:
    """Header fields in their order. A field is found by any spelling of its name.

    Two lists side by side and no object for a field: ten to twenty would be made of each message, and most are only
    written again.
    """

    __slots__ = ("_firsts", "_keys", "_lines", "_repeated")

    _keys: list[str]  # the full lower-case name of each field
    _lines: list[str]  # each field as it goes on the wire, folds included, without the last line break
    _firsts: dict[str, str] | None  # the value of the first field of each key; None until it is asked for
    _repeated: dict[str, list[str]]  # all values of each key that comes more than once; as old as `_firsts`

    def __init__(self) -> None:
        self._keys = []
        self._lines = []
        self._firsts = None
        self._repeated = NOTHING_REPEATED

    def header_lines(self) -> Iterator[tuple[str, str]]:
        """Every header field in order: name as received, value."""
        return iter([(name_of(line), value_of(line)) for line in self._lines])

    def keys(self) -> list[str]:
        """The full lower-case name of every header field in order."""
        return self._keys.copy()

    def get(self, name: str) -> str | None:
        """The value of the first field of that name, unfolded and stripped."""
        key = header_key(name)
        firsts = self._firsts
        if firsts is None:
            if key not in self._keys:
                return None
            firsts = self.first_values()
        return firsts.get(key)

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

    def repeats_one_of(self, keys: frozenset[str]) -> bool:
        """Whether one of these full lower-case names comes more than once."""
        self.first_values()
        return len(self._repeated) > 0 and not keys.isdisjoint(self._repeated)

    def first_values(self) -> dict[str, str]:
        """The value of the first field of each full lower-case name; for reading only."""
        firsts = self._firsts
        if firsts is None:
            firsts = self._firsts = {}
            self._repeated = NOTHING_REPEATED
            for key, line in zip(self._keys, self._lines, strict=True):
                value = value_of(line)
                if key in firsts:
                    self._repeated = with_another(self._repeated, key, firsts[key], value)
                else:
                    firsts[key] = value
        return firsts

    def set(self, name: str, value: object) -> None:
        """Puts one field of that name where the first one stood, or at the end, and drops the others."""
        key, text = header_key(name), one_line(str(value))
        keys, lines = self._keys, self._lines
        if key in keys:
            position = keys.index(key)
            lines[position] = f"{name}: {text}"
            if key in keys[position + 1 :]:
                self._drop(key, position)
        else:
            keys.append(key)
            lines.append(f"{name}: {text}")
        self._now(key, text)

    def add(self, name: str, value: object) -> None:
        """Appends a field after the last of that name, or at the end."""
        key, text = header_key(name), one_line(str(value))
        position = len(self._keys)
        new = key not in self._keys
        if not new:
            for index, other in enumerate(self._keys):
                if other == key:
                    position = index + 1
        self._insert(position, key, f"{name}: {text}", text if new else None)

    def prepend(self, name: str, value: object) -> None:
        """Puts a field before the first of that name, or before all others."""
        key, text = header_key(name), one_line(str(value))
        if key in self._keys:
            self._insert(self._keys.index(key), key, f"{name}: {text}", None)
        else:
            self._insert(0, key, f"{name}: {text}", text)

    def remove(self, name: str) -> None:
        """Drops all fields of that name."""
        key = header_key(name)
        if key in self._keys:
            self._drop(key, None)
        self._now(key, None)

    def remove_first(self, name: str, number: int = 1) -> None:
        """Drops the first elements of the fields of that name: the top Via, the first Routes."""
        key = header_key(name)
        while number > 0 and key in self._keys:
            index = self._keys.index(key)
            line = self._lines[index]
            elements = _elements(key, value_of(line))
            if len(elements) > number:
                self._lines[index] = header_line(name_of(line), ", ".join(elements[number:]))
            else:
                del self._keys[index], self._lines[index]
            number -= max(1, len(elements))
        self._firsts = None
        self._forget(key)

    def replace_first(self, name: str, value: object) -> None:
        """Puts `value` in the place of the first element; without such a field it is prepended."""
        key = header_key(name)
        if key in self._keys:
            self._put_first(key, one_line(str(value)))
            self._forget(key)
        else:
            self.prepend(name, value)

    def _put_first(self, key: str, text: str) -> None:
        """`text` in the place of the first element of the first field, of which there is one."""
        firsts = self.first_values()
        value = firsts[key]
        if "," in value:
            text = ", ".join([text, *_elements(key, value)[1:]]).strip(BLANK)
        index = self._keys.index(key)
        self._lines[index] = f"{name_of(self._lines[index])}: {text}"
        firsts[key] = text
        if key in self._repeated:
            self._repeated = {**self._repeated, key: [text, *self._repeated[key][1:]]}

    def _drop(self, key: str, kept: int | None) -> None:
        """Takes out all fields of that name but the one at `kept`."""
        left = [index for index, other in enumerate(self._keys) if other != key or index == kept]
        self._keys = [self._keys[index] for index in left]
        self._lines = [self._lines[index] for index in left]

    def _insert(self, position: int, key: str, line: str, only: str | None) -> None:
        """`only` is the value when no other field has that name."""
        self._keys.insert(position, key)
        self._lines.insert(position, line)
        if only is None:
            self._firsts = None
        self._now(key, only)

    def _now(self, key: str, value: str | None) -> None:
        """The one field of that name has this value now; None: there is none."""
        firsts = self._firsts
        if firsts is not None:
            if key in self._repeated:
                self._firsts = None
            elif value is not None:
                firsts[key] = value
            elif key in firsts:
                del firsts[key]
        self._forget(key)

    def _forget(self, key: str) -> None:
        """The fields of that name are others now."""


def with_another(repeated: dict[str, list[str]], key: str, first: str, value: str) -> dict[str, list[str]]:
    """What comes more than once, when `value` comes after `first`."""
    if repeated is NOTHING_REPEATED:
        repeated = {}
    if key in repeated:
        repeated[key].append(value)
    else:
        repeated[key] = [first, value]
    return repeated


def name_of(line: str) -> str:
    """The name of a field as it was received."""
    return line.partition(":")[0].rstrip(" \t\r\n")


def value_of(line: str) -> str:
    """The value of a field, unfolded (RFC 3261 7.3.1) and stripped."""
    value = line.partition(":")[2]
    if "\r" in value:
        value = " ".join([part.strip(BLANK) for part in value.split("\r\n")])
    return value.strip(BLANK)


def header_line(name: str, value: object) -> str:
    """A field as it goes on the wire."""
    return f"{name}: {one_line(str(value))}"


def one_line(text: str) -> str:
    """A line break in a value would end the header and begin one of somebody else's choosing."""
    if "\r" in text or "\n" in text:
        text = text.replace("\r\n", " ").replace("\r", " ").replace("\n", " ")
    return text.strip(BLANK)


def _elements(key: str, value: str) -> list[str]:
    return [value] if key in NEVER_SPLIT else split_commas(value)
